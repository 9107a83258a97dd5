//! Tables on standard output.

use std::fmt::Write as _;

use occlumap::files::escaped;

/// Limit of a column's width; wider cells stick out. A name from a file may have any length.
const WIDEST: usize = 200;

/// Rows as a table: the first `left` columns are left-aligned, the others right-aligned.
pub(super) fn table<const N: usize>(rows: &[[String; N]], left: usize) -> String {
    // Names come from files.
    let rows: Vec<[String; N]> =
        rows.iter().map(|row| row.each_ref().map(|cell| escaped(cell).to_string())).collect();
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count().min(WIDEST)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            // Writing to a string cannot fail.
            let _ = if column < left {
                write!(text, "{gap}{cell:<width$}")
            } else {
                write!(text, "{gap}{cell:>width$}")
            };
        }
        text.push('\n');
    }
    text
}
