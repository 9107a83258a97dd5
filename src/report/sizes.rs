//! Widths of maps under occluders of several sizes, and what they would be under occluders of none.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use thiserror::Error;

use crate::analysis::{Extrapolated, SizedWidth, extrapolated};
use crate::error::{ErrorKind, HasKind};
use crate::files::{FileError, shown};
use crate::progress::Progress;
use crate::ranking::Side;
use crate::report::csv::{number, write_csv};
use crate::report::numbers::{Cells, Estimate, Measured, measure};
use crate::report::results::{LayerResults, Results, ResultsError};

/// The files.
pub const FILES: [&str; 2] = ["sizes.csv", "sizes_columns.csv"];

/// The columns: name, unit and meaning.
const COLUMNS: [(&str, &str, &str); 10] = [
    ("layer", "", "short name of the layer"),
    ("unit", "", "the unit, from 0"),
    ("side", "", "max: mean map over the top images; min: over the bottom images"),
    ("sizes", "pixels", "side lengths of the occluders under which a Gaussian fits"),
    (
        "long",
        "pixels",
        "standard deviation along the long axis under occluders of one pixel; empty where fewer than two sizes fit",
    ),
    ("long_se", "pixels", "its standard error"),
    (
        "long_slope",
        "",
        "what the variance grows by with the square of the occluders' side; 1/6 for a Gaussian field",
    ),
    ("short", "pixels", "standard deviation along the short axis"),
    ("short_se", "pixels", "its standard error"),
    ("short_slope", "", ""),
];

/// Why widths cannot be extrapolated.
#[derive(Debug, Error)]
pub enum SizesError {
    /// The maps of a folder.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// A file that cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Folders of other networks or weights.
    #[error("{}: maps of another network, or of other weights, than {}", shown(other), shown(one))]
    OtherNetwork {
        /// The first folder.
        one: PathBuf,
        /// Another.
        other: PathBuf,
    },
    /// Folders of other images, or measured otherwise.
    #[error(
        "{}: maps of other images, of another number of them (--top), or with another --deposit, \
         --mean-over or --fill, than {}; expected the occluders' size alone to differ",
        shown(other),
        shown(one)
    )]
    OtherSweep {
        /// The first folder.
        one: PathBuf,
        /// Another.
        other: PathBuf,
    },
    /// No layer that all folders have, under occluders of at least two sizes.
    #[error("no layer is in all {0} folders, with occluders of at least two sizes")]
    NoSizes(usize),
    /// It was cancelled.
    #[error("stopped")]
    Stopped,
}

impl HasKind for SizesError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Results(error) => error.kind(),
            Self::File(error) => error.kind(),
            Self::OtherNetwork { .. } | Self::OtherSweep { .. } | Self::NoSizes(_) => {
                ErrorKind::Input
            }
            Self::Stopped => ErrorKind::Stopped,
        }
    }
}

/// A layer under occluders of several sizes.
#[derive(Debug)]
pub struct SizedLayer<'a> {
    /// Of each folder the layer and its cells.
    layers: Vec<(&'a LayerResults, Cells)>,
    /// Units that were swept in all.
    units: Vec<usize>,
}

/// The layers of some folders of one network that all have, under occluders of at least two sizes.
///
/// # Errors
/// [`SizesError::OtherNetwork`], [`SizesError::OtherSweep`], [`SizesError::NoSizes`].
pub fn layers(folders: &[Results]) -> Result<Vec<SizedLayer<'_>>, SizesError> {
    let Some((first, others)) = folders.split_first() else { return Err(SizesError::NoSizes(0)) };
    let model = |results: &Results| {
        let model = &results.configuration().model;
        (model.network_sha256.clone(), model.weights_sha256.clone())
    };
    if let Some(other) = others.iter().find(|other| model(other) != model(first)) {
        let (one, other) = (first.folder().to_owned(), other.folder().to_owned());
        return Err(SizesError::OtherNetwork { one, other });
    }
    let sweep = |results: &Results| {
        let configuration = results.configuration();
        let settings = &configuration.settings;
        let images = (configuration.images_sha256.clone(), settings.top);
        (images, settings.deposit, settings.mean_over, settings.fill)
    };
    if let Some(other) = others.iter().find(|other| sweep(other) != sweep(first)) {
        let (one, other) = (first.folder().to_owned(), other.folder().to_owned());
        return Err(SizesError::OtherSweep { one, other });
    }
    let sized = |layer: &LayerResults| -> Option<SizedLayer<'_>> {
        let of_folder = |results| -> Option<(&LayerResults, Cells)> {
            let results: &Results = results;
            let found = results.layers().iter().find(|found| found.name() == layer.name())?;
            let settings = &results.configuration().settings;
            Some((found, Cells::new(found.configuration(), settings)))
        };
        let layers: Vec<_> = folders.iter().map(of_folder).collect::<Option<_>>()?;
        let size = |place: usize| layers[place].0.configuration().occluder_size;
        let several = (1..layers.len()).any(|place| size(place) != size(0));
        let swept: Vec<Vec<usize>> = layers.iter().map(|(layer, _)| layer.swept()).collect();
        let in_all = |unit: &usize| swept.iter().all(|swept| swept.binary_search(unit).is_ok());
        let units = swept[0].iter().copied().filter(in_all).collect();
        several.then_some(SizedLayer { layers, units })
    };
    let found: Vec<SizedLayer<'_>> = first.layers().iter().filter_map(sized).collect();
    if found.is_empty() { Err(SizesError::NoSizes(folders.len())) } else { Ok(found) }
}

/// Units that are measured.
pub fn count(layers: &[SizedLayer<'_>]) -> u64 {
    layers.iter().map(|layer| layer.units.len() as u64).sum()
}

/// Fits Gaussians to the maps of some layers and writes their widths, extrapolated to occluders of one
/// pixel, into `folder`, which is there; files of the same names are replaced. `progress` counts units.
///
/// # Errors
/// Maps that cannot be read; files that cannot be written; [`SizesError::Stopped`].
pub fn write(
    layers: &[SizedLayer<'_>],
    folder: &Path,
    progress: &Progress<'_>,
) -> Result<(), SizesError> {
    let mut rows = vec![COLUMNS.map(|(name, ..)| name.to_owned()).to_vec()];
    for layer in layers {
        let of_unit = |&unit: &usize| -> Result<[Vec<String>; 2], SizesError> {
            if progress.is_cancelled() {
                return Err(SizesError::Stopped);
            }
            let both = [layer.row(unit, Side::Top)?, layer.row(unit, Side::Bottom)?];
            progress.advance(1);
            Ok(both)
        };
        let found: Vec<_> = layer.units.par_iter().map(of_unit).collect::<Result<_, _>>()?;
        rows.extend(found.into_iter().flatten());
    }
    write_csv(&folder.join(FILES[0]), rows.into_iter())?;
    let header = ("column", "unit", "meaning");
    let line = |(name, unit, meaning): (&str, &str, &str)| [name, unit, meaning].map(String::from);
    let lines = std::iter::once(header).chain(COLUMNS).map(|columns| line(columns).to_vec());
    Ok(write_csv(&folder.join(FILES[1]), lines)?)
}

impl SizedLayer<'_> {
    fn row(&self, unit: usize, side: Side) -> Result<Vec<String>, SizesError> {
        let (mut sizes, mut long, mut short) = (Vec::new(), Vec::new(), Vec::new());
        for (layer, cells) in &self.layers {
            let Measured::Numbers(numbers) = measure(&layer.map(unit, side)?, cells, false) else {
                continue;
            };
            let Ok(fit) = numbers.fit else { continue };
            let size = layer.configuration().occluder_size;
            let sized = |Estimate { value, error }: Estimate| SizedWidth {
                size: size as f64,
                width: value,
                error,
            };
            sizes.push(size.to_string());
            long.push(sized(fit.long));
            short.push(sized(fit.short));
        }
        let name = self.layers.first().map_or("", |(layer, _)| layer.name());
        let mut fields = vec![name.to_owned(), unit.to_string(), side.name().to_owned()];
        fields.push(sizes.join(" "));
        for widths in [long, short] {
            match extrapolated(&widths) {
                Some(Extrapolated { width, error, slope }) => {
                    fields.extend([width, error, slope].map(number));
                }
                None => fields.extend([const { String::new() }; 3]),
            }
        }
        Ok(fields)
    }
}
