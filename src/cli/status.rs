//! `occlumap status`: how far the work in an output folder is.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Args;
use indicatif::{HumanCount, HumanDuration};
use rayon::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::console;
use super::failure::Failure;
use super::output::OutputFolder;
use super::ranking::{RANKING, RankingConfiguration, RankingRecord};
use super::sweep::MAPS;
use super::table::table;
use crate::blocks::{BlockFolder, BlockState, Stored};
use crate::files::FileError;
use crate::maps::{BlockRecord, Manifest, StoredSweep};
use crate::ranking::Provenance;

/// Tell how far the work in an output folder is
///
/// Reads every block, so that damaged ones show: done, in work, missing, damaged, the rate of all
/// processes together, and the time left at that rate. A block is in work as long as its claim is
/// there: that of a process that was killed stays until another takes it over.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  occlumap status out/
  occlumap status out/ --json")]
pub(super) struct Status {
    /// The output folder
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// What is told.
#[derive(Debug, Serialize)]
struct Report {
    /// `complete`, `maps` while these are computed, or `ranking` before.
    stage: &'static str,
    /// Of each layer, or of the ranking.
    parts: BTreeMap<String, Part>,
    /// Presentations, or images, a second, of all processes together, as long as any worked.
    rate: Option<f64>,
    /// At that rate.
    seconds_left: Option<f64>,
}

/// Blocks of a layer, or of the ranking.
#[derive(Debug, Default, Serialize)]
struct Part {
    blocks: usize,
    done: usize,
    in_work: usize,
    missing: usize,
    damaged: Vec<String>,
    /// Presentations, or images.
    amount: u64,
    amount_done: u64,
}

/// A block that is done.
struct Done {
    amount: u64,
    seconds: f64,
    finished: SystemTime,
}

impl Status {
    pub fn execute(self) -> Result<(), Failure> {
        let output = OutputFolder::find(&self.out)?;
        let report = report(&output)?;
        let text = if self.json {
            serde_json::to_string_pretty(&report)? + "\n"
        } else {
            in_words(&report, &output)
        };
        console::print(text.as_bytes())
    }
}

fn report(output: &OutputFolder) -> Result<Report, Failure> {
    if let Some((folder, stored)) = BlockFolder::find(&output.blocks(MAPS))? {
        let stored: StoredSweep = stored;
        let mut all = Vec::new();
        let mut parts = BTreeMap::new();
        let merged = Manifest::read(output.path())?
            .filter(|manifest| manifest.configuration_sha256 == *folder.digest());
        for layer in &stored.configuration.layers {
            let names: Vec<String> = layer.blocks().into_iter().map(|block| block.name).collect();
            let amount = |record: &BlockRecord| (record.presentations, record.seconds);
            let (part, done) = part(&folder, &names, layer.presentations, amount)?;
            let is_merged =
                merged.as_ref().is_some_and(|manifest| manifest.layers.contains_key(&layer.layer));
            let part = if is_merged { part.completed() } else { part };
            all.extend(done);
            parts.insert(layer.layer.clone(), part);
        }
        return Ok(Report::new("maps", parts, &all));
    }
    if let Some((folder, stored)) = BlockFolder::find(&output.blocks(RANKING))? {
        let stored: Stored<RankingConfiguration, ()> = stored;
        let names: Vec<String> =
            stored.configuration.blocks().into_iter().map(|(name, _)| name).collect();
        let images = stored.configuration.provenance.images.len() as u64;
        let amount = |record: &RankingRecord| (record.digests.len() as u64, record.seconds);
        let (part, done) = part(&folder, &names, images, amount)?;
        return Ok(Report::new("ranking", BTreeMap::from([(RANKING.into(), part)]), &done));
    }
    let complete = match Manifest::read(output.path())? {
        Some(manifest) => manifest.complete,
        None => Provenance::is_there(&output.path().join(RANKING)),
    };
    let stage = if complete { "complete" } else { "stopped" };
    Ok(Report::new(stage, BTreeMap::new(), &[]))
}

/// Looks at every block of `names`, which are of `amount` in all.
fn part<R>(
    folder: &BlockFolder,
    names: &[String],
    amount: u64,
    of: impl Fn(&R) -> (u64, f64) + Sync,
) -> Result<(Part, Vec<Done>), Failure>
where
    R: Serialize + DeserializeOwned + Send,
{
    enum Look {
        Done(Done),
        Damaged(String),
        InWork,
        Missing,
    }
    let states = folder.states()?;
    let look = |name: &String| -> Result<Look, Failure> {
        match states.get(name) {
            None => Ok(Look::Missing),
            Some(BlockState::Claimed) => Ok(Look::InWork),
            Some(BlockState::Done) => {
                let path = folder.block(name);
                let metadata = std::fs::metadata(&path).map_err(FileError::read(&path))?;
                Ok(match folder.read::<R>(name)? {
                    Ok(block) => {
                        let (amount, seconds) = of(&block.record);
                        let finished = metadata.modified().map_err(FileError::read(&path))?;
                        Look::Done(Done { amount, seconds, finished })
                    }
                    Err(damage) => Look::Damaged(format!("{name} {damage}")),
                })
            }
        }
    };
    let looks: Vec<Look> = names.par_iter().map(look).collect::<Result<_, _>>()?;
    let mut part = Part { blocks: names.len(), amount, ..Part::default() };
    let mut all = Vec::new();
    for look in looks {
        match look {
            Look::Missing => part.missing += 1,
            Look::InWork => part.in_work += 1,
            Look::Damaged(what) => part.damaged.push(what),
            Look::Done(done) => {
                part.done += 1;
                part.amount_done += done.amount;
                all.push(done);
            }
        }
    }
    Ok((part, all))
}

impl Part {
    /// The same, put together already.
    fn completed(self) -> Self {
        let Self { blocks, amount, .. } = self;
        Self { blocks, done: blocks, amount, amount_done: amount, ..Self::default() }
    }
}

impl Report {
    fn new(stage: &'static str, parts: BTreeMap<String, Part>, done: &[Done]) -> Self {
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

fn in_words(report: &Report, output: &OutputFolder) -> String {
    let out = output.path().display();
    match report.stage {
        "complete" => return format!("{out}: complete\n"),
        "stopped" => return format!("{out}: not complete; nothing is kept of what is missing\n"),
        _ => {}
    }
    let (what, counted) = match report.stage {
        "ranking" => ("", "images"),
        _ => ("layer", "presentations"),
    };
    let mut rows =
        vec![[what, "blocks", "done", "in work", "missing", "damaged", counted].map(String::from)];
    for (name, part) in &report.parts {
        rows.push([
            name.clone(),
            part.blocks.to_string(),
            part.done.to_string(),
            part.in_work.to_string(),
            part.missing.to_string(),
            part.damaged.len().to_string(),
            format!("{} of {}", HumanCount(part.amount_done), HumanCount(part.amount)),
        ]);
    }
    let mut text = table(&rows, 1);
    // Writing to a string cannot fail.
    for damaged in report.parts.values().flat_map(|part| &part.damaged) {
        let _ = writeln!(text, "damaged: {damaged}; it will be computed again");
    }
    if let (Some(rate), Some(left)) = (report.rate, report.seconds_left) {
        let left = Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX);
        let _ = writeln!(text, "{rate:.0} {counted} a second; {} left", HumanDuration(left));
    }
    if report.parts.values().all(|part| part.done == part.blocks) {
        let _ = writeln!(text, "all blocks are there; `occlumap merge {out}` puts them together");
    }
    text
}
