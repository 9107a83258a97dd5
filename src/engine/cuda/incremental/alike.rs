//! Jobs that are alike: occluder by occluder, their presentations have the same plans.
//!
//! Of AlexNet's conv2 there are thousands of jobs in a batch, hundreds of occluders a job, and a few
//! dozen kinds of jobs: those in the middle of the layer are all alike, and those at a border are
//! alike where it is the same border at the same distance. So plans are asked for once a kind, and
//! of a job no more than which kind it is.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::grid::Grid;
use crate::engine::cuda::tables::layout::Square;
use crate::engine::{Batch, BatchPlacement};
use crate::geometry::Axis;
use crate::program::{PlanKey, Planner};

/// Jobs sorted by kind.
#[derive(Debug, Default)]
pub(super) struct Alike {
    /// The kinds, in the order in which they first appear.
    pub kinds: Vec<Kind>,
    /// The squares of all grids, one grid after the other.
    pub squares: Vec<Square>,
    grids: Vec<Grid>,
    /// Plans along an axis, of each row or column of a grid.
    plans: Vec<Vec<u32>>,
}

/// Jobs that are alike.
#[derive(Debug)]
pub(super) struct Kind {
    /// The jobs, by their place in the list.
    pub jobs: Vec<usize>,
    grid: usize,
    /// The plans of the grid's rows and of its columns.
    rows: usize,
    columns: usize,
}

/// An occluder of all jobs of a kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct OfKind {
    /// Its plan.
    pub key: PlanKey,
    /// The kind.
    pub kind: u32,
    /// Its place among the squares.
    pub square: u32,
    /// Its place within each of the jobs.
    pub number: u32,
}

/// What was found out already.
#[derive(Default)]
struct Known {
    /// Grids by what is seen of them at first sight.
    grids: HashMap<[i64; 4], Vec<usize>>,
    /// Plans by the axis, the grid, the position and the pixel that the grid begins at.
    plans: HashMap<(bool, usize, usize, usize), usize>,
    /// The same by what they are.
    equal: HashMap<Vec<u32>, usize>,
    /// Kinds by grid and plans.
    same: HashMap<[usize; 3], usize>,
}

impl Alike {
    /// Sorts `which` of the jobs.
    pub fn new(
        batch: &Batch<'_>,
        which: impl Iterator<Item = usize>,
        planner: &mut Planner<'_>,
    ) -> Self {
        let (mut alike, mut known) = (Self::default(), Known::default());
        let mut kinds = vec![None; batch.placements.len()];
        for job in which {
            let placement = batch.jobs[job].placement;
            let kind = *kinds[placement].get_or_insert_with(|| {
                alike.kind(&batch.placements[placement], planner, &mut known)
            });
            alike.kinds[kind].jobs.push(job);
        }
        alike
    }

    /// The kind of the jobs with a placement.
    fn kind(
        &mut self,
        &BatchPlacement { position, occluders }: &BatchPlacement<'_>,
        planner: &mut Planner<'_>,
        known: &mut Known,
    ) -> usize {
        let of_grid = known.grids.entry(Grid::at_first_sight(occluders)).or_default();
        let is = |&&grid: &&usize| self.grids[grid].is(&self.squares, occluders);
        let grid = if let Some(&grid) = of_grid.iter().find(is) {
            grid
        } else {
            of_grid.push(self.grids.len());
            self.grids.push(Grid::new(occluders, &mut self.squares));
            self.grids.len() - 1
        };
        let begins = occluders.first().map_or((0, 0), |first| (first.top, first.left));
        let rows = self.plans((Axis::Y, grid, position.0, begins.0), planner, known);
        let columns = self.plans((Axis::X, grid, position.1, begins.1), planner, known);
        *known.same.entry([grid, rows, columns]).or_insert_with(|| {
            self.kinds.push(Kind { jobs: Vec::new(), grid, rows, columns });
            self.kinds.len() - 1
        })
    }

    /// The plans along an axis of a grid that begins at a pixel, in front of a position.
    fn plans(
        &mut self,
        (axis, grid, position, begin): (Axis, usize, usize, usize),
        planner: &mut Planner<'_>,
        known: &mut Known,
    ) -> usize {
        match known.plans.entry((axis == Axis::Y, grid, position, begin)) {
            Entry::Occupied(plans) => *plans.get(),
            Entry::Vacant(entry) => {
                let along = self.grids[grid].along(axis).iter().map(|&(pixel, size)| {
                    let first = (begin as isize + pixel) as usize;
                    planner.key_along(axis, position, first, size)
                });
                let plans: Vec<u32> = along.collect();
                let next = self.plans.len();
                let found = *known.equal.entry(plans.clone()).or_insert(next);
                if found == next {
                    self.plans.push(plans);
                }
                *entry.insert(found)
            }
        }
    }

    /// Every occluder of every kind.
    pub fn occluders(&self) -> impl Iterator<Item = OfKind> {
        self.kinds.iter().enumerate().flat_map(move |(kind, of_kind)| {
            let grid = &self.grids[of_kind.grid];
            let (rows, columns) = (&self.plans[of_kind.rows], &self.plans[of_kind.columns]);
            grid.places().iter().enumerate().map(move |(number, &(row, column))| OfKind {
                key: PlanKey { y: rows[row as usize], x: columns[column as usize] },
                kind: kind as u32,
                square: (grid.first + number) as u32,
                number: number as u32,
            })
        })
    }
}
