//! Receptive fields over the depth of a network: how large they are beside what the geometry
//! allows, where they lie, how long and which way they point.

mod figure;
mod files;
mod measures;

use crate::analysis::Distribution;
use crate::progress::Progress;
use crate::ranking::Side;
use crate::report::ReportError;
use crate::report::numbers::{Cells, Measured, measure};
use crate::report::of_both_sides;
use crate::report::reliability::{Reliability, ReliabilityCurve};
use crate::report::results::{LayerResults, Results};
use crate::report::units::swept_units;

pub use figure::figure;
pub use files::{FILES, write};
pub use measures::{BINS, MEASURES, SizeMeasure};

/// The layers of some networks, in the order of their depth.
#[derive(Clone, Debug)]
pub struct Summary {
    /// One for each folder.
    pub networks: Vec<NetworkSummary>,
}

/// The layers of a network.
#[derive(Clone, Debug)]
pub struct NetworkSummary {
    /// Its name.
    pub name: String,
    /// Each layer, the maps of its top images and then those of its bottom images.
    pub layers: Vec<[LayerSummary; 2]>,
}

/// The maps of one side of a layer's units.
#[derive(Clone, Debug)]
pub struct LayerSummary {
    /// The layer's short name.
    pub layer: String,
    /// The side.
    pub side: Side,
    /// The theoretical RF's side length in pixels.
    pub rf: usize,
    /// Units that were swept.
    pub units: usize,
    /// Units with a map that is not zero everywhere.
    pub mapped: usize,
    /// Units with a Gaussian that fits.
    pub fitted: usize,
    /// The distribution of each of [`MEASURES`].
    pub measures: [Option<Distribution>; MEASURES.len()],
    /// Units by the angle of the long axis, in [`BINS`] bins from 0 to 180 degrees.
    pub orientations: [usize; BINS],
    /// How reliable the maps are, by how many images.
    pub reliability: Reliability,
}

/// Units whose maps [`summarise`] measures.
pub fn count(folders: &[(String, &Results)]) -> u64 {
    swept_units(folders.iter().flat_map(|(_, results)| results.layers()))
}

/// Measures the maps of some folders, each with the name of its network. `blurred` as in [`measure`];
/// `progress` counts units.
///
/// # Errors
/// Maps that cannot be read; [`ReportError::Stopped`].
pub fn summarise(
    folders: &[(String, &Results)],
    blurred: bool,
    progress: &Progress<'_>,
) -> Result<Summary, ReportError> {
    let network = |(name, results): &(String, &Results)| -> Result<NetworkSummary, ReportError> {
        let layers =
            results.layers().iter().map(|layer| of_layer(results, layer, blurred, progress));
        Ok(NetworkSummary { name: name.clone(), layers: layers.collect::<Result<_, _>>()? })
    };
    Ok(Summary { networks: folders.iter().map(network).collect::<Result<_, _>>()? })
}

fn of_layer(
    results: &Results,
    layer: &LayerResults,
    blurred: bool,
    progress: &Progress<'_>,
) -> Result<[LayerSummary; 2], ReportError> {
    let cells = Cells::new(layer.configuration(), &results.configuration().settings);
    let of = |unit, side| -> Result<Measured, ReportError> {
        Ok(measure(&layer.map(unit, side)?, &cells, blurred))
    };
    let measured = of_both_sides(&layer.swept(), progress, || ReportError::Stopped, of)?;
    let of_side = |side: Side| -> Result<LayerSummary, ReportError> {
        let of_side: Vec<&Measured> = measured.iter().map(|both| &both[side as usize]).collect();
        let reliability = ReliabilityCurve::of(results, layer, side)?.over_units();
        Ok(LayerSummary::new(layer, side, &cells, &of_side, reliability))
    };
    Ok([of_side(Side::Top)?, of_side(Side::Bottom)?])
}

impl LayerSummary {
    fn new(
        layer: &LayerResults,
        side: Side,
        cells: &Cells,
        measured: &[&Measured],
        reliability: Reliability,
    ) -> Self {
        let numbers: Vec<_> = measured
            .iter()
            .filter_map(|found| match found {
                Measured::Numbers(numbers) => Some(numbers),
                _ => None,
            })
            .collect();
        let of = |of: &SizeMeasure| {
            Distribution::of(numbers.iter().map(|numbers| (of.value)(numbers, cells)))
        };
        let mut orientations = [0; BINS];
        for numbers in &numbers {
            if let Some(bin) = measures::bin(numbers) {
                orientations[bin] += 1;
            }
        }
        Self {
            layer: layer.name().to_owned(),
            side,
            rf: layer.rf(),
            units: measured.len(),
            mapped: numbers.len(),
            fitted: numbers.iter().filter(|numbers| numbers.fit.is_ok()).count(),
            measures: MEASURES.each_ref().map(of),
            orientations,
            reliability,
        }
    }

    /// The distribution of a measure, by name.
    pub fn measure(&self, name: &str) -> Option<Distribution> {
        let index = MEASURES.iter().position(|measure| measure.name == name)?;
        self.measures[index]
    }
}
