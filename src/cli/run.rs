//! `occlumap run`: rank, then sweep.

use clap::Args;

use super::arguments::at_least_one;
use super::failure::Failure;
use super::inputs::{Inputs, network_and_layers};
use super::output::OutputFolder;
use super::progress::Progress;
use super::rank::{RANKING, rank, write};
use super::sweep::{Settings, SweepArguments, manifest, sweep_layers};
use super::threads;

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
        let Self { top, common } = self;
        let progress = Progress::new(common.running.quiet);
        let (network, layers) = network_and_layers(&common.model, &common.layers)?;
        let settings = Settings::new(&common, &network, &layers)?;
        let output = OutputFolder::check(&common.out, common.force, &[])?;
        let inputs = Inputs::load(network, layers, &common.model, &common.images, progress)?;
        inputs.check_top(top)?;
        settings.check_image(&inputs)?;
        let engine = common.method.engine();
        let prepared = engine.prepare(&inputs.model, &inputs.layers, inputs.images.size())?;
        let threads = threads::start(common.running.threads)?;
        let mut manifest = manifest(&inputs, &common, &settings, top, engine.name(), threads);

        let (rankings, seconds) = rank(&inputs, &*prepared, top, threads, progress)?;
        let folder = output.create(RANKING)?;
        manifest.ranking_seconds = Some(seconds);
        // Files are replaced from here on: the manifest of an earlier run no longer holds.
        manifest.write(output.path())?;
        write(&inputs, &rankings, top, &folder)?;
        sweep_layers(&inputs, &*prepared, &rankings, &settings, manifest, &output, progress)
    }
}
