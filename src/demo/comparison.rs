//! One unit's map beside the truth.

use ndarray::ArrayView2;

use crate::report::Gaussian;

// In runs with twelve seeds the worst of the ten fields was off by 0.3 pixels, 7 % and 3 degrees.

/// How far a centre may be off, in pixels. An exchange of axes or of signs moves each field by
/// more, or turns it.
pub const CENTRE_TOLERANCE: f64 = 0.75;

/// How far a width may be off, as a part of it. Chance and what is not corrected (the image's own
/// contrast, the cut at the kernel's edge) take a few hundredths; a forgotten layer takes far more.
pub const WIDTH_TOLERANCE: f64 = 0.15;

/// How far an angle may be off, in degrees. Chance takes more of it the rounder a field is.
pub const ANGLE_TOLERANCE: f64 = 8.0;

/// The least ratio of the long to the short width of which an angle is compared: a rounder
/// profile has no direction to speak of.
pub const ELONGATED: f64 = 1.25;

/// A unit's true field, the one found, and what is wrong.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The field that was built in; `None` for a silent unit.
    pub truth: Option<Gaussian>,
    /// The map's moments, without the occluder's part; `None` for a map of zeros.
    pub found: Option<Gaussian>,
    /// Differences beyond the tolerances, in words.
    pub differences: Vec<String>,
}

impl Comparison {
    /// Compares a map `[rf, rf]`, drawn by occluders of `occluder_size` pixels at their centres.
    pub fn new(truth: Option<Gaussian>, map: &ArrayView2<'_, f64>, occluder_size: usize) -> Self {
        let found = Gaussian::of_map(map).map(|moments| moments.without_occluder(occluder_size));
        let differences = match (&truth, &found) {
            (Some(truth), Some(found)) => differences(truth, found),
            (Some(_), None) => vec!["its map has no profile".into()],
            (None, _) if map.iter().all(|&value| value == 0.0) => Vec::new(),
            (None, _) => vec!["its map is not zero everywhere".into()],
        };
        Self { truth, found, differences }
    }

    /// Whether the map shows what was built in.
    pub fn agrees(&self) -> bool {
        self.differences.is_empty()
    }
}

fn differences(truth: &Gaussian, found: &Gaussian) -> Vec<String> {
    let mut differences = Vec::new();
    let off = (found.y - truth.y).hypot(found.x - truth.x);
    if off > CENTRE_TOLERANCE {
        differences.push(format!("centre {off:.2} px off"));
    }
    for (name, (found, truth)) in
        ["long", "short"].into_iter().zip(found.widths().into_iter().zip(truth.widths()))
    {
        let off = found / truth - 1.0;
        if off.abs() > WIDTH_TOLERANCE {
            differences.push(format!("{name} width {:+.0} %", 100.0 * off));
        }
    }
    let [long, short] = truth.widths();
    // Angles are those of lines: 179 and 1 are 2 apart.
    let off = (found.angle() - truth.angle() + 90.0).rem_euclid(180.0) - 90.0;
    if long > ELONGATED * short && off.abs() > ANGLE_TOLERANCE {
        differences.push(format!("angle {off:+.0}°"));
    }
    differences
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::demo::phantom;

    fn drawn(truth: &Gaussian, side: usize) -> Array2<f64> {
        Array2::from_shape_fn((side, side), |(y, x)| truth.value(y as f64, x as f64))
    }

    /// The true field and an ideal map of every unit that is not silent.
    fn ideal() -> Vec<(Gaussian, Array2<f64>)> {
        let layers = phantom::truths().into_iter().zip([15, 41, 33, 33]);
        let units = layers.flat_map(|(truths, side)| {
            truths.into_iter().flatten().map(move |truth| (truth, drawn(&truth, side)))
        });
        units.collect()
    }

    fn compare(truth: Gaussian, map: &Array2<f64>) -> Comparison {
        Comparison::new(Some(truth), &map.view(), 1)
    }

    #[test]
    fn ideal_maps_agree() {
        assert_eq!(ideal().len(), 16);
        for (truth, map) in ideal() {
            let comparison = compare(truth, &map);
            assert!(comparison.agrees(), "{comparison:?}");
        }
    }

    #[test]
    fn exchanged_and_mirrored_axes_disagree_for_every_unit() {
        for (truth, map) in ideal() {
            let wrong = [
                map.t().to_owned(),
                map.slice(ndarray::s![..;-1, ..]).to_owned(),
                map.slice(ndarray::s![.., ..;-1]).to_owned(),
            ];
            for (which, wrong) in wrong.iter().enumerate() {
                assert!(!compare(truth, wrong).agrees(), "{which}: {truth:?}");
            }
        }
    }

    #[test]
    fn a_shift_of_a_pixel_a_wrong_width_and_a_turn_disagree() {
        for (truth, map) in ideal() {
            let says = |wrong: Gaussian, what: &str| {
                let comparison = compare(wrong, &map);
                let found = comparison.differences.iter().any(|found| found.contains(what));
                assert!(found, "{what}: {comparison:?}");
            };
            says(Gaussian { y: truth.y - 1.0, ..truth }, "centre");
            says(Gaussian { x: truth.x + 1.0, ..truth }, "centre");
            let [long, short] = truth.widths();
            let turned = |widths, degrees| {
                Gaussian::oriented([truth.y, truth.x], widths, truth.angle() + degrees)
            };
            says(turned([1.25 * long, short], 0.0), "long width");
            says(turned([long, 0.8 * short], 0.0), "short width");
            if long > ELONGATED * short {
                says(turned([long, short], 12.0), "angle");
                says(turned([long, short], -12.0), "angle");
            }
        }
    }

    #[test]
    fn angles_are_compared_across_the_seam() {
        let at = |degrees| Gaussian::oriented([20.0, 20.0], [4.0, 2.0], degrees);
        assert!(differences(&at(178.0), &at(2.0)).is_empty());
        assert!(differences(&at(2.0), &at(178.0)).is_empty());
        assert_eq!(differences(&at(175.0), &at(5.0)), ["angle +10°"]);
    }

    #[test]
    fn silence_must_be_silence_and_nothing_else() {
        let mut map = Array2::zeros((15, 15));
        assert!(Comparison::new(None, &map.view(), 1).agrees());
        let truth = ideal()[0].0;
        assert!(!compare(truth, &map).agrees());
        map[[3, 4]] = 1e-12;
        assert!(!Comparison::new(None, &map.view(), 1).agrees());
        map[[3, 4]] = f64::NAN;
        assert!(!Comparison::new(None, &map.view(), 1).agrees());
        assert!(!compare(truth, &map).agrees());
    }
}
