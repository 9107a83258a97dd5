//! Local response normalisation of differences.

use super::change::{Change, Presentation};
use super::target::Target;
use crate::network::LocalResponseNorm;

/// The normalised value of a channel; `value` gives the channels of one position. The formula
/// stands with [`LocalResponseNorm`].
pub(super) fn normalised(
    norm: &LocalResponseNorm,
    channels: usize,
    channel: usize,
    value: impl Fn(usize) -> f64,
) -> f64 {
    let neighbours = norm.neighbours(channel, channels);
    let sum: f64 = neighbours.map(|neighbour| value(neighbour).powi(2)).sum();
    let weight = f64::from(norm.alpha) / norm.size as f64;
    value(channel) / (f64::from(norm.k) + weight * sum).powf(f64::from(norm.beta))
}

/// Writes the change of the normalised values in the node's window into `output`. In f64: the two
/// values that are subtracted are nearly equal where the change is small.
pub(super) fn normalise(
    target: &Target,
    node: usize,
    norm: &LocalResponseNorm,
    batch: &[Presentation<'_>],
    input: Change<&[f32]>,
    output: Change<&mut [f32]>,
) {
    let (in_each, out_each) = (input.each(), output.each());
    if out_each == 0 {
        return;
    }
    let (source, shift) = (target.lineage.nodes()[node].inputs[0], target.lineage.shift(node, 0));
    let positions = output.positions();
    let Change { channels, values, .. } = output;
    let outputs = values.chunks_exact_mut(out_each);
    for (which, (presentation, outputs)) in batch.iter().zip(outputs).enumerate() {
        for ((y, x), outputs) in positions.clone().zip(outputs.chunks_exact_mut(channels)) {
            let (y, x) = (y + shift, x + shift);
            let original = presentation.original(target, source, y, x, 1);
            let changed = &input.values[which * in_each + input.offset(y, x)..][..channels];
            let before = |channel: usize| f64::from(original[channel]);
            let after = |channel: usize| before(channel) + f64::from(changed[channel]);
            for (channel, output) in outputs.iter_mut().enumerate() {
                let difference = normalised(norm, channels, channel, after)
                    - normalised(norm, channels, channel, before);
                *output = difference as f32;
            }
        }
    }
}
