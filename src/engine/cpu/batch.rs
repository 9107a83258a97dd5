//! Which presentations are computed together.

use std::collections::HashMap;

use crate::engine::Job;
use crate::engine::plan::{Plan, PlanKey, Planner};
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

/// All presentations of some jobs in the order in which they are computed: those that share a
/// plan next to each other.
#[derive(Debug)]
pub(super) struct Order {
    members: Vec<(PlanKey, Member)>,
}

/// Presentations that share a plan, which begin with its key.
pub(super) type Group<'a> = &'a [(PlanKey, Member)];

/// Floats that the largest buffer of a chunk may have. The more presentations, the less often the
/// weights are fetched, which are larger than any cache; but a thread holds a few such buffers.
const CHUNK_FLOATS: usize = 1024 * 1024;
/// More presentations than this gain nothing.
const CHUNK_LIMIT: usize = 72;
/// A product computes so many rows together.
const ROWS: usize = 12;

impl Order {
    /// Orders the presentations of `which` of the jobs.
    pub fn new(
        jobs: &[Job<'_>],
        which: impl Iterator<Item = usize>,
        planner: &mut Planner<'_>,
    ) -> Self {
        let mut members: Vec<(PlanKey, Member)> = Vec::new();
        for job in which {
            let Job { position, occluders, .. } = jobs[job];
            members.extend(occluders.iter().enumerate().map(|(occluder, square)| {
                (planner.key(position, square), Member { job, occluder })
            }));
        }
        members.sort_unstable();
        Self { members }
    }

    /// The presentations in chunks of groups. Presentations of one plan are computed together, and
    /// what different plans have in common is too ([`minimal`](super::minimal)).
    pub fn chunks<'a>(&'a self, planner: &Planner<'_>) -> Vec<Vec<Group<'a>>> {
        let mut chunks: Vec<Vec<Group<'a>>> = Vec::new();
        let (mut floats, mut presentations) = (usize::MAX, usize::MAX);
        for group in self.members.chunk_by(|(one, _), (other, _)| one == other) {
            let each = largest_window(&planner.plan(group[0].0)).max(1);
            let limit = (CHUNK_FLOATS / each).clamp(1, CHUNK_LIMIT);
            // Twelve rows are computed at a time.
            let limit = if limit > ROWS { limit / ROWS * ROWS } else { limit };
            // Equal parts: a small rest would be computed less efficiently.
            let size = group.len().div_ceil(group.len().div_ceil(limit));
            for group in group.chunks(size) {
                floats = floats.saturating_add(group.len() * each);
                presentations = presentations.saturating_add(group.len());
                if floats > CHUNK_FLOATS || presentations > CHUNK_LIMIT {
                    chunks.push(Vec::new());
                    (floats, presentations) = (group.len() * each, group.len());
                }
                chunks.last_mut().into_iter().for_each(|chunk| chunk.push(group));
            }
        }
        chunks
    }
}

/// Floats of a plan's largest window.
fn largest_window(plan: &Plan<'_>) -> usize {
    let nodes = plan.lineage().nodes().iter().enumerate();
    nodes.map(|(place, node)| plan.positions(place) * node.channels).max().unwrap_or(0)
}
