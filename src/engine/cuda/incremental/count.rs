//! What kernels have to do for a presentation, counted from its plan: `docs/design/tensor-cores.md` has the
//! budget of AlexNet.

use half::f16;

use super::program::{Program, Step};
use super::storage::Storage;
use crate::engine::KernelWork;
use crate::program::Plan;

/// Adds what is done for some presentations of a plan to the work of each node; `groups` are those
/// of the nodes that are convolutions.
///
/// Each kernel reads the changes of its inputs and the original activations that it needs once, and
/// writes its changes once. Weights are taken to be in the cache; tables are a few bytes a
/// presentation and are left out.
pub(super) fn add(
    work: &mut [KernelWork],
    (program, storage, groups): (&Program, &Storage, &[usize]),
    (plan, presentations): (&Plan<'_>, f64),
) {
    let nodes = program.subgraph.nodes();
    let changes = |place: usize| plan.positions(place) * nodes[place].channels;
    let size = |place: usize| {
        if storage.scale(place) == 0.0 { size_of::<f32>() } else { size_of::<f16>() }
    };
    let stored = |place: usize| changes(place) * size(place);
    for (place, node) in nodes.iter().enumerate() {
        let read: usize = node.inputs.iter().map(|&input| stored(input)).sum();
        let (written, originals) = (stored(place), changes(place) * size_of::<f32>());
        let (kernel, bytes) = match &program.steps[place] {
            Step::Image => ("occlude", written + originals),
            Step::Convolve { filters: packed, rectify } => {
                let originals = if *rectify { originals } else { 0 };
                let halves = storage.scale(node.inputs[0]) != 0.0;
                (packed.kernel(halves), read + written + originals)
            }
            Step::MaxPool { .. } => {
                let seen = plan.y().reach(place).read.len() * plan.x().reach(place).read.len();
                let seen = seen * node.channels * size_of::<f32>();
                (
                    if node.channels.is_multiple_of(4) {
                        "pool_change_four"
                    } else {
                        "pool_change"
                    },
                    read + seen + originals + written,
                )
            }
            Step::Relu { elsewhere: false } | Step::Function(_) | Step::Slope(_) => {
                ("pointwise_change", read + originals + written)
            }
            Step::Scale(_) => ("pointwise_change", read + written),
            Step::Normalise(_) | Step::NormaliseChannels(..) => {
                ("normalise_change", 2 * read + written)
            }
            Step::Depthwise(_) | Step::AveragePool(..) => ("window_sum_change", read + written),
            Step::Pad(_) => ("pad_change", read + written),
            Step::Multiply => ("multiply_change", read + 2 * originals + written),
            Step::Add | Step::Concatenate | Step::Select(_) => ("join_change", read + written),
            Step::Respond => ("respond_change", read + size_of::<f32>()),
            // What passes its input on has no kernel.
            _ => continue,
        };
        let multiply_adds = plan.multiply_adds(place, groups[place]);
        work[place].kernel = kernel;
        work[place].operations += presentations * 2.0 * multiply_adds as f64;
        work[place].bytes += presentations * bytes as f64;
    }
}
