//! All presentations of some jobs in the order of their plans, cut into waves.
//!
//! They are never written out: an occluder of all jobs of a class is one *run* of presentations,
//! whose jobs are neighbours in the table of jobs. The device writes them out.

use super::classes::{ClassOccluder, JobClasses};
use super::storage::Storage;
use super::wave::Group;
use crate::engine::cuda::tables::layout::Run;
use crate::engine::order::counting_sort_by_key;
use crate::geometry::Axis;
use crate::program::Planner;

/// Presentations in a wave, at most: each has an entry in a table.
const WAVE_PRESENTATIONS: usize = 1 << 20;

/// Runs in the order of their plans.
#[derive(Debug)]
pub(super) struct Runs {
    ordered: Vec<ClassOccluder>,
    /// Of each class, where its jobs begin among the jobs of all classes, and how many there are.
    jobs: Vec<(usize, usize)>,
    /// Presentations whose occluder cannot reach the unit: they change nothing, exactly, and are in
    /// no run.
    pub without_effect: usize,
}

/// Where a wave begins: at a run, after so many of its presentations.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cursor {
    run: usize,
    after: usize,
}

/// As many presentations as fit on the device at a time.
#[derive(Debug, Default)]
pub(super) struct Wave<'p> {
    /// Those of a plan next to each other.
    pub groups: Vec<Group<'p>>,
    /// The same, as the device is told of them.
    pub runs: Vec<Run>,
    /// How many they are.
    pub count: usize,
    /// Floats that they take of each buffer.
    pub floats: Vec<usize>,
}

impl Runs {
    /// The runs of jobs sorted by class.
    pub fn new(classes: &JobClasses, planner: &Planner<'_>) -> Self {
        let mut jobs = Vec::with_capacity(classes.classes.len());
        let mut first = 0;
        for class in &classes.classes {
            jobs.push((first, class.jobs.len()));
            first += class.jobs.len();
        }
        let program = planner.subgraph().target();
        let empty = [Axis::Y, Axis::X].map(|axis| -> Vec<bool> {
            let plans = planner.along(axis).iter();
            plans.map(|plan| plan.reach(program).changed.is_empty()).collect()
        });
        let mut without_effect = 0;
        let mut runs = Vec::new();
        for run in classes.occluders() {
            if empty[0][run.key.y as usize] || empty[1][run.key.x as usize] {
                without_effect += jobs[run.class as usize].1;
            } else {
                runs.push(run);
            }
        }
        let runs = counting_sort_by_key(&runs, empty[1].len(), |run| run.key.x as usize);
        let runs = counting_sort_by_key(&runs, empty[0].len(), |run| run.key.y as usize);
        Self { ordered: runs, jobs, without_effect }
    }

    /// Whether no presentation is left.
    pub fn is_end(&self, cursor: Cursor) -> bool {
        cursor.run == self.ordered.len()
    }

    /// The wave that begins at a cursor, and where it ends: as many presentations as take at most so
    /// many floats, at least one.
    pub fn wave<'p>(
        &self,
        planner: &'p Planner<'_>,
        storage: &Storage,
        begin: Cursor,
        floats: usize,
    ) -> (Wave<'p>, Cursor) {
        let mut wave = Wave { floats: vec![0; storage.buffers.count], ..Wave::default() };
        let mut of_group = wave.floats.clone();
        let (mut cursor, mut left) = (begin, floats);
        while let Some(first) = self.ordered.get(cursor.run) {
            let same = self.ordered[cursor.run..].iter().take_while(|run| run.key == first.key);
            let all = same.map(|run| self.jobs[run.class as usize].1).sum::<usize>() - cursor.after;
            let plan = planner.plan(first.key);
            let mut fits = |count| storage.floats(&plan, count, &mut of_group) <= left;
            let most = all.min(WAVE_PRESENTATIONS - wave.count);
            let count = if fits(most) { most } else { largest(most, fits) };
            // A wave has one presentation, whatever it takes.
            let count = if wave.count == 0 { count.max(1) } else { count };
            if count == 0 {
                break;
            }
            left -= storage.floats(&plan, count, &mut of_group).min(left);
            wave.floats.iter_mut().zip(&of_group).for_each(|(sum, floats)| *sum += floats);
            wave.groups.push((plan, count));
            cursor = self.take(cursor, count, &mut wave);
            if count < all {
                break;
            }
        }
        (wave, cursor)
    }

    /// Adds so many presentations to a wave; returns where they end.
    fn take(&self, mut cursor: Cursor, count: usize, wave: &mut Wave<'_>) -> Cursor {
        let end = wave.count + count;
        while wave.count < end {
            let ClassOccluder { class, square, number, .. } = self.ordered[cursor.run];
            let (job, jobs) = self.jobs[class as usize];
            let first = wave.count as u32;
            wave.runs.push(Run { first, job: (job + cursor.after) as u32, square, number });
            let taken = (jobs - cursor.after).min(end - wave.count);
            wave.count += taken;
            cursor.after += taken;
            if cursor.after == jobs {
                cursor = Cursor { run: cursor.run + 1, after: 0 };
            }
        }
        cursor
    }
}

/// The largest number below `most` that fits, where all below it do; 0 if none does.
fn largest(most: usize, mut fits: impl FnMut(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, most.saturating_sub(1));
    while low < high {
        let middle = (low + high).div_ceil(2);
        if fits(middle) { low = middle } else { high = middle - 1 }
    }
    low
}

#[cfg(test)]
mod tests;
