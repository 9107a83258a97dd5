//! `occlumap draw grid`: all occluders of a box.

use std::path::PathBuf;

use clap::Args;

use super::{DrawingArguments, numbers};
use crate::cli::arguments::{OccluderArguments, at_least_one};
use crate::cli::failure::Failure;
use occlumap::geometry::{ImageSize, LayerGeometry, Occluder, PixelBox, every_nth};
use occlumap::images::ImageFolder;
use occlumap::report::Tones;
use occlumap::report::drawing::{self, draw_grid};
use occlumap::runs::{ChosenLayers, ImageChoice};

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
    /// A box instead: first row, first column, last row, last column
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

/// A box and its occluders.
struct Placed {
    title: String,
    rf: usize,
    pixels: PixelBox,
    occluders: Vec<Occluder>,
}

impl Grid {
    pub fn execute(self) -> Result<(), Failure> {
        self.drawing.check()?;
        let images = self
            .images
            .as_ref()
            .map(|images| ImageFolder::open(images, None, self.image_size))
            .transpose()?;
        let size = match &images {
            Some(images) => images.size(),
            None => self.image_size.unwrap_or(ImageSize::square(SIZE)),
        };
        let placed = match self.pixels {
            Some(corners) => self.of_box(corners, size)?,
            None => self.of_unit(size)?,
        };
        let image = match (&images, self.image) {
            (Some(images), Some(index)) => {
                let index = ImageChoice::Index(index).index_in(images)?;
                Some(Tones::of(images)?.picture(&images.read(index)?.view()))
            }
            _ => None,
        };
        let Placed { title, rf, pixels, occluders } = &placed;
        let (rf, pixels) = (*rf, *pixels);
        let figure = draw_grid(drawing::Grid { title, rf, pixels, occluders, size, image });
        self.drawing.write(&figure)
    }

    /// The box of a unit at a position.
    fn of_unit(&self, size: ImageSize) -> Result<Placed, Failure> {
        // The parser requires these.
        let model = self.model.as_deref().unwrap_or_default();
        let name = self.layer.as_deref().unwrap_or_default();
        let [y, x] = self.position.unwrap_or_default();
        let chosen = ChosenLayers::new(model, &[name.into()])?;
        let rule = self.occluders.rule()?;
        chosen.check_grid(rule)?;
        let (network, layer) = (&chosen.network, chosen.layers[0]);
        let geometry = LayerGeometry::new(network, layer, size, rule, self.occluders.every)?;
        let output = geometry.output;
        if y >= output.height || x >= output.width {
            return Err(Failure::usage(format!(
                "{name} has no position {y},{x}; its output is {output}, positions 0,0 to {},{}",
                output.height - 1,
                output.width - 1
            )));
        }
        let placement = geometry.placement(y, x)?;
        let Some(pixels) = placement.pixels else {
            return Err(Failure::usage(format!(
                "the receptive field of {name} at {y},{x} lies in the padding: it has no occluders"
            )));
        };
        let title = format!("{} {}, position {y},{x}", network.name(), network.short_name(layer));
        Ok(Placed { title, rf: placement.rf, pixels, occluders: placement.occluders })
    }

    /// A box by its corners.
    fn of_box(
        &self,
        [y_min, x_min, y_max, x_max]: [usize; 4],
        size: ImageSize,
    ) -> Result<Placed, Failure> {
        let rf = self.rf.unwrap_or_default();
        if y_min > y_max || x_min > x_max || y_max >= size.height || x_max >= size.width {
            return Err(Failure::usage(format!(
                "--box {y_min},{x_min},{y_max},{x_max}: expected the first row, first column, last \
                 row and last column of a box in an image of {size}"
            )));
        }
        let pixels = PixelBox { y_min, x_min, y_max, x_max };
        let occluders = self.occluders.rule()?.occluders(&pixels, rf, size)?;
        let title = format!("box from y {y_min}, x {x_min} to y {y_max}, x {x_max}");
        let occluders = every_nth(occluders, self.occluders.every);
        Ok(Placed { title, rf, pixels, occluders })
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
