//! `occlumap info`: layers, receptive fields and occluders of a network.

use clap::Args;

use super::arguments::{LayerArguments, NetworkArguments, OccluderArguments};
use super::console;
use super::failure::Failure;
use super::table::table;
use occlumap::geometry::{ImageSize, LayerGeometry};
use occlumap::network::Network;
use occlumap::program::check_fields;
use occlumap::runs::ChosenLayers;
use occlumap::sweep::count_occluders;

/// Show a network's layers, receptive fields and occluders
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  occlumap info --model alexnet --image-size 227
  occlumap info --model resnet18.onnx --layers layer1.0,layer2.0
  occlumap info --model resnet18.onnx --json > resnet18.json")]
pub(super) struct Info {
    #[command(flatten)]
    network: NetworkArguments,
    #[command(flatten)]
    layers: LayerArguments,
    /// Size of the images: 227, or HEIGHTxWIDTH [default: that of the ONNX file, else 224]
    #[arg(long, value_name = "SIZE")]
    image_size: Option<ImageSize>,
    /// Print the network as a model description (.json) instead
    #[arg(long, conflicts_with_all = ["layers", "image_size"])]
    json: bool,
    #[command(flatten)]
    occluders: OccluderArguments,
}

/// Default size of cropped pictures.
const SIZE: ImageSize = ImageSize::square(224);

impl Info {
    pub fn execute(self) -> Result<(), Failure> {
        let chosen = ChosenLayers::responding(
            Network::named(&self.network.model)?,
            &self.layers.layers,
            self.layers.response,
        )?;
        if self.json {
            let text = serde_json::to_string_pretty(&chosen.network.description())
                .map_err(|error| Failure::failed(error.to_string()))?;
            return console::print((text + "\n").as_bytes());
        }
        let rule = self.occluders.rule()?;
        chosen.check_grid(rule)?;
        let of_file = chosen.network.origin().image_size;
        let image = self.image_size.or(of_file).unwrap_or(SIZE);
        let note = chosen.note();
        let ChosenLayers { network, layers, .. } = chosen;
        let mut rows = vec![
            ["layer", "name", "units", "output", "RF", "occluder", "stride", "occluders"]
                .map(String::from),
        ];
        let (mut larger, mut notes) = (false, Vec::new());
        for layer in layers {
            let every = self.occluders.every;
            let geometry = LayerGeometry::new(&network, layer, image, rule, every)
                .map_err(|error| Failure::of_setting(&error))?;
            let rf = geometry.projection.size;
            let (size, stride) = rule.size_and_stride(rf)?;
            let (y, x) = (geometry.output.height / 2, geometry.output.width / 2);
            let occluders = geometry.placement(y, x)?.occluders.len();
            if let Err(error) = check_fields(&network, layer, image, None) {
                notes.push(format!("note: {error}"));
            }
            let name = network.short_name(layer);
            notes.extend(count_occluders(&geometry)?.notes(&name, rf));
            larger |= rf > image.height.min(image.width);
            rows.push([
                name,
                network.layer(network.tapped(layer)).name.clone(),
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
        for note in note.into_iter().chain(network.origin().note(&network)) {
            text += &(note + "\n");
        }
        if let Some(note) = network.folding_note() {
            text += &(note + "\n");
        }
        for note in notes {
            text += &(note + "\n");
        }
        if larger {
            text += "An RF larger than the image is cut at every position.\n";
        }
        console::print(text.as_bytes())
    }
}
