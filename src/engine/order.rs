//! Jobs sorted by what they share: an image, or a plan.

use std::collections::HashMap;

use super::Job;
use crate::geometry::{Axis, Span};
use crate::program::{PlanKey, Planner};

/// Jobs on one image, and the positions that they look at.
#[derive(Debug)]
pub(super) struct OnImage {
    /// The jobs, by their place in the list.
    pub jobs: Vec<usize>,
    /// Rows from the first to the last position.
    pub y: Span,
    /// Columns from the first to the last position.
    pub x: Span,
}

/// Sorts jobs by the image that they look at, in the order in which images first appear.
pub(super) fn by_image(jobs: &[Job<'_>]) -> Vec<OnImage> {
    // The same array is the same image; equal arrays in different places are just computed twice.
    let mut places: HashMap<(*const f32, [isize; 3]), usize> = HashMap::new();
    let mut images: Vec<OnImage> = Vec::new();
    for (job, Job { image, position, .. }) in jobs.iter().enumerate() {
        let strides = [0, 1, 2].map(|axis| image.strides()[axis]);
        let place = *places.entry((image.as_ptr(), strides)).or_insert_with(|| {
            images.push(OnImage { jobs: Vec::new(), y: Span::EMPTY, x: Span::EMPTY });
            images.len() - 1
        });
        let on_image = &mut images[place];
        on_image.jobs.push(job);
        on_image.y = on_image.y.hull(Span::at(position.0));
        on_image.x = on_image.x.hull(Span::at(position.1));
    }
    images
}

/// An occluder of a job, both by their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub job: u32,
    pub occluder: u32,
}

/// All presentations of some jobs in the order in which they are computed: those that share a plan
/// next to each other, the plans in the order of their keys.
pub(super) fn in_order_of_plans<'a, 'j: 'a>(
    jobs: impl Iterator<Item = &'a Job<'j>>,
    planner: &mut Planner<'_>,
) -> Vec<(PlanKey, Member)> {
    let mut members: Vec<(PlanKey, Member)> = Vec::new();
    // Grids are rows of squares: a row has one plan along it, and the columns of the row before.
    let mut columns: Vec<((usize, usize), u32)> = Vec::new();
    for (place, job) in (0..).zip(jobs) {
        let (mut row, mut column) = (None, 0);
        columns.clear();
        for (occluder, square) in (0..).zip(job.occluders) {
            let y = match row {
                Some((top, size, y)) if (top, size) == (square.top, square.size) => y,
                _ => {
                    column = 0;
                    let y = planner.key_along(Axis::Y, job.position.0, square.top, square.size);
                    row = Some((square.top, square.size, y));
                    y
                }
            };
            let along = (square.left, square.size);
            let x = match columns.get(column) {
                Some(&(known, x)) if known == along => x,
                _ => {
                    let x = planner.key_along(Axis::X, job.position.1, square.left, square.size);
                    columns.truncate(column);
                    columns.push((along, x));
                    x
                }
            };
            column += 1;
            members.push((PlanKey { y, x }, Member { job: place, occluder }));
        }
    }
    let plans = |axis| planner.along(axis).len();
    let members = counted(&members, plans(Axis::X), |(key, _)| key.x as usize);
    counted(&members, plans(Axis::Y), |(key, _)| key.y as usize)
}

/// Things in the order of `key`, which is below `keys`; equal ones stay in their order.
pub(super) fn counted<T: Copy>(things: &[T], keys: usize, key: impl Fn(&T) -> usize) -> Vec<T> {
    let mut next = vec![0; keys + 1];
    for thing in things {
        next[key(thing) + 1] += 1;
    }
    for place in 0..keys {
        next[place + 1] += next[place];
    }
    let mut sorted = things.to_vec();
    for thing in things {
        let place = &mut next[key(thing)];
        sorted[*place] = *thing;
        *place += 1;
    }
    sorted
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;
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
        let jobs: Vec<Job<'_>> = grids
            .iter()
            .map(|(position, occluders)| Job {
                image: image.view(),
                image_index: 0,
                unit: 0,
                position: *position,
                occluders,
                noise: Noise::Philox { seed: 0, draw: 0 },
            })
            .collect();
        let subgraph = Subgraph::new(&network, layer, size).unwrap();
        let mut planner = Planner::new(&subgraph);
        let found = in_order_of_plans(jobs.iter(), &mut planner);
        let mut expected = Vec::new();
        for (place, job) in (0..).zip(&jobs) {
            for (occluder, square) in (0..).zip(job.occluders) {
                expected.push((planner.key(job.position, square), Member { job: place, occluder }));
            }
        }
        expected.sort_by_key(|&(key, Member { job, occluder })| (key, job, occluder));
        assert_eq!(found, expected);
    }
}
