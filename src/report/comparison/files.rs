//! The files of a comparison.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::page::page;
use super::{Comparison, ComparisonError, ComparisonRecord, figures};
use crate::files::{remove_file, write_atomically, write_json, write_text};
use crate::report::csv::Table;
use crate::report::figure::{INCH, to_pdf};
use crate::report::write_png;

/// The files that are always written.
const FILES: [&str; 8] = [
    "comparison.html",
    "comparison.json",
    "comparison.pdf",
    "comparison.png",
    "comparison.svg",
    "units.csv",
    "layers.csv",
    "columns.csv",
];

/// The names of the files that [`write()`] writes or removes in a folder: the figure's further pages
/// that are there, `comparison-2.png`, …, are replaced or removed.
pub fn files(folder: &Path) -> Vec<String> {
    FILES.into_iter().map(String::from).chain(further_pages(folder)).collect()
}

/// The further pages that a folder has.
fn further_pages(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| page_number(name).is_some()).collect()
}

/// The number of a further page, from 2 on.
fn page_number(name: &str) -> Option<usize> {
    let stem = name.strip_suffix(".svg").or_else(|| name.strip_suffix(".png"))?;
    let number = stem.strip_prefix("comparison-")?;
    // `comparison-02.png` is somebody else's.
    number.parse().ok().filter(|found: &usize| *found > 1 && found.to_string() == number)
}

/// Writes the files of a comparison into `folder`, which is there; files of the same names are
/// replaced. `resolution` is that of the PNGs, in pixels an inch.
///
/// # Errors
/// Files that cannot be written.
pub fn write(
    comparison: &Comparison,
    folder: &Path,
    resolution: f32,
) -> Result<(), ComparisonError> {
    let figures = figures(comparison)?;
    let named = |number: usize, ending: &str| -> PathBuf {
        let number = if number == 0 { String::new() } else { format!("-{}", number + 1) };
        folder.join(format!("comparison{number}.{ending}"))
    };
    for (number, figure) in figures.iter().enumerate() {
        write_text(&named(number, "svg"), &figure.to_svg())?;
        write_png(&named(number, "png"), &figure.to_picture(resolution / INCH)?)?;
    }
    for name in further_pages(folder) {
        if page_number(&name).is_some_and(|number| number > figures.len()) {
            remove_file(&folder.join(name))?;
        }
    }
    let title = "Comparison of maps";
    let bytes = to_pdf(title, &figures)?;
    write_atomically(&named(0, "pdf"), |file| file.write_all(&bytes))?;

    let tables = [("units.csv", comparison.unit_table()), ("layers.csv", comparison.layer_table())];
    let mut columns = Vec::new();
    for (file, table) in tables {
        table.write(&folder.join(file))?;
        let named = |column: &[String; 3]| [&[file.to_owned()], &column[..]].concat();
        columns.extend(table.columns.iter().map(named));
    }
    let names = ["file", "column", "unit", "meaning"].map(|name| (name, "", ""));
    Table::new(&names, columns).write(&folder.join("columns.csv"))?;
    write_json(&folder.join("comparison.json"), &ComparisonRecord::from(comparison))?;
    // Last: whoever finds the page finds all that it names.
    Ok(write_text(&folder.join("comparison.html"), &page(comparison, &figures))?)
}
