//! Max-pooling of differences.

use super::change::{Change, Presentation};
use super::target::Target;
use crate::engine::maximum::larger;
use crate::engine::plan::Plan;
use crate::geometry::Span;

/// Writes the change of every maximum in the node's window into `output`.
///
/// With `p` the original maximum, it is `max_i((a_i - p) + δ_i)`: relative to `p` the original
/// maximum itself is exactly 0, so no rounding of large values gets into small differences.
#[inline(always)]
pub(super) fn pool(
    target: &Target,
    plan: &Plan<'_>,
    node: usize,
    batch: &[Presentation<'_>],
    input: &Change,
    output: &mut Change,
) {
    let (in_each, out_each) = (input.each(), output.each());
    if out_each == 0 {
        return;
    }
    let here = &target.lineage.nodes()[node];
    let (source, shift) = (here.inputs[0], target.lineage.shift(node, 0));
    let (stride, kernel) = (here.slide.stride as isize, here.slide.kernel as isize);
    let real = (plan.y().reach(node).read, plan.x().reach(node).read);
    let seen = |output: isize, real: Span| {
        let first = output * stride + shift;
        Span::new(first, first + kernel).intersect(real)
    };
    let (channels, positions) = (output.channels, output.positions());
    let outputs = output.values.chunks_exact_mut(out_each);
    for (which, (presentation, outputs)) in batch.iter().zip(outputs).enumerate() {
        let changed = &input.values[which * in_each..][..in_each];
        for ((y, x), rises) in positions.clone().zip(outputs.chunks_exact_mut(channels)) {
            let largest = presentation.original(target, node, y, x);
            rises.fill(f32::NEG_INFINITY);
            let (rows, columns) = (seen(y, real.0), seen(x, real.1));
            for y in rows.start..rows.end {
                for x in columns.start..columns.end {
                    let original = presentation.original(target, source, y, x);
                    if input.has(y, x) {
                        let changed = &changed[input.offset(y, x)..][..channels];
                        for (((rise, original), largest), change) in
                            rises.iter_mut().zip(original).zip(largest).zip(changed)
                        {
                            let value = (original - largest) + change;
                            *rise = larger(*rise, value);
                        }
                    } else {
                        for ((rise, original), largest) in
                            rises.iter_mut().zip(original).zip(largest)
                        {
                            let value = original - largest;
                            *rise = larger(*rise, value);
                        }
                    }
                }
            }
        }
    }
}
