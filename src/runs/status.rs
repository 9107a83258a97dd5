//! Progress of the work in an output folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rayon::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::layout::{MAPS, RANKING};
use super::sized::sized_folders;
use super::sweep::SweepMerge;
use super::{Context, OutputFolder, RunError, Task};
use crate::blocks::{BlockFolder, BlockState};
use crate::files::FileError;
use crate::maps::{BlockRecord, StoredSweep};
use crate::ranking::{RankingManifest, RankingRecord, StoredRanking};

/// Progress of the work in an output folder.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// The stage.
    pub stage: Stage,
    /// The parts of the stage: layers, or the ranking.
    pub parts: BTreeMap<String, PartStatus>,
    /// Presentations or images per second, of all processes together, while any of them worked.
    pub rate: Option<f64>,
    /// Remaining seconds at that rate; `None` while a size of several has not begun.
    pub seconds_left: Option<f64>,
}

/// Stage of an output folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The ranking is in work.
    Ranking,
    /// The maps are in work.
    Maps,
    /// Everything is finished.
    Complete,
    /// The ranking is finished, and there are no maps.
    Ranked,
    /// Nothing is in work, and something is missing.
    Stopped,
}

/// The blocks of a layer, or of the ranking.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PartStatus {
    /// Number of blocks.
    pub blocks: usize,
    /// Finished blocks.
    pub done: usize,
    /// Blocks leased by a process that may be alive.
    pub in_work: usize,
    /// Blocks that no process computes.
    pub missing: usize,
    /// Damaged blocks: name and damage.
    pub damaged: Vec<String>,
    /// Presentations or images.
    pub amount: u64,
    /// Presentations or images in finished blocks.
    pub amount_done: u64,
}

/// A finished block.
struct Done {
    amount: u64,
    seconds: f64,
    finished: SystemTime,
}

/// Reads every block in an output folder, so damaged ones are found.
///
/// # Errors
/// A folder without results; files that cannot be read.
pub fn status(out: &Path, context: &Context<'_>) -> Result<Status, RunError> {
    let sizes = sized_folders(out)?;
    let output = OutputFolder::ours(out);
    context.pool.install(|| {
        let whole = match (&output, sizes.is_empty()) {
            (None, true) => of_folder(&OutputFolder::find(out)?)?,
            (None, false) => Found::default(),
            (Some(output), _) => of_folder(output)?,
        };
        if sizes.is_empty() || whole.stage == Stage::Ranking {
            return Ok(Status::new(whole));
        }
        Ok(Status::new(of_sizes(&sizes)?))
    })
}

/// The work in the folders of several sizes of occluders together.
fn of_sizes(sizes: &[PathBuf]) -> Result<Found, RunError> {
    let mut all = Found { stage: Stage::Complete, ..Found::default() };
    let mut stages = Vec::with_capacity(sizes.len());
    for size in sizes {
        let name = size.file_name().unwrap_or_default().to_string_lossy();
        let Some(output) = OutputFolder::ours(size) else {
            // Its turn comes; what it takes is not known yet.
            stages.push(Stage::Maps);
            all.unknown = true;
            let part = PartStatus { blocks: 1, missing: 1, ..PartStatus::default() };
            all.parts.insert(name.into_owned(), part);
            continue;
        };
        let Found { stage, parts, done, .. } = of_folder(&output)?;
        stages.push(stage);
        all.parts.extend(parts.into_iter().map(|(layer, part)| (format!("{name}/{layer}"), part)));
        all.done.extend(done);
    }
    let least = [Stage::Maps, Stage::Stopped].into_iter().find(|stage| stages.contains(stage));
    Ok(Found { stage: least.unwrap_or(Stage::Complete), ..all })
}

/// Compares every finished file in an output folder with the SHA-256 in the manifest; returns an
/// error per differing file.
///
/// # Errors
/// A folder without results; cancellation.
pub fn check_files(out: &Path, context: &Context<'_>) -> Result<Vec<FileError>, RunError> {
    let sizes = sized_folders(out)?;
    if sizes.is_empty() {
        return check_folder(out, context);
    }
    let mut errors = Vec::new();
    for size in sizes.iter().filter(|size| OutputFolder::is_ours(size)) {
        errors.extend(check_folder(size, context)?);
    }
    Ok(errors)
}

fn check_folder(out: &Path, context: &Context<'_>) -> Result<Vec<FileError>, RunError> {
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

/// Blocks and their stage.
struct Found {
    stage: Stage,
    parts: BTreeMap<String, PartStatus>,
    /// The finished blocks.
    done: Vec<Done>,
    /// Whether there is more to do than the parts tell.
    unknown: bool,
}

impl Default for Found {
    fn default() -> Self {
        Self { stage: Stage::Stopped, parts: BTreeMap::new(), done: Vec::new(), unknown: false }
    }
}

fn of_folder(output: &OutputFolder) -> Result<Found, RunError> {
    if let Some((folder, stored)) = BlockFolder::find(&output.blocks(MAPS))? {
        let stored: StoredSweep = stored;
        let mut all = Vec::new();
        let mut parts = BTreeMap::new();
        let merged = output.manifest()?;
        for layer in &stored.configuration.layers {
            let names: Vec<String> = layer.blocks().into_iter().map(|block| block.name).collect();
            // Spared presentations are done too.
            let amount =
                |record: &BlockRecord| (record.presentations + record.spared, record.seconds);
            let (part, done) = part(&folder, &names, layer.presentations, amount)?;
            let has_maps = |manifest| SweepMerge::has_maps(output, manifest, layer);
            let is_merged = merged.as_ref().is_some_and(has_maps);
            let part = if is_merged { part.completed() } else { part };
            all.extend(done);
            parts.insert(layer.layer.clone(), part);
        }
        return Ok(Found { stage: Stage::Maps, parts, done: all, ..Found::default() });
    }
    if let Some((folder, stored)) = BlockFolder::find(&output.blocks(RANKING))? {
        let StoredRanking { configuration, .. } = stored;
        let images = configuration.images.names.len() as u64;
        let amount = |record: &RankingRecord| (record.digests.len() as u64, record.seconds);
        let (part, done) = part(&folder, &configuration.names(), images, amount)?;
        let parts = BTreeMap::from([(RANKING.into(), part)]);
        return Ok(Found { stage: Stage::Ranking, parts, done, ..Found::default() });
    }
    Ok(Found { stage: without_blocks(output)?, ..Found::default() })
}

/// Stage of an output folder without blocks.
///
/// # Errors
/// Missing files of finished layers.
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

/// Looks at every block of `names`, which have `amount` presentations or images together.
fn part<R>(
    folder: &BlockFolder,
    names: &[String],
    amount: u64,
    of: impl Fn(&R) -> (u64, f64) + Sync,
) -> Result<(PartStatus, Vec<Done>), RunError>
where
    R: Serialize + DeserializeOwned + Send,
{
    enum Outcome {
        Done(Done),
        Damaged(String),
        InWork,
        Missing,
    }
    let states = folder.states()?;
    let look = |name: &String| -> Result<Outcome, RunError> {
        match states.get(name) {
            Some(BlockState::Leased) if folder.is_in_work(name)? => Ok(Outcome::InWork),
            None | Some(BlockState::Leased) => Ok(Outcome::Missing),
            Some(BlockState::Done) => {
                let path = folder.block(name);
                let metadata = std::fs::metadata(&path).map_err(FileError::read(&path))?;
                Ok(match folder.read::<R>(name)? {
                    Ok(block) => {
                        let (amount, seconds) = of(&block.record);
                        let finished = metadata.modified().map_err(FileError::read(&path))?;
                        Outcome::Done(Done { amount, seconds, finished })
                    }
                    Err(damage) => Outcome::Damaged(format!("{name} {damage}")),
                })
            }
        }
    };
    let found: Vec<Outcome> = names.par_iter().map(look).collect::<Result<_, _>>()?;
    let mut part = PartStatus { blocks: names.len(), amount, ..PartStatus::default() };
    let mut all = Vec::new();
    for block in found {
        match block {
            Outcome::Missing => part.missing += 1,
            Outcome::InWork => part.in_work += 1,
            Outcome::Damaged(what) => part.damaged.push(what),
            Outcome::Done(done) => {
                part.done += 1;
                part.amount_done += done.amount;
                all.push(done);
            }
        }
    }
    Ok((part, all))
}

impl PartStatus {
    /// The same part, merged.
    fn completed(self) -> Self {
        let Self { blocks, amount, .. } = self;
        Self { blocks, done: blocks, amount, amount_done: amount, ..Self::default() }
    }
}

impl Status {
    fn new(Found { stage, parts, done, unknown }: Found) -> Self {
        // From the start of the first block to the end of the last.
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
        let seconds_left = rate.filter(|_| !unknown).map(|rate| left as f64 / rate);
        Self { stage, parts, rate, seconds_left }
    }
}
