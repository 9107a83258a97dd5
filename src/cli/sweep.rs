//! `occlumap sweep`: the maps of every unit, from a ranking.

use std::path::PathBuf;

use bytesize::ByteSize;
use clap::Args;
use occlumap::geometry::{Deposit, FrameRule};
use occlumap::maps::MeanOver;
use occlumap::runs::{self, OcclusionSettings, OutputSettings, SweepSettings};
use occlumap::sweep::UnitSelection;

use super::arguments::{
    ImageArguments, LayerArguments, ModelArguments, OccluderArguments, RunningArguments,
    ShardArguments, at_least_one, repeats,
};
use super::compute::ComputeArguments;
use super::failure::Failure;
use super::terminal::Session;

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
    /// The --out of `rank`, or a folder of conv1.npy, … as the reference wrote it
    #[arg(long, value_name = "DIR")]
    ranking: PathBuf,
    /// Images a unit, from either end [default: all that are ranked]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    top: Option<usize>,
    #[command(flatten)]
    common: SweepArguments,
}

impl Sweep {
    pub fn execute(self) -> Result<(), Failure> {
        let session = Session::start(&self.common.running)?;
        let settings = self.common.settings()?;
        Ok(runs::sweep(&settings, &self.ranking, self.top, &session.context())?)
    }
}

/// What `sweep`, `run` and `plan` share.
#[derive(Debug, Args)]
pub(super) struct SweepArguments {
    #[command(flatten)]
    pub model: ModelArguments,
    #[command(flatten)]
    pub images: ImageArguments,
    #[command(flatten)]
    pub layers: LayerArguments,
    /// Units of each layer, such as 0-15,40 [default: all]
    #[arg(long, value_name = "UNITS")]
    pub units: Option<UnitSelection>,
    /// Folder for the results
    #[arg(long, value_name = "DIR", required = true)]
    pub out: Option<PathBuf>,
    /// Start anew, and replace files of the same names, each as a whole; maps of layers that this
    /// run does not sweep stay, and the new manifest does not list them
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub occluders: OccluderArguments,
    /// Where an occluder's effect is added to the map
    #[arg(long, value_enum, default_value_t, help_heading = "Occluders")]
    pub deposit: Deposit,
    /// Which pixel of the image is the map's first
    #[arg(long, value_enum, default_value_t, help_heading = "Occluders")]
    pub frame: FrameRule,
    /// Seed of the noise
    #[arg(long, value_name = "S", default_value_t = 0, help_heading = "Occluders")]
    pub seed: u64,
    #[command(flatten)]
    pub statistics: StatisticsArguments,
    /// Maps computed together: more share more work, and need more memory; the result does not
    /// depend on it [default: 256; by the incremental method on a GPU 4096]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Running")]
    pub batch: Option<usize>,
    /// Memory to use at most, such as 500MiB or 4GiB; the result does not depend on it [default:
    /// 2 GiB, or what the threads need where the machine has it]
    #[arg(long, value_name = "SIZE", value_parser = size, help_heading = "Running")]
    pub memory: Option<ByteSize>,
    /// Present K random presentations of each layer again, each image whole and in 64-bit
    /// arithmetic, and fail if a difference is not the same up to the rounding of --precision
    #[arg(long, value_name = "K", default_value_t = 0, help_heading = "Running")]
    pub verify: u64,
    /// Units computed together and kept in one file until all are done: few lose less when a
    /// process is killed, many cost less [default: about two million presentations]
    #[arg(long, value_name = "UNITS", value_parser = at_least_one, help_heading = "Running")]
    pub block: Option<usize>,
    #[command(flatten)]
    pub shard: ShardArguments,
    #[command(flatten)]
    pub compute: ComputeArguments,
    #[command(flatten)]
    pub running: RunningArguments,
}

/// How sure maps are, and what else is summed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Statistics")]
pub(super) struct StatisticsArguments {
    /// Present each occluder R times, each time with other noise, and take the mean: R times the
    /// work for less noise in the maps; asks for --statistics
    #[arg(long, value_name = "R", default_value_t = 1, value_parser = repeats)]
    pub repeats: usize,
    /// Also write, pixel by pixel, the standard error of the mean over images (conv1_max_sem.npy)
    /// and the number of images whose receptive field covers the pixel (conv1_max_counts.npy)
    #[arg(long)]
    pub statistics: bool,
    /// Also write the means of the signed and of the squared differences (conv1_max_signed.npy,
    /// conv1_max_squared.npy)
    #[arg(long)]
    pub moments: bool,
    /// Also write the split-half reliability of each map's first 2, 4, 8, … images
    /// (conv1_max_reliability_curve.npy): how many images are enough
    #[arg(long)]
    pub reliability_curve: bool,
    /// Over which images the mean of a pixel is taken
    #[arg(long, value_enum, default_value_t)]
    pub mean_over: MeanOver,
}

impl SweepArguments {
    /// The settings of these arguments.
    pub fn settings(self) -> Result<SweepSettings, Failure> {
        let share = self.shard.share()?;
        let StatisticsArguments { repeats, statistics, moments, reliability_curve, mean_over } =
            self.statistics;
        Ok(SweepSettings {
            input: self.model.input(self.images, self.layers.layers)?,
            units: self.units.unwrap_or_default(),
            output: OutputSettings {
                folder: self.out.unwrap_or_default(),
                force: self.force,
                share,
            },
            occlusion: OcclusionSettings {
                grid: self.occluders.rule(),
                every: self.occluders.every,
                deposit: self.deposit,
                frame: self.frame,
                seed: self.seed,
                repeats,
                mean_over,
                statistics,
                moments,
                reliability_curve,
            },
            batch: self.batch,
            memory: self.memory.map(|memory| memory.as_u64()),
            // Both together are a contradiction where one does not hold the other.
            fewer_threads: self.running.threads.is_none() || self.memory.is_none(),
            verify: self.verify,
            block: self.block,
            compute: self.compute.settings(),
        })
    }
}

fn size(text: &str) -> Result<ByteSize, String> {
    text.parse().map_err(|_| "expected a size such as 500MiB or 4GiB".into())
}
