//! `occlumap rank`: which images drive each unit most and least.

use std::path::PathBuf;

use clap::Args;

use super::arguments::{
    ImageArguments, LayerArguments, ModelArguments, RunningArguments, at_least_one,
};
use super::device::DeviceArguments;
use super::failure::Failure;
use super::inputs::{Inputs, network_and_layers};
use super::output::OutputFolder;
use super::progress::Progress;
use super::ranking::{RANKING, RankingJob};
use super::share::ShardArguments;
use super::threads;

/// Rank the images for every unit of the layers
///
/// Writes OUT/ranking/conv1.npy, … (int64 [units, N, 4]: image and position of the largest, image
/// and position of the smallest response, best first), the responses beside them, and
/// ranking.json. A ranking that was stopped goes on where it was.
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
    /// Start anew, and replace files of the same names
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    shard: ShardArguments,
    #[command(flatten)]
    device: DeviceArguments,
    #[command(flatten)]
    running: RunningArguments,
}

impl Rank {
    pub fn execute(self) -> Result<(), Failure> {
        let progress = Progress::new(self.running.quiet);
        let share = self.shard.share(self.force)?;
        let (network, layers) = network_and_layers(&self.model, &self.layers)?;
        let output = OutputFolder::check_or_resume(&self.out, self.force, &[])?;
        let engines = self.device.open(progress)?.rankers(progress)?;
        let inputs = Inputs::load(network, layers, &self.model, &self.images, progress)?;
        inputs.check_top(self.top)?;
        let threads = threads::start(self.running.threads)?;
        let (inputs, engines, output) = (&inputs, &engines, &output);
        let job = RankingJob { inputs, engines, top: self.top, threads, progress, output };
        match job.complete(&share, self.force)? {
            Some(_) => progress.say(format!("wrote {}", output.path().join(RANKING).display())),
            None => progress.say(share.note(output)),
        }
        Ok(())
    }
}
