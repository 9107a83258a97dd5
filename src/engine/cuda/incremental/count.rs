//! What kernels have to do for a presentation, counted from its plan: `docs/performance.md` has the
//! budget of AlexNet.

use super::target::Target;
use crate::engine::KernelWork;
use crate::engine::plan::Plan;
use crate::engine::target::Step;

/// Adds what is done for some presentations of a plan to the work of each node; `groups` are those
/// of the nodes that are convolutions.
///
/// Each kernel reads the changes of its inputs and the original activations that it needs once, and
/// writes its changes once. Weights are taken to be in the cache; tables are a few bytes a
/// presentation and are left out.
pub(super) fn add(
    work: &mut [KernelWork],
    (target, groups): (&Target, &[usize]),
    (plan, presentations): (&Plan<'_>, f64),
) {
    let nodes = target.lineage.nodes();
    let changes = |place: usize| plan.positions(place) * nodes[place].channels;
    for (place, node) in nodes.iter().enumerate() {
        let read: usize = node.inputs.iter().map(|&input| changes(input)).sum();
        let here = changes(place);
        let (kernel, floats) = match &target.steps[place] {
            Step::Image => ("occlude", 2 * here),
            Step::Convolve { packed, rectify } => {
                (packed.kernel(), read + if *rectify { 2 * here } else { here })
            }
            Step::Pool { .. } => {
                let seen = plan.y().reach(place).read.len() * plan.x().reach(place).read.len();
                (
                    if node.channels.is_multiple_of(4) {
                        "pool_change_four"
                    } else {
                        "pool_change"
                    },
                    read + seen * node.channels + 2 * here,
                )
            }
            Step::Relu { elsewhere: false } => ("rectify_change", read + 2 * here),
            Step::Normalise(_) => ("normalise_change", 2 * read + here),
            Step::Add | Step::Concatenate => ("join_change", read + here),
            // What passes its input on has no kernel.
            Step::Relu { elsewhere: true } | Step::Same => continue,
            Step::Respond(_) => ("respond_change", read + 1),
        };
        let multiply_adds = plan.multiply_adds(place, groups[place]);
        work[place].kernel = kernel;
        work[place].operations += presentations * 2.0 * multiply_adds as f64;
        work[place].bytes += presentations * (floats * size_of::<f32>()) as f64;
    }
}
