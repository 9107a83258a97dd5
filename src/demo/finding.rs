//! One finding, end to end: receptive fields are where a unit's weights are.
//!
//! Maps of a unit over its top and over its bottom images show the same field. Maps of a network whose
//! filters hold the same weights in another order show none of it.

use std::fmt;
use std::path::Path;

use ndarray::ArrayD;

use super::files::write_tensors;
use super::{DemoError, WEIGHTS, phantom};
use crate::analysis::{MeasureSummary, Shuffles};
use crate::files::FileError;
use crate::progress::Progress;
use crate::report::Results;
use crate::report::comparison::{
    Comparison, ComparisonSettings, MapSet, MapSide, SidePair, compare,
};

/// The folder of the shuffled network's weights and maps.
pub const SHUFFLED: &str = "shuffled";

/// Its layers that are swept: those of the retina.
pub const SHUFFLED_LAYERS: [&str; 2] = ["conv1", "conv2"];

/// The least median correlation of maps that show the same field, and by how much it is above that of
/// other units. Known fields have 0.95 and more, and 0.4 above.
const LEAST_ALIKE: f64 = 0.8;
const LEAST_ABOVE: f64 = 0.2;

/// A median correlation over units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Correlation {
    /// Of maps of the same unit.
    pub same: f64,
    /// Of maps of other units.
    pub other: f64,
}

/// The finding of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerFinding {
    /// The layer's short name.
    pub layer: String,
    /// Maps over top images with those over bottom images.
    pub repeated: Correlation,
    /// Maps of the network with those of its shuffled weights.
    pub shuffled: Correlation,
}

/// The finding.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Layer by layer.
    pub layers: Vec<LayerFinding>,
    /// The network's maps against those of its shuffled weights.
    pub comparison: Comparison,
}

/// Writes the phantom's weights into `folder`, each filter's own in another order, drawn by `seed`.
///
/// # Errors
/// Files that cannot be written.
pub fn write_shuffled(folder: &Path, seed: u64) -> Result<(), FileError> {
    std::fs::create_dir_all(folder).map_err(FileError::write(folder))?;
    let tensors = phantom::weights().into_iter().enumerate();
    let shuffled = tensors.map(|(set, (name, tensor))| match tensor.ndim() {
        4 => (name, shuffle(&tensor, Shuffles::new(seed, set as u32))),
        _ => (name, tensor),
    });
    write_tensors(&folder.join(WEIGHTS), shuffled)
}

/// Each filter's weights in another order.
fn shuffle(filters: &ArrayD<f32>, shuffles: Shuffles) -> ArrayD<f32> {
    let mut shuffled = filters.clone();
    for (unit, (mut to, from)) in shuffled.outer_iter_mut().zip(filters.outer_iter()).enumerate() {
        let from: Vec<f32> = from.iter().copied().collect();
        let order = shuffles.cycle(unit as u32, from.len());
        to.iter_mut().zip(order).for_each(|(to, index)| *to = from[index]);
    }
    shuffled
}

/// Compares the phantom's maps over top images with those over bottom images, and with those of its
/// shuffled weights. `progress` counts units.
///
/// # Errors
/// Maps that cannot be read or compared.
pub fn find(
    known: &Results,
    shuffled: &Results,
    progress: &Progress<'_>,
) -> Result<Finding, DemoError> {
    let layers: Vec<String> = SHUFFLED_LAYERS.map(String::from).into();
    let compared = |other: &Results, sides: SidePair| {
        let settings =
            ComparisonSettings { layers: layers.clone(), ..ComparisonSettings::of(vec![sides]) };
        compare([&MapSet::Results(known), &MapSet::Results(other)], &settings, progress)
    };
    let repeated = compared(known, SidePair::ENDS)?;
    let comparison = compared(shuffled, SidePair([MapSide::Composite; 2]))?;
    let layer = |layer: String| LayerFinding {
        repeated: Correlation::of(&repeated, &layer),
        shuffled: Correlation::of(&comparison, &layer),
        layer,
    };
    let layers = layers.into_iter().map(layer).collect();
    Ok(Finding { layers, comparison })
}

impl Correlation {
    /// That of a layer; NaN where it was not compared.
    fn of(comparison: &Comparison, layer: &str) -> Self {
        let found = comparison.layers.iter().find(|found| found.layer == layer);
        let found = found.and_then(|layer| comparison.correlation(layer));
        let median = |of: fn(&MeasureSummary) -> Option<crate::analysis::Distribution>| {
            found.and_then(of).map_or(f64::NAN, |found| found.median())
        };
        Self { same: median(|found| found.observed), other: median(|found| found.baseline) }
    }

    /// Whether maps of the same unit show the same field.
    fn is_alike(&self) -> bool {
        self.same >= LEAST_ALIKE && self.same - self.other >= LEAST_ABOVE
    }

    /// Whether maps of the same unit are hardly more alike than those of other units.
    fn is_unlike(&self) -> bool {
        self.same - self.other < LEAST_ABOVE
    }
}

impl Finding {
    /// Differences from what is known, in words.
    pub fn differences(&self) -> Vec<String> {
        self.layers.iter().flat_map(LayerFinding::differences).collect()
    }
}

impl LayerFinding {
    fn differences(&self) -> Vec<String> {
        let Self { layer, repeated, shuffled } = self;
        let missing = (!repeated.is_alike()).then(|| {
            format!("{layer}: maps over top and bottom images correlate by {repeated} alone")
        });
        let spurious = (!shuffled.is_unlike()).then(|| {
            format!("{layer}: maps of shuffled weights correlate by {shuffled} all the same")
        });
        missing.into_iter().chain(spurious).collect()
    }
}

impl fmt::Display for Correlation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (other units {})", shown(self.same), shown(self.other))
    }
}

/// The finding in a line.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |of: &dyn Fn(&LayerFinding) -> String| -> String {
            self.layers.iter().map(of).collect::<Vec<_>>().join(", ")
        };
        let all = |is: fn(&LayerFinding) -> bool| self.layers.iter().all(is);
        let repeat =
            if all(|layer| layer.repeated.is_alike()) { "repeat" } else { "do not all repeat" };
        let hardly =
            if all(|layer| layer.shuffled.is_unlike()) { "but hardly" } else { "and also" };
        let named = list(&|layer| format!("{} {}", layer.layer, shown(layer.repeated.same)));
        write!(
            f,
            "Finding: maps {repeat} over other images (median r {named}; other units {}), {hardly} with shuffled \
             weights ({}; other units {}).",
            list(&|layer| shown(layer.repeated.other)),
            list(&|layer| shown(layer.shuffled.same)),
            list(&|layer| shown(layer.shuffled.other)),
        )
    }
}

/// Two digits after the point; a zero has no sign.
fn shown(value: f64) -> String {
    format!("{:.2}", (100.0 * value).round() / 100.0 + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_filter_keeps_its_weights_and_none_its_order() {
        for (set, (name, tensor)) in phantom::weights().into_iter().enumerate() {
            if tensor.ndim() != 4 {
                continue;
            }
            let shuffled = shuffle(&tensor, Shuffles::new(3, set as u32));
            for (unit, (one, other)) in tensor.outer_iter().zip(shuffled.outer_iter()).enumerate() {
                let sorted = |filter: &ndarray::ArrayViewD<'_, f32>| {
                    let mut values: Vec<f32> = filter.iter().copied().collect();
                    values.sort_unstable_by(f32::total_cmp);
                    values
                };
                assert_eq!(sorted(&one), sorted(&other), "{name} {unit}");
                let silent = one.iter().all(|weight| *weight == 0.0);
                assert_eq!(one == other, silent, "{name} {unit}");
            }
        }
    }

    #[test]
    fn what_is_missing_or_spurious_is_told() {
        let is = |same, other| Correlation { same, other };
        let alike = is(0.97, 0.3);
        assert!(alike.is_alike());
        for unlike in [is(0.7, 0.1), is(0.9, 0.8), is(f64::NAN, 0.1), is(0.9, f64::NAN)] {
            assert!(!unlike.is_alike(), "{unlike:?}");
        }
        assert_eq!(alike.to_string(), "0.97 (other units 0.30)");
        let found = |repeated, shuffled| {
            LayerFinding { layer: "conv1".into(), repeated, shuffled }.differences().join("; ")
        };
        assert_eq!(found(alike, is(0.1, 0.0)), "");
        assert!(found(is(0.7, 0.3), is(0.1, 0.0)).contains("correlate by 0.70 (other units 0.30)"));
        // Fields that are partly there, and what was not measured, are no less a difference.
        for spurious in [alike, is(0.79, 0.3), is(f64::NAN, 0.0), is(0.1, f64::NAN)] {
            let words = "conv1: maps of shuffled weights correlate";
            assert!(found(alike, spurious).contains(words), "{spurious:?}");
        }
    }
}
