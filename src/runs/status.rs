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
    /// Remaining seconds, at each layer's own time per presentation; `None` while a layer has no finished
    /// block, or a size of several has not begun.
    pub seconds_left: Option<f64>,
    /// Whether a process that may be alive puts blocks together.
    pub merging: bool,
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
    /// Seconds that the finished blocks took, of all processes together.
    pub seconds: f64,
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
        let Found { stage, parts, done, merging, .. } = of_folder(&output)?;
        stages.push(stage);
        all.merging |= merging;
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
    /// Whether a process that may be alive puts blocks together.
    merging: bool,
}

impl Default for Found {
    fn default() -> Self {
        let (parts, done) = (BTreeMap::new(), Vec::new());
        Self { stage: Stage::Stopped, parts, done, unknown: false, merging: false }
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
        let merging = folder.is_merging()?;
        return Ok(Found { stage: Stage::Maps, parts, done: all, merging, ..Found::default() });
    }
    if let Some((folder, stored)) = BlockFolder::find(&output.blocks(RANKING))? {
        let StoredRanking { configuration, .. } = stored;
        let images = configuration.images.names.len() as u64;
        let amount = |record: &RankingRecord| (record.digests.len() as u64, record.seconds);
        let (part, done) = part(&folder, &configuration.names(), images, amount)?;
        let parts = BTreeMap::from([(RANKING.into(), part)]);
        let merging = folder.is_merging()?;
        return Ok(Found { stage: Stage::Ranking, parts, done, merging, ..Found::default() });
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
                part.seconds += done.seconds;
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

    /// Whether nothing is known of the time that the part takes: it has no finished block.
    pub const fn is_unknown(&self) -> bool {
        self.done == 0 && self.blocks > 0
    }

    /// Seconds that the rest takes one process; `None` where nothing is known of it.
    fn seconds_left(&self) -> Option<f64> {
        let left = self.amount.saturating_sub(self.amount_done);
        match self.amount_done {
            _ if left == 0 => Some(0.0),
            0 => None,
            done => Some(left as f64 * self.seconds / done as f64),
        }
    }
}

impl Status {
    fn new(Found { stage, parts, done, unknown, merging }: Found) -> Self {
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
        // Processes that worked at a time, on average.
        let busy: f64 = done.iter().map(|done| done.seconds).sum();
        let processes = seconds.map(|seconds| busy / seconds.as_secs_f64());
        let processes = processes.filter(|processes| processes.is_finite() && *processes > 0.0);
        let left = parts.values().map(PartStatus::seconds_left).sum::<Option<f64>>();
        let seconds_left = left.zip(processes).map(|(left, processes)| left / processes);
        let seconds_left = seconds_left.filter(|_| !unknown);
        Self { stage, parts, rate, seconds_left, merging }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two blocks of each layer, one after the other; those of `deep` take 300 times as long.
    fn found(deep_done: usize) -> Found {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let (mut found, mut end) = (Found::default(), 0.0);
        for (name, blocks, seconds) in [("shallow", 1, 2.0), ("deep", deep_done, 600.0)] {
            let mut part = PartStatus { blocks: 2, amount: 200, ..PartStatus::default() };
            for _ in 0..blocks {
                end += seconds;
                let finished = start + Duration::from_secs_f64(end);
                found.done.push(Done { amount: 100, seconds, finished });
                part.done += 1;
                part.amount_done += 100;
                part.seconds += seconds;
            }
            found.parts.insert(name.into(), part);
        }
        found
    }

    #[test]
    fn the_time_left_is_by_layer_and_unknown_while_one_has_no_finished_block() {
        let left = |deep_done| Status::new(found(deep_done)).seconds_left;
        assert_eq!(left(0), None);
        assert!(Status::new(found(0)).parts["deep"].is_unknown());
        // A block of each: 2 s and 600 s; at the common rate it would be 602 s too.
        assert!((left(1).unwrap() - 602.0).abs() < 1e-6, "{:?}", left(1));
        // One of the shallow layer: 2 s; at the common rate it would be 401 s.
        assert!((left(2).unwrap() - 2.0).abs() < 1e-6, "{:?}", left(2));
    }

    #[test]
    fn processes_that_work_at_a_time_share_what_is_left() {
        let mut both = found(1);
        let twice = found(1);
        for part in both.parts.values_mut() {
            (part.blocks, part.amount) = (3, 300);
            (part.done, part.amount_done, part.seconds) = (2, 200, 2.0 * part.seconds);
        }
        both.done.extend(twice.done);
        // The same 602 s for a block of each layer, by two processes.
        let left = Status::new(both).seconds_left.unwrap();
        assert!((left - 301.0).abs() < 1e-6, "{left}");
    }
}
