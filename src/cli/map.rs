//! `occlumap map`: one discrepancy map.

use std::path::PathBuf;

use clap::Args;
use occlumap::geometry::{Deposit, FrameRule};
use occlumap::network::{MapContext, Response};
use occlumap::noise::{FillRule, Noise};
use occlumap::runs::{self, InputSettings, MapFiles, MapSettings, OcclusionSettings};

use super::arguments::{
    ImageArguments, LayerArguments, ModelArguments, OccluderArguments, RunningArguments, repeats,
};
use super::compute::ComputeArguments;
use super::failure::Failure;
use super::terminal::Session;

/// Compute one map: one unit, one image, one position
///
/// Writes float64 [RF, RF]: the absolute change of the response by each occluder, at its centre.
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
    /// Layer, such as conv3, features.6 or layer1.0
    #[arg(long)]
    layer: String,
    /// Responses of a convolution's units: its own, or those of the batch normalisation behind it
    #[arg(long, value_enum, default_value_t)]
    response: Response,
    /// Unit: a channel of the layer, from 0
    #[arg(long, value_name = "N")]
    unit: usize,
    /// Index of the image, from 0, or its file name
    #[arg(long, value_name = "N|NAME")]
    image: String,
    /// Position on the layer's output: row, column
    #[arg(long, value_name = "Y,X", value_parser = position)]
    position: (usize, usize),
    /// Noise of the occluders: philox:SEED, or torch:SEED to replay torch.rand
    #[arg(long, default_value_t = Noise::Philox { seed: 0, draw: 0 }, help_heading = "Occluders")]
    noise: Noise,
    /// Fill of the occluders; GPUs support only noise
    #[arg(long, value_enum, default_value_t, help_heading = "Occluders")]
    fill: FillRule,
    /// Draws of philox noise per occluder, whose mean is taken: R times the work
    #[arg(long, value_name = "R", default_value_t = 1, value_parser = repeats, help_heading = "Occluders")]
    repeats: usize,
    #[command(flatten)]
    occluders: OccluderArguments,
    /// Part of the map to which an occluder's effect is added
    #[arg(long, value_enum, default_value_t, help_heading = "Occluders")]
    deposit: Deposit,
    /// Position of the map on the image
    #[arg(long, value_enum, default_value_t, help_heading = "Occluders")]
    frame: FrameRule,
    /// Source of gates that depend on the whole map (squeeze and excitation)
    #[arg(long, value_enum, default_value_t)]
    context: MapContext,
    /// File of the map (.npy)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Also write the signed differences in grid order, float32 [occluders], or [R, occluders] with
    /// --repeats (.npy)
    #[arg(long, value_name = "FILE")]
    responses: Option<PathBuf>,
    /// Replace existing files
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    compute: ComputeArguments,
    #[command(flatten)]
    running: RunningArguments,
}

impl Map {
    pub fn execute(self) -> Result<(), Failure> {
        let session = Session::start(&self.running)?;
        let files = MapFiles { map: self.out, responses: self.responses };
        files.check(self.force)?;
        let (unit, repeats) = (self.unit, self.repeats);
        let layers = LayerArguments { layers: vec![self.layer], response: self.response };
        let settings = MapSettings {
            input: InputSettings {
                context: self.context,
                ..self.model.input(self.images, layers)?
            },
            unit,
            image: self.image.as_str().into(),
            position: self.position,
            noise: self.noise,
            occlusion: OcclusionSettings {
                grid: self.occluders.rule()?,
                every: self.occluders.every,
                deposit: self.deposit,
                frame: self.frame,
                fill: self.fill,
                repeats,
                ..OcclusionSettings::default()
            },
            compute: self.compute.settings(),
        };
        let found = runs::map(&settings, &session.context())?;
        files.write(&found)?;
        let (y, x) = settings.position;
        session.say(format!(
            "unit {unit} responds to image {} ({}) at {y},{x} with {}; occluders change that by \
             up to {}",
            found.image_index,
            found.image,
            found.response,
            found.largest()
        ));
        Ok(())
    }
}

fn position(text: &str) -> Result<(usize, usize), String> {
    text.split_once(',')
        .and_then(|(y, x)| Some((y.trim().parse().ok()?, x.trim().parse().ok()?)))
        .ok_or_else(|| "expected row,column, such as 6,6".into())
}
