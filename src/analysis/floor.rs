//! The part of a map that stands out of its noise.
//!
//! A map's cells are means over images. Most of them lie where the unit does not respond more than
//! anywhere else: they make the *floor*. A cell exceeds it where a one-sided t-test of its images says
//! so; as many cells are tested at once, by the procedure of Benjamini and Hochberg, which bounds the
//! part of false ones among those that are found (the false discovery rate).

use super::distribution::median;
use super::student::student_above;

/// The standard deviations above the floor from which a cell is no part of it.
const CLIP: f64 = 3.0;

/// The standard deviation of a normal distribution over the median of absolute deviations.
const MAD_TO_SD: f64 = 1.482_602_218_505_602;

/// A cell's values over images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Number of values.
    pub count: f64,
    /// Their mean.
    pub mean: f64,
    /// The standard error of the mean; NaN for fewer than two.
    pub error: f64,
}

/// The floor of a map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Floor {
    /// The median of the cells that are part of it.
    pub level: f64,
    /// Its standard error, by the spread of these cells.
    pub error: f64,
    /// Number of these cells.
    pub cells: usize,
}

impl Sample {
    /// The sample of values of which the sum and the sum of squares are known.
    pub fn of_sums(count: f64, sum: f64, squares: f64) -> Self {
        let mean = sum / count;
        let variance = (squares - sum * mean).max(0.0) / (count - 1.0);
        let error = if count < 2.0 { f64::NAN } else { (variance / count).sqrt() };
        Self { count, mean, error }
    }
}

impl Floor {
    /// The floor of a map's cells: their median, when those are left out again and again that are more
    /// than three standard deviations above it. A standard deviation is 1.4826 times the median of
    /// absolute deviations. `None` where there are no cells.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut kept: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        loop {
            let level = median(kept.iter().copied())?;
            let deviation = MAD_TO_SD * median(kept.iter().map(|value| (value - level).abs()))?;
            let before = kept.len();
            kept.retain(|value| *value <= level + CLIP * deviation);
            if kept.len() == before {
                // The median's standard error is √(π / 2) times the mean's.
                let error = (std::f64::consts::FRAC_PI_2 / before as f64).sqrt() * deviation;
                return Some(Self { level, error, cells: before });
            }
        }
    }

    /// The probability that a cell's mean lies so far above the floor by chance. NaN for a sample of
    /// fewer than two.
    pub fn probability(&self, sample: &Sample) -> f64 {
        let error = sample.error.hypot(self.error);
        let above = sample.mean - self.level;
        if error == 0.0 {
            return if above > 0.0 { 0.0 } else { 1.0 };
        }
        student_above(above / error, sample.count - 1.0)
    }
}

/// Which hypotheses of no effect are rejected at a false discovery rate of `rate`, by their
/// probabilities (Benjamini and Hochberg 1995). Those that are NaN are not tested.
pub fn discoveries(probabilities: &[f64], rate: f64) -> Vec<bool> {
    let mut sorted: Vec<f64> = probabilities.iter().copied().filter(|p| !p.is_nan()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let tested = sorted.len() as f64;
    let within = |(rank, p): &(usize, &f64)| **p <= rate * (rank + 1) as f64 / tested;
    let largest = sorted.iter().enumerate().rfind(within).map(|(_, p)| *p);
    probabilities.iter().map(|p| largest.is_some_and(|largest| *p <= largest)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::philox4x32_10;

    /// About normal, by the sum of twelve uniform numbers.
    fn normal(count: u32, which: u32) -> f64 {
        let words = (0..3).flat_map(|part| philox4x32_10([count, which, part, 0], [3, 4]));
        words.map(|word| f64::from(word) * 2.0_f64.powi(-32)).sum::<f64>() - 6.0
    }

    #[test]
    fn a_sample_is_the_one_computed_by_hand() {
        // 1, 2, 3, 6: mean 3, variance 14 / 3.
        let found = Sample::of_sums(4.0, 12.0, 50.0);
        assert_eq!((found.count, found.mean), (4.0, 3.0));
        assert!((found.error - (14.0_f64 / 12.0).sqrt()).abs() < 1e-15);
        assert!(Sample::of_sums(1.0, 2.0, 4.0).error.is_nan());
    }

    #[test]
    fn the_floor_is_where_most_cells_are() {
        let values: Vec<f64> = (0..400)
            .map(|cell| {
                let peak = if cell < 60 { 5.0 + f64::from(cell) } else { 0.0 };
                10.0 + normal(cell, 0) + peak
            })
            .collect();
        let floor = Floor::of(&values).unwrap();
        assert!((floor.level - 10.0).abs() < 0.2, "{floor:?}");
        assert!((335..350).contains(&floor.cells), "{floor:?}");
        assert!((0.05..0.1).contains(&floor.error), "{floor:?}");
        assert_eq!(Floor::of(&[f64::NAN]), None);
        assert_eq!(Floor::of(&[2.0; 5]), Some(Floor { level: 2.0, error: 0.0, cells: 5 }));
    }

    #[test]
    fn false_discoveries_are_as_rare_as_they_were_to_be() {
        // 40 units whose field is a tenth of 400 cells, by 20 images.
        let (mut found, mut wrong, mut missed) = (0, 0, 0);
        for unit in 0..40 {
            let samples: Vec<Sample> = (0..400)
                .map(|cell| {
                    let effect = if cell < 40 { 1.5 } else { 0.0 };
                    let value = |image: u32| 4.0 + effect + normal(cell, 100 + 64 * unit + image);
                    let sum = (0..20).map(value).sum::<f64>();
                    let squares = (0..20).map(|image| value(image).powi(2)).sum::<f64>();
                    Sample::of_sums(20.0, sum, squares)
                })
                .collect();
            let means: Vec<f64> = samples.iter().map(|sample| sample.mean).collect();
            let floor = Floor::of(&means).unwrap();
            let p: Vec<f64> = samples.iter().map(|sample| floor.probability(sample)).collect();
            let exceeds = discoveries(&p, 0.1);
            found += exceeds.iter().filter(|is| **is).count();
            wrong += exceeds[40..].iter().filter(|is| **is).count();
            missed += exceeds[..40].iter().filter(|is| !**is).count();
        }
        let rate = wrong as f64 / found as f64;
        assert!(rate < 0.1 && missed < 16, "{found} {wrong} {missed}");
    }

    #[test]
    fn discoveries_are_those_by_hand() {
        let p = [0.03, 0.001, f64::NAN, 0.04, 0.9, 0.012];
        // At 0.05: 0.01, 0.02, 0.03, 0.04, 0.05 for the sorted 0.001, 0.012, 0.03, 0.04, 0.9.
        assert_eq!(discoveries(&p, 0.05), [true, true, false, true, false, true]);
        assert_eq!(discoveries(&p, 0.01), [false, true, false, false, false, false]);
        assert_eq!(discoveries(&[], 0.05), Vec::<bool>::new());
    }
}
