//! How reliable maps are, by how many images.

use super::SummaryError;
use crate::analysis::Distribution;
use crate::ranking::Side;
use crate::report::results::LayerResults;

/// The reliability that is aimed at.
pub const TARGET: f64 = 0.95;

/// The split-half reliabilities of a layer's maps, over units. All are stepped up from the halves to the
/// whole by Spearman and Brown's formula.
#[derive(Clone, Debug, PartialEq)]
pub struct Reliability {
    /// Of the first 2, 4, 8, … images, as far as the sweep has kept them, and of all: how many images,
    /// and the distribution.
    pub curve: Vec<(usize, Option<Distribution>)>,
    /// The images that reach [`TARGET`], by [`images_for`] and the reliability of all.
    pub needed: Option<Distribution>,
}

/// The images that reach a reliability of `target`, where `images` have one of `reliability`, by Spearman
/// and Brown's formula. It takes images for alike: those further down a ranking may tell less. NaN where
/// there is no reliability to begin with.
pub fn images_for(target: f64, images: usize, reliability: f64) -> f64 {
    let ratio = |reliability: f64| reliability / (1.0 - reliability);
    if reliability > 0.0 && reliability < 1.0 {
        images as f64 * ratio(target) / ratio(reliability)
    } else {
        f64::NAN
    }
}

impl Reliability {
    /// That of a layer's maps of one side, each of `top` images, or of those at which it stopped.
    pub(super) fn of(layer: &LayerResults, side: Side, top: usize) -> Result<Self, SummaryError> {
        let swept = layer.swept();
        let all = layer.reliability(side)?;
        let known = || swept.iter().filter_map(|&unit| all.get(unit).copied().flatten());
        let mut curve = Vec::new();
        if let Some(kept) = layer.reliability_curve(side)? {
            for (place, column) in kept.columns().into_iter().enumerate() {
                let images = 2 << place;
                if images < top {
                    let values = swept.iter().filter_map(|&unit| column.get(unit).copied());
                    curve.push((images, Distribution::of(values)));
                }
            }
        }
        curve.push((top, Distribution::of(known())));
        let needed = |&unit: &usize| {
            let found = all.get(unit).copied().flatten()?;
            Some(images_for(TARGET, layer.images(unit, side), found))
        };
        let needed = Distribution::of(swept.iter().filter_map(needed));
        Ok(Self { curve, needed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_as_many_as_spearman_and_brown_say() {
        // Twice the images step 0.5 up to 2 · 0.5 / (1 + 0.5).
        assert!((images_for(2.0 / 3.0, 10, 0.5) - 20.0).abs() < 1e-12);
        assert!((images_for(0.95, 100, 0.95) - 100.0).abs() < 1e-9);
        assert!(images_for(0.95, 100, 0.0).is_nan() && images_for(0.95, 100, -0.2).is_nan());
        assert!(images_for(0.95, 100, 1.0).is_nan());
    }
}
