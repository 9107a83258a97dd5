//! The matrices of Toom and Cook's algorithm.

/// The points at which polynomials are evaluated, beside infinity, in the order in which they are
/// taken. Half and double, of opposite signs, keep rounding small: B. Barabasz et al., "Error
/// analysis and improving the accuracy of Winograd convolution for deep neural networks", 2020.
const FINITE: [f64; 7] = [0.0, 1.0, -1.0, 0.5, -2.0, -0.5, 2.0];

/// Multiplications of an axis, at most: rounding grows with their number.
pub(super) const MOST: usize = FINITE.len() + 1;

/// A product of two polynomials by `count` multiplications, one for each point.
///
/// With the product's coefficients `z = w * y`, the sum `Σ_j x_j z_j` is symmetric in what it is
/// called: the same numbers give a correlation's outputs from its inputs. Every number here is a
/// fraction of few bits with a power of two below, so that `f64` has it exactly, but for the
/// quotients in [`weights`](Self::weights).
pub(super) struct Points {
    /// Points; the last is infinity.
    pub count: usize,
}

impl Points {
    fn finite(&self) -> &'static [f64] {
        &FINITE[..self.count - 1]
    }

    /// The value of `x^power` at a point, for polynomials of `length` coefficients: at infinity,
    /// the last coefficient is all that counts.
    pub fn power(&self, point: usize, power: usize, length: usize) -> f64 {
        match self.finite().get(point) {
            Some(value) => value.powi(power as i32),
            None => f64::from(u8::from(power + 1 == length)),
        }
    }

    /// The coefficients of the product of `x - q` over all finite points but this one. Divided by
    /// its value at the point, it is 1 there and 0 at the others.
    pub fn others(&self, point: usize) -> Vec<f64> {
        let mut product = vec![1.0];
        for (other, &value) in self.finite().iter().enumerate() {
            if other != point {
                product.push(0.0);
                for power in (0..product.len()).rev() {
                    let lower = if power == 0 { 0.0 } else { product[power - 1] };
                    product[power] = lower - value * product[power];
                }
            }
        }
        product.resize(self.count, 0.0);
        product
    }

    /// What tap `tap` of `taps` contributes to the weight's value at a point. The quotients that
    /// interpolation needs are all here, where they cost nothing.
    pub fn weights(&self, point: usize, tap: usize, taps: usize) -> f64 {
        let here = self.finite().get(point);
        let scale: f64 = here.map_or(1.0, |here| {
            let others = self.finite().iter().enumerate().filter(|&(other, _)| other != point);
            others.map(|(_, other)| here - other).product()
        });
        self.power(point, tap, taps) / scale
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_polynomials_are_exact_to_rounding() {
        for count in 2..=MOST {
            let points = Points { count };
            for taps in 1..=count {
                let length = count + 1 - taps;
                let w: Vec<f64> = (0..taps).map(|tap| 1.0 + 0.3 * tap as f64).collect();
                let y: Vec<f64> = (0..length).map(|index| 2.0 - 0.7 * index as f64).collect();
                let mut found = vec![0.0; count];
                for point in 0..count {
                    let weight: f64 =
                        (0..taps).map(|tap| points.weights(point, tap, taps) * w[tap]).sum();
                    let value: f64 =
                        (0..length).map(|j| points.power(point, j, length) * y[j]).sum();
                    for (sum, other) in found.iter_mut().zip(points.others(point)) {
                        *sum += other * weight * value;
                    }
                }
                for (index, found) in found.iter().enumerate() {
                    let expected: f64 = (0..taps)
                        .filter(|&tap| tap <= index && index - tap < length)
                        .map(|tap| w[tap] * y[index - tap])
                        .sum();
                    assert!((found - expected).abs() < 1e-11, "{count} {taps} {index}");
                }
            }
        }
    }
}
