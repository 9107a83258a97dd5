//! Tables as CSV.

use std::io::Write as _;
use std::path::Path;

use crate::files::{FileError, write_atomically};

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

/// Writes lines of fields as CSV, atomically.
pub fn write_csv(path: &Path, lines: impl Iterator<Item = Vec<String>>) -> Result<(), FileError> {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    let wrong = |error: String| FileError::content(path, error);
    for line in lines {
        writer.write_record(line).map_err(|error| wrong(error.to_string()))?;
    }
    let bytes = writer.into_inner().map_err(|error| wrong(error.to_string()))?;
    write_atomically(path, |file| file.write_all(&bytes))
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
