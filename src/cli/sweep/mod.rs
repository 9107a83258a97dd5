//! `occlumap sweep`: the maps of every unit, from a ranking.

mod arguments;
mod blocks;
mod check;
mod configuration;
mod job;
mod merge;
mod settings;
mod statistics;
mod work;

use std::path::{Path, PathBuf};

use clap::Args;

use super::arguments::at_least_one;
use super::failure::{Failure, OrUsage};
use super::ranking::{RANKING, Ranking};
use crate::files::FileError;
use crate::ranking::{Provenance, RankingError, digests};

pub(super) use self::arguments::SweepArguments;
pub(super) use self::merge::{Sweep as MergedSweep, SweepMerged};
pub(super) use self::settings::Settings;
pub(super) use self::statistics::repeats;
pub(super) use self::work::Work;

/// Sweep the units over their ranked images
///
/// Writes OUT/maps/conv1_max.npy and conv1_min.npy, … (float64 [units, RF, RF]: mean discrepancy
/// maps over the top and the bottom images; units that were not asked for are NaN), and
/// OUT/manifest.json. A sweep that was stopped, or killed, goes on where it was when it is given
/// again.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  occlumap sweep --ranking out/ranking --model alexnet --weights alexnet.safetensors \\
      --images photos/ --layers conv3 --units 0-15,40 --out out/")]
pub(super) struct Sweep {
    /// Folder of conv1.npy, …, as `rank` or the reference wrote it
    #[arg(long, value_name = "DIR")]
    ranking: PathBuf,
    /// Images a unit, from either end [default: all that are ranked]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    top: Option<usize>,
    #[command(flatten)]
    common: SweepArguments,
}

/// The folder, inside the output folder, that maps are written to; and, inside that of blocks, that
/// of their blocks.
pub(super) const MAPS: &str = "maps";

impl Sweep {
    pub fn execute(self) -> Result<(), Failure> {
        let work = Work::open(self.common, &[RANKING])?;
        let (ranking, top) = read_ranking(&work, &self.ranking, self.top)?;
        work.sweep(&ranking, top)
    }
}

/// Reads the rankings of all layers and checks that they were made for these inputs; returns
/// them and the number of images a unit.
fn read_ranking(
    work: &Work,
    folder: &Path,
    asked: Option<usize>,
) -> Result<(Ranking, usize), Failure> {
    if !folder.is_dir() {
        return Err(FileError::content(
            folder,
            "there is no such folder; expected that of conv1.npy, …, which `rank` writes as \
             OUT/ranking",
        )
        .into());
    }
    let inputs = &work.inputs;
    if let Some(provenance) = Provenance::read(folder)? {
        provenance.check(folder, &inputs.provenance(0, &provenance.engine))?;
    }
    let layers = inputs.read_ranking(folder)?;
    let there = layers.iter().map(|ranking| ranking[0].top.len()).min().unwrap_or(0);
    let top = match asked {
        Some(asked) if asked > there => {
            return Err(RankingError::TooFew { asked, there }).or_usage();
        }
        asked => asked.unwrap_or(there),
    };
    let known = digests::read(folder, inputs.images.names())?;
    let digests_were_read = known.is_none();
    let digests = known.map_or_else(|| work.digests(), Ok)?;
    Ok((Ranking { layers, digests, digests_were_read, seconds: None }, top))
}
