//! Two sets of maps, compared unit by unit.
//!
//! A set is a folder of results or an array ([`MapSet`]). Layers are matched by name, units by number;
//! what one set has alone is left out, and told. Maps are compared on the cells of the coarser of their
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

pub use array::MapArray;
pub use error::ComparisonError;
pub use figure::figures;
pub use files::{files, write};
pub use layer::{Example, LayerComparison, UnitComparison};
pub use maps::{Absent, MapSet};
pub use record::{ComparisonRecord, SetRecord};
pub use settings::{ComparisonSettings, MapSide, SidePair};
pub(in crate::report) use tables::fraction;

/// Two sets of maps, compared.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// What was compared with what.
    pub sets: [SetRecord; 2],
    /// How.
    pub settings: ComparisonSettings,
    /// Each layer and pair of sides.
    pub layers: Vec<LayerComparison>,
    /// What was not compared: where, and why.
    pub left_out: Vec<LeftOut>,
}

/// What of the two sets was not compared.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LeftOut {
    /// The layer, with the sides where that matters.
    pub layer: String,
    /// What, and why.
    pub reason: String,
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
    /// The summary of a layer's correlations after the blur that regions are looked for with, or the
    /// nearest to it.
    pub fn correlation<'l>(&self, layer: &'l LayerComparison) -> Option<&'l MeasureSummary> {
        layer.summaries.get(self.settings.main_blur())
    }
}
