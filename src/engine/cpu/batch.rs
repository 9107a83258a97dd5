//! Which presentations are computed together.

use crate::engine::order::Member;
use crate::program::{Plan, PlanKey, Planner};

/// Presentations that share a plan, which begin with its key.
pub(super) type Group<'a> = &'a [(PlanKey, Member)];

/// Floats that the largest buffer of a chunk may have. The more presentations, the less often the
/// weights are fetched, which are larger than any cache; but a thread holds a few such buffers.
const CHUNK_FLOATS: usize = 1024 * 1024;
/// More presentations than this gain nothing. With half of it AlexNet's conv5 was found 1.03 to 1.06
/// times as slow (AVX2).
const CHUNK_LIMIT: usize = 144;
/// A product computes so many rows together.
const ROWS: usize = 12;
/// Chunks that each thread has at least, so that none waits long for the last one.
const CHUNKS: usize = 4;

/// The presentations in chunks of groups, for so many threads. Presentations of one plan are computed
/// together, and what different plans have in common is too ([`winograd`](super::winograd)).
pub(super) fn chunks<'a>(
    ordered: &'a [(PlanKey, Member)],
    planner: &Planner<'_>,
    threads: usize,
) -> Vec<Vec<Group<'a>>> {
    let most = (ordered.len() / (threads * CHUNKS)).clamp(ROWS, CHUNK_LIMIT);
    let mut chunks: Vec<Vec<Group<'a>>> = Vec::new();
    let (mut floats, mut presentations) = (usize::MAX, usize::MAX);
    for group in ordered.chunk_by(|(one, _), (other, _)| one == other) {
        let each = largest_window(&planner.plan(group[0].0)).max(1);
        let limit = (CHUNK_FLOATS / each).clamp(1, most);
        // Twelve rows are computed at a time.
        let limit = if limit > ROWS { limit / ROWS * ROWS } else { limit };
        // Equal parts: a small rest would be computed less efficiently.
        let size = group.len().div_ceil(group.len().div_ceil(limit));
        for group in group.chunks(size) {
            floats = floats.saturating_add(group.len() * each);
            presentations = presentations.saturating_add(group.len());
            if floats > CHUNK_FLOATS || presentations > most {
                chunks.push(Vec::new());
                (floats, presentations) = (group.len() * each, group.len());
            }
            chunks.last_mut().into_iter().for_each(|chunk| chunk.push(group));
        }
    }
    chunks
}

/// Floats of a plan's largest window.
fn largest_window(plan: &Plan<'_>) -> usize {
    let nodes = plan.subgraph().nodes().iter().enumerate();
    nodes.map(|(index, node)| plan.positions(index) * node.channels).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;
    use crate::engine::PlacedJob;
    use crate::engine::order::in_order_of_plans;
    use crate::geometry::{GridRule, ImageSize, LayerGeometry};
    use crate::network::Network;
    use crate::noise::Noise;
    use crate::program::Subgraph;

    #[test]
    fn every_thread_has_several_chunks_and_none_is_too_large() {
        let network = Network::preset("alexnet").unwrap();
        let (layer, size) = (network.convolution("conv3").unwrap(), ImageSize::new(227, 227));
        let geometry = LayerGeometry::new(&network, layer, size, GridRule::REFERENCE, 1).unwrap();
        let image = Array3::zeros((3, size.height, size.width));
        let occluders = geometry.placement(6, 6).unwrap().occluders;
        let job = PlacedJob {
            image: image.view(),
            image_index: 0,
            unit: 0,
            position: (6, 6),
            occluders: &occluders,
            fill: Noise::Philox { seed: 0, draw: 0 }.into(),
        };
        let subgraph = Subgraph::new(&network, layer, size).unwrap();
        let mut planner = Planner::new(&subgraph);
        let batch = [job; 8].into_iter().collect();
        let (_, ordered) = in_order_of_plans(usize::MAX, &batch, 0..8, &mut planner);
        for threads in [1, 2, 12, ordered.len()] {
            let chunks = chunks(&ordered, &planner, threads);
            let again: Vec<(PlanKey, Member)> =
                chunks.iter().flatten().flat_map(|group| group.iter().copied()).collect();
            assert_eq!(again, ordered);
            assert!(chunks.len() >= (threads * CHUNKS).min(ordered.len() / ROWS), "{threads}");
            for chunk in chunks {
                let presentations = chunk.iter().map(|group| group.len()).sum::<usize>();
                let floats =
                    |group: &Group<'_>| group.len() * largest_window(&planner.plan(group[0].0));
                assert!(presentations <= CHUNK_LIMIT);
                assert!(chunk.iter().map(floats).sum::<usize>() <= CHUNK_FLOATS);
            }
        }
    }
}
