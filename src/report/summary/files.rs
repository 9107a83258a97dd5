//! The files of a summary.

use std::io::Write as _;
use std::path::Path;

use super::{BINS, LayerSummary, MEASURES, Summary, SummaryError, figure};
use crate::analysis::Distribution;
use crate::files::{write_atomically, write_text};
use crate::report::csv::{number, write_csv};
use crate::report::figure::{INCH, to_pdf};
use crate::report::write_png;

/// The files.
pub const FILES: [&str; 7] = [
    "summary.pdf",
    "summary.svg",
    "summary.png",
    "summary.csv",
    "orientations.csv",
    "reliability.csv",
    "summary_columns.csv",
];

/// The columns of `summary.csv`.
const COLUMNS: [&str; 15] = [
    "network", "layer", "depth", "side", "rf", "units", "mapped", "measure", "count", "mean",
    "q05", "q25", "median", "q75", "q95",
];

/// Writes the files of a summary into `folder`, which is there; files of the same names are replaced.
/// `resolution` is that of the PNG, in pixels an inch.
///
/// # Errors
/// Files that cannot be written.
pub fn write(summary: &Summary, folder: &Path, resolution: f32) -> Result<(), SummaryError> {
    let figure = figure(summary)?;
    write_text(&folder.join("summary.svg"), &figure.to_svg())?;
    write_png(&folder.join("summary.png"), &figure.to_picture(resolution / INCH)?)?;
    let bytes = to_pdf("Receptive fields over depth", &[figure])?;
    write_atomically(&folder.join("summary.pdf"), |file| file.write_all(&bytes))?;
    let header = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let rows = layers(summary).flat_map(|(front, layer)| {
        MEASURES.iter().zip(&layer.measures).map(move |(measure, found)| {
            let mut fields = front.clone();
            fields.push(measure.name.to_owned());
            fields.extend(numbers(*found));
            fields
        })
    });
    write_csv(&folder.join("summary.csv"), std::iter::once(header(&COLUMNS)).chain(rows))?;
    let rows = layers(summary).flat_map(|(front, layer)| {
        layer.orientations.iter().enumerate().map(move |(bin, count)| {
            let mut fields = front.clone();
            let angle = bin as f64 * 180.0 / BINS as f64;
            fields.extend([angle.to_string(), count.to_string()]);
            fields
        })
    });
    let names = [&COLUMNS[..7], &["angle", "count"]].concat();
    write_csv(&folder.join("orientations.csv"), std::iter::once(header(&names)).chain(rows))?;
    let rows = layers(summary).flat_map(|(front, layer)| {
        let curve = layer.reliability.curve.iter();
        let mut lines: Vec<(&str, String, Option<Distribution>)> =
            curve.map(|(images, found)| ("reliability", images.to_string(), *found)).collect();
        lines.push(("images_for_0.95", String::new(), layer.reliability.needed));
        lines.into_iter().map(move |(measure, images, found)| {
            let mut fields = front.clone();
            fields.extend([measure.to_owned(), images]);
            fields.extend(numbers(found));
            fields
        })
    });
    let names = [&COLUMNS[..7], &["measure", "images"], &COLUMNS[8..]].concat();
    write_csv(&folder.join("reliability.csv"), std::iter::once(header(&names)).chain(rows))?;
    let rows = MEASURES
        .iter()
        .map(|measure| [measure.name, measure.unit, measure.meaning].map(String::from).to_vec());
    let rows = std::iter::once(header(&["measure", "unit", "meaning"])).chain(rows);
    write_csv(&folder.join("summary_columns.csv"), rows)?;
    Ok(())
}

/// Count, mean and quantiles.
fn numbers(found: Option<Distribution>) -> Vec<String> {
    let count = found.map_or(0, |found| found.count).to_string();
    let values = found.map(|found| [&[found.mean], &found.quantiles[..]].concat());
    let values = values.unwrap_or_else(|| vec![f64::NAN; 6]);
    std::iter::once(count).chain(values.into_iter().map(number)).collect()
}

/// Each layer and side, with the fields that name it.
fn layers(summary: &Summary) -> impl Iterator<Item = (Vec<String>, &LayerSummary)> {
    summary.networks.iter().flat_map(|network| {
        network.layers.iter().enumerate().flat_map(move |(depth, sides)| {
            sides.iter().map(move |layer| {
                let names = [network.name.clone(), layer.layer.clone(), (depth + 1).to_string()];
                let counts = [layer.rf, layer.units, layer.mapped].map(|count| count.to_string());
                let side = [layer.side.name().to_owned()];
                (names.into_iter().chain(side).chain(counts).collect(), layer)
            })
        })
    })
}
