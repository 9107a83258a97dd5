//! `occlumap draw grid`: all occluders of a box.

use std::path::PathBuf;

use clap::Args;

use super::{DrawingArguments, numbers};
use crate::cli::arguments::{OccluderArguments, at_least_one};
use crate::cli::failure::Failure;
use occlumap::geometry::{ImageSize, PixelBox};
use occlumap::images::ImageFolder;
use occlumap::report::drawing::{BoxOccluders, SampledGrid, ShownImage, draw_grid};
use occlumap::runs::ImageChoice;

/// Default size of the image: the reference's, for AlexNet.
const SIZE: usize = 227;

/// Draw all occluders of a receptive field, or of a box
///
/// Draws the edge of every occluder, a dot where its effect is added to the map, and the box: the
/// part of the receptive field inside the image. The first occluder is red.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  occlumap draw grid --model alexnet --layer conv3 --position 0,6 --out grid.svg
      a unit at the upper border, whose receptive field the image cuts
  occlumap draw grid --model alexnet --layer conv3 --position 6,6 --images photos/ --image 3 \\
      --out grid.png
      over an image
  occlumap draw grid --box 10,19,20,29 --rf 20 --out grid.png
      the reference's own example")]
pub(super) struct Grid {
    /// The network: path of an ONNX file (.onnx) or of a model description (.json), or a preset,
    /// such as alexnet (`occlumap info --help` lists them)
    #[arg(long, value_name = "NAME|FILE", requires_all = ["layer", "position"])]
    #[arg(required_unless_present = "pixels")]
    model: Option<String>,
    /// Layer, such as conv3, features.6 or layer1.0
    #[arg(long, requires = "model")]
    layer: Option<String>,
    /// Position on the layer's output: row, column
    #[arg(long, value_name = "Y,X", requires = "model", value_parser = position)]
    position: Option<[usize; 2]>,
    /// Box instead of a unit's: first row, first column, last row, last column
    #[arg(long = "box", value_name = "Y,X,Y,X", requires = "rf", conflicts_with = "model")]
    #[arg(value_parser = corners)]
    pixels: Option<[usize; 4]>,
    /// Receptive field of the box, in pixels
    #[arg(long, value_name = "PIXELS", requires = "pixels", value_parser = at_least_one)]
    rf: Option<usize>,
    /// Folder of images, to draw over one of them
    #[arg(long, value_name = "DIR", requires = "image")]
    images: Option<PathBuf>,
    /// Index of the image, from 0
    #[arg(long, value_name = "N", requires = "images")]
    image: Option<usize>,
    /// Size of the image: 227, or HEIGHTxWIDTH [default: that of the images; 227 without]
    #[arg(long, value_name = "SIZE")]
    image_size: Option<ImageSize>,
    #[command(flatten)]
    occluders: OccluderArguments,
    #[command(flatten)]
    drawing: DrawingArguments,
}

impl Grid {
    pub fn execute(self) -> Result<(), Failure> {
        let file = self.drawing.file()?;
        let open = |images| ImageFolder::open(images, None, self.image_size);
        let images = self.images.as_deref().map(open).transpose()?;
        let size = match &images {
            Some(images) => images.size(),
            None => self.image_size.unwrap_or(ImageSize::square(SIZE)),
        };
        let grid = SampledGrid { rule: self.occluders.rule()?, every: self.occluders.every };
        let boxed = if let Some([y_min, x_min, y_max, x_max]) = self.pixels {
            let pixels = PixelBox { y_min, x_min, y_max, x_max };
            BoxOccluders::of_box(pixels, self.rf.unwrap_or_default(), size, grid)?
        } else {
            // The parser requires these.
            let model = self.model.as_deref().unwrap_or_default();
            let layer = self.layer.as_deref().unwrap_or_default();
            BoxOccluders::of_unit(model, layer, self.position.unwrap_or_default(), size, grid)?
        };
        let image = images.as_ref().zip(self.image);
        let read = |(images, index)| ShownImage::read(images, &ImageChoice::Index(index));
        let picture = image.map(read).transpose()?.map(|image| image.picture());
        let figure = draw_grid(&boxed, size, picture.as_ref());
        Ok(file.write(&figure, self.drawing.resolution as f32)?)
    }
}

fn position(text: &str) -> Result<[usize; 2], String> {
    numbers(text).ok_or_else(|| "expected row,column, such as 6,6".into())
}

fn corners(text: &str) -> Result<[usize; 4], String> {
    numbers(text).ok_or_else(|| {
        "expected first row, first column, last row, last column, such as 10,19,20,29".into()
    })
}
