//! `occlumap merge`: blocks become results.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::failure::{Failure, OrUsage};
use super::output::{BLOCKS, OutputFolder};
use super::progress::Progress;
use super::ranking::{RANKING, RankingConfiguration, RankingMerged, merge_ranking};
use super::share::Pauses;
use super::sweep::{MAPS, MergedSweep, SweepMerged};
use crate::blocks::{BlockError, BlockFolder, Damage, Stored};
use crate::maps::{Manifest, StoredSweep};

/// Put together what shards have computed
///
/// Checks that every block is there and whole, writes the ranking, or the maps and manifest.json,
/// and removes the blocks. Otherwise it lists what is missing and exits with 1. One block is held
/// at a time, whatever the number of units.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  occlumap merge out/
  occlumap merge out/ --from other-machine/out/")]
pub(super) struct Merge {
    /// The output folder of the shards
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// Output folders of further shards, of the same configuration: their blocks are read, and stay
    #[arg(long, value_name = "DIR")]
    from: Vec<PathBuf>,
    /// Say nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

/// Missing blocks that are listed; the rest is counted.
const LISTED: usize = 20;

impl Merge {
    pub fn execute(self) -> Result<(), Failure> {
        let progress = Progress::new(self.quiet);
        let output = OutputFolder::find(&self.out)?;
        let from: Vec<OutputFolder> =
            self.from.iter().map(|path| OutputFolder::find(path)).collect::<Result<_, _>>()?;
        let ranked = merge_rankings(&output, &from, progress)?;
        let swept = merge_maps(&output, &from, progress)?;
        if !ranked && !swept {
            let complete = Manifest::read(output.path())?.is_none_or(|there| there.complete);
            if !complete {
                return Err(Failure::Failed(anyhow!(
                    "{}: its maps are not complete, and there are no blocks; run again",
                    output.path().display()
                )));
            }
            BlockFolder::remove_leftovers(&output.path().join(BLOCKS));
            progress.say(format!("{}: is complete already", output.path().display()));
        }
        Ok(())
    }
}

/// Puts the ranking's blocks together, where there are some.
fn merge_rankings(
    output: &OutputFolder,
    from: &[OutputFolder],
    progress: Progress,
) -> Result<bool, Failure> {
    type Kept = Stored<RankingConfiguration, ()>;
    let Some((own, stored)) = BlockFolder::find(&output.blocks(RANKING))? else {
        return Ok(false);
    };
    let stored: Kept = stored;
    let more = find_all(from, RANKING, &own, &stored)?;
    let sources: Vec<&BlockFolder> = std::iter::once(&own).chain(&more).collect();
    match merge_ranking(output, &sources, &stored.configuration, false)? {
        RankingMerged::Done(_) => {
            progress.say(format!("wrote {}", output.path().join(RANKING).display()));
            Ok(true)
        }
        RankingMerged::Taken => Err(in_hand(output)),
        RankingMerged::Incomplete { missing, damaged } => Err(incomplete(&own, &missing, &damaged)),
    }
}

/// Puts the maps' blocks together, where there are some.
fn merge_maps(
    output: &OutputFolder,
    from: &[OutputFolder],
    progress: Progress,
) -> Result<bool, Failure> {
    let Some((folder, stored)) = BlockFolder::find(&output.blocks(MAPS))? else {
        return Ok(false);
    };
    let stored: StoredSweep = stored;
    let more = find_all(from, MAPS, &folder, &stored)?;
    let sweep = MergedSweep::new(output, &folder, &more, &stored);
    let all: Vec<usize> = (0..stored.configuration.layers.len()).collect();
    let mut pauses = Pauses::new();
    loop {
        match sweep.layers(&all, progress)? {
            SweepMerged::Complete => break,
            SweepMerged::Taken => pauses.wait()?,
            SweepMerged::Incomplete { missing, damaged } => {
                return Err(incomplete(&folder, &missing, &damaged));
            }
        }
    }
    progress.say(format!("wrote {}", output.path().join(MAPS).display()));
    Ok(true)
}

/// The blocks of further folders, which must be of the same configuration.
fn find_all<C, A>(
    from: &[OutputFolder],
    kind: &str,
    own: &BlockFolder,
    stored: &Stored<C, A>,
) -> Result<Vec<BlockFolder>, Failure>
where
    C: Serialize + DeserializeOwned,
    A: Serialize + DeserializeOwned,
{
    let mut found = Vec::with_capacity(from.len());
    for output in from {
        let path = output.blocks(kind);
        let Some((folder, other)) = BlockFolder::find::<C, A>(&path)? else { continue };
        if folder.digest() != own.digest() {
            let (there, here) = (&other.configuration, &stored.configuration);
            if let Some(error) = BlockError::between(&path, there, here) {
                return Err(error).or_usage();
            }
        }
        found.push(folder);
    }
    Ok(found)
}

fn in_hand(output: &OutputFolder) -> Failure {
    let out = output.path().display();
    Failure::Failed(anyhow!("{out}: another process is putting its blocks together"))
}

/// Lists what is missing.
fn incomplete(folder: &BlockFolder, missing: &[String], damaged: &[(String, Damage)]) -> Failure {
    let lines = missing.iter().map(|name| format!("  {name}: is missing"));
    let damaged_lines = damaged.iter().map(|(name, damage)| format!("  {name}: {damage}"));
    let all: Vec<String> = damaged_lines.chain(lines).collect();
    let more = match all.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!("\n  and {more} more"),
    };
    Failure::Failed(anyhow!(
        "{}: {} blocks are missing or damaged:\n{}{more}\ngive the shards' command again: it \
         computes what is missing",
        Path::display(folder.path()),
        all.len(),
        all[..all.len().min(LISTED)].join("\n"),
    ))
}
