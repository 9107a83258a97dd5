//! Some presentations, those of each plan together, from the occluders to the responses.

use super::convolve::{self, Convolution};
use super::delta::{Deltas, SamePlan};
use super::program::Program;
use super::respond::Respond;
use super::simd::Isa;
use super::step::BatchStep;

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
        let step = &program.steps[index];
        if step.is_in_place() && program.read_once[from] {
            // The window is the input's: nobody else reads more of it.
            std::mem::swap(&mut output, &mut deltas[from]);
        } else {
            output.shape(batches, index);
        }
        if let Some(packed) = step.filters() {
            let rectify = step.rectifies_output();
            let convolution = Convolution { program, node: index, packed, rectify, isa };
            convolution.run(batches, &deltas[from], &mut output, convolve);
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
