//! Jobs sorted by what they share: an image, or a plan.

use super::{Batch, BatchPlacement};
use crate::geometry::{Axis, Occluder, Span};
use crate::program::{PlanKey, Planner};

/// Jobs on one image, and the positions that they look at.
#[derive(Debug)]
pub(super) struct OnImage {
    /// The image, an index into [`Batch::images`].
    pub image: usize,
    /// The jobs, by their numbers in the batch.
    pub jobs: Vec<usize>,
    /// Rows from the first to the last position.
    pub y: Span,
    /// Columns from the first to the last position.
    pub x: Span,
}

/// Sorts the jobs of a batch by their image, in the order in which images first appear.
pub(super) fn by_image(batch: &Batch<'_>) -> Vec<OnImage> {
    let mut number_of = vec![None; batch.images.len()];
    let mut images: Vec<OnImage> = Vec::new();
    for (number, job) in batch.jobs.iter().enumerate() {
        let position = batch.placements[job.placement].position;
        let on_image = *number_of[job.image].get_or_insert_with(|| {
            let (jobs, y, x) = (Vec::new(), Span::EMPTY, Span::EMPTY);
            images.push(OnImage { image: job.image, jobs, y, x });
            images.len() - 1
        });
        let on_image = &mut images[on_image];
        on_image.jobs.push(number);
        on_image.y = on_image.y.hull(Span::at(position.0));
        on_image.x = on_image.x.hull(Span::at(position.1));
    }
    images
}

/// An occluder of a job, both by their indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub job: u32,
    pub occluder: u32,
}

/// All presentations of the first of some jobs of a batch, at least one, until their plans take `bytes`; and
/// how many jobs those are. In the order in which they are computed: those that share a plan next to each
/// other, the plans in the order of their keys. [`Member::job`] counts `jobs`.
pub(super) fn in_order_of_plans(
    bytes: usize,
    batch: &Batch<'_>,
    jobs: impl Iterator<Item = usize>,
    planner: &mut Planner<'_>,
) -> (usize, Vec<(PlanKey, Member)>) {
    let mut keys: Vec<Option<Vec<PlanKey>>> = vec![None; batch.placements.len()];
    let (mut planned, mut members) = (0, Vec::<(PlanKey, Member)>::new());
    for (job, number) in (0..).zip(jobs) {
        let placement = batch.jobs[number].placement;
        let keys =
            keys[placement].get_or_insert_with(|| keys_of(&batch.placements[placement], planner));
        let member = |(occluder, &key)| (key, Member { job, occluder });
        members.extend((0..).zip(&*keys).map(member));
        planned += 1;
        if planner.bytes() >= bytes {
            break;
        }
    }
    let plans = |axis| planner.along(axis).len();
    let members = counting_sort_by_key(&members, plans(Axis::X), |(key, _)| key.x as usize);
    (planned, counting_sort_by_key(&members, plans(Axis::Y), |(key, _)| key.y as usize))
}

/// The key of each occluder's plan.
fn keys_of(placement: &BatchPlacement<'_>, planner: &mut Planner<'_>) -> Vec<PlanKey> {
    let (y, x) = placement.position;
    // Grids are rows of squares: a row has one plan along it, and the columns of the row before.
    let mut columns: Vec<((usize, usize), u32)> = Vec::new();
    let (mut row, mut column) = (None, 0);
    let mut key = |square: &Occluder| {
        let along_row = match row {
            Some((top, size, key)) if (top, size) == (square.top, square.size) => key,
            _ => {
                column = 0;
                let key = planner.key_along(Axis::Y, y, square.top, square.size);
                row = Some((square.top, square.size, key));
                key
            }
        };
        let span = (square.left, square.size);
        let along_column = match columns.get(column) {
            Some(&(known, key)) if known == span => key,
            _ => {
                let key = planner.key_along(Axis::X, x, square.left, square.size);
                columns.truncate(column);
                columns.push((span, key));
                key
            }
        };
        column += 1;
        PlanKey { y: along_row, x: along_column }
    };
    placement.occluders.iter().map(&mut key).collect()
}

/// Things in the order of `key`, which is below `keys`; equal ones stay in their order.
pub(super) fn counting_sort_by_key<T: Copy>(
    things: &[T],
    keys: usize,
    key: impl Fn(&T) -> usize,
) -> Vec<T> {
    let mut next = vec![0; keys + 1];
    for thing in things {
        next[key(thing) + 1] += 1;
    }
    for index in 0..keys {
        next[index + 1] += next[index];
    }
    let mut sorted = things.to_vec();
    for thing in things {
        let slot = &mut next[key(thing)];
        sorted[*slot] = *thing;
        *slot += 1;
    }
    sorted
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;
    use crate::engine::PlacedJob;
    use crate::geometry::{GridRule, ImageSize, LayerGeometry, Occluder};
    use crate::network::Network;
    use crate::noise::Noise;
    use crate::program::Subgraph;

    #[test]
    fn presentations_are_in_the_order_of_the_plans_that_they_would_be_given_one_by_one() {
        let network = Network::preset("alexnet").unwrap();
        let (layer, size) = (network.convolution("conv3").unwrap(), ImageSize::new(120, 131));
        let geometry = LayerGeometry::new(&network, layer, size, GridRule::REFERENCE, 1).unwrap();
        let image = Array3::zeros((3, size.height, size.width));
        let mut grids: Vec<((usize, usize), Vec<Occluder>)> = [(0, 0), (3, 2), (5, 6), (3, 2)]
            .map(|(y, x)| ((y, x), geometry.placement(y, x).unwrap().occluders))
            .to_vec();
        // Not every list is a whole grid, nor in its order.
        grids[1].1 = grids[1].1.iter().copied().step_by(7).collect();
        grids[2].1.reverse();
        grids[3].1.clear();
        let batch: Batch<'_> = grids
            .iter()
            .map(|(position, occluders)| PlacedJob {
                image: image.view(),
                image_index: 0,
                unit: 0,
                position: *position,
                occluders,
                fill: Noise::Philox { seed: 0, draw: 0 }.into(),
            })
            .collect();
        let subgraph = Subgraph::new(&network, layer, size).unwrap();
        let mut first = Planner::new(&subgraph);
        in_order_of_plans(0, &batch, 0..4, &mut first);
        for (bytes, jobs) in [(0, 1), (first.bytes(), 1), (first.bytes() + 1, 2), (usize::MAX, 4)] {
            let mut planner = Planner::new(&subgraph);
            let (planned, members) = in_order_of_plans(bytes, &batch, 0..4, &mut planner);
            let occluders = grids[..jobs].iter().map(|(_, occluders)| occluders.len());
            assert_eq!((planned, members.len()), (jobs, occluders.sum()));
            let plans = planner.along(Axis::Y).len() + planner.along(Axis::X).len();
            let spans = plans * subgraph.nodes().len() * 4 * size_of::<Span>();
            assert!(planner.bytes() > spans, "{} {spans}", planner.bytes());
        }
        let mut planner = Planner::new(&subgraph);
        let jobs = 0..batch.jobs.len();
        let (_, found) = in_order_of_plans(usize::MAX, &batch, jobs, &mut planner);
        let mut expected = Vec::new();
        for (index, job) in (0..).zip(batch.placed()) {
            for (occluder, square) in (0..).zip(job.occluders) {
                expected.push((planner.key(job.position, square), Member { job: index, occluder }));
            }
        }
        expected.sort_by_key(|&(key, Member { job, occluder })| (key, job, occluder));
        assert_eq!(found, expected);
    }
}
