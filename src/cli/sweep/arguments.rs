//! The arguments of a sweep.

use std::path::PathBuf;

use bytesize::ByteSize;
use clap::Args;

use super::statistics::StatisticsArguments;
use crate::cli::arguments::{
    DepositName, FrameName, ImageArguments, LayerArguments, ModelArguments, OccluderArguments,
    RunningArguments, at_least_one, units,
};
use crate::cli::method::MethodArguments;
use crate::cli::share::ShardArguments;
use crate::sweep::UnitSelection;

/// Enough for any of the presets.
const MEMORY: ByteSize = ByteSize::gib(2);

/// What `sweep`, `run` and `plan` share.
#[derive(Debug, Args)]
pub(in crate::cli) struct SweepArguments {
    #[command(flatten)]
    pub model: ModelArguments,
    #[command(flatten)]
    pub images: ImageArguments,
    #[command(flatten)]
    pub layers: LayerArguments,
    /// Units of each layer, such as 0-15,40 [default: all]
    #[arg(long, value_name = "UNITS", default_value = "", hide_default_value = true, value_parser = units)]
    pub units: UnitSelection,
    /// Folder for the results
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Start anew, and replace files of the same names, each as a whole; maps of layers that this
    /// run does not sweep stay, and the new manifest does not list them
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub occluders: OccluderArguments,
    /// Where an occluder's effect is added to the map
    #[arg(long, value_enum, default_value_t, help_heading = "Occluders")]
    pub deposit: DepositName,
    /// Which pixel of the image is the map's first
    #[arg(long, value_enum, default_value_t, help_heading = "Occluders")]
    pub frame: FrameName,
    /// Seed of the noise
    #[arg(long, value_name = "S", default_value_t = 0, help_heading = "Occluders")]
    pub seed: u64,
    #[command(flatten)]
    pub statistics: StatisticsArguments,
    /// Maps computed together: more share more work, and need more memory; the result does not
    /// depend on it [default: 256; by the incremental method on a GPU 4096]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Running")]
    pub batch: Option<usize>,
    /// Memory to use at most, such as 500MiB or 4GiB; the result does not depend on it
    #[arg(long, value_name = "SIZE", default_value_t = MEMORY, value_parser = size, help_heading = "Running")]
    pub memory: ByteSize,
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
    pub method: MethodArguments,
    #[command(flatten)]
    pub running: RunningArguments,
}

fn size(text: &str) -> Result<ByteSize, String> {
    text.parse().map_err(|_| "expected a size such as 500MiB or 4GiB".into())
}
