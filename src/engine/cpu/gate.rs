//! Deltas of what is made of the whole map, and of the maps that gates join it with.

#![allow(clippy::cast_possible_truncation, reason = "sums are found in f64 and kept in f32")]

use super::activations::Activations;
use super::compress::Compress;
use super::delta::{Delta, Presentation};
use super::program::Program;
use super::simd::Kernel;
use crate::network::{Filters, GateJoin, GroupNorm, GroupNormPart};

/// Mean and variance of a group of channels over a whole map of the original image.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Moments {
    pub mean: f64,
    pub variance: f64,
}

impl Moments {
    /// Those of each of so many groups.
    pub fn of(groups: usize, map: &Activations) -> Vec<Self> {
        let each = map.channels / groups;
        let count = (map.values.len() / groups).max(1) as f64;
        let values = || map.values.iter().enumerate();
        let mut moments = vec![Self::default(); groups];
        for (index, &value) in values() {
            moments[index % map.channels / each].mean += f64::from(value) / count;
        }
        for (index, &value) in values() {
            let Self { mean, variance } = &mut moments[index % map.channels / each];
            *variance += (f64::from(value) - *mean).powi(2) / count;
        }
        moments
    }
}

/// The delta of each channel's mean: that of a sum is the sum of the deltas.
pub(super) struct MeanDelta<'a> {
    pub program: &'a Program,
    pub node: usize,
    pub input: Delta<&'a [f32]>,
    pub output: Delta<&'a mut [f32]>,
}

impl Kernel for MeanDelta<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Compress>(self) {
        let Self { program, node, input, output } = self;
        let (in_each, out_each, channels) = (input.each(), output.each(), output.channels);
        let nodes = program.subgraph.nodes();
        let count = nodes[nodes[node].inputs[0]].size.area() as f64;
        let floats = input.y.len() * input.x.len() * channels;
        let mut sums = vec![0.0_f64; channels];
        for (which, output) in output.values.chunks_exact_mut(out_each).enumerate() {
            sums.fill(0.0);
            for deltas in input.values[which * in_each..][..floats].chunks_exact(channels) {
                for (sum, &delta) in sums.iter_mut().zip(deltas) {
                    *sum += f64::from(delta);
                }
            }
            for (output, sum) in output.iter_mut().zip(&sums) {
                *output = (sum / count) as f32;
            }
        }
    }
}

/// The delta of a number of a normalisation of groups. With the mean `m` of the baseline values, the
/// sums of `δ` and of `(2 (x - m) + δ) δ` give those of mean and variance, and nothing large is subtracted.
pub(super) struct GroupNormDelta<'a> {
    pub program: &'a Program,
    pub node: usize,
    pub norm: GroupNorm,
    pub numbers: &'a Filters,
    pub batch: &'a [Presentation<'a>],
    pub input: Delta<&'a [f32]>,
    pub output: Delta<&'a mut [f32]>,
}

impl Kernel for GroupNormDelta<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Compress>(self) {
        let Self { program, node, norm, numbers, batch, input, output } = self;
        let (in_each, out_each, channels) = (input.each(), output.each(), output.channels);
        let source = program.subgraph.nodes()[node].inputs[0];
        let each = channels / norm.groups;
        let count = (program.subgraph.nodes()[source].size.area() * each) as f64;
        let row = input.x.len() * channels;
        // For each channel its group's mean, and sums of its deltas and of those of its squares.
        let mut means = vec![0.0_f64; channels];
        let (mut sums, mut squares) = (vec![0.0_f64; channels], vec![0.0_f64; channels]);
        let outputs = output.values.chunks_exact_mut(out_each);
        for (which, (presentation, output)) in batch.iter().zip(outputs).enumerate() {
            let moments = presentation.baseline.moments(node);
            for (channel, mean) in means.iter_mut().enumerate() {
                *mean = moments[channel / each].mean;
            }
            sums.fill(0.0);
            squares.fill(0.0);
            let rows = input.values[which * in_each..].chunks_exact(row);
            for (deltas, y) in rows.zip(input.y.start..input.y.end) {
                let baseline =
                    presentation.baseline_row(program, source, y, input.x.start, input.x.len());
                for (deltas, values) in
                    deltas.chunks_exact(channels).zip(baseline.chunks_exact(channels))
                {
                    let values = values.iter().zip(&means);
                    let sums = sums.iter_mut().zip(&mut squares);
                    for ((&delta, (&value, mean)), (sum, square)) in
                        deltas.iter().zip(values).zip(sums)
                    {
                        let delta = f64::from(delta);
                        *sum += delta;
                        *square += (2.0 * (f64::from(value) - mean) + delta) * delta;
                    }
                }
            }
            for (group, (output, moments)) in
                output.chunks_mut(each).zip(moments).take(norm.groups).enumerate()
            {
                let of = |sums: &[f64]| sums[group * each..][..each].iter().sum::<f64>() / count;
                let mean = of(&sums);
                let numbers = numbers.weight[group * each..].iter();
                let delta = NormDelta::new(norm, *moments, mean, of(&squares) - mean * mean);
                for (output, &weight) in output.iter_mut().zip(numbers) {
                    *output = (f64::from(weight) * delta.of_one) as f32;
                }
            }
        }
    }
}

/// The delta of a group's number, for a channel of weight 1.
struct NormDelta {
    of_one: f64,
}

impl NormDelta {
    /// For deltas `mean` and `variance` of the moments.
    fn new(norm: GroupNorm, before: Moments, mean: f64, variance: f64) -> Self {
        let eps = f64::from(norm.eps);
        // A variance below 0 is rounding; a NaN stays, and fails the run.
        let variance = if variance < -before.variance { -before.variance } else { variance };
        let roots = [before.variance, before.variance + variance].map(|v| (v + eps).sqrt());
        let factor = -variance / (roots[0] * roots[1] * (roots[0] + roots[1]));
        let of_one = match norm.part {
            GroupNormPart::Factor => factor,
            GroupNormPart::Shift => -((before.mean + mean) * factor + mean / roots[0]),
        };
        Self { of_one }
    }
}

/// Joins a map's deltas, in place, with its gate: `(x + δ) (g + γ) - x g`, or `δ + γ`, where `γ` is the
/// gate's own delta; without one `δ g` and `δ`.
pub(super) struct GateDelta<'a> {
    pub program: &'a Program,
    pub node: usize,
    pub join: GateJoin,
    pub batch: &'a [Presentation<'a>],
    /// The gate's delta.
    pub gate: Delta<&'a [f32]>,
    pub delta: Delta<&'a mut [f32]>,
}

impl Kernel for GateDelta<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Compress>(self) {
        let Self { program, node, join, batch, gate, delta } = self;
        let (gate_each, each, channels) = (gate.each(), delta.each(), delta.channels);
        let row = delta.x.len() * channels;
        let [source, numbers, ..] = program.subgraph.nodes()[node].inputs[..] else { return };
        let outputs = delta.values.chunks_exact_mut(each);
        let mut changed = Vec::with_capacity(channels);
        for (which, (presentation, values)) in batch.iter().zip(outputs).enumerate() {
            let deltas = gate.values.get(which * gate_each..).unwrap_or_default();
            let deltas = if gate_each == 0 { &[] } else { &deltas[..channels] };
            let rows = values.chunks_exact_mut(row).zip(delta.y.start..delta.y.end);
            match (join, deltas.is_empty()) {
                (GateJoin::Mul, true) => {
                    let gates = presentation.baseline.node(numbers).at(0, 0);
                    for values in rows.flat_map(|(row, _)| row.chunks_exact_mut(channels)) {
                        for (value, gate) in values.iter_mut().zip(gates) {
                            *value *= gate;
                        }
                    }
                }
                (GateJoin::Mul, false) => {
                    let gates = presentation.baseline.node(numbers).at(0, 0);
                    changed.clear();
                    changed.extend(gates.iter().zip(deltas).map(|(gate, delta)| gate + delta));
                    for (values, y) in rows {
                        let baseline = presentation.baseline_row(
                            program,
                            source,
                            y,
                            delta.x.start,
                            delta.x.len(),
                        );
                        let positions = values.chunks_exact_mut(channels);
                        for (values, baseline) in positions.zip(baseline.chunks_exact(channels)) {
                            let gates = changed.iter().zip(deltas);
                            for ((value, baseline), (gate, delta)) in
                                values.iter_mut().zip(baseline).zip(gates)
                            {
                                *value = *value * gate + baseline * delta;
                            }
                        }
                    }
                }
                (GateJoin::Add, true) => {}
                (GateJoin::Add, false) => {
                    for values in rows.flat_map(|(row, _)| row.chunks_exact_mut(channels)) {
                        for (value, delta) in values.iter_mut().zip(deltas) {
                            *value += delta;
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variance_that_is_not_finite_gives_no_number() {
        for part in [GroupNormPart::Factor, GroupNormPart::Shift] {
            let norm = GroupNorm { groups: 1, eps: 1e-3, part };
            let before = Moments { mean: 0.5, variance: 2.0 };
            let of_one = |variance| NormDelta::new(norm, before, 0.0, variance).of_one;
            assert!(of_one(f64::NAN).is_nan());
            assert_eq!(of_one(-3.0).to_bits(), of_one(-2.0).to_bits());
            assert_eq!(of_one(0.0), 0.0);
        }
    }
}
