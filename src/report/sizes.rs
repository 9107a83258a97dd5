//! Widths of maps under occluders of several sizes, and what they would be under occluders of none.

use std::path::PathBuf;

use thiserror::Error;

use crate::analysis::{Extrapolated, SizedWidth, extrapolated};
use crate::error::{ErrorKind, HasKind};
use crate::files::{FileError, shown};
use crate::progress::Progress;
use crate::ranking::Side;
use crate::report::csv::{Column, Table, map_fields, number};
use crate::report::numbers::{Cells, Estimate, Measured, measure};
use crate::report::of_both_sides;
use crate::report::results::{LayerResults, Results, ResultsError};

/// The files.
pub const FILES: [&str; 2] = ["sizes.csv", "sizes_columns.csv"];

/// The columns after the map's.
const COLUMNS: [Column; 9] = [
    ("sizes", "pixels", "side lengths of the occluders under which a Gaussian fits"),
    (
        "long_status",
        "",
        "ok; few_sizes: a Gaussian fits under fewer than two sizes; undetermined: the variance at one pixel is not above 0",
    ),
    ("long", "pixels", "standard deviation along the long axis under occluders of one pixel"),
    ("long_se", "pixels", "its standard error"),
    (
        "long_slope",
        "",
        "what the variance grows by with the square of the occluders' side; 1/6 for a Gaussian field",
    ),
    ("short_status", "", "as long_status"),
    ("short", "pixels", "standard deviation along the short axis"),
    ("short_se", "pixels", "its standard error"),
    ("short_slope", "", "as long_slope"),
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
        "{}: maps of other images, of another number of them (--top) or another ranking, or with \
         another --deposit, --mean-over, --fill, --every or --context, than {}; expected the \
         occluders' size alone to differ",
        shown(other),
        shown(one)
    )]
    OtherSweep {
        /// The first folder.
        one: PathBuf,
        /// Another.
        other: PathBuf,
    },
    /// Maps of units that stop.
    #[error(
        "{}: its units stop once their maps are reliable (--until-reliable), under each size after \
         other images; expected maps of all images of --top",
        shown(.0)
    )]
    Stopping(PathBuf),
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
            Self::OtherNetwork { .. }
            | Self::OtherSweep { .. }
            | Self::Stopping(_)
            | Self::NoSizes(_) => ErrorKind::Input,
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
/// [`SizesError::OtherNetwork`], [`SizesError::OtherSweep`], [`SizesError::Stopping`],
/// [`SizesError::NoSizes`].
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
        let there = &configuration.images;
        let images = (configuration.images_sha256.clone(), there.size, there.preprocessing.clone());
        let measured = (settings.deposit, settings.mean_over, settings.fill);
        (images, measured, settings.top, settings.every, settings.context)
    };
    let is_other = |other: &&Results| sweep(other) != sweep(first) || !is_ranked_as(first, other);
    if let Some(other) = others.iter().find(is_other) {
        let (one, other) = (first.folder().to_owned(), other.folder().to_owned());
        return Err(SizesError::OtherSweep { one, other });
    }
    let stops = |results: &&Results| results.configuration().settings.until_reliable.is_some();
    if let Some(stopping) = folders.iter().find(stops) {
        return Err(SizesError::Stopping(stopping.folder().to_owned()));
    }
    let sized = |layer: &LayerResults| -> Option<SizedLayer<'_>> {
        let of_folder = |results| -> Option<(&LayerResults, Cells)> {
            let results: &Results = results;
            let found = results.layers().iter().find(|found| found.name() == layer.name())?;
            let settings = &results.configuration().settings;
            Some((found, Cells::new(found.configuration(), settings)))
        };
        let layers: Vec<_> = folders.iter().map(of_folder).collect::<Option<_>>()?;
        let size = |index: usize| layers[index].0.configuration().occluder_size;
        let several = (1..layers.len()).any(|index| size(index) != size(0));
        let swept: Vec<Vec<usize>> = layers.iter().map(|(layer, _)| layer.swept()).collect();
        let in_all = |unit: &usize| swept.iter().all(|swept| swept.binary_search(unit).is_ok());
        let units = swept[0].iter().copied().filter(in_all).collect();
        several.then_some(SizedLayer { layers, units })
    };
    let found: Vec<SizedLayer<'_>> = first.layers().iter().filter_map(sized).collect();
    if found.is_empty() { Err(SizesError::NoSizes(folders.len())) } else { Ok(found) }
}

/// Whether the layers that two folders have are of the same ranking, as far as the same units of it were
/// swept.
fn is_ranked_as(one: &Results, other: &Results) -> bool {
    let (one, other) = (&one.configuration().layers, &other.configuration().layers);
    one.iter().all(|one| {
        let same = other.iter().find(|other| other.layer == one.layer && other.swept == one.swept);
        same.is_none_or(|other| other.ranking_sha256 == one.ranking_sha256)
    })
}

/// Units that are measured.
pub fn count(layers: &[SizedLayer<'_>]) -> u64 {
    layers.iter().map(|layer| layer.units.len() as u64).sum()
}

/// Fits Gaussians to the maps of some layers and extrapolates their widths to occluders of one pixel: a
/// row a unit and side. `progress` counts units.
///
/// # Errors
/// Maps that cannot be read; [`SizesError::Stopped`].
pub fn sizes(layers: &[SizedLayer<'_>], progress: &Progress<'_>) -> Result<Table, SizesError> {
    let mut rows = Vec::new();
    for layer in layers {
        let (stopped, row) = (|| SizesError::Stopped, |unit, side| layer.row(unit, side));
        let found = of_both_sides(&layer.units, progress, stopped, row)?;
        rows.extend(found.into_iter().flatten());
    }
    Ok(Table::of_maps(&COLUMNS, rows))
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
        let mut fields = map_fields(name, unit, side);
        fields.push(sizes.join(" "));
        fields.extend([long, short].iter().flat_map(|widths| fields_of(extrapolated(widths))));
        Ok(fields)
    }
}

/// The status, the width, its error and the slope.
fn fields_of(found: Option<Extrapolated>) -> [String; 4] {
    let none = String::new;
    match found {
        Some(Extrapolated { width: Some(SizedWidth { width, error, .. }), slope }) => {
            ["ok".into(), number(width), number(error), number(slope)]
        }
        Some(Extrapolated { width: None, slope }) => {
            ["undetermined".into(), none(), none(), number(slope)]
        }
        None => ["few_sizes".into(), none(), none(), none()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_width_without_a_variance_is_told_to_be_undetermined() {
        let found = |width| fields_of(Some(Extrapolated { width, slope: 0.5 }));
        assert_eq!(found(None), ["undetermined", "", "", "0.5"]);
        let width = SizedWidth { size: 1.0, width: 2.0, error: 0.25 };
        assert_eq!(found(Some(width)), ["ok", "2", "0.25", "0.5"]);
        assert_eq!(fields_of(None), ["few_sizes", "", "", ""]);
    }
}
