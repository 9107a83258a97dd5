//! `occlumap sweep`: the maps of every unit, from a ranking.

use std::path::PathBuf;

use bytesize::ByteSize;
use clap::Args;
use occlumap::analysis::is_fraction;
use occlumap::geometry::{Deposit, FrameRule};
use occlumap::maps::MeanOver;
use occlumap::network::MapContext;
use occlumap::noise::FillRule;
use occlumap::runs::{self, InputSettings, OcclusionSettings, OutputSettings, SweepSettings};
use occlumap::sweep::UnitSelection;

use super::arguments::{
    ImageArguments, LayerArguments, ModelArguments, OccluderArguments, RunningArguments,
    ShardArguments, at_least_one, repeats, size,
};
use super::compute::ComputeArguments;
use super::failure::Failure;
use super::terminal::Session;

/// Sweep the units over their ranked images
///
/// Writes OUT/maps/conv1_max.npy and conv1_min.npy, … (float64 [units, RF, RF]: mean discrepancy
/// maps over the top and the bottom images; NaN for units that were not requested), and
/// OUT/manifest.json. A sweep that was stopped or killed continues when the same command is given
/// again.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  occlumap sweep --ranking out/ranking --model alexnet --weights alexnet.safetensors \\
      --images photos/ --layers conv3 --units 0-15,40 --out out/")]
pub(super) struct Sweep {
    /// Output folder of `rank`, or a folder of conv1.npy, … written by the reference
    #[arg(long, value_name = "DIR")]
    ranking: PathBuf,
    /// Images per unit, from either end [default: all ranked images]
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

/// Arguments of `sweep`, `run` and `plan`.
#[derive(Debug, Args)]
pub(super) struct SweepArguments {
    #[command(flatten)]
    pub model: ModelArguments,
    #[command(flatten)]
    pub images: ImageArguments,
    #[command(flatten)]
    pub layers: LayerArguments,
    /// Source of gates that depend on the whole map (squeeze and excitation)
    #[arg(long, value_enum, default_value_t)]
    pub context: MapContext,
    /// Units of each layer, such as 0-15,40 [default: all]
    #[arg(long, value_name = "UNITS")]
    pub units: Option<UnitSelection>,
    /// Folder of the results
    #[arg(long, value_name = "DIR", required = true)]
    pub out: Option<PathBuf>,
    /// Start anew and replace existing files. Maps of layers that this run does not sweep stay, but
    /// the new manifest does not list them
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub occluders: OccluderArguments,
    /// Part of the map to which an occluder's effect is added
    #[arg(long, value_enum, default_value_t, help_heading = "Occluders")]
    pub deposit: Deposit,
    /// Position of the map on the image
    #[arg(long, value_enum, default_value_t, help_heading = "Occluders")]
    pub frame: FrameRule,
    /// Fill of the occluders; GPUs support only noise
    #[arg(long, value_enum, default_value_t, help_heading = "Occluders")]
    pub fill: FillRule,
    /// Seed of the noise, and of the choice of other images
    #[arg(long, value_name = "S", default_value_t = 0, help_heading = "Occluders")]
    pub seed: u64,
    #[command(flatten)]
    pub statistics: StatisticsArguments,
    /// Maps computed together: more maps share more work and need more memory. The result does not
    /// depend on it [default: 256; 4096 by the incremental method on a GPU]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Running")]
    pub batch: Option<usize>,
    /// Limit of memory, such as 500MiB or 4GiB. The result does not depend on it [default: 2 GiB, or the
    /// need of all threads if the machine has that much]
    #[arg(long, value_name = "SIZE", value_parser = size, help_heading = "Running")]
    pub memory: Option<ByteSize>,
    /// Verify K random presentations of each layer: present them again, as whole images in 64 bits,
    /// and fail if a difference exceeds the rounding of --precision
    #[arg(long, value_name = "K", default_value_t = 0, help_heading = "Running")]
    pub verify: u64,
    /// Units per block, the part of the work that is saved as a whole: a killed process loses the block
    /// in hand, and small blocks take more time [default: about two million presentations]
    #[arg(long, value_name = "UNITS", value_parser = at_least_one, help_heading = "Running")]
    pub block: Option<usize>,
    #[command(flatten)]
    pub shard: ShardArguments,
    #[command(flatten)]
    pub compute: ComputeArguments,
    #[command(flatten)]
    pub running: RunningArguments,
}

/// Statistics of maps.
#[derive(Debug, Args)]
#[command(next_help_heading = "Statistics")]
pub(super) struct StatisticsArguments {
    /// Draws of the noise per occluder, whose mean is taken: R times the work. Implies --statistics
    #[arg(long, value_name = "R", default_value_t = 1, value_parser = repeats)]
    pub repeats: usize,
    /// Also write, per pixel, the standard error of the mean over images (conv1_max_sem.npy) and
    /// the number of images that cover the pixel (conv1_max_counts.npy)
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
    /// Split-half reliability at which a side of a unit stops, checked after 2, 4, 8, … images up to
    /// --top. conv1_max_frames.npy, the tables and the manifest record the number of images
    #[arg(long, value_name = "R", value_parser = fraction)]
    pub until_reliable: Option<f64>,
    /// Images over which the mean of a pixel is taken
    #[arg(long, value_enum, default_value_t)]
    pub mean_over: MeanOver,
}

impl SweepArguments {
    /// The settings of these arguments.
    pub fn settings(self) -> Result<SweepSettings, Failure> {
        let share = self.shard.share()?;
        let rules = self.occluders.rules()?;
        let StatisticsArguments {
            repeats,
            statistics,
            moments,
            reliability_curve,
            until_reliable,
            mean_over,
        } = self.statistics;
        Ok(SweepSettings {
            input: InputSettings {
                context: self.context,
                ..self.model.input(self.images, self.layers)?
            },
            units: self.units.unwrap_or_default(),
            output: OutputSettings {
                folder: self.out.unwrap_or_default(),
                force: self.force,
                share,
            },
            occlusion: OcclusionSettings {
                grid: rules[0],
                every: self.occluders.every,
                deposit: self.deposit,
                frame: self.frame,
                fill: self.fill,
                seed: self.seed,
                repeats,
                mean_over,
                statistics,
                moments,
                reliability_curve,
                until_reliable,
            },
            sizes: if rules.len() > 1 { rules } else { Vec::new() },
            batch: self.batch,
            memory: self.memory.map(|memory| memory.as_u64()),
            // Requesting both leaves no way out if the memory is too small.
            fewer_threads: self.running.threads.is_none() || self.memory.is_none(),
            verify: self.verify,
            block: self.block,
            compute: self.compute.settings(),
        })
    }
}

fn fraction(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| is_fraction(*number));
    number.ok_or_else(|| "expected a number above 0 and below 1, such as 0.95".into())
}
