//! Some presentations, those of each plan together, from the occluders to the responses.

use super::change::{Batch, Changes};
use super::convolve::{self, Convolution};
use super::depthwise::SumChanges;
use super::function::{FunctionChange, change_slopes, multiply, scale_changes, select};
use super::normalise::{Normalisation, normalise};
use super::occlude::Occlude;
use super::pointwise::{Relu, add};
use super::pool::Pool;
use super::respond::Respond;
use super::simd::Isa;
use super::target::{Step, Target};
use crate::engine::plan::Plan;

/// A thread's buffers.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Of each node.
    changes: Vec<Changes>,
    patch: Vec<f32>,
    convolve: convolve::Scratch,
}

/// By how much each response of the batches differs from the original one.
///
/// What a presentation's difference is does not depend on the others, to the bit.
pub(super) fn present(
    target: &Target,
    batches: &[Batch<'_>],
    scratch: &mut Scratch,
    isa: Isa,
) -> Vec<f32> {
    let nodes = target.lineage.nodes();
    let last = target.lineage.target();
    let Scratch { changes, patch, convolve } = scratch;
    changes.resize_with(nodes.len().max(changes.len()), Changes::default);
    for (place, node) in nodes[..last].iter().enumerate() {
        let from = node.inputs.first().copied().unwrap_or_default();
        let mut output = std::mem::take(&mut changes[place]);
        match &target.steps[place] {
            &Step::Convolve { ref packed, rectify } => {
                output.shape(batches, place);
                let convolution = Convolution { target, node: place, packed, rectify, isa };
                convolution.run(batches, &changes[from], &mut output, convolve);
            }
            step if step.is_in_place() && target.read_once[from] => {
                // The window is the input's: nobody else reads more of it.
                std::mem::swap(&mut output, &mut changes[from]);
            }
            _ => output.shape(batches, place),
        }
        for (which, batch) in batches.iter().enumerate() {
            if !batch.plan.is_empty() {
                step(target, place, (which, batch), changes, (&mut output, patch), isa);
            }
        }
        changes[place] = output;
    }
    let mut differences = Vec::new();
    for (which, Batch { plan, presentations: batch }) in batches.iter().enumerate() {
        match target.unit_filters() {
            Some(filters) if !plan.is_empty() => {
                let input = changes[nodes[last].inputs[0]].of(which);
                differences.extend(isa.run(Respond { plan, filters, batch, input }));
            }
            _ => differences.extend(batch.iter().map(|_| 0.0)),
        }
    }
    differences
}

/// A step of one batch, that with the place `which`, unless it is a convolution.
fn step(
    target: &Target,
    place: usize,
    (which, Batch { plan, presentations: batch }): (usize, &Batch<'_>),
    changes: &[Changes],
    (output, patch): (&mut Changes, &mut Vec<f32>),
    isa: Isa,
) {
    let from = target.lineage.nodes()[place].inputs.first().copied().unwrap_or_default();
    match &target.steps[place] {
        Step::Image => {
            isa.run(Occlude { target, batch, patch, output: output.of_mut(which) });
        }
        &Step::Pool { rectify } => {
            let (input, output) = (changes[from].of(which), output.of_mut(which));
            isa.run(Pool { target, plan, node: place, rectify, batch, input, output });
        }
        Step::Normalise(norm) => {
            let (input, output) = (changes[from].of(which), output.of_mut(which));
            normalise(target, place, Normalisation::Neighbours(norm), batch, input, output);
        }
        Step::NormaliseChannels(norm, filters) => {
            let (input, output) = (changes[from].of(which), output.of_mut(which));
            normalise(target, place, Normalisation::All(norm, filters), batch, input, output);
        }
        Step::Average(..) | Step::Depthwise(_) => {
            let (input, output) = (changes[from].of(which), output.of_mut(which));
            isa.run(SumChanges { target, node: place, batch, input, output });
        }
        Step::Select(channels) => {
            let shift = target.lineage.shift(place, 0);
            select(channels, shift, changes[from].of(which), output.of_mut(which));
        }
        Step::Multiply => {
            let inputs = &target.lineage.nodes()[place].inputs;
            let inputs = [changes[inputs[0]].of(which), changes[inputs[1]].of(which)];
            multiply(target, place, batch, inputs, output.of_mut(which));
        }
        step @ (Step::Relu { .. }
        | Step::Same
        | Step::Scale(_)
        | Step::Slope(_)
        | Step::Function(_)) => {
            if !target.read_once[from] {
                sum(plan, place, false, (which, changes), batch.len(), output);
            }
            let change = output.of_mut(which);
            match step {
                Step::Relu { elsewhere: false } => {
                    isa.run(Relu { target, node: place, batch, change });
                }
                &Step::Function(function) => {
                    isa.run(FunctionChange { target, node: place, function, batch, change });
                }
                Step::Slope(slopes) => change_slopes(target, place, slopes, batch, change),
                Step::Scale(filters) => scale_changes(&filters.weight, change),
                _ => {}
            }
        }
        step @ (Step::Add | Step::Concatenate) => {
            let stack = matches!(step, Step::Concatenate);
            sum(plan, place, stack, (which, changes), batch.len(), output);
        }
        Step::Convolve { .. } | Step::Respond(_) => {}
    }
}

/// Adds up a node's inputs in its window; those of a concatenation each in channels of their own.
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
    let (lineage, mut channel) = (plan.lineage(), 0);
    for (place, &input) in lineage.nodes()[node].inputs.iter().enumerate() {
        add(changes[input].of(which), lineage.shift(node, place), batch, channel, &mut output);
        if stack {
            channel += lineage.nodes()[input].channels;
        }
    }
}
