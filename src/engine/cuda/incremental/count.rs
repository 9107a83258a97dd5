//! What kernels have to do for a presentation, counted from its plan: `docs/design/tensor-cores.md` has the
//! budget of AlexNet.

use half::f16;

use super::program::{Program, Step};
use super::storage::Storage;
use crate::engine::KernelWork;
use crate::program::Plan;

/// Adds what is done for some presentations of a plan to the work of each node.
///
/// Each kernel reads the deltas of its inputs and the baseline activations that it needs once, and
/// writes its deltas once. Weights are taken to be in the cache; tables are a few bytes a
/// presentation and are left out.
pub(super) fn add(
    work: &mut [KernelWork],
    program: &Program,
    storage: &Storage,
    plan: &Plan<'_>,
    presentations: f64,
) {
    let nodes = program.subgraph.nodes();
    let deltas = |index: usize| plan.positions(index) * nodes[index].channels;
    let size = |index: usize| {
        if storage.scale(index) == 0.0 { size_of::<f32>() } else { size_of::<f16>() }
    };
    let stored = |index: usize| deltas(index) * size(index);
    for (index, node) in nodes.iter().enumerate() {
        let read: usize = node.inputs.iter().map(|&input| stored(input)).sum();
        let (written, baselines) = (stored(index), deltas(index) * size_of::<f32>());
        let (kernel, bytes) = match &program.steps[index] {
            Step::Image => ("occlude", written + baselines),
            Step::Convolve { filters: packed, rectify } => {
                let baselines = if *rectify { baselines } else { 0 };
                let halves = storage.scale(node.inputs[0]) != 0.0;
                (packed.kernel(halves), read + written + baselines)
            }
            Step::MaxPool { .. } => {
                let seen = plan.y().reach(index).read.len() * plan.x().reach(index).read.len();
                let seen = seen * node.channels * size_of::<f32>();
                (
                    if node.channels.is_multiple_of(4) { "pool_delta_four" } else { "pool_delta" },
                    read + seen + baselines + written,
                )
            }
            Step::Relu { elsewhere: false } | Step::Function(_) | Step::Slope(_) => {
                ("pointwise_delta", read + baselines + written)
            }
            Step::Scale(_) => ("pointwise_delta", read + written),
            Step::Normalise(_) | Step::NormaliseChannels(..) => {
                ("normalise_delta", 2 * read + written)
            }
            Step::Depthwise(_) | Step::AveragePool(..) => ("window_sum_delta", read + written),
            Step::Pad(_) => ("pad_delta", read + written),
            Step::Multiply => ("multiply_delta", read + 2 * baselines + written),
            Step::Add | Step::Concatenate | Step::Select(_) => ("join_delta", read + written),
            Step::Respond => ("respond_delta", read + size_of::<f32>()),
            // What passes its input on has no kernel.
            _ => continue,
        };
        let multiply_adds = plan.multiply_adds(index);
        work[index].kernel = kernel;
        work[index].operations += presentations * 2.0 * multiply_adds as f64;
        work[index].bytes += presentations * bytes as f64;
    }
}
