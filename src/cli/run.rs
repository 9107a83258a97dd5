//! `occlumap run`: ranking, then sweeping.

use clap::Args;
use occlumap::runs::{self, RunSettings};

use super::arguments::at_least_one;
use super::failure::Failure;
use super::sweep::SweepArguments;
use super::terminal::Session;

/// Rank the images, then sweep the units: the whole job
///
/// Writes OUT/ranking/conv1.npy, … (the images that drive each unit most and least, and the
/// positions), OUT/maps/conv1_max.npy and conv1_min.npy, … (float64 [units, RF, RF]: mean
/// discrepancy maps over the top and the bottom images; NaN for units that were not requested), and
/// OUT/manifest.json. A run that was stopped or killed continues when the same command is given
/// again.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  occlumap run --model alexnet --weights alexnet.safetensors --images photos/ --out out/
  occlumap run --model vgg16 --weights vgg16.pth --images photos/ --out out/ \\
      --layers conv1,conv3 --units 0-15,40 --top 20 --seed 7")]
pub(super) struct Run {
    /// Images per unit, from either end of its ranking
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = at_least_one)]
    pub top: usize,
    /// Stop after the ranking; `run` without this option continues from there
    #[arg(long, conflicts_with = "verify")]
    pub rank_only: bool,
    #[command(flatten)]
    pub common: SweepArguments,
}

impl Run {
    pub fn execute(self) -> Result<(), Failure> {
        let session = Session::start(&self.common.running)?;
        runs::run(&self.settings()?, &session.context())?;
        Ok(())
    }

    /// The settings of these arguments.
    pub fn settings(self) -> Result<RunSettings, Failure> {
        let Self { top, rank_only, common } = self;
        Ok(RunSettings { sweep: common.settings()?, top, rank_only })
    }
}
