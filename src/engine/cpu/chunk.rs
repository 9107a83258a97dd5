//! Some presentations of one plan, from the occluders to the responses.

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

/// A thread's buffers.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// A change for each node.
    changes: Vec<Change>,
    patch: Vec<f32>,
    convolve: convolve::Scratch,
}

/// By how much each response of the batch differs from the original one.
///
/// What a presentation's difference is does not depend on the rest of the batch, to the bit.
pub(super) fn present(
    target: &Target,
    plan: &Plan<'_>,
    batch: &[Presentation<'_>],
    scratch: &mut Scratch,
    isa: Isa,
) -> Vec<f32> {
    let Some(filters) = target.unit_filters().filter(|_| !plan.is_empty()) else {
        return vec![0.0; batch.len()];
    };
    let nodes = target.lineage.nodes();
    let last = target.lineage.target();
    scratch.changes.resize_with(nodes.len().max(scratch.changes.len()), Change::default);
    for (place, node) in nodes[..last].iter().enumerate() {
        let mut output = std::mem::take(&mut scratch.changes[place]);
        let from = node.inputs.first().copied().unwrap_or_default();
        match &target.steps[place] {
            Step::Image => {
                output.shape(plan, place, batch.len());
                let patch = &mut scratch.patch;
                isa.run(Occlude { target, batch, patch, output: &mut output });
            }
            &Step::Convolve { ref packed, rectify } => {
                output.shape(plan, place, batch.len());
                let input = &scratch.changes[from];
                let rectify = rectify.then_some((target, batch));
                let product = Convolution { plan, node: place, packed, rectify, isa };
                product.run(input, &mut output, &mut scratch.convolve);
            }
            &Step::Pool { rectify } => {
                output.shape(plan, place, batch.len());
                let (input, output) = (&scratch.changes[from], &mut output);
                isa.run(Pool { target, plan, node: place, rectify, batch, input, output });
            }
            Step::Normalise(norm) => {
                output.shape(plan, place, batch.len());
                normalise(target, place, norm, batch, &scratch.changes[from], &mut output);
            }
            step @ (Step::Relu { .. } | Step::Same) => {
                if target.read_once[from] {
                    // The window is the input's: nobody else reads more of it.
                    std::mem::swap(&mut output, &mut scratch.changes[from]);
                } else {
                    sum(plan, place, false, &scratch.changes, batch.len(), &mut output);
                }
                if matches!(step, Step::Relu { elsewhere: false }) {
                    isa.run(Relu { target, node: place, batch, change: &mut output });
                }
            }
            step @ (Step::Add | Step::Concatenate) => {
                let stack = matches!(step, Step::Concatenate);
                sum(plan, place, stack, &scratch.changes, batch.len(), &mut output);
            }
            Step::Respond(_) => {}
        }
        scratch.changes[place] = output;
    }
    let input = &scratch.changes[nodes[last].inputs[0]];
    isa.run(Respond { plan, filters, batch, input })
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
