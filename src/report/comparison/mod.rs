//! Two sets of maps, compared unit by unit.
//!
//! A set is a folder of results or an array ([`MapSet`]). Layers are matched by name, units by number;
//! what one set has alone is left out and listed. Maps are compared on the cells of the coarser of their
//! two grids ([`crate::analysis::Raster`]), where both were measured.

mod array;
mod error;
mod figure;
mod files;
mod layer;
mod maps;
mod matching;
mod page;
mod record;
mod settings;
mod tables;

use crate::analysis::MeasureSummary;
use crate::progress::Progress;
use crate::runs::{Context, Task};

pub use array::MapArray;
pub use error::ComparisonError;
pub use figure::figures;
pub use files::{files, write};
pub use layer::{Example, LayerComparison, UnitComparison};
pub use maps::{Absent, MapSet, MapSource};
pub use record::{ComparisonRecord, SetRecord};
pub use settings::{ComparisonSettings, MapSide, SidePair};
pub(in crate::report) use tables::fraction;

/// Two sets of maps, compared.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The sets.
    pub sets: [SetRecord; 2],
    /// How.
    pub settings: ComparisonSettings,
    /// Each layer and pair of sides.
    pub layers: Vec<LayerComparison>,
    /// The layers and units that were not compared.
    pub left_out: Vec<LeftOut>,
}

/// A layer, or units of it, that was not compared.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LeftOut {
    /// The layer, with the sides where that matters.
    pub layer: String,
    /// The part that was left out, and the reason.
    pub reason: String,
}

/// Compares the maps of two sources on all threads; those of `one` with each other without a second.
///
/// # Errors
/// As [`compare`]; an array without a second source.
pub fn compare_sources(
    one: &MapSource,
    other: Option<&MapSource>,
    settings: &ComparisonSettings,
    context: &Context<'_>,
) -> Result<Comparison, ComparisonError> {
    let (one, other) = (one.set(), other.map(MapSource::set));
    if let (MapSet::Array(array), None) = (&one, &other) {
        let problem = format!("{}: is an array; expected a second set of maps", array.name());
        return Err(ComparisonError::Selection(problem));
    }
    compare_in([&one, other.as_ref().unwrap_or(&one)], settings, context)
}

/// [`compare`] on all threads of a context, which receives the progress.
///
/// # Errors
/// As [`compare`].
pub fn compare_in(
    sets: [&MapSet<'_>; 2],
    settings: &ComparisonSettings,
    context: &Context<'_>,
) -> Result<Comparison, ComparisonError> {
    let task = Task { label: "compare", counted: "units", total: count(sets, settings)? };
    context.compute(&task, |progress| compare(sets, settings, progress))
}

/// Units that [`compare`] looks at, each pair of sides counted.
///
/// # Errors
/// As [`compare`].
pub fn count(
    sets: [&MapSet<'_>; 2],
    settings: &ComparisonSettings,
) -> Result<u64, ComparisonError> {
    let matched = matching::matched(sets, settings)?;
    Ok(matched.layers.iter().map(|layer| layer.units.len() as u64).sum())
}

/// Compares the maps of two sets. `progress` counts units, for each pair of sides.
///
/// # Errors
/// Settings that cannot be used; sets that have nothing in common; maps that cannot be read;
/// [`ComparisonError::Stopped`].
pub fn compare(
    sets: [&MapSet<'_>; 2],
    settings: &ComparisonSettings,
    progress: &Progress<'_>,
) -> Result<Comparison, ComparisonError> {
    let matching::Matched { layers, mut left_out } = matching::matched(sets, settings)?;
    let mut compared = Vec::new();
    for layer in &layers {
        let found = layer::compare(layer, settings, progress)?;
        left_out.extend(found.left_out());
        compared.push(found);
    }
    let [one, other] = sets;
    Ok(Comparison {
        sets: [SetRecord::of(one)?, SetRecord::of(other)?],
        settings: settings.clone(),
        layers: compared,
        left_out,
    })
}

impl Comparison {
    /// Both sets, in a line each. Sets of the same maps are their two ends.
    pub(super) fn describe_sets(&self) -> [String; 2] {
        let [a, b] = self.sets.each_ref().map(SetRecord::describe);
        if a == b { [format!("{a}, top images"), format!("{b}, bottom images")] } else { [a, b] }
    }

    /// The summary of a layer's correlations after the blur that regions are looked for with, or the
    /// nearest to it.
    pub fn correlation<'l>(&self, layer: &'l LayerComparison) -> Option<&'l MeasureSummary> {
        layer.summaries.get(self.settings.main_blur())
    }
}
