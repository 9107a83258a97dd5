//! Ranking, then sweeping.

use super::ranking::RankingJob;
use super::{Context, Ranking, Rest, RunError, RunSettings, Share, SweepRun};
use crate::engine::ReferenceEngine;

/// Ranks the images for every unit, then sweeps the units: the whole job.
///
/// # Errors
/// Unusable settings, images and weights; errors of the work.
pub fn run(settings: &RunSettings, context: &Context<'_>) -> Result<(), RunError> {
    let RunSettings { ref sweep, top, rank_only } = *settings;
    let sized = sweep.sized()?;
    let run = SweepRun::open(sweep, &[], context)?;
    let sizes = run.of_sizes(&sized)?;
    let top = run.inputs.at_most(top, context)?;
    let share = sweep.output.share;
    if !rank_only && !sweep.output.force && run.output.has_ranking() {
        // A sweep that cannot join the existing maps is refused before the ranking starts.
        for run in run.or_sizes(&sizes).filter(|run| run.output.has_maps()) {
            run.check(None, top, &[run.engines()[0].name()])?;
        }
    }
    // The sweep needs the whole ranking.
    let rest = if rank_only { share.rest } else { Rest::Finish };
    match run.rank(top, Share { rest, ..share })? {
        Some(ranking) if !rank_only => run.sweep_sizes(&sizes, &ranking, top).map_err(|error| {
            run.inputs.explain_changed(error, &ranking, &run.output, &share, context)
        }),
        Some(ranking) => run.inputs.check_unchanged(&ranking, &run.output, &share, context),
        None => {
            context.note(run.output.shard_note(&share));
            Ok(())
        }
    }
}

/// A checked run of another machine.
#[derive(Clone, Copy, Debug)]
pub struct Checked {
    /// Number of blocks of the ranking.
    pub ranking_blocks: usize,
    /// Limit of a process's memory, in bytes.
    pub memory: u64,
}

/// Checks everything that [`run`] checks before it starts, and that existing results have the same
/// configuration. No GPU is opened: the work is done on another machine, which may have `gpus`.
/// Writes nothing.
///
/// # Errors
/// As for [`run`] before it starts.
pub fn check(
    settings: &RunSettings,
    gpus: bool,
    context: &Context<'_>,
) -> Result<Checked, RunError> {
    let RunSettings { sweep, top, rank_only } = settings;
    // No kernel draws other fills.
    let gpus = gpus && sweep.occlusion.fill.is_noise();
    let engines = sweep.compute.engine_names(gpus)?;
    let mut sweep = sweep.clone();
    sweep.compute = sweep.compute.remote(gpus)?;
    sweep.output.force = false;
    let sized = sweep.sized()?;
    let run = SweepRun::open(&sweep, &[], context)?;
    let sizes = run.of_sizes(&sized)?;
    let top = run.inputs.at_most(*top, context)?;
    let job = RankingJob {
        inputs: &run.inputs,
        engines: &[Box::new(ReferenceEngine)],
        top,
        threads: run.budget.threads,
        output: &run.output,
        context: *context,
    };
    let (ranking_blocks, ranking) = job.check()?;
    if !rank_only {
        for run in run.or_sizes(&sizes) {
            run.check(ranking.as_ref(), top, &engines)?;
        }
    }
    Ok(Checked { ranking_blocks, memory: run.budget.memory })
}

impl SweepRun<'_> {
    /// Ranks the images of the sweep.
    fn rank(&self, top: usize, share: Share) -> Result<Option<Ranking>, RunError> {
        let engines = self.compute.rankers(&self.context)?;
        let job = RankingJob {
            inputs: &self.inputs,
            engines: &engines,
            top,
            threads: self.budget.threads,
            output: &self.output,
            context: self.context,
        };
        job.complete(&share, self.settings.output.force)
    }
}
