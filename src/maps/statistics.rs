//! From sums over images to what is told about a unit's maps.

use super::{Coverage, MeanOver, Plane, Sums};

/// The sums of one end of a unit's ranking, complete, beside how often each pixel was looked at.
#[derive(Clone, Copy, Debug)]
pub struct Statistics<'a> {
    sums: &'a Sums,
    coverage: &'a Coverage,
    over: MeanOver,
}

impl<'a> Statistics<'a> {
    /// What can be told of these; means are taken `over` so many images.
    pub const fn new(sums: &'a Sums, coverage: &'a Coverage, over: MeanOver) -> Self {
        Self { sums, coverage, over }
    }

    /// A plane, `[rf, rf]` row by row; of [`Plane::Counts`] the
    /// [corners](super::Rectangles::corners), which are zero almost everywhere.
    pub fn plane(&self, plane: Plane) -> Vec<f64> {
        match plane {
            Plane::Mean => self.mean(&self.sums.absolute),
            Plane::StandardError => self.standard_error(),
            Plane::Counts => {
                self.coverage.images.corners().iter().copied().map(f64::from).collect()
            }
            Plane::Signed => self.mean(&self.sums.signed),
            Plane::Squared => self.mean(&self.sums.squared),
        }
    }

    fn mean(&self, sums: &[f64]) -> Vec<f64> {
        let images = self.sums.images as f64;
        match self.over {
            MeanOver::Images if self.sums.images == 0 => vec![f64::NAN; sums.len()],
            MeanOver::Images => sums.iter().map(|sum| sum / images).collect(),
            MeanOver::Covering => {
                let mean = |(sum, count)| if count == 0 { 0.0 } else { sum / f64::from(count) };
                sums.iter().zip(self.coverage.images.counts()).map(mean).collect()
            }
        }
    }

    /// The standard error of the mean over `n` images whose values at a pixel are `m`,
    /// `√((Σm² - (Σm)²/n) / (n - 1) / n)`; NaN for fewer than two. Images are independent draws of
    /// what drives the unit; the repeats of one image are not, so they only make its `m` less
    /// noisy.
    fn standard_error(&self) -> Vec<f64> {
        let error = |sum: f64, squares: f64, n: f64| {
            if n < 2.0 {
                return f64::NAN;
            }
            let squares = (squares - sum * sum / n).max(0.0);
            (squares / (n - 1.0) / n).sqrt()
        };
        let Sums { images, absolute, absolute_squared, .. } = self.sums;
        let sums = absolute.iter().zip(absolute_squared);
        match self.over {
            MeanOver::Images => {
                sums.map(|(sum, squares)| error(*sum, *squares, *images as f64)).collect()
            }
            MeanOver::Covering => sums
                .zip(self.coverage.images.counts())
                .map(|((sum, squares), count)| error(*sum, *squares, f64::from(count)))
                .collect(),
        }
    }

    /// The split-half reliability: how well the map of every second image agrees with that of the
    /// others, as Pearson's `r`, stepped up to the length of the whole by Spearman and Brown's
    /// formula, `2r / (1 + |r|)`.
    ///
    /// It is taken over the pixels where both halves had occluders. A pixel's value is the mean
    /// over the occluders that were there, since how many they are is the same pattern in both
    /// halves and says nothing about the unit; it weighs as much as it had occluders. NaN where
    /// there is nothing to compare: no such pixels, or a half that is the same everywhere.
    pub fn reliability(&self) -> f64 {
        let [first, second] = [0, 1].map(|half| self.coverage.occluders[half].counts());
        let Sums { absolute, alternate, .. } = self.sums;
        let mut pixels = Vec::new();
        for (place, (&in_first, &in_second)) in first.iter().zip(&second).enumerate() {
            if in_first > 0 && in_second > 0 {
                let (in_first, in_second) = (f64::from(in_first), f64::from(in_second));
                let one = alternate[place] / in_first;
                let other = (absolute[place] - alternate[place]) / in_second;
                pixels.push((in_first + in_second, one, other));
            }
        }
        let r = correlation(&pixels);
        2.0 * r / (1.0 + r.abs())
    }
}

/// Pearson's `r` of pairs with weights, `(weight, one, other)`; NaN where either is constant but for
/// rounding.
fn correlation(pairs: &[(f64, f64, f64)]) -> f64 {
    let weights: f64 = pairs.iter().map(|(weight, ..)| weight).sum();
    let mean = |of: fn(&(f64, f64, f64)) -> f64| {
        pairs.iter().map(|pair| pair.0 * of(pair)).sum::<f64>() / weights
    };
    let (one, other) = (mean(|pair| pair.1), mean(|pair| pair.2));
    let (mut both, mut ones, mut others) = (0.0, 0.0, 0.0);
    for &(weight, a, b) in pairs {
        let (a, b) = (a - one, b - other);
        both += weight * a * b;
        ones += weight * a * a;
        others += weight * b * b;
    }
    let constant = |squares: f64, mean: f64| squares <= weights * (ROUNDING * mean).powi(2);
    if pairs.is_empty() || constant(ones, one) || constant(others, other) {
        return f64::NAN;
    }
    (both / (ones.sqrt() * others.sqrt())).clamp(-1.0, 1.0)
}

/// Relative rounding of sums of some hundred values.
const ROUNDING: f64 = 1e-12;
