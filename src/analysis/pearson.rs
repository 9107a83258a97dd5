//! Pearson's correlation.

/// Relative rounding of sums of some hundred values.
const ROUNDING: f64 = 1e-12;

/// Two values of one thing, and how much they count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// Weight.
    pub weight: f64,
    /// The one value.
    pub one: f64,
    /// The other.
    pub other: f64,
}

/// Pearson's `r`, from -1 to 1; NaN where there are no observations, or either value is constant but
/// for rounding.
pub fn pearson(observations: impl Iterator<Item = Observation> + Clone) -> f64 {
    let (mut count, mut weights, mut ones, mut others) = (0_usize, 0.0, 0.0, 0.0);
    for Observation { weight, one, other } in observations.clone() {
        count += 1;
        weights += weight;
        ones += weight * one;
        others += weight * other;
    }
    let (mean, other_mean) = (ones / weights, others / weights);
    let (mut both, mut ones, mut others) = (0.0, 0.0, 0.0);
    for Observation { weight, one, other } in observations {
        let (a, b) = (one - mean, other - other_mean);
        both += weight * a * b;
        ones += weight * a * a;
        others += weight * b * b;
    }
    let constant = |squares: f64, mean: f64| squares <= weights * (ROUNDING * mean).powi(2);
    if count == 0 || constant(ones, mean) || constant(others, other_mean) {
        return f64::NAN;
    }
    (both / (ones.sqrt() * others.sqrt())).clamp(-1.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(f64, f64, f64)]) -> f64 {
        let observation =
            |&(weight, one, other): &(f64, f64, f64)| Observation { weight, one, other };
        pearson(pairs.iter().map(observation))
    }

    #[test]
    fn r_is_the_one_computed_by_hand() {
        let pairs = [(1.0, 1.0, 1.0), (1.0, 2.0, 3.0), (1.0, 3.0, 2.0), (1.0, 4.0, 4.0)];
        assert!((of(&pairs) - 0.8).abs() < 1e-15);
        let mirrored = pairs.map(|(weight, one, other)| (weight, one, -2.0 * other + 7.0));
        assert!((of(&mirrored) + 0.8).abs() < 1e-15);
        // A weight of 2 is the same observation twice.
        let twice = [pairs[0], pairs[1], pairs[2], pairs[3], pairs[1]];
        let weighted = [pairs[0], (2.0, 2.0, 3.0), pairs[2], pairs[3]];
        assert!((of(&twice) - of(&weighted)).abs() < 1e-15);
    }

    #[test]
    fn there_is_none_where_nothing_varies() {
        assert!(of(&[]).is_nan());
        assert!(of(&[(1.0, 0.1, 1.0), (1.0, 0.1, 2.0)]).is_nan());
        assert!(of(&[(1.0, 0.0, 1.0), (1.0, 0.0, 2.0)]).is_nan());
    }
}
