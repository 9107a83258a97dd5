//! Tables, and their files (CSV).

use std::io::Write as _;
use std::path::Path;

use crate::analysis::Distribution;
use crate::files::{FileError, write_atomically};
use crate::ranking::Side;

/// A column: its name, its unit, and what it means.
pub type Column = (&'static str, &'static str, &'static str);

/// A table: name, unit and meaning of each column, and the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The columns.
    pub columns: Vec<[String; 3]>,
    /// The rows, a field for each column; empty where there is no value.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// A table of these columns.
    pub fn new(columns: &[Column], rows: impl IntoIterator<Item = Vec<String>>) -> Self {
        Self {
            columns: columns.iter().copied().map(texts).collect(),
            rows: rows.into_iter().collect(),
        }
    }

    /// A table with a row for each map: the columns that name the map, then these.
    pub fn of_maps(columns: &[Column], rows: impl IntoIterator<Item = Vec<String>>) -> Self {
        Self::new(&[&MAP[..], columns].concat(), rows)
    }

    /// The legend of the columns, a table: `column`, `unit`, `meaning`.
    #[must_use]
    pub fn legend(&self) -> Self {
        let names = [("column", "", ""), ("unit", "", ""), ("meaning", "", "")];
        Self::new(&names, self.columns.iter().map(|column| column.to_vec()))
    }

    /// Writes the table and what its columns mean into `folder`, under these names.
    ///
    /// # Errors
    /// Files that cannot be written.
    pub fn write_with_legend(
        &self,
        folder: &Path,
        [table, legend]: [&str; 2],
    ) -> Result<(), FileError> {
        self.write(&folder.join(table))?;
        self.legend().write(&folder.join(legend))
    }

    /// Writes a line of names, then the rows, as CSV, atomically.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), FileError> {
        let mut writer = ::csv::Writer::from_writer(Vec::new());
        let wrong = |error: String| FileError::content(path, error);
        let names = self.columns.iter().map(|[name, ..]| name);
        writer.write_record(names).map_err(|error| wrong(error.to_string()))?;
        for row in &self.rows {
            writer.write_record(row).map_err(|error| wrong(error.to_string()))?;
        }
        let bytes = writer.into_inner().map_err(|error| wrong(error.to_string()))?;
        write_atomically(path, |file| file.write_all(&bytes))
    }
}

/// A column's texts.
pub fn texts((name, unit, meaning): Column) -> [String; 3] {
    [name, unit, meaning].map(String::from)
}

/// A number for a table: seven digits, since maps are sums of 32-bit differences; nothing for what is not
/// finite.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return String::new();
    }
    let exact = format!("{value:.6e}");
    let rounded = exact.parse().unwrap_or(value);
    if rounded == 0.0 || (1e-4..1e9).contains(&rounded.abs()) {
        rounded.to_string()
    } else {
        format!("{rounded:e}")
    }
}

/// The column of a layer.
pub const LAYER: Column = ("layer", "", "name of the layer in names of files");
/// The column of a unit.
pub const UNIT: Column = ("unit", "", "the unit, from 0");
/// The column of a side.
pub const SIDE: Column =
    ("side", "", "max: mean map over the top images; min: over the bottom images");

/// The columns of [`map_fields`].
pub const MAP: [Column; 3] = [LAYER, UNIT, SIDE];

/// The fields that name a map.
pub fn map_fields(layer: &str, unit: usize, side: Side) -> Vec<String> {
    vec![layer.to_owned(), unit.to_string(), side.name().to_owned()]
}

/// The columns of [`quantiles`].
pub const QUANTILES: [Column; 6] = [
    ("mean", "", "mean over these"),
    ("q05", "", "quantiles over these: 5 %"),
    ("q25", "", "25 %"),
    ("median", "", "50 %"),
    ("q75", "", "75 %"),
    ("q95", "", "95 %"),
];

/// The mean and the quantiles of a distribution.
pub fn quantiles(found: Option<Distribution>) -> Vec<String> {
    let values = found.map(|found| [&[found.mean], &found.quantiles[..]].concat());
    values.unwrap_or_else(|| vec![f64::NAN; QUANTILES.len()]).into_iter().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_seven_digits_at_any_size() {
        for (value, expected) in [
            (0.0, "0"),
            (4.0, "4"),
            (-12.345_678_9, "-12.34568"),
            (1.0e-15 / 3.0, "3.333333e-16"),
            (2.5e12, "2.5e12"),
            (f64::NAN, ""),
            (f64::INFINITY, ""),
        ] {
            assert_eq!(number(value), expected);
        }
    }
}
