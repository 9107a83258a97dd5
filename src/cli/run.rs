//! `occlumap run`: rank, then sweep.

use clap::Args;

use super::arguments::at_least_one;
use super::failure::Failure;
use super::rank::{RANKING, rank, write};
use super::sweep::{SweepArguments, Work};

/// Rank the images, then sweep the units: the whole job
///
/// Writes OUT/ranking/conv1.npy, … (which images drive each unit most and least, and where),
/// OUT/maps/conv1_max.npy and conv1_min.npy, … (float64 [units, RF, RF]: mean discrepancy maps
/// over the top and the bottom images; units that were not asked for are NaN), and
/// OUT/manifest.json.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  occlumap run --model alexnet --weights alexnet.safetensors --images photos/ --out out/
  occlumap run --model vgg16 --weights vgg16.pth --images photos/ --out out/ \\
      --layers conv1,conv3 --units 0-15,40 --top 20 --seed 7")]
pub(super) struct Run {
    /// Images a unit, from either end of its ranking
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = at_least_one)]
    top: usize,
    #[command(flatten)]
    common: SweepArguments,
}

impl Run {
    pub fn execute(self) -> Result<(), Failure> {
        let work = Work::open(self.common, &[])?;
        let (inputs, top) = (&work.inputs, self.top);
        inputs.check_top(top)?;
        let engine = work.engine()?;
        let prepared = engine.prepare(&inputs.model, &inputs.layers, inputs.images.size())?;
        let mut manifest = work.manifest(top, engine.name());

        let (rankings, seconds) = rank(inputs, &*prepared, top, work.threads, work.progress)?;
        let folder = work.output.create(RANKING)?;
        manifest.ranking_seconds = Some(seconds);
        // Files are replaced from here on: the manifest of an earlier run no longer holds.
        manifest.write(work.output.path())?;
        write(inputs, &rankings, top, &folder)?;
        work.sweep(&*prepared, &rankings, manifest)
    }
}
