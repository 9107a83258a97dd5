//! Weights at the points.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use super::axis::{Axis, AxisForm};
use super::points::{MOST, Points};
use crate::geometry::PerAxis;
use crate::network::Convolution;

/// Bytes that a layer's transformed weights may take together.
const BYTES: usize = 64 << 20;

/// The weights of a convolution at all pairs of points, for each pair of counts, and the forms of its
/// axes: computed when they are first needed, since most networks need few.
#[derive(Debug)]
pub(in crate::engine::cpu) struct Transformed {
    kernel: usize,
    groups: usize,
    counts: Vec<usize>,
    weights: Vec<OnceLock<Vec<f32>>>,
    axes: RwLock<HashMap<Axis, Arc<AxisForm>>>,
}

impl Transformed {
    /// For a convolution with so many weights; none unless its window is a square without gaps, of
    /// stride 1. Where memory would be much, one count of points has to do.
    pub fn of(conv: &Convolution, weights: usize) -> Option<Self> {
        let one = PerAxis::both(1);
        let kernel = conv.kernel.if_equal()?;
        (conv.stride == one && conv.dilation == one).then(|| {
            let counts = counts(kernel, weights);
            let weights = (0..counts.len().pow(2)).map(|_| OnceLock::new()).collect();
            Self { kernel, groups: conv.groups, counts, weights, axes: RwLock::default() }
        })
    }

    /// Bytes that those of a convolution with so many weights take, once all are needed.
    pub fn bytes_of(conv: &Convolution, weights: usize) -> usize {
        let kernel = conv.kernel.if_equal().unwrap_or(0);
        bytes(&counts(kernel, weights), kernel, weights)
    }

    pub fn groups(&self) -> usize {
        self.groups
    }

    /// The form of an axis, which many plans share; computed when it is first needed. There is none
    /// where no number of points is allowed.
    pub(super) fn axis(&self, axis: Axis) -> Option<Arc<AxisForm>> {
        let known = self.axes.read().unwrap_or_else(PoisonError::into_inner).get(&axis).cloned();
        known.or_else(|| {
            let form = Arc::new(AxisForm::fewest(axis, &self.counts)?);
            let mut axes = self.axes.write().unwrap_or_else(PoisonError::into_inner);
            axes.insert(axis, Arc::clone(&form));
            Some(form)
        })
    }

    /// The weights for `y` × `x` points, `[y][x][…]`, where those of the taps are `[ky][kx][…]` in
    /// each of `tiles`.
    pub fn at<'a, 't>(
        &'a self,
        (y, x): (usize, usize),
        tiles: impl Iterator<Item = &'t [f32]>,
    ) -> &'a [f32] {
        let index = |count| self.counts.iter().position(|&known| known == count).unwrap_or(0);
        let which = index(y) * self.counts.len() + index(x);
        self.weights[which].get_or_init(|| {
            let kernel = self.kernel;
            let (points_y, points_x) = (Points { count: y }, Points { count: x });
            let tiles: Vec<&[f32]> = tiles.collect();
            let mut all = Vec::new();
            let mut sums: Vec<f64> = Vec::new();
            for (row, column) in (0..y).flat_map(|row| (0..x).map(move |column| (row, column))) {
                for tile in &tiles {
                    let each = tile.len() / (kernel * kernel);
                    sums.clear();
                    sums.resize(each, 0.0);
                    for (tap, values) in tile.chunks_exact(each).enumerate() {
                        let factor = points_y.weights(row, tap / kernel, kernel)
                            * points_x.weights(column, tap % kernel, kernel);
                        for (sum, &value) in sums.iter_mut().zip(values) {
                            *sum += factor * f64::from(value);
                        }
                    }
                    all.extend(sums.iter().map(|&sum| sum as f32));
                }
            }
            all
        })
    }
}

/// How many points there may be on an axis. It depends on the convolution alone, as the form does
/// that is taken, and so the results.
///
/// One more would round two to three times as much, which through the thirteen layers of VGG16 is
/// more than a hundred-thousandth of a map's largest difference, and is no faster.
fn counts(kernel: usize, weights: usize) -> Vec<usize> {
    let mut counts: Vec<usize> = match kernel {
        0 | 1 => Vec::new(),
        _ => (kernel + 2..=kernel + 3).filter(|&count| count <= MOST).collect(),
    };
    while bytes(&counts, kernel, weights) > BYTES {
        counts.remove(0);
    }
    counts
}

/// Of the weights at all pairs of points.
fn bytes(counts: &[usize], kernel: usize, weights: usize) -> usize {
    let points = counts.iter().sum::<usize>().pow(2);
    points * (weights / (kernel * kernel).max(1)) * size_of::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_bytes_are_taken_as_were_said() {
        // conv4 and conv2 of AlexNet, a layer of VGG, one without other forms.
        for (kernel, channels) in [(3, 384 * 256), (5, 64 * 192), (3, 512 * 512), (1, 64)] {
            let weights = vec![0.5; channels * kernel * kernel];
            let conv = Convolution::new(1, kernel, 1, 0);
            let transformed = Transformed::of(&conv, weights.len()).unwrap();
            let said = Transformed::bytes_of(&conv, weights.len());
            assert!(said <= BYTES);
            if channels < 64 * 256 {
                let counts = &transformed.counts;
                let pairs = counts.iter().flat_map(|&y| counts.iter().map(move |&x| (y, x)));
                let floats: usize =
                    pairs.map(|pair| transformed.at(pair, [&weights[..]].into_iter()).len()).sum();
                assert_eq!(floats * size_of::<f32>(), said);
            }
        }
    }
}
