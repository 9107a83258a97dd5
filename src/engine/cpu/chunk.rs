//! Some presentations, those of each plan together, from the occluders to the responses.

use super::convolve::{self, Convolution};
use super::delta::{Delta, Deltas, Presentation, SamePlan};
use super::depthwise::SumDeltas;
use super::function::{FunctionDelta, multiply, scale_deltas, select, slope_deltas};
use super::gate::{GateDelta, GroupNormDelta, MeanDelta};
use super::normalise::{Normalisation, normalise};
use super::occlude::Occlude;
use super::pad::pad;
use super::pointwise::{Relu, add};
use super::pool::Pool;
use super::program::{Program, Step};
use super::respond::Respond;
use super::simd::Isa;
use crate::network::Pad;
use crate::program::Plan;

/// A thread's buffers.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Of each node, until its last reader is done.
    deltas: Vec<Deltas>,
    /// Buffers of deltas that are read no more.
    free: Vec<Vec<f32>>,
    patch: Vec<f32>,
    convolve: convolve::Scratch,
}

/// By how much each response of the batches differs from that to the original image.
///
/// What a presentation's difference is does not depend on the others, to the bit.
pub(super) fn present(
    program: &Program,
    batches: &[SamePlan<'_>],
    scratch: &mut Scratch,
    isa: Isa,
) -> Vec<f32> {
    let nodes = program.subgraph.nodes();
    let last = program.subgraph.target();
    let Scratch { deltas, free, patch, convolve } = scratch;
    deltas.resize_with(nodes.len().max(deltas.len()), Deltas::default);
    for (index, node) in nodes[..last].iter().enumerate() {
        let from = node.inputs.first().copied().unwrap_or_default();
        let mut output = std::mem::take(&mut deltas[index]);
        output.reuse(free.pop().unwrap_or_default());
        match &program.steps[index] {
            &Step::Convolve { filters: ref packed, rectify } => {
                output.shape(batches, index);
                let convolution = Convolution { program, node: index, packed, rectify, isa };
                convolution.run(batches, &deltas[from], &mut output, convolve);
            }
            step if step.is_in_place() && program.read_once[from] => {
                // The window is the input's: nobody else reads more of it.
                std::mem::swap(&mut output, &mut deltas[from]);
            }
            _ => output.shape(batches, index),
        }
        for (which, batch) in batches.iter().enumerate() {
            if !batch.plan.is_empty() {
                let SamePlan { plan, presentations: batch } = batch;
                let step = BatchStep { program, node: index, which, plan, batch, deltas, isa };
                step.run(output.of_mut(which), patch);
            }
        }
        deltas[index] = output;
        for &input in node.inputs.iter().filter(|&&input| program.last_reads[input] == index) {
            free.push(deltas[input].release());
            // An input that is read twice has given its buffer away.
            free.pop_if(|buffer| buffer.is_empty());
        }
    }
    let mut differences = Vec::new();
    for (which, SamePlan { plan, presentations: batch }) in batches.iter().enumerate() {
        if plan.is_empty() {
            differences.extend(batch.iter().map(|_| 0.0));
        } else {
            let (filters, input) = (&program.units, deltas[nodes[last].inputs[0]].of(which));
            differences.extend(isa.run(Respond { plan, filters, batch, input }));
        }
    }
    free.push(deltas[nodes[last].inputs[0]].release());
    differences
}

/// A step of one batch.
struct BatchStep<'a> {
    program: &'a Program,
    node: usize,
    /// The index of the batch.
    which: usize,
    plan: &'a Plan<'a>,
    batch: &'a [Presentation<'a>],
    /// The deltas of the nodes before.
    deltas: &'a [Deltas],
    isa: Isa,
}

impl<'a> BatchStep<'a> {
    /// The deltas of an input, by its index among the node's inputs.
    fn input(&self, index: usize) -> Delta<&'a [f32]> {
        self.deltas[self.program.subgraph.nodes()[self.node].inputs[index]].of(self.which)
    }

    /// Computes the node's deltas, unless it is a convolution.
    fn run(&self, mut output: Delta<&mut [f32]>, patch: &mut Vec<f32>) {
        let Self { program, node, plan, batch, isa, .. } = *self;
        match &program.steps[node] {
            Step::Image => isa.run(Occlude { program, batch, patch, output }),
            &Step::MaxPool { rectify } => {
                let input = self.input(0);
                isa.run(Pool { program, plan, node, rectify, batch, input, output });
            }
            Step::Normalise(norm) => {
                let norm = Normalisation::Neighbours(norm);
                normalise(program, node, norm, batch, self.input(0), output);
            }
            Step::NormaliseChannels(norm, filters) => {
                let norm = Normalisation::All(norm, filters);
                normalise(program, node, norm, batch, self.input(0), output);
            }
            Step::AveragePool(_) | Step::Depthwise(_) => {
                isa.run(SumDeltas { program, node, batch, input: self.input(0), output });
            }
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
            step @ (Step::Relu { .. }
            | Step::Copy
            | Step::Scale(_)
            | Step::Slope(_)
            | Step::Function(_)) => {
                if !program.read_once[program.subgraph.nodes()[node].inputs[0]] {
                    self.sum(false, &mut output);
                }
                let delta = output;
                match step {
                    Step::Relu { elsewhere: false } => {
                        isa.run(Relu { program, node, batch, delta });
                    }
                    &Step::Function(function) => {
                        isa.run(FunctionDelta { program, node, function, batch, delta });
                    }
                    Step::Slope(slopes) => {
                        slope_deltas(program, node, &slopes.weight, batch, delta);
                    }
                    Step::Scale(filters) => scale_deltas(&filters.weight, delta),
                    _ => {}
                }
            }
            Step::Add => self.sum(false, &mut output),
            Step::Concatenate => self.sum(true, &mut output),
            Step::Convolve { .. } | Step::Respond => {}
        }
    }

    /// Adds up the inputs in the node's window, of a gate the map alone; where they are stacked, each in
    /// channels of its own.
    fn sum(&self, stack: bool, output: &mut Delta<&mut [f32]>) {
        output.values.fill(0.0);
        let (subgraph, mut channel) = (&self.program.subgraph, 0);
        let here = &subgraph.nodes()[self.node];
        let inputs = here.local_inputs().iter();
        let joined = if here.is_gate { 1 } else { inputs.len() };
        for (index, &input) in inputs.take(joined).enumerate() {
            let shift = subgraph.shift(self.node, index);
            add(self.input(index), shift, self.batch.len(), channel, output);
            if stack {
                channel += subgraph.nodes()[input].channels;
            }
        }
    }
}
