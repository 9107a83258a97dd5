//! Some presentations, those of each plan together, from the occluders to the responses.

use super::change::{Change, Presentation};
use super::convolve::{self, Convolution};
use super::normalise::normalise;
use super::occlude::Occlude;
use super::pointwise::{Relu, add};
use super::pool::Pool;
use super::respond::Respond;
use super::simd::Isa;
use super::target::{Step, Target};
use crate::engine::plan::Plan;

/// Presentations that share a plan.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    pub plan: Plan<'a>,
    pub presentations: Vec<Presentation<'a>>,
}

/// A thread's buffers.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// For each batch, a change for each node.
    changes: Vec<Vec<Change>>,
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
    changes.resize_with(batches.len().max(changes.len()), Vec::new);
    for changes in changes.iter_mut() {
        changes.resize_with(nodes.len().max(changes.len()), Change::default);
    }
    for (place, node) in nodes[..last].iter().enumerate() {
        let from = node.inputs.first().copied().unwrap_or_default();
        // Empty plans have nothing to do.
        let all = || batches.iter().zip(0..).filter(|(batch, _)| !batch.plan.is_empty());
        if let &Step::Convolve { ref packed, rectify } = &target.steps[place] {
            // All plans at once: they share the weights.
            let mut outputs: Vec<Change> =
                all().map(|(_, which)| std::mem::take(&mut changes[which][place])).collect();
            let mut works = Vec::with_capacity(outputs.len());
            for ((Batch { plan, presentations }, which), output) in all().zip(&mut outputs) {
                output.shape(plan, place, presentations.len());
                let rectify = rectify.then_some((target, &presentations[..]));
                let input = &changes[which][from];
                works.push(Convolution { plan, node: place, packed, rectify, input, output, isa });
            }
            Convolution::run_all(works, convolve);
            for ((_, which), output) in all().zip(outputs) {
                changes[which][place] = output;
            }
        } else {
            for (batch, which) in all() {
                step(target, batch, place, &mut changes[which], patch, isa);
            }
        }
    }
    let mut differences = Vec::new();
    for (Batch { plan, presentations: batch }, changes) in batches.iter().zip(changes) {
        match target.unit_filters() {
            Some(filters) if !plan.is_empty() => {
                let input = &changes[nodes[last].inputs[0]];
                differences.extend(isa.run(Respond { plan, filters, batch, input }));
            }
            _ => differences.extend(batch.iter().map(|_| 0.0)),
        }
    }
    differences
}

/// A step of one batch that is no convolution.
fn step(
    target: &Target,
    Batch { plan, presentations: batch }: &Batch<'_>,
    place: usize,
    changes: &mut [Change],
    patch: &mut Vec<f32>,
    isa: Isa,
) {
    let from = target.lineage.nodes()[place].inputs.first().copied().unwrap_or_default();
    let mut output = std::mem::take(&mut changes[place]);
    match &target.steps[place] {
        Step::Image => {
            output.shape(plan, place, batch.len());
            isa.run(Occlude { target, batch, patch, output: &mut output });
        }
        &Step::Pool { rectify } => {
            output.shape(plan, place, batch.len());
            let (input, output) = (&changes[from], &mut output);
            isa.run(Pool { target, plan, node: place, rectify, batch, input, output });
        }
        Step::Normalise(norm) => {
            output.shape(plan, place, batch.len());
            normalise(target, place, norm, batch, &changes[from], &mut output);
        }
        step @ (Step::Relu { .. } | Step::Same) => {
            if target.read_once[from] {
                // The window is the input's: nobody else reads more of it.
                std::mem::swap(&mut output, &mut changes[from]);
            } else {
                sum(plan, place, false, changes, batch.len(), &mut output);
            }
            if matches!(step, Step::Relu { elsewhere: false }) {
                isa.run(Relu { target, node: place, batch, change: &mut output });
            }
        }
        step @ (Step::Add | Step::Concatenate) => {
            let stack = matches!(step, Step::Concatenate);
            sum(plan, place, stack, changes, batch.len(), &mut output);
        }
        Step::Convolve { .. } | Step::Respond(_) => {}
    }
    changes[place] = output;
}

/// Adds up a node's inputs in its window; those of a concatenation each in channels of their own.
fn sum(
    plan: &Plan<'_>,
    node: usize,
    stack: bool,
    changes: &[Change],
    batch: usize,
    output: &mut Change,
) {
    output.shape(plan, node, batch);
    output.values.fill(0.0);
    let (lineage, mut channel) = (plan.lineage(), 0);
    for (which, &input) in lineage.nodes()[node].inputs.iter().enumerate() {
        let change = &changes[input];
        add(change, lineage.shift(node, which), batch, channel, output);
        if stack {
            channel += lineage.nodes()[input].channels;
        }
    }
}
