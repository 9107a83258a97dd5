//! Some presentations, those of each plan together, from the occluders to the responses.

use super::change::{Changes, SamePlan};
use super::convolve::{self, Convolution};
use super::depthwise::SumChanges;
use super::function::{FunctionChange, change_slopes, multiply, scale_changes, select};
use super::gate::{GateDelta, GroupNormDelta, MeanDelta};
use super::normalise::{Normalisation, normalise};
use super::occlude::Occlude;
use super::pad::pad;
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
    changes: Vec<Changes>,
    /// Buffers of changes that are read no more.
    free: Vec<Vec<f32>>,
    patch: Vec<f32>,
    convolve: convolve::Scratch,
}

/// By how much each response of the batches differs from the original one.
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
    let Scratch { changes, free, patch, convolve } = scratch;
    changes.resize_with(nodes.len().max(changes.len()), Changes::default);
    for (place, node) in nodes[..last].iter().enumerate() {
        let from = node.inputs.first().copied().unwrap_or_default();
        let mut output = std::mem::take(&mut changes[place]);
        output.reuse(free.pop().unwrap_or_default());
        match &program.steps[place] {
            &Step::Convolve { filters: ref packed, rectify } => {
                output.shape(batches, place);
                let convolution = Convolution { program, node: place, packed, rectify, isa };
                convolution.run(batches, &changes[from], &mut output, convolve);
            }
            step if step.is_in_place() && program.read_once[from] => {
                // The window is the input's: nobody else reads more of it.
                std::mem::swap(&mut output, &mut changes[from]);
            }
            _ => output.shape(batches, place),
        }
        for (which, batch) in batches.iter().enumerate() {
            if !batch.plan.is_empty() {
                step(program, place, (which, batch), changes, (&mut output, patch), isa);
            }
        }
        changes[place] = output;
        for &input in node.inputs.iter().filter(|&&input| program.last_reads[input] == place) {
            free.push(changes[input].release());
            // An input that is read twice has given its buffer away.
            free.pop_if(|buffer| buffer.is_empty());
        }
    }
    let mut differences = Vec::new();
    for (which, SamePlan { plan, presentations: batch }) in batches.iter().enumerate() {
        if plan.is_empty() {
            differences.extend(batch.iter().map(|_| 0.0));
        } else {
            let (filters, input) = (&program.units, changes[nodes[last].inputs[0]].of(which));
            differences.extend(isa.run(Respond { plan, filters, batch, input }));
        }
    }
    free.push(changes[nodes[last].inputs[0]].release());
    differences
}

/// A step of one batch, that with the place `which`, unless it is a convolution.
fn step(
    program: &Program,
    place: usize,
    (which, SamePlan { plan, presentations: batch }): (usize, &SamePlan<'_>),
    changes: &[Changes],
    (output, patch): (&mut Changes, &mut Vec<f32>),
    isa: Isa,
) {
    let from = program.subgraph.nodes()[place].inputs.first().copied().unwrap_or_default();
    match &program.steps[place] {
        Step::Image => {
            isa.run(Occlude { program, batch, patch, output: output.of_mut(which) });
        }
        &Step::MaxPool { rectify } => {
            let (input, output) = (changes[from].of(which), output.of_mut(which));
            isa.run(Pool { program, plan, node: place, rectify, batch, input, output });
        }
        Step::Normalise(norm) => {
            let (input, output) = (changes[from].of(which), output.of_mut(which));
            normalise(program, place, Normalisation::Neighbours(norm), batch, input, output);
        }
        Step::NormaliseChannels(norm, filters) => {
            let (input, output) = (changes[from].of(which), output.of_mut(which));
            normalise(program, place, Normalisation::All(norm, filters), batch, input, output);
        }
        Step::AveragePool(..) | Step::Depthwise(_) => {
            let (input, output) = (changes[from].of(which), output.of_mut(which));
            isa.run(SumChanges { program, node: place, batch, input, output });
        }
        &Step::Pad(border) => {
            pad(program, place, border, batch, changes[from].of(which), output.of_mut(which));
        }
        &Step::Select(selection) => {
            let shift = program.subgraph.shift(place, 0);
            select(selection, shift, changes[from].of(which), output.of_mut(which));
        }
        Step::Multiply => {
            let inputs = &program.subgraph.nodes()[place].inputs;
            let inputs = [changes[inputs[0]].of(which), changes[inputs[1]].of(which)];
            multiply(program, place, batch, inputs, output.of_mut(which));
        }
        &Step::Gate(join) => {
            sum(plan, place, false, (which, changes), batch.len(), output);
            let gate = program.subgraph.nodes()[place].inputs[1];
            let (gate, change) = (changes[gate].of(which), output.of_mut(which));
            isa.run(GateDelta { program, node: place, join, batch, gate, change });
        }
        Step::GlobalMean => {
            let (input, output) = (changes[from].of(which), output.of_mut(which));
            isa.run(MeanDelta { program, node: place, input, output });
        }
        &Step::GroupNorm(norm, ref numbers) => {
            let (input, output) = (changes[from].of(which), output.of_mut(which));
            isa.run(GroupNormDelta { program, node: place, norm, numbers, batch, input, output });
        }
        step @ (Step::Relu { .. }
        | Step::Copy
        | Step::Scale(_)
        | Step::Slope(_)
        | Step::Function(_)) => {
            if !program.read_once[from] {
                sum(plan, place, false, (which, changes), batch.len(), output);
            }
            let change = output.of_mut(which);
            match step {
                Step::Relu { elsewhere: false } => {
                    isa.run(Relu { program, node: place, batch, change });
                }
                &Step::Function(function) => {
                    isa.run(FunctionChange { program, node: place, function, batch, change });
                }
                Step::Slope(slopes) => change_slopes(program, place, &slopes.weight, batch, change),
                Step::Scale(filters) => scale_changes(&filters.weight, change),
                _ => {}
            }
        }
        step @ (Step::Add | Step::Concatenate) => {
            let stack = matches!(step, Step::Concatenate);
            sum(plan, place, stack, (which, changes), batch.len(), output);
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
    (which, changes): (usize, &[Changes]),
    batch: usize,
    output: &mut Changes,
) {
    let mut output = output.of_mut(which);
    output.values.fill(0.0);
    let (subgraph, mut channel) = (plan.subgraph(), 0);
    let node_inputs = subgraph.nodes()[node].local_inputs().iter();
    let joined = if subgraph.nodes()[node].is_gate { 1 } else { node_inputs.len() };
    for (place, &input) in node_inputs.take(joined).enumerate() {
        add(changes[input].of(which), subgraph.shift(node, place), batch, channel, &mut output);
        if stack {
            channel += subgraph.nodes()[input].channels;
        }
    }
}
