//! A model, its layers and a folder of images, loaded and checked against each other.

use std::path::Path;

use super::arguments::{ImageArguments, LayerArguments, ModelArguments};
use super::failure::{Failure, OrUsage};
use super::progress::Progress;
use crate::VERSION;
use crate::images::ImageFolder;
use crate::network::{LayerId, Model, Network};
use crate::ranking::{Expected, LayerFiles, LayerRanking, Provenance, RankingError};

/// What every command that presents images needs.
pub(super) struct Inputs {
    pub model: Model,
    pub layers: Vec<LayerId>,
    pub images: ImageFolder,
}

/// The network and the layers asked for: what can be checked without reading a file.
pub(super) fn network_and_layers(
    model: &ModelArguments,
    layers: &LayerArguments,
) -> Result<(Network, Vec<LayerId>), Failure> {
    let network = Network::named(&model.network.model).or_usage()?;
    let layers = layers.of(&network)?;
    Ok((network, layers))
}

impl Inputs {
    /// Opens the images and reads the weights.
    pub fn load(
        network: Network,
        layers: Vec<LayerId>,
        model: &ModelArguments,
        images: &ImageArguments,
        progress: Progress,
    ) -> Result<Self, Failure> {
        let preprocessing = images.preprocessing()?;
        let images = ImageFolder::open(&images.images, preprocessing, images.image_size)?;
        for &layer in &layers {
            network.sizes(images.size(), layer)?;
        }
        let model = Model::load(network, &model.weights)?;
        note_ignored(&model, progress);
        Ok(Self { model, layers, images })
    }

    /// The network.
    pub fn network(&self) -> &Network {
        self.model.network()
    }

    /// Units of each layer.
    pub fn units(&self) -> Vec<usize> {
        self.layers.iter().map(|&layer| self.network().channels(layer)).collect()
    }

    /// Checks that `top` images can be ranked.
    pub fn check_top(&self, top: usize) -> Result<(), Failure> {
        let there = self.images.len();
        if top > there {
            return Err(RankingError::TooFew { asked: top, there }).or_usage();
        }
        Ok(())
    }

    /// The rankings of all layers in `folder`.
    pub fn read_ranking(&self, folder: &Path) -> Result<Vec<LayerRanking>, Failure> {
        let network = self.network();
        let read = |&layer: &LayerId| -> Result<LayerRanking, Failure> {
            let sizes = network.sizes(self.images.size(), layer)?;
            let expected = Expected {
                units: network.channels(layer),
                positions: sizes[layer.0].area(),
                images: self.images.len(),
            };
            Ok(LayerFiles::new(folder, &network.short_name(layer)).read(expected)?)
        };
        self.layers.iter().map(read).collect()
    }

    /// What a ranking of these inputs by `engine` is made from.
    pub fn provenance(&self, top: usize, engine: &str) -> Provenance {
        Provenance {
            format: Provenance::FORMAT.into(),
            version: Provenance::VERSION,
            program: VERSION.into(),
            engine: engine.into(),
            model: self.network().name().into(),
            network_sha256: self.network().digest(),
            weights_sha256: self.model.digest().clone(),
            image_size: self.images.size(),
            preprocessing: self.images.preprocessing().to_string(),
            images: self.images.names().to_vec(),
            top,
            layers: self.layers.iter().map(|&layer| self.network().short_name(layer)).collect(),
        }
    }
}

/// Notes tensors that the network has no use for, such as a classifier's.
fn note_ignored(model: &Model, progress: Progress) {
    const SHOWN: usize = 4;
    let ignored = model.ignored();
    if ignored.is_empty() {
        return;
    }
    let more = match ignored.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let names = ignored[..ignored.len().min(SHOWN)].join(", ");
    progress.say(format!("note: tensors without use here are ignored: {names}{more}"));
}
