//! Model, layers and images of a run, loaded and checked against each other.

mod notes;

use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use notes::{copy_note, ignored_note};

use super::sweep::in_range;
use super::{Context, InputSettings, OutputFolder, Ranking, RunError, Share, Task};
use crate::VERSION;
use crate::engine::EngineName;
use crate::files::{Digest, escaped, shown};
use crate::images::{ImageError, ImageFolder, ImageOptions};
use crate::network::{LayerId, Model, Network, NetworkError, Response};
use crate::program::check_fields;
use crate::ranking::{
    Expected, LayerFiles, LayerRanking, RankedLayer, RankingConfiguration, images_a_block,
};

/// A network and chosen layers: checks that need neither images nor weights.
#[derive(Clone, Debug)]
pub struct ChosenLayers {
    /// The network.
    pub network: Network,
    /// The layers: convolutions in the network's order, then the others ([`Network::units_of`]).
    pub layers: Vec<LayerId>,
    /// Names of convolutions that no batch normalisation reads, where responses of those are asked for.
    pub without_norm: Vec<String>,
    /// Modules that were asked for, and the layer that each stands for.
    pub modules: Vec<ModuleLayer>,
}

/// A module's path, and the layer that is its output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleLayer {
    /// The path, as it was asked for.
    pub module: String,
    /// The layer's own name.
    pub layer: String,
}

/// Model, layers and images.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The model.
    pub model: Arc<Model>,
    /// The layers, in the network's order.
    pub layers: Vec<LayerId>,
    /// The images.
    pub images: ImageFolder,
}

impl InputSettings {
    /// The network and the layers.
    ///
    /// # Errors
    /// An invalid model; layers that do not exist.
    pub fn choose_layers(&self) -> Result<ChosenLayers, RunError> {
        let network = self.model.network()?.with_context(self.context);
        ChosenLayers::responding(network, &self.layers, self.response)
    }
}

impl ChosenLayers {
    /// The layers with these names ([`Network::named_layer`]) in a network given by its preset's
    /// name or its file's path; all convolutions if there are no names.
    ///
    /// # Errors
    /// An invalid model; layers that do not exist.
    pub fn new(model: &str, names: &[String]) -> Result<Self, RunError> {
        Self::of(Network::named(model)?, names)
    }

    /// The layers with these names in a network; all convolutions if there are no names.
    ///
    /// # Errors
    /// Layers that do not exist.
    pub fn of(network: Network, names: &[String]) -> Result<Self, RunError> {
        Self::responding(network, names, Response::Conv)
    }

    /// As [`ChosenLayers::of`], with the layers from which responses of convolutions are taken
    /// ([`Network::responding`]).
    ///
    /// # Errors
    /// As [`ChosenLayers::of`]; responses of batch normalisations where no convolution has one.
    pub fn responding(
        mut network: Network,
        names: &[String],
        response: Response,
    ) -> Result<Self, RunError> {
        let mut layers: Vec<LayerId> = if names.is_empty() {
            network.convolutions().map(|(id, _)| id).collect()
        } else {
            let named = names.iter().map(|name| network.named_layer(name.trim()));
            named.collect::<Result<_, _>>()?
        };
        let modules = names.iter().zip(&layers).filter_map(|(name, &id)| {
            let (module, layer) = (name.trim(), &network.layer(id).name);
            let is_inside = layer.strip_prefix(&module.trim_matches('/').replace('/', "."));
            is_inside.filter(|rest| !rest.is_empty())?;
            Some(ModuleLayer { module: module.to_owned(), layer: layer.clone() })
        });
        let modules = modules.collect();
        let is_conv = |id: LayerId| network.layer(id).op.convolution().is_some();
        let mut without_norm = Vec::new();
        let mut found = false;
        for layer in layers.iter_mut().filter(|layer| is_conv(**layer)) {
            let named = std::mem::replace(layer, network.responding(*layer, response));
            if response == Response::Bn && *layer == named {
                without_norm.push(network.short_name(named));
            }
            found |= *layer != named;
        }
        if !found && !without_norm.is_empty() {
            return Err(NetworkError::NoBatchNorm { network: network.name().to_owned() }.into());
        }
        layers.sort_unstable();
        layers.dedup();
        for layer in &mut layers {
            *layer = network.units_of(*layer)?;
        }
        layers.sort_unstable();
        Ok(Self { network, layers, without_norm, modules })
    }

    /// Note of the layers that modules stand for, which results are named after.
    pub fn note_modules(&self) -> Option<String> {
        let is = |ModuleLayer { module, layer }: &ModuleLayer| {
            format!("{} is {}", escaped(module), escaped(layer))
        };
        let names: Vec<String> = self.modules.iter().map(is).collect();
        (!names.is_empty()).then(|| format!("note: {}", names.join(", ")))
    }

    /// Note that names the convolutions without a batch normalisation, where responses of those are asked for.
    pub fn note(&self) -> Option<String> {
        const SHOWN: usize = 8;
        let Self { without_norm, .. } = self;
        let more = match without_norm.len().checked_sub(SHOWN) {
            _ if without_norm.is_empty() => return None,
            Some(more @ 1..) => format!(" and {more} more"),
            _ => String::new(),
        };
        let shown = without_norm.iter().take(SHOWN);
        let names: Vec<String> = shown.map(|name| escaped(name).to_string()).collect();
        Some(format!(
            "note: no batch normalisation reads {}{more}; responses there are the convolutions' own",
            names.join(", ")
        ))
    }
}

impl Inputs {
    /// The digests of all images' files, which are read for it.
    pub(super) fn digests(&self, context: &Context<'_>) -> Result<Vec<Digest>, RunError> {
        let label = "reading the images, to know them again";
        self.of_each_image(label, context, |index| self.images.digest(index))
    }

    /// Checks that no image has changed since the ranking in `output` if it was complete before: by the
    /// process of a whole run, since each of many shards would read all images.
    pub(super) fn check_unchanged(
        &self,
        ranking: &Ranking,
        output: &OutputFolder,
        share: &Share,
        context: &Context<'_>,
    ) -> Result<(), RunError> {
        // Digests that were read just now are those of the images.
        if !ranking.was_complete || ranking.digests_were_read || !share.is_whole() {
            return Ok(());
        }
        let images = self.images.with_digests(ranking.digests.clone());
        let label = "checking that no image has changed";
        let has_changed = |index| match images.check_digest(index) {
            Err(error) if error.is_changed() => Ok(true),
            checked => checked.map(|()| false),
        };
        let changed = self.of_each_image(label, context, has_changed)?;
        let count = changed.iter().filter(|changed| **changed).count();
        let Some(first) = changed.iter().position(|changed| *changed) else { return Ok(()) };
        // Where most differ, another folder of images was given.
        if count == 1 || 2 * count <= changed.len() {
            return Ok(images.check_digest(first)?);
        }
        Err(RunError::usage(format!(
            "{}: holds results of other images: {count} of {} differ from those that were ranked \
             (first: {}); give the images of that run to --images, or choose another --out, or --force",
            shown(output.path()),
            changed.len(),
            shown(&images.path(first))
        )))
    }

    /// The error of [`check_unchanged`](Self::check_unchanged) instead of that of an image that a sweep
    /// found changed.
    pub(super) fn explain_changed(
        &self,
        error: RunError,
        ranking: &Ranking,
        output: &OutputFolder,
        share: &Share,
        context: &Context<'_>,
    ) -> RunError {
        if !error.is_changed_image() {
            return error;
        }
        match self.check_unchanged(ranking, output, share, context) {
            Err(other @ RunError::Usage(_)) => other,
            _ => error,
        }
    }

    fn of_each_image<T: Send>(
        &self,
        label: &str,
        context: &Context<'_>,
        read: impl Fn(usize) -> Result<T, ImageError> + Sync,
    ) -> Result<Vec<T>, RunError> {
        let count = self.images.len();
        let task = Task { label, counted: "images", total: count as u64 };
        context.compute(&task, |progress| {
            let read = |index| -> Result<T, RunError> {
                context.check_cancelled()?;
                progress.advance(1);
                Ok(read(index)?)
            };
            (0..count).into_par_iter().map(read).collect()
        })
    }

    /// Opens the images and reads the weights.
    ///
    /// # Errors
    /// Unreadable images or weights; images or weights of another network.
    pub fn load(
        chosen: ChosenLayers,
        settings: &InputSettings,
        context: &Context<'_>,
    ) -> Result<Self, RunError> {
        for note in [chosen.note_modules(), chosen.note()].into_iter().flatten() {
            context.note(note);
        }
        let ChosenLayers { network, layers, .. } = chosen;
        let options = ImageOptions {
            preprocessing: settings.preprocessing,
            size: settings.image_size,
            channels: Some(network.image_channels()),
            crop: network.origin().image_size,
            skip_unreadable: settings.skip_unreadable,
            ..ImageOptions::default()
        };
        let open = || ImageFolder::open_source(&settings.images, &options);
        let images = context.pool.install(open)?;
        if !images.passed_over().is_empty() {
            let source = settings.images.label();
            context.note(format!("note: of {}, {}", escaped(&source), images.passed_over()));
        }
        for &layer in &layers {
            network.sizes(images.size(), layer)?;
        }
        if let Some(note) = network.origin().note(&network) {
            context.note(note);
        }
        let model = settings.model.load(network, settings.weights_prefix.as_deref())?;
        if let Some(note) = model.found_copy().and_then(copy_note) {
            let weights = settings.model.weights_label();
            context.note(format!("note: {}: {note}", escaped(&weights)));
        }
        if let Some(note) = ignored_note(model.ignored()) {
            context.note(note);
        }
        Ok(Self { model, layers, images })
    }

    /// The network.
    pub fn network(&self) -> &Network {
        self.model.network()
    }

    /// Checks that no pixel outside of its RF reaches a unit of the layers.
    pub(super) fn check_fields(&self) -> Result<(), RunError> {
        let check =
            |&layer: &LayerId| check_fields(self.network(), layer, self.images.size(), None);
        Ok(self.layers.iter().try_for_each(check)?)
    }

    /// `top`, or the number of images if that is smaller, with a note.
    pub(super) fn at_most(&self, top: usize, context: &Context<'_>) -> Result<usize, RunError> {
        in_range("--top", top, usize::MAX)?;
        Ok(at_most(top, self.images.len(), context))
    }

    /// Reads the rankings of all layers in `folder`.
    pub(super) fn read_ranking(&self, folder: &Path) -> Result<Vec<LayerRanking>, RunError> {
        let network = self.network();
        let read = |&layer: &LayerId| -> Result<LayerRanking, RunError> {
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

    /// The configuration of a ranking of some layers.
    pub(super) fn ranking_configuration(
        &self,
        layers: &[LayerId],
        top: usize,
        engine: EngineName,
    ) -> RankingConfiguration {
        let ranked = |&layer: &LayerId| RankedLayer {
            layer: self.network().short_name(layer),
            units: self.network().channels(layer),
            engine,
        };
        RankingConfiguration {
            program: VERSION.into(),
            model: self.model.configuration(),
            images: self.images.configuration(),
            top,
            layers: layers.iter().map(ranked).collect(),
            block: images_a_block(self.images.len()),
        }
    }
}

/// `top`, or the number of images if that is smaller, with a note.
pub(super) fn at_most(top: usize, there: usize, context: &Context<'_>) -> usize {
    if top > there {
        context.note(format!("note: {top} top images requested; there are {there}"));
    }
    top.min(there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn convolutions_without_a_norm_are_named_up_to_eight() {
        let chosen = |without: usize| {
            let layers = (0..without).map(|_| r#"{"op": "conv", "out_channels": 2, "kernel": 1}"#);
            let json = format!(
                r#"{{"name": "some", "layers": [{},
                    {{"op": "conv", "out_channels": 2, "kernel": 1}}, {{"op": "batch_norm"}}]}}"#,
                layers.collect::<Vec<_>>().join(", ")
            );
            let network = Network::from_description(json.as_bytes()).unwrap();
            ChosenLayers::responding(network, &[], Response::Bn).unwrap()
        };
        let note = |without| chosen(without).note().unwrap();
        let eight = "reads conv1, conv2, conv3, conv4, conv5, conv6, conv7, conv8";
        assert!(note(8).contains(&format!("{eight}; responses there")), "{}", note(8));
        assert!(note(11).contains(&format!("{eight} and 3 more; responses there")), "{}", note(11));
        assert_eq!(chosen(11).layers.len(), 12);
    }
}
