//! What kernels have to do for a presentation, counted from its plan: `docs/design/tensor-cores.md` has the
//! budget of AlexNet.

use half::f16;

use super::program::Program;
use super::step_kernel::StepKernel;
use super::storage::Storage;
use crate::engine::KernelWork;
use crate::engine::cuda::loaded::Kernels;
use crate::program::Plan;

/// What the work of a layer's kernels depends on.
pub(super) struct Counted<'a> {
    pub kernels: &'a Kernels,
    pub program: &'a Program,
    pub storage: &'a Storage,
}

impl Counted<'_> {
    /// Adds what is done for some presentations of a plan to the work of each node.
    ///
    /// Each kernel reads the deltas of its inputs and the baseline activations that it needs once, and
    /// writes its deltas once. Weights are taken to be in the cache; tables are a few bytes a
    /// presentation and are left out.
    pub fn add(&self, work: &mut [KernelWork], plan: &Plan<'_>, presentations: f64) {
        let Self { kernels, program, storage } = *self;
        let nodes = program.subgraph.nodes();
        let deltas = |index: usize| plan.positions(index) * nodes[index].channels;
        let size = |index: usize| {
            if storage.scale(index) == 0.0 { size_of::<f32>() } else { size_of::<f16>() }
        };
        let stored = |index: usize| deltas(index) * size(index);
        for (index, (node, step)) in nodes.iter().zip(&program.steps).enumerate() {
            // What passes its input on has no kernel.
            let Some(kernel) = StepKernel::of(step).filter(|_| !step.passes_on()) else { continue };
            let halves = node.inputs.first().is_some_and(|&input| storage.scale(input) != 0.0);
            let read: usize = node.inputs.iter().map(|&input| stored(input)).sum();
            let mut baselines = if step.reads_own() { deltas(index) } else { 0 };
            if step.reads_whole_windows() {
                let reach = (plan.y().reach(index).read, plan.x().reach(index).read);
                baselines += reach.0.len() * reach.1.len() * node.channels;
            }
            // Of the target there is one response; the activations that it depends on are not read.
            let written = if index == program.subgraph.target() {
                size_of::<f32>()
            } else {
                baselines +=
                    if step.reads_inputs() { node.inputs.len() * deltas(index) } else { 0 };
                stored(index)
            };
            let bytes = read + baselines * size_of::<f32>() + written;
            work[index].kernel = kernel.of_deltas(kernels, node.channels, halves).name;
            work[index].operations += presentations * 2.0 * plan.multiply_adds(index) as f64;
            work[index].bytes += presentations * bytes as f64;
        }
    }
}
