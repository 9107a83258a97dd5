//! One axis of a window: how many multiplications, and the matrices.

use std::ops::Range;

use super::points::Points;

/// One axis of a convolution's window, of stride 1: `y[o] = Σ_t w[t] x[o + t + shift]`, where `x`
/// is zero outside of the changed inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Axis {
    pub inputs: usize,
    pub outputs: usize,
    pub shift: isize,
    pub kernel: usize,
}

/// Sums of few terms: for each, the indices of its terms and their factors.
#[derive(Debug)]
pub(super) struct Sums {
    ends: Vec<usize>,
    terms: Vec<(usize, f32)>,
}

impl Sums {
    /// `length` sums of `over` terms, whose factors `factor(sum, index)` gives.
    fn new(length: usize, over: usize, factor: impl Fn(usize, usize) -> f64) -> Self {
        let (mut ends, mut terms) = (Vec::with_capacity(length), Vec::new());
        for sum in 0..length {
            let factors = (0..over).map(|index| (index, factor(sum, index) as f32));
            terms.extend(factors.filter(|&(_, factor)| factor != 0.0));
            ends.push(terms.len());
        }
        Self { ends, terms }
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.ends.len()
    }

    /// The terms of one.
    #[inline(always)]
    pub fn of(&self, sum: usize) -> &[(usize, f32)] {
        let start = if sum == 0 { 0 } else { self.ends[sum - 1] };
        &self.terms[start..self.ends[sum]]
    }

    /// The terms of each.
    #[inline(always)]
    pub fn each(&self) -> impl Iterator<Item = &[(usize, f32)]> {
        (0..self.count()).map(|sum| self.of(sum))
    }

    /// Additions and multiplications.
    pub fn terms(&self) -> usize {
        self.terms.len()
    }
}

/// Some outputs of an axis that are computed together, from some or all of the inputs that they see.
#[derive(Debug)]
pub(super) struct Tile {
    /// The first output.
    pub first: usize,
    /// Outputs.
    pub outputs: usize,
    /// The first of these has a part of so many outputs from tiles before this one already.
    pub begun: usize,
    /// So many outputs get nothing from tiles behind this one.
    pub complete: usize,
    /// The inputs that they see.
    pub inputs: Range<usize>,
    /// A value for each point, as a sum over these inputs.
    pub values: Sums,
    /// The tile's outputs, each as a sum over the points.
    pub results: Sums,
}

/// How an axis is computed.
#[derive(Debug)]
pub(super) struct AxisForm {
    /// Multiplications of a tile.
    pub points: usize,
    pub tiles: Vec<Tile>,
}

impl AxisForm {
    /// The form with the fewest multiplications, of those with one of the `counts` of points.
    pub fn fewest(axis: Axis, counts: &[usize]) -> Option<Self> {
        let by_points = |&points: &usize| {
            let lines = points + 1 - axis.kernel;
            // A few inputs are multiplied as a polynomial, or a few outputs are computed together:
            // what there is less of is cut up.
            let (inputs, outputs) = (axis.inputs.div_ceil(lines), axis.outputs.div_ceil(lines));
            (inputs.min(outputs) * points, points, inputs == 1 || inputs < outputs)
        };
        let (multiplications, points, by_inputs) = counts.iter().map(by_points).min()?;
        let form = Points { count: points };
        let tiles = multiplications / points;
        let length = if by_inputs { axis.inputs } else { axis.outputs };
        let parts = (0..tiles).map(|tile| length * tile / tiles..length * (tile + 1) / tiles);
        let tile = |part| {
            if by_inputs { from_inputs(axis, &form, part) } else { of_outputs(axis, &form, part) }
        };
        let mut tiles: Vec<Tile> = parts.map(tile).filter(|tile| tile.outputs > 0).collect();
        for which in 1..tiles.len() {
            let (first, before) = (tiles[which].first, &mut tiles[which - 1]);
            before.complete = before.complete.min(first - before.first);
            let end = before.first + before.outputs;
            tiles[which].begun = end.saturating_sub(first);
        }
        Some(Self { points, tiles })
    }

    /// Multiplications.
    pub fn multiplications(&self) -> usize {
        self.points * self.tiles.len()
    }
}

/// What a few inputs add to all outputs that see them: the inputs, backwards, and the taps are
/// polynomials whose product has the outputs, backwards, for coefficients.
fn from_inputs(axis: Axis, points: &Points, range: Range<usize>) -> Tile {
    let Axis { outputs, shift, kernel, .. } = axis;
    let (inputs, lines) = (range.len(), points.count + 1 - kernel);
    let others: Vec<Vec<f64>> = (0..points.count).map(|point| points.others(point)).collect();
    // The last output that sees an input sees it with its first tap.
    let end = (range.end as isize - shift).clamp(0, outputs as isize);
    let first = (range.start as isize - shift + 1 - kernel as isize).clamp(0, end);
    let (first, end) = (first as usize, end as usize);
    Tile {
        first,
        outputs: end - first,
        begun: 0,
        complete: end - first,
        values: Sums::new(points.count, inputs, |point, input| {
            points.power(point, inputs - 1 - input, lines)
        }),
        results: Sums::new(end - first, points.count, |output, point| {
            let power = range.end as isize - 1 - shift - (first + output) as isize;
            usize::try_from(power)
                .ok()
                .and_then(|power| others[point].get(power))
                .map_or(0.0, |v| *v)
        }),
        inputs: range,
    }
}

/// A few outputs from all that they see: the same with inputs and outputs exchanged.
fn of_outputs(axis: Axis, points: &Points, range: Range<usize>) -> Tile {
    let Axis { inputs, shift, kernel, .. } = axis;
    let lines = points.count + 1 - kernel;
    let first = range.start as isize + shift;
    let end = first + (range.len() + kernel - 1) as isize;
    let seen = first.max(0) as usize..end.min(inputs as isize) as usize;
    let others: Vec<Vec<f64>> = (0..points.count).map(|point| points.others(point)).collect();
    Tile {
        first: range.start,
        outputs: range.len(),
        begun: 0,
        complete: range.len(),
        values: Sums::new(points.count, seen.len(), |point, input| {
            others[point][((seen.start + input) as isize - first) as usize]
        }),
        inputs: seen,
        results: Sums::new(range.len(), points.count, |output, point| {
            points.power(point, output, lines)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_window_equals_its_definition() {
        for kernel in 2..=5 {
            let counts = [kernel + 2, kernel + 3];
            for (inputs, outputs) in (1..9).flat_map(|n| (1..9).map(move |m| (n, m))) {
                for shift in -8_isize..8 {
                    let axis = Axis { inputs, outputs, shift, kernel };
                    // Every output of a plan's window meets an input.
                    let meets = |output: usize| {
                        let first = output as isize + shift;
                        first < inputs as isize && first + kernel as isize > 0
                    };
                    if !(0..outputs).all(meets) {
                        continue;
                    }
                    let x: Vec<f64> = (0..inputs).map(|i| 1.0 + (i * i) as f64 * 0.3).collect();
                    let w: Vec<f64> = (0..kernel).map(|t| 0.5 - 0.4 * t as f64).collect();
                    let form = AxisForm::fewest(axis, &counts).unwrap();
                    let points = Points { count: form.points };
                    let mut found = vec![f64::NAN; outputs];
                    let mut done = vec![false; outputs];
                    for tile in &form.tiles {
                        let sums = |sums: &Sums, of: &[f64]| -> Vec<f64> {
                            let sum = |terms: &[(usize, f32)]| {
                                terms.iter().map(|&(index, by)| of[index] * f64::from(by)).sum()
                            };
                            sums.each().map(sum).collect()
                        };
                        let mut values = sums(&tile.values, &x[tile.inputs.clone()]);
                        for (point, value) in values.iter_mut().enumerate() {
                            let weight = |tap: usize| points.weights(point, tap, kernel) * w[tap];
                            *value *= (0..kernel).map(weight).sum::<f64>();
                        }
                        let results = sums(&tile.results, &values);
                        for (output, result) in results.into_iter().enumerate() {
                            let sum = &mut found[tile.first + output];
                            assert_eq!(output < tile.begun, !sum.is_nan());
                            *sum = if output < tile.begun { *sum + result } else { result };
                            done[tile.first + output] = output < tile.complete;
                        }
                    }
                    assert!(done.iter().all(|&done| done));
                    for (output, found) in found.iter().enumerate() {
                        let at = |tap: usize| output as isize + tap as isize + shift;
                        let expected: f64 = (0..kernel)
                            .filter_map(|tap| Some(w[tap] * x.get(usize::try_from(at(tap)).ok()?)?))
                            .sum();
                        assert!((found - expected).abs() < 1e-9, "{axis:?} {output}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_counts_are_winograds() {
        let of = |inputs, outputs, kernel| {
            let axis = Axis { inputs, outputs, shift: 0, kernel };
            AxisForm::fewest(axis, &[kernel + 2, kernel + 3]).unwrap().multiplications()
        };
        assert_eq!(of(5, 3, 3), 5);
        assert_eq!(of(4, 6, 3), 6);
        assert_eq!(of(3, 7, 5), 7);
        assert_eq!(of(5, 9, 5), 14);
        assert_eq!(of(12, 12, 3), 18);
    }
}
