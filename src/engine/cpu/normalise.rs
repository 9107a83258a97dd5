//! Normalisation of deltas across channels.

use super::delta::{Delta, Presentation};
use super::program::Program;
use crate::network::{ChannelNorm, Filters, LANES, LocalResponseNorm};

/// The normalised value of a channel; `value` gives the channels of one position. The formula
/// stands with [`LocalResponseNorm`].
fn normalised(
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

/// The normalisation of a position's channels; the formulas stand with the operations.
#[derive(Clone, Copy)]
pub(super) enum Normalisation<'a> {
    Neighbours(&'a LocalResponseNorm),
    All(&'a ChannelNorm, &'a Filters),
}

impl Normalisation<'_> {
    /// Normalises `values` into `output`, a value for each channel.
    pub fn of(self, values: &[f64], output: &mut [f64]) {
        match self {
            Self::Neighbours(norm) => {
                for (channel, output) in output.iter_mut().enumerate() {
                    *output = normalised(norm, values.len(), channel, |channel| values[channel]);
                }
            }
            Self::All(norm, filters) => {
                let count = values.len() as f64;
                let mean = sum(values, |value| value) / count;
                let variance = sum(values, |value| (value - mean) * (value - mean));
                let deviation = (variance / count + f64::from(norm.eps)).sqrt();
                let numbers = filters.weight.iter().zip(&filters.bias);
                for ((output, value), (&weight, &bias)) in
                    output.iter_mut().zip(values).zip(numbers)
                {
                    *output = (value - mean) / deviation * f64::from(weight) + f64::from(bias);
                }
            }
        }
    }
}

/// The sum of a term for each value, in partial sums side by side.
fn sum(values: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    let (chunks, last) = values.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for chunk in chunks {
        for (sum, &value) in sums.iter_mut().zip(chunk) {
            *sum += term(value);
        }
    }
    sums.into_iter().chain(last.iter().map(|&value| term(value))).sum()
}

/// Writes the delta of the normalised values in the node's window into `output`. In f64: the two
/// values that are subtracted are nearly equal where the delta is small.
pub(super) fn normalise(
    program: &Program,
    node: usize,
    norm: Normalisation<'_>,
    batch: &[Presentation<'_>],
    input: Delta<&[f32]>,
    output: Delta<&mut [f32]>,
) {
    let (in_each, out_each) = (input.each(), output.each());
    let (source, shift) =
        (program.subgraph.nodes()[node].inputs[0], program.subgraph.shift(node, 0));
    let positions = output.positions();
    let Delta { channels, values, .. } = output;
    let outputs = values.chunks_exact_mut(out_each);
    let mut before: Vec<f64> = Vec::with_capacity(channels);
    let (mut from, mut to) = (vec![0.0; channels], vec![0.0; channels]);
    for (which, (presentation, outputs)) in batch.iter().zip(outputs).enumerate() {
        for ((y, x), outputs) in positions.clone().zip(outputs.chunks_exact_mut(channels)) {
            let (y, x) = (y + shift.y, x + shift.x);
            let baseline = presentation.baseline_row(program, source, y, x, 1);
            let changed = &input.values[which * in_each + input.offset(y, x)..][..channels];
            before.clear();
            before.extend(baseline.iter().map(|&value| f64::from(value)));
            norm.of(&before, &mut from);
            for (value, &delta) in before.iter_mut().zip(changed) {
                *value += f64::from(delta);
            }
            norm.of(&before, &mut to);
            for (output, (to, from)) in outputs.iter_mut().zip(to.iter().zip(&from)) {
                *output = (to - from) as f32;
            }
        }
    }
}
