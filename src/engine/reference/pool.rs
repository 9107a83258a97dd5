//! Max-pooling.

use crate::engine::maximum::larger;
use crate::engine::real::Real;
use crate::geometry::{ImageSize, Slide, Span};
use crate::network::MaxPool;

/// Max-pooling of `[channel, y, x]`. Padding never wins: a window is cut at the input's border.
pub(super) fn max_pool<T: Real>(
    pool: &MaxPool,
    input: &[T],
    input_size: ImageSize,
    output: &mut [T],
    output_size: ImageSize,
) {
    // The part of a window that lies inside the input.
    let slide = Slide { kernel: pool.kernel, stride: pool.stride, padding: pool.padding };
    let inside = |position: usize, length: usize| {
        let Span { start, end } = slide.inputs(Span::at(position)).intersect(Span::whole(length));
        start as usize..end as usize
    };
    let planes = input.chunks_exact(input_size.area());
    for (plane, pooled) in planes.zip(output.chunks_exact_mut(output_size.area())) {
        for (y, row) in pooled.chunks_exact_mut(output_size.width).enumerate() {
            let rows = inside(y, input_size.height);
            for (x, value) in row.iter_mut().enumerate() {
                let columns = inside(x, input_size.width);
                *value = rows
                    .clone()
                    .flat_map(|row| &plane[row * input_size.width..][columns.clone()])
                    .fold(T::NEG_INFINITY, |largest, &value| larger(largest, value));
            }
        }
    }
}
