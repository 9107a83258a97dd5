//! In which order blocks work on presentations: those in front of the same few images one after the
//! other.
//!
//! Presentations lie plan by plan, each plan's in front of all images of the wave. Kernels that went
//! through them so would read from memory, for each plan, all baseline activations that the plan before
//! had read already, and, for each pattern, the deltas that another had. There are more of these than
//! the second cache holds. So a wave's jobs are cut into tiles, and blocks work on all plans and
//! patterns of a tile before those of the next (`docs/design/cuda-engine.md`).

use crate::engine::cuda::tables::layout::Run;

/// Jobs of a tile. What a kernel reads and writes for one plan in front of so many images is 10 MB at
/// most on AlexNet, so that it is in the cache when the next plan needs the same.
pub(in crate::engine::cuda) const JOBS: u32 = 64;

/// The tiles that a wave's presentations belong to.
#[derive(Debug, Default)]
pub struct ImageTiles {
    /// Where in the wave another tile's begin, in this order. Where none is told all are of one.
    parts: Vec<Part>,
    /// Of each presentation, its part: looked up for every window and pattern of a wave.
    part_of: Vec<u32>,
    /// How many there are; 0 where none is told.
    count: usize,
}

/// Presentations of one tile that follow each other.
#[derive(Clone, Copy, Debug)]
struct Part {
    first: u32,
    tile: usize,
}

impl ImageTiles {
    /// Those of `count` presentations, which are these runs.
    pub fn new(runs: &[Run], count: usize) -> Self {
        let ends = runs.iter().skip(1).map(|run| run.first).chain([count as u32]);
        let mut tiles = Self { part_of: Vec::with_capacity(count), ..Self::default() };
        for (run, end) in runs.iter().zip(ends) {
            let (mut first, mut job) = (run.first, run.job);
            while first < end {
                let (part, tile) = (tiles.parts.len() as u32, (job / JOBS) as usize);
                tiles.parts.push(Part { first, tile });
                let length = (JOBS - job % JOBS).min(end - first);
                tiles.part_of.extend(std::iter::repeat_n(part, length as usize));
                (first, job) = (first + length, job + length);
            }
        }
        // A wave that goes on in the middle of its jobs does not begin with the first tile.
        let first = tiles.parts.iter().map(|part| part.tile).min().unwrap_or(0);
        for part in &mut tiles.parts {
            part.tile -= first;
            tiles.count = tiles.count.max(part.tile + 1);
        }
        tiles
    }

    /// How many there are: at least one.
    pub(in crate::engine::cuda) fn count(&self) -> usize {
        self.count.max(1)
    }

    /// Those of the presentations from `first` on: each with the first presentation that is none of
    /// it, however many there are.
    pub(in crate::engine::cuda) fn from(&self, first: u32) -> impl Iterator<Item = (usize, u32)> {
        let part = self.part_of.get(first as usize).map_or(0, |&part| part as usize);
        let parts = self.parts.get(part..).unwrap_or_default();
        let ends = parts.iter().skip(1).map(|part| part.first).chain([u32::MAX]);
        // Where nothing is told, the first.
        let first = parts.is_empty().then_some(0);
        first.into_iter().chain(parts.iter().map(|part| part.tile)).zip(ends)
    }
}
