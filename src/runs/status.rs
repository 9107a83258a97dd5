//! How far the work in an output folder is.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rayon::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::layout::{MAPS, RANKING};
use super::sweep::SweepMerge;
use super::{Context, OutputFolder, RunError, Task};
use crate::blocks::{BlockFolder, BlockState};
use crate::files::FileError;
use crate::maps::{BlockRecord, StoredSweep};
use crate::ranking::{RankingManifest, RankingRecord, StoredRanking};

/// How far the work in an output folder is.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// What is worked on.
    pub stage: Stage,
    /// The parts of it: layers, or the ranking.
    pub parts: BTreeMap<String, PartStatus>,
    /// Presentations, or images, a second, of all processes together, as long as any worked.
    pub rate: Option<f64>,
    /// The time left at that rate.
    pub seconds_left: Option<f64>,
}

/// What is worked on in an output folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The ranking.
    Ranking,
    /// The maps.
    Maps,
    /// Nothing: all is there.
    Complete,
    /// Nothing: the ranking is there, and no maps.
    Ranked,
    /// Nothing, though not all is there.
    Stopped,
}

/// The blocks of a layer, or of the ranking.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PartStatus {
    /// All blocks.
    pub blocks: usize,
    /// Blocks that are finished.
    pub done: usize,
    /// Blocks that a process which may be alive has in hand.
    pub in_work: usize,
    /// Blocks that nobody computes.
    pub missing: usize,
    /// Damaged blocks: the name of each, and its damage.
    pub damaged: Vec<String>,
    /// Presentations, or images.
    pub amount: u64,
    /// Those of the blocks that are finished.
    pub amount_done: u64,
}

/// A finished block.
struct Done {
    amount: u64,
    seconds: f64,
    finished: SystemTime,
}

/// Looks at every block in an output folder, so that damaged ones show.
///
/// # Errors
/// A folder without results; files that cannot be read.
pub fn status(out: &Path, context: &Context<'_>) -> Result<Status, RunError> {
    let output = OutputFolder::find(out)?;
    context.pool.install(|| of_folder(&output))
}

/// Holds every finished file in an output folder against the manifest's SHA-256; returns what is
/// wrong with each that differs.
///
/// # Errors
/// A folder without results; the check is cancelled.
pub fn check_files(out: &Path, context: &Context<'_>) -> Result<Vec<FileError>, RunError> {
    let output = OutputFolder::find(out)?;
    let Some(manifest) = output.manifest()? else { return Ok(Vec::new()) };
    let total = manifest.layers.values().map(|layer| layer.files.len() as u64).sum();
    let (task, progress) = (Task { label: "check", counted: "files", total }, context.progress());
    let check = || -> Result<_, RunError> {
        let errors = manifest.check_files(&output.path().join(MAPS), |_| {
            progress.advance(1);
            !progress.is_cancelled()
        });
        context.check_cancelled()?;
        Ok(errors)
    };
    Ok(context.track(&task, &progress, check)?.0)
}

fn of_folder(output: &OutputFolder) -> Result<Status, RunError> {
    if let Some((folder, stored)) = BlockFolder::find(&output.blocks(MAPS))? {
        let stored: StoredSweep = stored;
        let mut all = Vec::new();
        let mut parts = BTreeMap::new();
        let merged = output.manifest()?;
        for layer in &stored.configuration.layers {
            let names: Vec<String> = layer.blocks().into_iter().map(|block| block.name).collect();
            let amount = |record: &BlockRecord| (record.presentations, record.seconds);
            let (part, done) = part(&folder, &names, layer.presentations, amount)?;
            let has_maps = |manifest| SweepMerge::has_maps(output, manifest, layer);
            let is_merged = merged.as_ref().is_some_and(has_maps);
            let part = if is_merged { part.completed() } else { part };
            all.extend(done);
            parts.insert(layer.layer.clone(), part);
        }
        return Ok(Status::new(Stage::Maps, parts, &all));
    }
    if let Some((folder, stored)) = BlockFolder::find(&output.blocks(RANKING))? {
        let StoredRanking { configuration, .. } = stored;
        let images = configuration.images.names.len() as u64;
        let amount = |record: &RankingRecord| (record.digests.len() as u64, record.seconds);
        let (part, done) = part(&folder, &configuration.names(), images, amount)?;
        return Ok(Status::new(Stage::Ranking, BTreeMap::from([(RANKING.into(), part)]), &done));
    }
    Ok(Status::new(without_blocks(output)?, BTreeMap::new(), &[]))
}

/// How far an output folder without blocks is.
///
/// # Errors
/// Files of finished layers that are not there.
pub(super) fn without_blocks(output: &OutputFolder) -> Result<Stage, RunError> {
    let maps = output.path().join(MAPS);
    let Some(manifest) = output.manifest()? else {
        let ranked = RankingManifest::is_there(&output.path().join(RANKING)) && !maps.exists();
        return Ok(if ranked { Stage::Ranked } else { Stage::Stopped });
    };
    for name in manifest.layers.values().flat_map(|layer| layer.files.keys()) {
        let path = maps.join(name);
        std::fs::metadata(&path).map_err(|source| FileError::Read { path, source })?;
    }
    Ok(if manifest.complete { Stage::Complete } else { Stage::Stopped })
}

/// Looks at every block of `names`, which are of `amount` in all.
fn part<R>(
    folder: &BlockFolder,
    names: &[String],
    amount: u64,
    of: impl Fn(&R) -> (u64, f64) + Sync,
) -> Result<(PartStatus, Vec<Done>), RunError>
where
    R: Serialize + DeserializeOwned + Send,
{
    enum Found {
        Done(Done),
        Damaged(String),
        InWork,
        Missing,
    }
    let states = folder.states()?;
    let look = |name: &String| -> Result<Found, RunError> {
        match states.get(name) {
            Some(BlockState::Leased) if folder.is_in_work(name)? => Ok(Found::InWork),
            None | Some(BlockState::Leased) => Ok(Found::Missing),
            Some(BlockState::Done) => {
                let path = folder.block(name);
                let metadata = std::fs::metadata(&path).map_err(FileError::read(&path))?;
                Ok(match folder.read::<R>(name)? {
                    Ok(block) => {
                        let (amount, seconds) = of(&block.record);
                        let finished = metadata.modified().map_err(FileError::read(&path))?;
                        Found::Done(Done { amount, seconds, finished })
                    }
                    Err(damage) => Found::Damaged(format!("{name} {damage}")),
                })
            }
        }
    };
    let found: Vec<Found> = names.par_iter().map(look).collect::<Result<_, _>>()?;
    let mut part = PartStatus { blocks: names.len(), amount, ..PartStatus::default() };
    let mut all = Vec::new();
    for block in found {
        match block {
            Found::Missing => part.missing += 1,
            Found::InWork => part.in_work += 1,
            Found::Damaged(what) => part.damaged.push(what),
            Found::Done(done) => {
                part.done += 1;
                part.amount_done += done.amount;
                all.push(done);
            }
        }
    }
    Ok((part, all))
}

impl PartStatus {
    /// The same, put together already.
    fn completed(self) -> Self {
        let Self { blocks, amount, .. } = self;
        Self { blocks, done: blocks, amount, amount_done: amount, ..Self::default() }
    }
}

impl Status {
    fn new(stage: Stage, parts: BTreeMap<String, PartStatus>, done: &[Done]) -> Self {
        // From the first block's beginning to the last one's end.
        let began = |done: &Done| {
            let took = Duration::try_from_secs_f64(done.seconds).unwrap_or_default();
            done.finished.checked_sub(took)
        };
        let first = done.iter().filter_map(began).min();
        let last = done.iter().map(|done| done.finished).max();
        let seconds = first.zip(last).and_then(|(first, last)| last.duration_since(first).ok());
        let amount: u64 = done.iter().map(|done| done.amount).sum();
        let rate = seconds
            .map(|seconds| amount as f64 / seconds.as_secs_f64())
            .filter(|rate| rate.is_finite() && *rate > 0.0);
        let left: u64 =
            parts.values().map(|part| part.amount.saturating_sub(part.amount_done)).sum();
        let seconds_left = rate.map(|rate| left as f64 / rate);
        Self { stage, parts, rate, seconds_left }
    }
}
