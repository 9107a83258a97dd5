//! How values are distributed.

/// The quantiles of a [`Distribution`].
pub const QUANTILES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

/// Some values, summarised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distribution {
    /// Number of values.
    pub count: usize,
    /// Mean.
    pub mean: f64,
    /// The [`QUANTILES`], linear between the sorted values: NumPy's default.
    pub quantiles: [f64; 5],
}

impl Distribution {
    /// The distribution of the finite ones among these values; `None` where there are none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        if values.is_empty() {
            return None;
        }
        values.sort_unstable_by(f64::total_cmp);
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let quantiles = QUANTILES.map(|part| quantile(&values, part));
        Some(Self { count: values.len(), mean, quantiles })
    }

    /// The median.
    pub const fn median(&self) -> f64 {
        self.quantiles[2]
    }
}

/// The median of the finite ones among some values; `None` where there are none.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    Distribution::of(values).map(|found| found.median())
}

/// A quantile of sorted values, of which there is at least one.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let at = part * (sorted.len() - 1) as f64;
    let below = at.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (at - below as f64) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_linear_between_values() {
        let found = Distribution::of([4.0, 1.0, f64::NAN, 3.0, 2.0, f64::INFINITY]).unwrap();
        assert_eq!((found.count, found.mean, found.median()), (4, 2.5, 2.5));
        let expected = [1.15, 1.75, 2.5, 3.25, 3.85];
        for (found, expected) in found.quantiles.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-15, "{found} {expected}");
        }
        assert_eq!(Distribution::of([f64::NAN]), None);
        assert_eq!(Distribution::of([7.0]).unwrap().quantiles, [7.0; 5]);
    }
}
