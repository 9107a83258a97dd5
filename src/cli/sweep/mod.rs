//! `occlumap sweep`: the maps of every unit, from a ranking.

mod arguments;
mod layers;
mod settings;
mod work;

use std::path::{Path, PathBuf};

use clap::Args;

use super::arguments::at_least_one;
use super::failure::{Failure, OrUsage};
use super::inputs::Inputs;
use super::rank::RANKING;
use crate::files::FileError;
use crate::ranking::{Expected, LayerFiles, LayerRanking, Provenance, RankingError};

pub(super) use self::arguments::SweepArguments;
pub(super) use self::settings::Settings;
pub(super) use self::work::Work;

/// Sweep the units over their ranked images
///
/// Writes OUT/maps/conv1_max.npy and conv1_min.npy, … (float64 [units, RF, RF]: mean discrepancy
/// maps over the top and the bottom images; units that were not asked for are NaN), and
/// OUT/manifest.json.
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

/// The folder, inside the output folder, that maps are written to.
pub(super) const MAPS: &str = "maps";

impl Sweep {
    pub fn execute(self) -> Result<(), Failure> {
        let work = Work::open(self.common, &[RANKING])?;
        let inputs = &work.inputs;
        let (rankings, top) = read_ranking(inputs, &self.ranking, self.top)?;
        let engine = work.engine()?;
        let prepared = engine.prepare(&inputs.model, &inputs.layers, inputs.images.size())?;
        work.sweep(&*prepared, &rankings, work.manifest(top, engine.name()))
    }
}

/// Reads the rankings of all layers and checks that they were made for these inputs; returns
/// them and the number of images a unit.
fn read_ranking(
    inputs: &Inputs,
    folder: &Path,
    asked: Option<usize>,
) -> Result<(Vec<LayerRanking>, usize), Failure> {
    if !folder.is_dir() {
        return Err(FileError::content(
            folder,
            "there is no such folder; expected that of conv1.npy, …, which `rank` writes as \
             OUT/ranking",
        )
        .into());
    }
    if let Some(provenance) = Provenance::read(folder)? {
        provenance.check(folder, &inputs.provenance(0))?;
    }
    let network = inputs.network();
    let mut rankings = Vec::with_capacity(inputs.layers.len());
    for &layer in &inputs.layers {
        let sizes = network.sizes(inputs.images.size(), layer)?;
        let expected = Expected {
            units: network.channels(layer),
            positions: sizes[layer.0].area(),
            images: inputs.images.len(),
        };
        rankings.push(LayerFiles::new(folder, &network.short_name(layer)).read(expected)?);
    }
    let there = rankings.iter().map(|ranking| ranking[0].top.len()).min().unwrap_or(0);
    match asked {
        Some(asked) if asked > there => Err(RankingError::TooFew { asked, there }).or_usage(),
        _ => Ok((rankings, asked.unwrap_or(there))),
    }
}
