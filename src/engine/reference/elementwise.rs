//! Layers that work on each position by itself.

use crate::engine::maximum::positive;
use crate::network::LocalResponseNorm;

/// `max(x, 0)` in place.
pub(super) fn relu(values: &mut [f32]) {
    for value in values {
        *value = positive(*value);
    }
}

/// The sum of inputs of one shape, added in their order.
pub(super) fn add(inputs: &[&[f32]], output: &mut [f32]) {
    output.copy_from_slice(inputs[0]);
    for input in &inputs[1..] {
        for (sum, value) in output.iter_mut().zip(*input) {
            *sum += value;
        }
    }
}

/// Inputs stacked along the channels.
pub(super) fn concatenate(inputs: &[&[f32]], output: &mut [f32]) {
    let mut rest = output;
    for input in inputs {
        let (part, others) = rest.split_at_mut(input.len());
        part.copy_from_slice(input);
        rest = others;
    }
}

/// Local response normalisation of `[channel, area]`; the formula stands with
/// [`LocalResponseNorm`].
pub(super) fn normalise(norm: &LocalResponseNorm, input: &[f32], area: usize, output: &mut [f32]) {
    let channels = input.len() / area;
    let weight = norm.alpha / norm.size as f32;
    for channel in 0..channels {
        let here = channel * area..(channel + 1) * area;
        let sums = &mut output[here.clone()];
        sums.fill(0.0);
        for neighbour in norm.neighbours(channel, channels) {
            let squares = &input[neighbour * area..(neighbour + 1) * area];
            for (sum, value) in sums.iter_mut().zip(squares) {
                *sum += value * value;
            }
        }
        for (sum, value) in sums.iter_mut().zip(&input[here]) {
            *sum = value / (norm.k + weight * *sum).powf(norm.beta);
        }
    }
}
