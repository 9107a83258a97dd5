//! A measure over many pairs, beside what shuffled pairs make of it.

use super::Pair;
use crate::analysis::Distribution;
use crate::analysis::distribution::median;

/// A number of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Pearson's `r` after the blur of this index.
    Correlation(usize),
    /// The overlap of the regions.
    Overlap,
    /// The distance of the regions' centres, in pixels.
    Distance,
    /// The ratio of the regions' areas.
    AreaRatio,
    /// The angle between the regions' long axes, 0 to 90 degrees.
    Turn,
}

/// A measure over many pairs.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasureSummary {
    /// Which.
    pub measure: Measure,
    /// Its distribution over the pairs that have a value.
    pub observed: Option<Distribution>,
    /// The same over the pairs of all shuffles.
    pub baseline: Option<Distribution>,
    /// The probability that maps of shuffled units are as alike as these, by the median of the
    /// measure: `(1 + k) / (1 + n)`, `k` being how many of the `n` shuffles are at least as alike; no
    /// less than `1 / (1 + d)` where few units have only `d` different shuffles.
    pub p: Option<f64>,
}

impl Measure {
    /// All measures, with this many blurs.
    pub fn all(blurs: usize) -> Vec<Self> {
        let shapes = [Self::Overlap, Self::Distance, Self::AreaRatio, Self::Turn];
        (0..blurs).map(Self::Correlation).chain(shapes).collect()
    }

    /// The number of a pair; NaN where it has none.
    pub fn of(self, pair: &Pair) -> f64 {
        match self {
            Self::Correlation(blur) => pair.r.get(blur).copied().unwrap_or(f64::NAN),
            Self::Overlap => pair.overlap,
            Self::Distance => pair.shift[0].hypot(pair.shift[1]),
            Self::AreaRatio => pair.area_ratio,
            Self::Turn => pair.turn.abs(),
        }
    }

    /// The larger, the more alike two maps of this number are.
    fn likeness(self, value: f64) -> f64 {
        match self {
            Self::Correlation(_) | Self::Overlap => value,
            Self::Distance | Self::Turn => -value,
            Self::AreaRatio => -value.ln().abs(),
        }
    }
}

impl MeasureSummary {
    /// The summary of some pairs, and of those of each shuffle, of which this many are different.
    pub(super) fn new(
        measure: Measure,
        pairs: &[Pair],
        shuffled: &[Vec<Pair>],
        different: f64,
    ) -> Self {
        let values = |pairs: &[Pair]| -> Vec<f64> { pairs.iter().map(|p| measure.of(p)).collect() };
        let likeness = |values: &[f64]| median(values.iter().map(|&v| measure.likeness(v)));
        let observed = values(pairs);
        let shuffles: Vec<Vec<f64>> = shuffled.iter().map(|pairs| values(pairs)).collect();
        let found = likeness(&observed);
        let by_chance: Vec<f64> = shuffles.iter().filter_map(|values| likeness(values)).collect();
        let p = found.filter(|_| !by_chance.is_empty()).map(|found| {
            let as_alike = by_chance.iter().filter(|chance| **chance >= found).count();
            ((1 + as_alike) as f64 / (1 + by_chance.len()) as f64).max(1.0 / (1.0 + different))
        });
        Self {
            measure,
            observed: Distribution::of(observed),
            baseline: Distribution::of(shuffles.into_iter().flatten()),
            p,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(r: f64, area_ratio: f64) -> Pair {
        Pair { r: vec![r], overlap: 0.5, shift: [3.0, 4.0], area_ratio, turn: -20.0 }
    }

    #[test]
    fn a_probability_counts_shuffles_that_are_as_alike() {
        let pairs = [pair(0.9, 1.0), pair(0.7, 0.5), pair(f64::NAN, 2.0)];
        let shuffled = [[0.8, 0.8], [0.1, 0.2], [0.9, 0.9]];
        let shuffled = shuffled.map(|r| r.map(|r| pair(r, 4.0)).to_vec());
        let of = |measure| MeasureSummary::new(measure, &pairs, &shuffled, 1e9);
        let r = of(Measure::Correlation(0));
        assert!((r.observed.unwrap().median() - 0.8).abs() < 1e-15);
        assert_eq!((r.observed.unwrap().count, r.baseline.unwrap().count), (2, 6));
        assert_eq!(r.p, Some(0.75));
        // Areas of a half and of twice are equally far from the same.
        assert_eq!(of(Measure::AreaRatio).p, Some(0.25));
        assert_eq!(of(Measure::Distance).observed.unwrap().mean, 5.0);
        assert_eq!(of(Measure::Turn).observed.unwrap().mean, 20.0);
        // Three units have two shuffles.
        let few = MeasureSummary::new(Measure::AreaRatio, &pairs, &shuffled, 2.0);
        assert_eq!(few.p, Some(1.0 / 3.0));
        let alone = MeasureSummary::new(Measure::Overlap, &pairs, &[], 1e9);
        assert_eq!((alone.baseline, alone.p), (None, None));
    }
}
