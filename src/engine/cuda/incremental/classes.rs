//! Classes of jobs: occluder by occluder, the presentations of a class have the same plans.
//!
//! Of AlexNet's conv2 there are thousands of jobs in a batch, hundreds of occluders a job, and a few
//! dozen classes: one of the jobs in the middle of the layer, and one for each border at each distance.
//! So plans are found once a class, and a job is no more than the number of its class.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::grid::Grid;
use crate::engine::cuda::tables::layout::Square;
use crate::engine::{Batch, BatchPlacement};
use crate::geometry::Axis;
use crate::program::{PlanKey, Planner};

/// Jobs sorted by class.
#[derive(Debug, Default)]
pub(super) struct JobClasses {
    /// The classes, in the order in which they first appear.
    pub classes: Vec<JobClass>,
    /// The squares of all grids, one grid after the other.
    pub squares: Vec<Square>,
    grids: Vec<Grid>,
    /// Plans along an axis, of each row or column of a grid.
    plans: Vec<Vec<u32>>,
}

/// Jobs with the same plans, occluder by occluder.
#[derive(Debug)]
pub(super) struct JobClass {
    /// The jobs, by their index in the list.
    pub jobs: Vec<usize>,
    grid: usize,
    /// The plans of the grid's rows and of its columns.
    rows: usize,
    columns: usize,
}

/// An occluder of all jobs of a class.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClassOccluder {
    /// Its plan.
    pub key: PlanKey,
    /// The class.
    pub class: u32,
    /// Its index among the squares.
    pub square: u32,
    /// Its index within each of the jobs.
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

impl JobClasses {
    /// Sorts `which` of the jobs.
    pub fn new(
        batch: &Batch<'_>,
        which: impl Iterator<Item = usize>,
        planner: &mut Planner<'_>,
    ) -> Self {
        let (mut classes, mut known) = (Self::default(), Known::default());
        let mut class_of = vec![None; batch.placements.len()];
        for job in which {
            let placement = batch.jobs[job].placement;
            let class = *class_of[placement].get_or_insert_with(|| {
                classes.class(&batch.placements[placement], planner, &mut known)
            });
            classes.classes[class].jobs.push(job);
        }
        classes
    }

    /// The class of the jobs with a placement.
    fn class(
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
            self.classes.push(JobClass { jobs: Vec::new(), grid, rows, columns });
            self.classes.len() - 1
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

    /// Every occluder of every class.
    pub fn occluders(&self) -> impl Iterator<Item = ClassOccluder> {
        self.classes.iter().enumerate().flat_map(move |(class, of_class)| {
            let grid = &self.grids[of_class.grid];
            let (rows, columns) = (&self.plans[of_class.rows], &self.plans[of_class.columns]);
            grid.indices().iter().enumerate().map(move |(number, &(row, column))| ClassOccluder {
                key: PlanKey { y: rows[row as usize], x: columns[column as usize] },
                class: class as u32,
                square: (grid.first + number) as u32,
                number: number as u32,
            })
        })
    }
}
