//! Layers of differences that work on each position by itself.

use super::change::{Change, Presentation};
use super::target::Target;

/// The change of `max(z, 0)` at a node, in place; `z` are the original values of its input.
///
/// It is `relu(z + δ) - relu(z)`, written so that it is δ itself, unrounded, wherever both are
/// positive.
#[inline(always)]
pub(super) fn relu(target: &Target, node: usize, batch: &[Presentation<'_>], change: &mut Change) {
    let each = change.each();
    if each == 0 {
        return;
    }
    let row = change.x.len() * change.channels;
    let node = &target.lineage.nodes()[node];
    for (presentation, values) in batch.iter().zip(change.values.chunks_exact_mut(each)) {
        let top = node.origin(presentation.position.0);
        let left = node.origin(presentation.position.1);
        let original = presentation.base.node(node.inputs[0]);
        for (values, y) in
            values.chunks_exact_mut(row).zip(change.y.start + top..change.y.end + top)
        {
            let original = original.row(y, change.x.start + left, change.x.len());
            for (value, &original) in values.iter_mut().zip(original) {
                let (below, above) = if original > 0.0 { (0.0, original) } else { (original, 0.0) };
                let risen = *value + below;
                // A NaN stays one.
                *value = if risen < -above { -above } else { risen };
            }
        }
    }
}

/// Adds the part of `input` that lies in the window of `output` to its channels from `channel`
/// on, for `batch` presentations. Position `p` of the output is `p + shift` of the input.
pub(super) fn add(input: &Change, shift: isize, batch: usize, channel: usize, output: &mut Change) {
    let (in_each, out_each) = (input.each(), output.each());
    let ys = input.y.shifted(-shift).intersect(output.y);
    let xs = input.x.shifted(-shift).intersect(output.x);
    for which in 0..batch {
        for (y, x) in (ys.start..ys.end).flat_map(|y| (xs.start..xs.end).map(move |x| (y, x))) {
            let from = which * in_each + input.offset(y + shift, x + shift);
            let place = which * out_each + output.offset(y, x) + channel;
            let from = &input.values[from..][..input.channels];
            for (sum, value) in output.values[place..].iter_mut().zip(from) {
                *sum += value;
            }
        }
    }
}
