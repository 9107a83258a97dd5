//! `occlumap map`: one discrepancy map.

use std::path::PathBuf;

use clap::Args;
use ndarray::ArrayD;

use super::arguments::{
    DepositName, FrameName, ImageArguments, ModelArguments, OccluderArguments, RunningArguments,
};
use super::failure::{Failure, OrUsage};
use super::inputs::Inputs;
use super::method::MethodArguments;
use super::output::{check_file, is_same_file};
use super::progress::{Progress, Task};
use super::sweep::repeats;
use super::{STOP, threads};
use crate::engine::{Job, Watch};
use crate::files::npy;
use crate::maps::ImageMap;
use crate::network::Network;
use crate::noise::Noise;
use crate::sweep::LayerGeometry;

/// Compute one map: one unit, one image, one position
///
/// Writes float64 [RF, RF]: for every occluder, how much it changes the response, added where it
/// was.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  occlumap map --model alexnet --weights alexnet.safetensors --images photos/ \\
      --layer conv3 --unit 16 --image 3 --position 6,6 --out map.npy")]
pub(super) struct Map {
    #[command(flatten)]
    model: ModelArguments,
    #[command(flatten)]
    images: ImageArguments,
    /// The convolution, such as conv3 or features.6
    #[arg(long)]
    layer: String,
    /// The unit: a channel of the layer, from 0
    #[arg(long, value_name = "N")]
    unit: usize,
    /// The image's index, from 0
    #[arg(long, value_name = "N")]
    image: usize,
    /// The position on the layer's output: row, column
    #[arg(long, value_name = "Y,X", value_parser = position)]
    position: (usize, usize),
    /// What occluders are filled with: philox:SEED, or torch:SEED to replay torch.rand
    #[arg(long, default_value_t = Noise::Philox { seed: 0, draw: 0 }, help_heading = "Occluders")]
    noise: Noise,
    /// Present each occluder R times, each time with the next draw of philox noise, and take the
    /// mean
    #[arg(long, value_name = "R", default_value_t = 1, value_parser = repeats, help_heading = "Occluders")]
    repeats: usize,
    #[command(flatten)]
    occluders: OccluderArguments,
    /// Where an occluder's effect is added to the map
    #[arg(long, value_enum, default_value_t, help_heading = "Occluders")]
    deposit: DepositName,
    /// Which pixel of the image is the map's first
    #[arg(long, value_enum, default_value_t, help_heading = "Occluders")]
    frame: FrameName,
    /// The map's file (.npy)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Also write the signed differences in grid order, float32 [occluders], or [R, occluders] with
    /// --repeats (.npy)
    #[arg(long, value_name = "FILE")]
    responses: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    method: MethodArguments,
    #[command(flatten)]
    running: RunningArguments,
}

impl Map {
    pub fn execute(self) -> Result<(), Failure> {
        let progress = Progress::new(self.running.quiet);
        let network = Network::named(&self.model.network.model).or_usage()?;
        let layer = network.convolution(&self.layer).or_usage()?;
        let layers = vec![layer];
        let units = network.channels(layer);
        if self.unit >= units {
            return Err(Failure::usage(format!(
                "{} has no unit {}; its units are 0 to {}",
                self.layer,
                self.unit,
                units - 1
            )));
        }
        let rule = self.occluders.rule(&network, &layers)?;
        let draws = self.draws()?;
        for path in std::iter::once(&self.out).chain(&self.responses) {
            check_file(path, self.force)?;
        }
        if self.responses.as_ref().is_some_and(|responses| is_same_file(responses, &self.out)) {
            return Err(Failure::usage("--out and --responses name the same file"));
        }
        let chosen = self.method.choose(progress)?;
        let inputs = Inputs::load(network, layers, &self.model, &self.images, progress)?;
        let (network, images) = (inputs.network(), &inputs.images);
        if self.image >= images.len() {
            return Err(Failure::usage(format!(
                "there is no image {}; the {} images are 0 to {}",
                self.image,
                images.len(),
                images.len() - 1
            )));
        }
        let mut geometry =
            LayerGeometry::new(network, layer, images.size(), rule, self.occluders.every)?;
        geometry.frame = self.frame.into();
        let (y, x) = self.position;
        if y >= geometry.output.height || x >= geometry.output.width {
            return Err(Failure::usage(format!(
                "{} has no position {y},{x}; its output is {}, positions 0,0 to {},{}",
                self.layer,
                geometry.output,
                geometry.output.height - 1,
                geometry.output.width - 1
            )));
        }
        let placement = geometry.placement(y, x).or_usage()?;
        let engine =
            chosen.engines(None)[0].prepare(&inputs.model, &inputs.layers, images.size())?;
        threads::start(self.running.threads)?;

        let image = images.read(self.image)?;
        let job = |&noise| Job {
            image: image.view(),
            image_index: self.image as u32,
            unit: self.unit,
            position: self.position,
            occluders: &placement.occluders,
            noise,
        };
        let jobs: Vec<Job<'_>> = draws.iter().map(job).collect();
        let watch = Watch::new(&STOP);
        let total = (placement.occluders.len() * jobs.len()) as u64;
        let task = Task { label: &self.layer, counted: "presentations", total };
        let present = || engine.present(layer, &jobs, &watch);
        let (presented, _) = progress.track(&task, &watch, present)?;
        let differences: Vec<&[f32]> = presented.iter().map(|draw| &draw.differences[..]).collect();
        let mut map = ImageMap::new(placement.rf);
        map.set(self.deposit.into(), &placement, &differences);
        npy::write(&self.out, &map.absolute())?;
        if let Some(path) = &self.responses {
            let mut shape = vec![differences.len(), placement.occluders.len()];
            if self.repeats == 1 {
                shape.remove(0);
            }
            let all = ArrayD::from_shape_vec(shape, differences.concat())?;
            npy::write(path, &all)?;
        }
        if placement.occluders.is_empty() {
            progress.say(
                "note: no occluder fits, since the image cuts the receptive field to less than one",
            );
        }
        let all = differences.iter().copied().flatten();
        let largest = all.fold(0.0, |largest: f32, d| largest.max(d.abs()));
        progress.say(format!(
            "unit {} responds to image {} ({}) at {y},{x} with {}; occluders change that by up \
             to {largest}",
            self.unit,
            self.image,
            images.names()[self.image],
            presented[0].response
        ));
        Ok(())
    }

    /// The noise of each time that an occluder is presented.
    fn draws(&self) -> Result<Vec<Noise>, Failure> {
        let draw = |draw| {
            self.noise.draw_after(draw).ok_or_else(|| {
                Failure::usage(format!(
                    "--repeats {}: {} has no more draws for the same place; expected \
                     philox:SEED:DRAW with DRAW + R at most {}",
                    self.repeats,
                    self.noise,
                    Noise::DRAWS
                ))
            })
        };
        (0..self.repeats).map(draw).collect()
    }
}

fn position(text: &str) -> Result<(usize, usize), String> {
    text.split_once(',')
        .and_then(|(y, x)| Some((y.trim().parse().ok()?, x.trim().parse().ok()?)))
        .ok_or_else(|| "expected row,column, such as 6,6".into())
}
