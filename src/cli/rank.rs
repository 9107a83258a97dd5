//! `occlumap rank`: the images that drive each unit most and least.

use std::path::PathBuf;

use clap::Args;
use occlumap::runs::{self, OutputSettings, RankSettings};

use super::arguments::{
    ImageArguments, LayerArguments, ModelArguments, RunningArguments, ShardArguments, at_least_one,
};
use super::compute::DeviceArguments;
use super::failure::Failure;
use super::terminal::Session;

/// Rank the images for every unit of the layers
///
/// Writes OUT/ranking/conv1.npy, … (int64 [units, N, 4]: image and position of the largest, image
/// and position of the smallest response, best first), the responses beside them, and ranking.json.
/// A ranking that was stopped or killed continues when the same command is given again.
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
    /// Images per unit, from either end
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = at_least_one)]
    top: usize,
    /// Folder of the results
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Start anew and replace existing files
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
        let session = Session::start(&self.running)?;
        let settings = RankSettings {
            input: self.model.input(self.images, self.layers)?,
            top: self.top,
            output: OutputSettings {
                folder: self.out,
                force: self.force,
                share: self.shard.share()?,
            },
            device: self.device.device,
        };
        runs::rank(&settings, &session.context())?;
        Ok(())
    }
}
