//! Jobs sorted by what they share: an image, or a plan.

use std::collections::HashMap;

use super::Job;
use super::plan::{PlanKey, Planner};
use crate::geometry::Span;

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

/// An occluder of a job, by its place in the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Member {
    pub job: usize,
    pub occluder: usize,
}

/// All presentations of `which` of the jobs in the order in which they are computed: those that
/// share a plan next to each other.
pub(super) fn in_order_of_plans(
    jobs: &[Job<'_>],
    which: impl Iterator<Item = usize>,
    planner: &mut Planner<'_>,
) -> Vec<(PlanKey, Member)> {
    let mut members: Vec<(PlanKey, Member)> = Vec::new();
    for job in which {
        let Job { position, occluders, .. } = jobs[job];
        members.extend(
            occluders.iter().enumerate().map(|(occluder, square)| {
                (planner.key(position, square), Member { job, occluder })
            }),
        );
    }
    members.sort_unstable();
    members
}
