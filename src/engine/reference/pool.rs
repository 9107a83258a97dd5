//! Pooling.

use crate::engine::maximum::max_nan;
use crate::engine::real::Real;
use crate::geometry::{Axis, ImageSize, PerAxis, SlidingWindow, Span};
use crate::network::AveragePool;

/// A pooling on an input of one size, `[channel, y, x]`.
pub(super) struct Pooling<'a, T> {
    pub input: &'a [T],
    pub input_size: ImageSize,
    pub output: &'a mut [T],
    pub output_size: ImageSize,
}

impl<T: Real> Pooling<'_, T> {
    /// Max-pooling. Padding never wins: a window is cut at the input's border.
    pub fn max(self, window: PerAxis<SlidingWindow>) {
        self.fold(window, T::NEG_INFINITY, max_nan, |largest, _| largest);
    }

    /// Average pooling.
    pub fn average(self, pool: &AveragePool) {
        let input = self.input_size;
        let mean = |sum: T, (y, x): (usize, usize)| {
            let count = pool.count(Axis::Y, y, input) * pool.count(Axis::X, x, input);
            sum / T::from(count as f32)
        };
        self.fold(pool.window().axes, T::default(), |sum, value| sum + value, mean);
    }

    /// Folds the inputs of each window, and finishes each output.
    fn fold(
        self,
        window: PerAxis<SlidingWindow>,
        start: T,
        fold: impl Fn(T, T) -> T,
        finish: impl Fn(T, (usize, usize)) -> T,
    ) {
        let Self { input, input_size, output, output_size } = self;
        let planes = input.chunks_exact(input_size.area());
        for (plane, pooled) in planes.zip(output.chunks_exact_mut(output_size.area())) {
            for (y, row) in pooled.chunks_exact_mut(output_size.width).enumerate() {
                for (x, output) in row.iter_mut().enumerate() {
                    let mut value = start;
                    for row in inside(window.y, y, input_size.height) {
                        let row = &plane[row * input_size.width..];
                        for column in inside(window.x, x, input_size.width) {
                            value = fold(value, row[column]);
                        }
                    }
                    *output = finish(value, (y, x));
                }
            }
        }
    }
}

/// The inputs that exist, of those that an output sees.
fn inside(
    window: SlidingWindow,
    output: usize,
    length: usize,
) -> impl Iterator<Item = usize> + Clone {
    let first = window.first_input(output as isize);
    let (tap, taps) = window.taps(first, Span::whole(length));
    (tap..tap + taps).map(move |tap| (first + (tap * window.dilation) as isize) as usize)
}
