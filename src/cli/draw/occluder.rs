//! `occlumap draw occluder`: an image as presented.

use clap::Args;

use super::{DrawingArguments, numbers};
use crate::cli::arguments::{ImageArguments, at_least_one};
use crate::cli::failure::Failure;
use occlumap::geometry;
use occlumap::images::ImageFolder;
use occlumap::noise::Noise;
use occlumap::report::drawing::{PresentedOccluder, ShownImage, draw_occluder};
use occlumap::runs::ImageChoice;

/// Draw an image with one occluder
///
/// The occluder has the pixels that a sweep presents there. Colours are those of the image before
/// preprocessing.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  occlumap draw occluder --images photos/ --image 3 --at 90,110 --size 19 --out occluder.png")]
pub(super) struct Occluder {
    #[command(flatten)]
    images: ImageArguments,
    /// Index of the image, from 0
    #[arg(long, value_name = "N")]
    image: usize,
    /// First row and first column of the occluder
    #[arg(long, value_name = "Y,X", value_parser = pixel)]
    at: [usize; 2],
    /// Side of the occluder in pixels
    #[arg(long, value_name = "PIXELS", value_parser = at_least_one)]
    size: usize,
    /// Noise of the occluder: philox:SEED, or torch:SEED to replay torch.rand
    #[arg(long, default_value_t = Noise::Philox { seed: 0, draw: 0 })]
    noise: Noise,
    /// Draw no edge around the occluder
    #[arg(long)]
    no_edge: bool,
    #[command(flatten)]
    drawing: DrawingArguments,
}

impl Occluder {
    pub fn execute(self) -> Result<(), Failure> {
        let file = self.drawing.file()?;
        let Self { at: [top, left], size, image: index, noise, .. } = self;
        let preprocessing = self.images.preprocessing()?;
        let images = ImageFolder::open(&self.images.images, preprocessing, self.images.image_size)?;
        let image = ShownImage::read(&images, &ImageChoice::Index(index))?;
        let occluder = geometry::Occluder { index: 0, top, left, size };
        let presented = PresentedOccluder { occluder, noise, outlined: !self.no_edge };
        let figure = draw_occluder(image, presented)?;
        Ok(file.write(&figure, self.drawing.resolution as f32)?)
    }
}

fn pixel(text: &str) -> Result<[usize; 2], String> {
    numbers(text).ok_or_else(|| "expected row,column, such as 90,110".into())
}
