//! A map as values on cells, of which some may not be measured.

use super::raster::{Overlap, Raster};

/// How far a Gaussian kernel reaches, in standard deviations; as in `scipy.ndimage`.
const REACH: f64 = 4.0;

/// The values of a map on a raster, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The cells.
    pub raster: Raster,
    /// The value of each; of one that is not measured it means nothing.
    pub values: Vec<f64>,
    /// Whether a cell is measured.
    pub measured: Vec<bool>,
}

impl Field {
    /// Values `[y, x]` of which those that are NaN are not measured.
    ///
    /// `values` has one for each cell of `raster`.
    pub fn new(raster: Raster, values: Vec<f64>) -> Self {
        debug_assert_eq!(values.len(), raster.y.count * raster.x.count, "a value for each cell");
        let measured: Vec<bool> = values.iter().map(|value| !value.is_nan()).collect();
        let known = |value: f64| if value.is_nan() { 0.0 } else { value };
        Self { raster, values: values.into_iter().map(known).collect(), measured }
    }

    /// Whether no measured cell differs from zero.
    pub fn is_silent(&self) -> bool {
        self.known().all(|value| value == 0.0)
    }

    /// The value of a cell; NaN of one that is not measured.
    pub fn value(&self, cell: usize) -> f64 {
        if self.measured[cell] { self.values[cell] } else { f64::NAN }
    }

    /// The values of the measured cells.
    pub fn known(&self) -> impl Iterator<Item = f64> + '_ {
        self.values.iter().zip(&self.measured).filter(|(_, known)| **known).map(|(value, _)| *value)
    }

    /// Two fields of one raster together, each divided by its sum; measured where both are. `None`
    /// where neither has any value but zero there. A field of zeros adds nothing.
    pub fn composite(&self, other: &Self) -> Option<Self> {
        let measured: Vec<bool> =
            self.measured.iter().zip(&other.measured).map(|(one, other)| *one && *other).collect();
        let mut values = vec![0.0; measured.len()];
        for field in [self, other] {
            let known = || field.values.iter().zip(&measured).filter(|(_, known)| **known);
            let sum: f64 = known().map(|(value, _)| value).sum();
            if sum > 0.0 {
                values.iter_mut().zip(&field.values).for_each(|(to, value)| *to += value / sum);
            }
        }
        let composite = Self { raster: self.raster, values, measured };
        (!composite.is_silent()).then_some(composite)
    }

    /// The field on the cells of another raster, each the mean of what lies under it, weighted by
    /// area. A cell is measured where at least half of its area is.
    #[must_use]
    pub fn onto(&self, raster: &Raster) -> Self {
        if self.raster == *raster {
            return self.clone();
        }
        let under = |of: fn(&Raster) -> super::Ticks| -> Vec<Vec<Overlap>> {
            let (fine, coarse) = (of(&self.raster), of(raster));
            (0..coarse.count).map(|cell| fine.under(&coarse, cell)).collect()
        };
        let (rows, columns) = (under(|raster| raster.y), under(|raster| raster.x));
        let area = raster.y.step * raster.x.step;
        let mut values = Vec::with_capacity(rows.len() * columns.len());
        for row in &rows {
            for column in &columns {
                let (mut sum, mut known) = (0.0, 0.0);
                for y in row {
                    for x in column {
                        let cell = y.cell * self.raster.x.count + x.cell;
                        if self.measured[cell] {
                            let weight = y.length * x.length;
                            sum += weight * self.values[cell];
                            known += weight;
                        }
                    }
                }
                values.push(if known >= 0.5 * area { sum / known } else { f64::NAN });
            }
        }
        Self::new(*raster, values)
    }

    /// The field blurred by a Gaussian with a standard deviation of this many pixels: at each measured
    /// cell the mean of the measured cells around it, weighted by the Gaussian of their distance. What
    /// lies outside of the raster is not measured.
    #[must_use]
    pub fn blurred(&self, deviation: f64) -> Self {
        if deviation <= 0.0 {
            return self.clone();
        }
        let kernels = [self.raster.y, self.raster.x].map(|axis| kernel(deviation / axis.step));
        let values = self.values.iter().zip(&self.measured);
        let known: Vec<f64> =
            values.map(|(&value, &known)| if known { value } else { 0.0 }).collect();
        let weights: Vec<f64> = self.measured.iter().map(|&known| f64::from(known)).collect();
        let sums = convolved(&known, &self.raster, &kernels);
        let weights = convolved(&weights, &self.raster, &kernels);
        let mean = |(sum, weight): (&f64, &f64)| if *weight > 0.0 { sum / weight } else { 0.0 };
        Self {
            values: sums.iter().zip(&weights).map(mean).collect(),
            raster: self.raster,
            measured: self.measured.clone(),
        }
    }
}

/// One half of a Gaussian kernel, from its middle on.
fn kernel(deviation: f64) -> Vec<f64> {
    let reach = (REACH * deviation + 0.5) as usize;
    (0..=reach).map(|distance| (-0.5 * (distance as f64 / deviation).powi(2)).exp()).collect()
}

/// Values convolved along either axis; outside of the raster they are zero.
fn convolved(values: &[f64], raster: &Raster, kernels: &[Vec<f64>; 2]) -> Vec<f64> {
    let width = raster.x.count;
    let mut across = vec![0.0; values.len()];
    for (row, to) in values.chunks(width.max(1)).zip(across.chunks_mut(width.max(1))) {
        for (at, to) in to.iter_mut().enumerate() {
            let near = reach(&kernels[1], at, width);
            *to = near.map(|from| kernels[1][from.abs_diff(at)] * row[from]).sum();
        }
    }
    let mut down = vec![0.0; values.len()];
    for (at, to) in down.chunks_mut(width.max(1)).enumerate() {
        for from in reach(&kernels[0], at, raster.y.count) {
            let weight = kernels[0][from.abs_diff(at)];
            let row = &across[from * width..(from + 1) * width];
            to.iter_mut().zip(row).for_each(|(to, from)| *to += weight * from);
        }
    }
    down
}

/// The cells that a kernel in the middle of a cell reaches.
fn reach(kernel: &[f64], at: usize, count: usize) -> std::ops::Range<usize> {
    at.saturating_sub(kernel.len() - 1)..(at + kernel.len()).min(count)
}

#[cfg(test)]
mod tests {
    use super::super::Ticks;
    use super::*;

    fn raster(height: usize, width: usize) -> Raster {
        Raster { y: Ticks::over(height as f64, height), x: Ticks::over(width as f64, width) }
    }

    #[test]
    fn means_are_those_of_the_area() {
        let values = (0..24).map(f64::from).collect();
        let field = Field::new(raster(4, 6), values);
        let coarse = Raster { y: Ticks::over(4.0, 2), x: Ticks::over(6.0, 2) };
        let found = field.onto(&coarse);
        // Rows 0 and 1, columns 0 to 2: the mean of 0, 1, 2, 6, 7, 8.
        assert_eq!(found.values, [4.0, 7.0, 16.0, 19.0]);
        assert_eq!(field.onto(&field.raster), field);
        // One and a half columns a cell.
        let uneven = Raster { y: Ticks::over(4.0, 1), x: Ticks::over(6.0, 4) };
        let expected = [9.0 + 1.0 / 3.0, 9.0 + 5.0 / 3.0].map(|mean: f64| mean);
        let found = field.onto(&uneven);
        assert!((found.values[0] - expected[0]).abs() < 1e-12, "{found:?}");
        assert!((found.values[1] - expected[1]).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn what_is_not_measured_takes_no_part() {
        let mut values = vec![1.0; 36];
        values[0] = f64::NAN;
        values[1] = f64::NAN;
        values[6] = f64::NAN;
        let field = Field::new(raster(6, 6), values);
        let coarse = Raster { y: Ticks::over(6.0, 3), x: Ticks::over(6.0, 3) };
        let found = field.onto(&coarse);
        assert_eq!(found.measured.iter().filter(|known| !**known).count(), 1);
        assert!(!found.measured[0] && found.known().all(|value| value == 1.0));
        let blurred = field.blurred(2.0);
        assert!(blurred.known().all(|value| (value - 1.0_f64).abs() < 1e-12), "{blurred:?}");
        assert_eq!(blurred.measured, field.measured);
    }

    #[test]
    fn a_composite_counts_both_alike() {
        let top = Field::new(raster(1, 3), vec![2.0, 6.0, f64::NAN]);
        let bottom = Field::new(raster(1, 3), vec![30.0, 10.0, 7.0]);
        let found = top.composite(&bottom).unwrap();
        assert_eq!(
            (&found.values[..2], &found.measured[..]),
            (&[1.0, 1.0][..], &[true, true, false][..])
        );
        let silent = Field::new(raster(1, 3), vec![0.0; 3]);
        assert_eq!(top.composite(&silent).unwrap().values[..2], [0.25, 0.75]);
        assert_eq!(silent.composite(&silent), None);
    }

    #[test]
    fn a_blur_is_a_mean_by_hand() {
        let field = Field::new(raster(1, 3), vec![0.0, 1.0, 5.0]);
        let (near, far) = ((-0.5_f64).exp(), (-2.0_f64).exp());
        let expected = (near + 5.0 * far) / (1.0 + near + far);
        let found = field.blurred(1.0);
        assert!((found.values[0] - expected).abs() < 1e-15, "{found:?}");
        assert_eq!(field.blurred(0.0), field);
        // A blur far wider than the field makes it flat.
        let flat = field.blurred(1e6);
        assert!(flat.values.iter().all(|value| (value - 2.0).abs() < 1e-9), "{flat:?}");
    }
}
