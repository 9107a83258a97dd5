//! What each step computes, of original images and of deltas: the one place of this engine that knows the
//! kinds of layers.

use ndarray::ArrayView3;

use super::activations::Activations;
use super::baseline::{Padded, fill_pixels, group_norm, maxima, mean, normalised, values_of};
use super::delta::{Delta, Deltas, Presentation};
use super::depthwise::{Rectangle, SumDeltas, Weights, Windows};
use super::function::{FunctionDelta, multiply, scale_deltas, select, slope_deltas};
use super::gate::{GateDelta, GroupNormDelta, MeanDelta, Moments};
use super::normalise::{Normalisation, normalise};
use super::occlude::Occlude;
use super::pad::{Padding, pad};
use super::pointwise::{Relu, add};
use super::pool::Pool;
use super::program::{Program, Step};
use super::simd::Isa;
use crate::engine::maximum::positive;
use crate::geometry::{Axis, PerAxis, Span};
use crate::network::{GateJoin, Pad};
use crate::program::Plan;

/// A step on an original image.
pub(super) struct BaselineStep<'a> {
    pub program: &'a Program,
    pub node: usize,
    pub image: &'a ArrayView3<'a, f32>,
    /// Of each node, the rows and the columns that are computed.
    pub rows: &'a [Span],
    pub columns: &'a [Span],
    /// The activations of the nodes before.
    pub before: &'a [Activations],
    pub isa: Isa,
}

/// What a step on an original image makes.
pub(super) struct BaselineOutput {
    pub values: Activations,
    /// Those of the input of a normalisation of groups.
    pub moments: Vec<Moments>,
    /// A function's values in 64 bits, where they are kept.
    pub wide: Option<Activations<f64>>,
}

impl<'a> BaselineStep<'a> {
    /// The activations of an input, by its index among the node's inputs.
    fn input(&self, index: usize) -> &'a Activations {
        &self.before[self.program.subgraph.nodes()[self.node].inputs[index]]
    }

    /// Computes the node's activations, unless it is the target.
    pub fn run(&self, scratch: &mut Padded) -> BaselineOutput {
        let Self { program, node: index, isa, .. } = *self;
        let node = &program.subgraph.nodes()[index];
        let (y, x) = (self.rows[index], self.columns[index]);
        let real = || (self.rows[node.inputs[0]], self.columns[node.inputs[0]]);
        let mut made = Activations::new(y, x, node.channels);
        let (mut moments, mut wide) = (Vec::new(), None);
        let output = &mut made.values;
        match &program.steps[index] {
            Step::Image => fill_pixels(self.image, (y, x), output),
            Step::Convolve { filters: packed, .. } => {
                scratch.fill(self.input(0), real(), node.window, (y, x));
                scratch.convolve(packed, node.window, (y, x), isa, output);
            }
            Step::MaxPool { .. } => maxima(self.input(0), real(), node.window, (y, x), output),
            Step::Depthwise(filters) => self.sum(Weights::Filters(filters), output),
            Step::AveragePool(pool) => self.sum(Weights::Mean(pool), output),
            Step::Pad(Pad { mode, .. }) => {
                Padding::of(program, index, *mode).baseline(self.input(0), y, x, output);
            }
            Step::GlobalMean => mean(self.input(0), output),
            Step::GroupNorm(norm, numbers) => {
                moments = Moments::of(norm.groups, self.input(0));
                group_norm(*norm, numbers, &moments, output);
            }
            Step::Function(function) => {
                let mut values = Activations::<f64>::new(y, x, node.channels);
                let rows = values.values.chunks_exact_mut((x.len() * node.channels).max(1));
                for (row, y) in rows.zip(y.start..y.end) {
                    values_of(*function, self.input(0).row(y, x.start, x.len()), row);
                }
                for (output, &value) in output.iter_mut().zip(&values.values) {
                    *output = value as f32;
                }
                let through_gates = program.subgraph.through_gates();
                wide = program.steps[index].is_wide(through_gates).then_some(values);
            }
            Step::Relu { .. } => self.each_value(output, |_, value| positive(value)),
            Step::Copy => self.each_value(output, |_, value| value),
            Step::Scale(numbers) => self.each_value(output, |channel, value| {
                value * numbers.weight[channel] + numbers.bias[channel]
            }),
            Step::Slope(numbers) => self.each_value(output, |channel, value| {
                if value < 0.0 { numbers.weight[channel] * value } else { value }
            }),
            Step::Gate(join) => {
                let gates = &self.input(1).values;
                self.each_value(output, |channel, value| match join {
                    GateJoin::Mul => value * gates[channel],
                    GateJoin::Add => value + gates[channel],
                });
            }
            Step::Normalise(norm) => self.each_position(output, |inputs, output| {
                normalised(Normalisation::Neighbours(norm), inputs[0], output);
            }),
            Step::NormaliseChannels(norm, numbers) => {
                self.each_position(output, |inputs, output| {
                    normalised(Normalisation::All(norm, numbers), inputs[0], output);
                });
            }
            Step::Select(selection) => self.each_position(output, |inputs, output| {
                for (channel, output) in output.iter_mut().enumerate() {
                    *output = inputs[0][selection.input(channel)];
                }
            }),
            Step::Multiply => self.each_position(output, |inputs, output| {
                for ((output, a), b) in output.iter_mut().zip(inputs[0]).zip(inputs[1]) {
                    *output = a * b;
                }
            }),
            Step::Add => self.each_position(output, |inputs, output| {
                output.copy_from_slice(inputs[0]);
                for values in &inputs[1..] {
                    for (sum, value) in output.iter_mut().zip(*values) {
                        *sum += value;
                    }
                }
            }),
            Step::Concatenate => self.each_position(output, |inputs, output| {
                for (output, &value) in output.iter_mut().zip(inputs.iter().copied().flatten()) {
                    *output = value;
                }
            }),
            Step::Respond => {}
        }
        BaselineOutput { values: made, moments, wide }
    }

    /// Sums windows, channel by channel.
    fn sum(&self, weights: Weights<'_>, output: &mut [f32]) {
        let Self { program, node: index, rows, columns, isa, .. } = *self;
        let node = &program.subgraph.nodes()[index];
        let shift = PerAxis::from_fn(|axis: Axis| -(node.window.of(axis).padding as isize));
        let (source, Activations { channels, values, .. }) = (node.inputs[0], self.input(0));
        let input = Rectangle { y: rows[source], x: columns[source], channels: *channels, values };
        let windows = Windows::new(weights, program, index, shift);
        windows.baseline(input, rows[index], columns[index], output, isa);
    }

    /// Layers that work on each position by itself, from the inputs' channels there.
    fn each_position(&self, output: &mut [f32], operation: impl Fn(&[&[f32]], &mut [f32])) {
        let node = &self.program.subgraph.nodes()[self.node];
        let (rows, columns) = (self.rows[self.node], self.columns[self.node]);
        let positions =
            (rows.start..rows.end).flat_map(|y| (columns.start..columns.end).map(move |x| (y, x)));
        // Of a gate, the map alone.
        let joined = if node.is_gate { &node.inputs[..1] } else { &node.inputs[..] };
        let mut inputs: Vec<&[f32]> = Vec::with_capacity(joined.len());
        for (output, (y, x)) in output.chunks_exact_mut(node.channels).zip(positions) {
            inputs.clear();
            inputs.extend(joined.iter().map(|&input| self.before[input].at(y, x)));
            operation(&inputs, output);
        }
    }

    /// Layers that work on each value of the first input by itself, of a channel.
    fn each_value(&self, output: &mut [f32], operation: impl Fn(usize, f32) -> f32) {
        self.each_position(output, |inputs, output| {
            for (channel, (output, &value)) in output.iter_mut().zip(inputs[0]).enumerate() {
                *output = operation(channel, value);
            }
        });
    }
}

/// A step on the deltas of one batch.
pub(super) struct BatchStep<'a> {
    pub program: &'a Program,
    pub node: usize,
    /// The index of the batch.
    pub which: usize,
    pub plan: &'a Plan<'a>,
    pub batch: &'a [Presentation<'a>],
    /// The deltas of the nodes before.
    pub deltas: &'a [Deltas],
    pub isa: Isa,
}

impl<'a> BatchStep<'a> {
    /// The deltas of an input, by its index among the node's inputs.
    fn input(&self, index: usize) -> Delta<&'a [f32]> {
        self.deltas[self.program.subgraph.nodes()[self.node].inputs[index]].of(self.which)
    }

    /// Computes the node's deltas, unless it is a convolution or has none.
    pub fn run(&self, mut output: Delta<&mut [f32]>, patch: &mut Vec<f32>) {
        if output.each() == 0 {
            return;
        }
        let Self { program, node, plan, batch, isa, .. } = *self;
        let step = &program.steps[node];
        if step.is_in_place() && !program.read_once[program.subgraph.nodes()[node].inputs[0]] {
            self.sum(false, &mut output);
        }
        match step {
            Step::Image => isa.run(Occlude { program, batch, patch, output }),
            &Step::MaxPool { rectify } => {
                let input = self.input(0);
                isa.run(Pool { program, plan, node, rectify, batch, input, output });
            }
            Step::Normalise(norm) => self.normalise(Normalisation::Neighbours(norm), output),
            Step::NormaliseChannels(norm, numbers) => {
                self.normalise(Normalisation::All(norm, numbers), output);
            }
            Step::Depthwise(filters) => self.sum_windows(Weights::Filters(filters), output),
            Step::AveragePool(pool) => self.sum_windows(Weights::Mean(pool), output),
            Step::Pad(Pad { mode, .. }) => {
                pad(program, node, *mode, batch, self.input(0), &mut output);
            }
            &Step::Select(selection) => {
                select(selection, program.subgraph.shift(node, 0), self.input(0), output);
            }
            Step::Multiply => {
                multiply(program, node, batch, [self.input(0), self.input(1)], output);
            }
            &Step::Gate(join) => {
                self.sum(false, &mut output);
                let (gate, delta) = (self.input(1), output);
                isa.run(GateDelta { program, node, join, batch, gate, delta });
            }
            Step::GlobalMean => isa.run(MeanDelta { program, node, input: self.input(0), output }),
            &Step::GroupNorm(norm, ref numbers) => {
                let input = self.input(0);
                isa.run(GroupNormDelta { program, node, norm, numbers, batch, input, output });
            }
            Step::Relu { elsewhere: false } => {
                isa.run(Relu { program, node, batch, delta: output });
            }
            &Step::Function(function) => {
                isa.run(FunctionDelta { program, node, function, batch, delta: output });
            }
            Step::Slope(slopes) => slope_deltas(program, node, &slopes.weight, batch, output),
            Step::Scale(numbers) => scale_deltas(&numbers.weight, output),
            Step::Add => self.sum(false, &mut output),
            Step::Concatenate => self.sum(true, &mut output),
            Step::Relu { elsewhere: true } | Step::Copy | Step::Convolve { .. } | Step::Respond => {
            }
        }
    }

    fn normalise(&self, norm: Normalisation<'_>, output: Delta<&mut [f32]>) {
        normalise(self.program, self.node, norm, self.batch, self.input(0), output);
    }

    fn sum_windows(&self, weights: Weights<'_>, output: Delta<&mut [f32]>) {
        let Self { program, node, batch, isa, .. } = *self;
        isa.run(SumDeltas { program, node, weights, batch, input: self.input(0), output });
    }

    /// Adds up the inputs in the node's window, of a gate the map alone; where they are stacked, each in
    /// channels of its own.
    fn sum(&self, stack: bool, output: &mut Delta<&mut [f32]>) {
        output.values.fill(0.0);
        let (subgraph, mut channel) = (&self.program.subgraph, 0);
        let here = &subgraph.nodes()[self.node];
        let joined = if here.is_gate { 1 } else { here.inputs.len() };
        for (index, &input) in here.local_inputs().iter().take(joined).enumerate() {
            let shift = subgraph.shift(self.node, index);
            add(self.input(index), shift, self.batch.len(), channel, output);
            if stack {
                channel += subgraph.nodes()[input].channels;
            }
        }
    }
}
