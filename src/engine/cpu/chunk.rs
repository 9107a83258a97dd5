//! Some presentations, those of each plan together, from the occluders to the responses.

use super::convolve::{self, Convolution};
use super::delta::{Deltas, SamePlan};
use super::depthwise::SumDeltas;
use super::function::{FunctionDelta, multiply, scale_deltas, select, slope_deltas};
use super::gate::{GateDelta, GroupNormDelta, MeanDelta};
use super::normalise::{Normalisation, normalise};
use super::occlude::Occlude;
use super::pointwise::{Relu, add};
use super::pool::Pool;
use super::program::{Program, Step};
use super::respond::Respond;
use super::simd::Isa;
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
                step(program, index, (which, batch), deltas, (&mut output, patch), isa);
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

/// A step of one batch, that with the index `which`, unless it is a convolution.
fn step(
    program: &Program,
    node: usize,
    (which, SamePlan { plan, presentations: batch }): (usize, &SamePlan<'_>),
    deltas: &[Deltas],
    (output, patch): (&mut Deltas, &mut Vec<f32>),
    isa: Isa,
) {
    let from = program.subgraph.nodes()[node].inputs.first().copied().unwrap_or_default();
    match &program.steps[node] {
        Step::Image => {
            isa.run(Occlude { program, batch, patch, output: output.of_mut(which) });
        }
        &Step::MaxPool { rectify } => {
            let (input, output) = (deltas[from].of(which), output.of_mut(which));
            isa.run(Pool { program, plan, node, rectify, batch, input, output });
        }
        Step::Normalise(norm) => {
            let (input, output) = (deltas[from].of(which), output.of_mut(which));
            normalise(program, node, Normalisation::Neighbours(norm), batch, input, output);
        }
        Step::NormaliseChannels(norm, filters) => {
            let (input, output) = (deltas[from].of(which), output.of_mut(which));
            normalise(program, node, Normalisation::All(norm, filters), batch, input, output);
        }
        Step::AveragePool(..) | Step::Depthwise(_) => {
            let (input, output) = (deltas[from].of(which), output.of_mut(which));
            isa.run(SumDeltas { program, node, batch, input, output });
        }
        &Step::Select(selection) => {
            let shift = program.subgraph.shift(node, 0);
            select(selection, shift, deltas[from].of(which), output.of_mut(which));
        }
        Step::Multiply => {
            let inputs = &program.subgraph.nodes()[node].inputs;
            let inputs = [deltas[inputs[0]].of(which), deltas[inputs[1]].of(which)];
            multiply(program, node, batch, inputs, output.of_mut(which));
        }
        &Step::Gate(join) => {
            sum(plan, node, false, (which, deltas), batch.len(), output);
            let gate = program.subgraph.nodes()[node].inputs[1];
            let (gate, delta) = (deltas[gate].of(which), output.of_mut(which));
            isa.run(GateDelta { program, node, join, batch, gate, delta });
        }
        Step::GlobalMean => {
            let (input, output) = (deltas[from].of(which), output.of_mut(which));
            isa.run(MeanDelta { program, node, input, output });
        }
        &Step::GroupNorm(norm, ref numbers) => {
            let (input, output) = (deltas[from].of(which), output.of_mut(which));
            isa.run(GroupNormDelta { program, node, norm, numbers, batch, input, output });
        }
        step @ (Step::Relu { .. }
        | Step::Copy
        | Step::Scale(_)
        | Step::Slope(_)
        | Step::Function(_)) => {
            if !program.read_once[from] {
                sum(plan, node, false, (which, deltas), batch.len(), output);
            }
            let delta = output.of_mut(which);
            match step {
                Step::Relu { elsewhere: false } => {
                    isa.run(Relu { program, node, batch, delta });
                }
                &Step::Function(function) => {
                    isa.run(FunctionDelta { program, node, function, batch, delta });
                }
                Step::Slope(slopes) => slope_deltas(program, node, &slopes.weight, batch, delta),
                Step::Scale(filters) => scale_deltas(&filters.weight, delta),
                _ => {}
            }
        }
        step @ (Step::Add | Step::Concatenate) => {
            let stack = matches!(step, Step::Concatenate);
            sum(plan, node, stack, (which, deltas), batch.len(), output);
        }
        Step::Convolve { .. } | Step::Respond => {}
    }
}

/// Adds up a node's inputs in its window, of a gate the map alone; those of a concatenation each in channels
/// of their own.
fn sum(
    plan: &Plan<'_>,
    node: usize,
    stack: bool,
    (which, deltas): (usize, &[Deltas]),
    batch: usize,
    output: &mut Deltas,
) {
    let mut output = output.of_mut(which);
    output.values.fill(0.0);
    let (subgraph, mut channel) = (plan.subgraph(), 0);
    let node_inputs = subgraph.nodes()[node].local_inputs().iter();
    let joined = if subgraph.nodes()[node].is_gate { 1 } else { node_inputs.len() };
    for (index, &input) in node_inputs.take(joined).enumerate() {
        add(deltas[input].of(which), subgraph.shift(node, index), batch, channel, &mut output);
        if stack {
            channel += subgraph.nodes()[input].channels;
        }
    }
}
