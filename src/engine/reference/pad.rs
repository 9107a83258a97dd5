//! Padding with values of the map itself.

use crate::geometry::ImageSize;
use crate::network::Pad;

/// Pads maps `[channel, y, x]` of size `from` to size `to`.
pub(super) fn pad<T: Copy>(
    pad: &Pad,
    input: &[T],
    from: ImageSize,
    to: ImageSize,
    output: &mut [T],
) {
    let before = pad.padding.before;
    let source = |position: usize, before: usize, length: usize| {
        pad.mode.source(position as isize - before as isize, length) as usize
    };
    for (plane, padded) in input.chunks_exact(from.area()).zip(output.chunks_exact_mut(to.area())) {
        for (y, row) in padded.chunks_exact_mut(to.width).enumerate() {
            let from_row = &plane[source(y, before.y, from.height) * from.width..][..from.width];
            for (x, value) in row.iter_mut().enumerate() {
                *value = from_row[source(x, before.x, from.width)];
            }
        }
    }
}
