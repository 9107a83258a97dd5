//! `occlumap rank`: which images drive each unit most and least.

use std::path::{Path, PathBuf};

use clap::Args;

use super::arguments::{
    ImageArguments, LayerArguments, ModelArguments, RunningArguments, at_least_one,
};
use super::failure::Failure;
use super::inputs::{Inputs, network_and_layers};
use super::output::OutputFolder;
use super::progress::{Progress, Task};
use super::{STOP, threads};
use crate::engine::{Engine, Prepared, ReferenceEngine, Watch};
use crate::ranking::{LayerFiles, LayerRanking, Provenance};
use crate::sweep;

/// Rank the images for every unit of the layers
///
/// Writes OUT/ranking/conv1.npy, … (int64 [units, N, 4]: image and position of the largest, image
/// and position of the smallest response, best first), the responses beside them, and
/// ranking.json.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  occlumap rank --model alexnet --weights alexnet.safetensors --images photos/ --top 50 --out out/")]
pub(super) struct Rank {
    #[command(flatten)]
    model: ModelArguments,
    #[command(flatten)]
    images: ImageArguments,
    #[command(flatten)]
    layers: LayerArguments,
    /// Images a unit, from either end
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = at_least_one)]
    top: usize,
    /// Folder for the results
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace files of the same names
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    running: RunningArguments,
}

/// The folder, inside the output folder, that rankings are written to.
pub(super) const RANKING: &str = "ranking";

impl Rank {
    pub fn execute(self) -> Result<(), Failure> {
        let progress = Progress::new(self.running.quiet);
        let (network, layers) = network_and_layers(&self.model, &self.layers)?;
        let output = OutputFolder::check(&self.out, self.force, &[])?;
        let inputs = Inputs::load(network, layers, &self.model, &self.images, progress)?;
        inputs.check_top(self.top)?;
        let engine =
            ReferenceEngine.prepare(&inputs.model, &inputs.layers, inputs.images.size())?;
        let threads = threads::start(self.running.threads)?;
        let (rankings, _) = rank(&inputs, &*engine, self.top, threads, progress)?;
        let folder = output.create(RANKING)?;
        write(&inputs, &rankings, self.top, &folder)?;
        progress.say(format!("wrote {}", folder.display()));
        Ok(())
    }
}

/// Ranks all images; also returns the seconds that it took.
pub(super) fn rank(
    inputs: &Inputs,
    engine: &dyn Prepared,
    top: usize,
    threads: usize,
    progress: Progress,
) -> Result<(Vec<LayerRanking>, f64), Failure> {
    let watch = Watch::new(&STOP);
    let total = inputs.images.len() as u64;
    let task = Task { label: "ranking", counted: "images", total };
    let tracked = progress.track(&task, &watch, || {
        sweep::rank(engine, &inputs.units(), &inputs.images, top, threads, &watch)
    });
    Ok(tracked?)
}

/// Writes the rankings of all layers, and what they were made from.
pub(super) fn write(
    inputs: &Inputs,
    rankings: &[LayerRanking],
    top: usize,
    folder: &Path,
) -> Result<(), Failure> {
    // The description comes last: what it vouches for is then there, and nothing older.
    Provenance::remove(folder)?;
    for (&layer, ranking) in inputs.layers.iter().zip(rankings) {
        LayerFiles::new(folder, &inputs.network().short_name(layer)).write(ranking)?;
    }
    Ok(inputs.provenance(top).write(folder)?)
}
