//! The files of a summary.

use std::io::Write as _;
use std::path::Path;

use super::{BINS, LayerSummary, MEASURES, Summary, figure};
use crate::files::{write_atomically, write_text};
use crate::report::csv::{Column, LAYER, QUANTILES, SIDE, Table, quantiles};
use crate::report::figure::{INCH, to_pdf};
use crate::report::reliability::Reliability;
use crate::report::{ReportError, write_png};

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

/// The first columns of each table.
const FRONT: [Column; 7] = [
    ("network", "", "name of the network"),
    LAYER,
    ("depth", "", "rank of the layer in the network, from 1"),
    SIDE,
    ("rf", "pixels", "side length of the theoretical receptive field"),
    ("units", "", "units that were swept"),
    ("mapped", "", "units whose map is not zero everywhere"),
];
const MEASURE: [Column; 2] =
    [("measure", "", "what is measured of each map"), ("count", "", "units that have a value")];
const ORIENTATION: [Column; 2] = [
    ("angle", "degrees", "middle of a bin of orientations of the long axis"),
    ("count", "", "units in the bin"),
];

/// Writes the files of a summary into `folder`, which is there; files of the same names are replaced.
/// `resolution` is that of the PNG, in pixels an inch.
///
/// # Errors
/// Files that cannot be written.
pub fn write(summary: &Summary, folder: &Path, resolution: f32) -> Result<(), ReportError> {
    let figure = figure(summary)?;
    write_text(&folder.join("summary.svg"), &figure.to_svg())?;
    write_png(&folder.join("summary.png"), &figure.to_picture(resolution / INCH)?)?;
    let bytes = to_pdf("Receptive fields over depth", &[figure])?;
    write_atomically(&folder.join("summary.pdf"), |file| file.write_all(&bytes))?;
    for (table, file) in summary.tables().iter().zip(&FILES[3..]) {
        table.write(&folder.join(file))?;
    }
    let names = ["measure", "unit", "meaning"].map(|name| (name, "", ""));
    let meanings = MEASURES.iter().map(|measure| [measure.name, measure.unit, measure.meaning]);
    let meanings = meanings.map(|texts| texts.map(String::from).to_vec());
    Ok(Table::new(&names, meanings).write(&folder.join("summary_columns.csv"))?)
}

impl Summary {
    /// The measures, the orientations and the reliabilities of each layer and side: `summary.csv`,
    /// `orientations.csv` and `reliability.csv`.
    pub fn tables(&self) -> [Table; 3] {
        let rows = layers(self).flat_map(|(front, layer)| {
            MEASURES.iter().zip(&layer.measures).map(move |(measure, found)| {
                let count = found.map_or(0, |found| found.count).to_string();
                [&front[..], &[measure.name.to_owned(), count], &quantiles(*found)].concat()
            })
        });
        let measures = Table::new(&[&FRONT[..], &MEASURE, &QUANTILES].concat(), rows);
        let rows = layers(self).flat_map(|(front, layer)| {
            layer.orientations.iter().enumerate().map(move |(bin, count)| {
                let angle = bin as f64 * 180.0 / BINS as f64;
                [&front[..], &[angle.to_string(), count.to_string()]].concat()
            })
        });
        let orientations = Table::new(&[&FRONT[..], &ORIENTATION].concat(), rows);
        let rows = layers(self).flat_map(|(front, layer)| {
            let rows = layer.reliability.rows();
            rows.into_iter().map(move |fields| [&front[..], &fields].concat())
        });
        let columns = [&FRONT[..], &Reliability::COLUMNS, &QUANTILES].concat();
        [measures, orientations, Table::new(&columns, rows)]
    }
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
