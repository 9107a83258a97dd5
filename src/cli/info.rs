//! `occlumap info`: what a network's units see, and what a sweep would present.

use clap::Args;

use super::arguments::{LayerArguments, NetworkArguments, OccluderArguments};
use super::console;
use super::failure::Failure;
use super::table::table;
use occlumap::geometry::{ImageSize, LayerGeometry};
use occlumap::runs::ChosenLayers;

/// Show a network's layers, receptive fields and occluders
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  occlumap info --model alexnet --image-size 227")]
pub(super) struct Info {
    #[command(flatten)]
    network: NetworkArguments,
    #[command(flatten)]
    layers: LayerArguments,
    /// Size of the images: 224, to which pictures are cropped by default, or HEIGHTxWIDTH
    #[arg(long, value_name = "SIZE", default_value = "224")]
    image_size: ImageSize,
    #[command(flatten)]
    occluders: OccluderArguments,
}

impl Info {
    pub fn execute(self) -> Result<(), Failure> {
        let chosen = ChosenLayers::new(&self.network.model, &self.layers.layers)?;
        let rule = self.occluders.rule();
        chosen.check_grid(rule)?;
        let ChosenLayers { network, layers } = chosen;
        let image = self.image_size;
        let mut rows = vec![
            ["layer", "name", "units", "output", "RF", "occluder", "stride", "occluders"]
                .map(String::from),
        ];
        let mut larger = false;
        for layer in layers {
            let every = self.occluders.every;
            let geometry = LayerGeometry::new(&network, layer, image, rule, every)
                .map_err(|error| Failure::of_setting(&error))?;
            let rf = geometry.projection.size;
            let (size, stride) = rule.size_and_stride(rf)?;
            let (y, x) = (geometry.output.height / 2, geometry.output.width / 2);
            let occluders = geometry.placement(y, x)?.occluders.len();
            larger |= rf > image.height.min(image.width);
            rows.push([
                network.short_name(layer),
                network.layer(layer).name.clone(),
                network.channels(layer).to_string(),
                geometry.output.to_string(),
                rf.to_string(),
                size.to_string(),
                stride.to_string(),
                occluders.to_string(),
            ]);
        }
        let mut text = format!("{} on images of {image}\n\n", network.name());
        text += &table(&rows, 2);
        text += "\nRF, occluder and stride in pixels; occluders of the unit in the middle, fewer \
                 where the image cuts the RF.\n";
        if larger {
            text += "An RF larger than the image is cut at every position.\n";
        }
        console::print(text.as_bytes())
    }
}
