//! Layers that work on each position by itself.

use super::convolve::RealFilters;

use crate::engine::maximum::positive;
use crate::engine::real::Real;
use crate::network::{ChannelNorm, Function, GateJoin, GroupNorm, LANES, LocalResponseNorm};
use crate::program::Selection;

/// `max(x, 0)` in place.
pub(super) fn relu<T: Real>(values: &mut [T]) {
    for value in values {
        *value = positive(*value);
    }
}

/// A function of each value, in place.
pub(super) fn apply<T: Real>(function: Function, values: &mut [T]) {
    for values in values.chunks_mut(LANES) {
        let mut wide = [0.0; LANES];
        for (wide, value) in wide.iter_mut().zip(&*values) {
            *wide = value.wide();
        }
        for (value, found) in values.iter_mut().zip(function.of(wide)) {
            *value = T::nearest(found);
        }
    }
}

/// Negative values times their channel's slope, in place; values are `[channel, area]`.
pub(super) fn slope<T: Real>(slopes: &RealFilters<'_, T>, area: usize, values: &mut [T]) {
    for (plane, &slope) in values.chunks_exact_mut(area).zip(&*slopes.weight) {
        for value in plane {
            *value = if *value < T::default() { *value * slope } else { *value };
        }
    }
}

/// Values times their channel's factor plus its shift, in place; values are `[channel, area]`.
pub(super) fn scale<T: Real>(numbers: &RealFilters<'_, T>, area: usize, values: &mut [T]) {
    let numbers = numbers.weight.iter().zip(&*numbers.bias);
    for (plane, (&factor, &shift)) in values.chunks_exact_mut(area).zip(numbers) {
        for value in plane {
            *value = *value * factor + shift;
        }
    }
}

/// The product of two inputs of one shape.
pub(super) fn multiply<T: Real>(one: &[T], other: &[T], output: &mut [T]) {
    for (product, (&one, &other)) in output.iter_mut().zip(one.iter().zip(other)) {
        *product = one * other;
    }
}

/// The mean of each channel's `area` values.
pub(super) fn mean<T: Real>(input: &[T], area: usize, output: &mut [T]) {
    for (mean, plane) in output.iter_mut().zip(input.chunks_exact(area)) {
        *mean = T::nearest(plane.iter().map(|value| value.wide()).sum::<f64>() / area as f64);
    }
}

/// The numbers of a normalisation of groups of channels; values are `[channel, area]`.
pub(super) fn group_norm<T: Real>(
    norm: GroupNorm,
    numbers: &RealFilters<'_, T>,
    input: &[T],
    output: &mut [T],
) {
    let each = output.len() / norm.groups;
    let groups = input.chunks_exact((input.len() / norm.groups).max(1));
    for (group, values) in groups.enumerate() {
        let count = values.len() as f64;
        let mean = values.iter().map(|value| value.wide()).sum::<f64>() / count;
        let squares = values.iter().map(|value| (value.wide() - mean).powi(2));
        let variance = squares.sum::<f64>() / count;
        for channel in group * each..(group + 1) * each {
            let of_channel = [&numbers.weight, &numbers.bias].map(|list| list[channel].wide());
            output[channel] = T::nearest(norm.number(mean, variance, of_channel));
        }
    }
}

/// Values joined with the gate of their channel; values are `[channel, area]`.
pub(super) fn gate<T: Real>(
    join: GateJoin,
    input: &[T],
    gates: &[T],
    area: usize,
    output: &mut [T],
) {
    let planes = input.chunks_exact(area).zip(output.chunks_exact_mut(area));
    for ((input, output), &gate) in planes.zip(gates) {
        for (output, &value) in output.iter_mut().zip(input) {
            *output = match join {
                GateJoin::Mul => value * gate,
                GateJoin::Add => value + gate,
            };
        }
    }
}

/// Some channels of the input; values are `[channel, area]`.
pub(super) fn select<T: Real>(selection: Selection, input: &[T], area: usize, output: &mut [T]) {
    for (channel, plane) in output.chunks_exact_mut(area).enumerate() {
        let from = selection.input(channel);
        plane.copy_from_slice(&input[from * area..(from + 1) * area]);
    }
}

/// Layer normalisation of each position's channels; values are `[channel, area]`. The formula stands
/// with [`ChannelNorm`].
pub(super) fn normalise_channels<T: Real>(
    norm: ChannelNorm,
    numbers: &RealFilters<'_, T>,
    input: &[T],
    area: usize,
    output: &mut [T],
) {
    let channels = (input.len() / area) as f64;
    // Plane by plane, as the values lie.
    let (mut means, mut deviations) = (vec![0.0; area], vec![0.0; area]);
    for plane in input.chunks_exact(area) {
        for (mean, value) in means.iter_mut().zip(plane) {
            *mean += value.wide() / channels;
        }
    }
    for plane in input.chunks_exact(area) {
        for ((deviation, mean), value) in deviations.iter_mut().zip(&means).zip(plane) {
            *deviation += (value.wide() - mean).powi(2) / channels;
        }
    }
    for deviation in &mut deviations {
        *deviation = (*deviation + f64::from(norm.eps)).sqrt();
    }
    let planes = input.chunks_exact(area).zip(output.chunks_exact_mut(area));
    for ((input, output), (weight, bias)) in planes.zip(numbers.weight.iter().zip(&*numbers.bias)) {
        for (position, (value, output)) in input.iter().zip(output).enumerate() {
            let normalised = (value.wide() - means[position]) / deviations[position];
            *output = T::nearest(normalised * weight.wide() + bias.wide());
        }
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
