//! Layers that work on each position by itself.

use crate::engine::maximum::positive;
use crate::engine::real::Real;
use crate::network::LocalResponseNorm;

/// `max(x, 0)` in place.
pub(super) fn relu<T: Real>(values: &mut [T]) {
    for value in values {
        *value = positive(*value);
    }
}

/// The sum of inputs of one shape, added in their order.
pub(super) fn add<T: Real>(inputs: &[&[T]], output: &mut [T]) {
    output.copy_from_slice(inputs[0]);
    for input in &inputs[1..] {
        for (sum, value) in output.iter_mut().zip(*input) {
            *sum += *value;
        }
    }
}

/// Inputs stacked along the channels.
pub(super) fn concatenate<T: Real>(inputs: &[&[T]], output: &mut [T]) {
    let mut rest = output;
    for input in inputs {
        let (part, others) = rest.split_at_mut(input.len());
        part.copy_from_slice(input);
        rest = others;
    }
}

/// Local response normalisation of `[channel, area]`; the formula stands with
/// [`LocalResponseNorm`].
pub(super) fn normalise<T: Real>(
    norm: &LocalResponseNorm,
    input: &[T],
    area: usize,
    output: &mut [T],
) {
    let channels = input.len() / area;
    let (alpha, beta, k) = (T::from(norm.alpha), T::from(norm.beta), T::from(norm.k));
    let weight = alpha / T::from(norm.size as f32);
    for channel in 0..channels {
        let here = channel * area..(channel + 1) * area;
        let sums = &mut output[here.clone()];
        sums.fill(T::default());
        for neighbour in norm.neighbours(channel, channels) {
            let squares = &input[neighbour * area..(neighbour + 1) * area];
            for (sum, value) in sums.iter_mut().zip(squares) {
                *sum += *value * *value;
            }
        }
        for (sum, value) in sums.iter_mut().zip(&input[here]) {
            *sum = *value / (k + weight * *sum).powf(beta);
        }
    }
}
