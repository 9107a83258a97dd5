//! The names of layers, as they are requested and shown.

use std::collections::HashMap;

use super::{Convolution, onnx::NodeList};
use super::{Input, Layer, LayerId, Network, NetworkError, Op, Origin, name_start};
use crate::files::near;

/// Largest number of names in an error.
const NAMES_SHOWN: usize = 64;

/// The index of a convolution that a name such as `conv3` stands for, from 0.
fn index_of_short_name(name: &str) -> Option<usize> {
    let digits = name.strip_prefix("conv")?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    if plain { digits.parse::<usize>().ok()?.checked_sub(1) } else { None }
}

/// A short name for each convolution, `conv1`, `conv2`, …; its own name where another layer or
/// module is called so.
///
/// # Errors
/// An own name that cannot be that of a file.
pub(super) fn short_names(network: &Network) -> Result<Vec<String>, NetworkError> {
    // The last layer of each outermost module, which is what its path stands for.
    let layers = network.own_layers().iter().enumerate();
    let modules =
        layers.filter_map(|(id, layer)| Some((layer.name.split_once('.')?.0, LayerId(id))));
    let modules: HashMap<&str, LayerId> = modules.collect();
    let name = |(index, &id): (usize, &LayerId)| {
        let (own, short) = (&network.layer(id).name, format!("conv{}", index + 1));
        let called = network.by_name.get(&short).or_else(|| modules.get(short.as_str()));
        let taken = called.is_some_and(|&other| other != id);
        if taken || index_of_short_name(own).is_some() {
            check_file_name(own).map(|()| own.clone())
        } else {
            Ok(short)
        }
    };
    network.convolutions.iter().enumerate().map(name).collect()
}

/// The longest name of a layer that files are named after, in bytes: a file's name has at most 255.
const MAX_FILE_NAME: usize = 200;

/// Checks that files of results can be named after a layer.
fn check_file_name(name: &str) -> Result<(), NetworkError> {
    let one_part = !name.contains(['/', '\\']) && !matches!(name, "." | "..");
    if one_part && name.len() <= MAX_FILE_NAME {
        return Ok(());
    }
    let problem = format!(
        "files of results would be named after it; expected at most {MAX_FILE_NAME} bytes, without \
         `/` and `\\`: give the layer another name"
    );
    Err(NetworkError::Layer { layer: name_start(name).to_owned(), problem })
}

impl Network {
    /// A convolution's short name, `conv1`, `conv2`, …, or its own where another layer is called so;
    /// of another layer, its own name.
    pub fn short_name(&self, id: LayerId) -> String {
        if let Ok(index) = self.convolutions.binary_search(&id) {
            return self.short_names[index].clone();
        }
        self.layer(self.tapped(id)).name.clone()
    }

    /// The layer that a name or a module's path stands for: the layer called so, or the last one in
    /// the module called so, which is the module's output.
    fn by_path(&self, name: &str) -> Option<LayerId> {
        if let Some(&id) = self.by_name.get(name) {
            return Some(id);
        }
        let inside =
            |layer: &Layer| layer.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        self.own_layers().iter().rposition(inside).map(LayerId)
    }

    /// The layer called `name`: its own name such as `features.6`, a module's path such as `layer1.0`
    /// for the module's output, or `conv3` for the third convolution, in this order.
    ///
    /// # Errors
    /// [`NetworkError::UnknownLayer`] and [`NetworkError::LeftOut`].
    pub fn named_layer(&self, name: &str) -> Result<LayerId, NetworkError> {
        if let Some(&id) = self.by_name.get(name) {
            return Ok(id);
        }
        let path = name.trim_matches('/').replace('/', ".");
        if !self.by_name.contains_key(&path) {
            self.check_left_out(&path)?;
        }
        let short = || self.convolutions.get(index_of_short_name(name)?).copied();
        self.by_path(&path).or_else(short).ok_or_else(|| NetworkError::UnknownLayer {
            network: self.name.clone(),
            asked: name.to_owned(),
            near: near(name, self.own_layers().iter().map(|layer| layer.name.as_str())),
            known: self.known(),
        })
    }

    /// Checks that no part of a module is among what could not be read.
    fn check_left_out(&self, path: &str) -> Result<(), NetworkError> {
        let Origin { left_out, unsupported, .. } = self.origin();
        let inside = |name: &String| {
            name.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        if !left_out.iter().any(inside) {
            return Ok(());
        }
        let nodes = match &unsupported[..] {
            [] => String::new(),
            nodes => format!(", {}", NodeList(nodes)),
        };
        let (network, asked) = (self.name.clone(), path.to_owned());
        Err(NetworkError::LeftOut { network, asked, nodes, known: self.known() })
    }

    /// The layer that results are named after, by its [`Network::short_name`].
    pub fn layer_of_results(&self, name: &str) -> Option<LayerId> {
        let short = || self.convolutions.get(index_of_short_name(name)?).copied();
        self.by_name.get(name).copied().or_else(short)
    }

    /// The convolution called `name`: `conv3`, or the layer's own name such as `features.6`.
    ///
    /// # Errors
    /// As [`Network::named_layer`]; [`NetworkError::NotConvolution`].
    pub fn convolution(&self, name: &str) -> Result<LayerId, NetworkError> {
        let id = self.named_layer(name)?;
        if self.convolutions.binary_search(&id).is_ok() {
            return Ok(id);
        }
        let (network, asked, kind) = (self.name.clone(), name.to_owned(), self.layer(id).op.kind());
        Err(NetworkError::NotConvolution { network, asked, kind, known: self.known() })
    }

    /// The convolutions' names, as messages list them.
    fn known(&self) -> String {
        let name = |&id: &LayerId| match (self.short_name(id), &self.layer(id).name) {
            (short, own) if short == *own => short,
            (short, own) => format!("{short} ({own})"),
        };
        let names = self.convolutions.iter().take(NAMES_SHOWN).map(name);
        let known = names.collect::<Vec<_>>().join(", ");
        match self.convolutions.len().checked_sub(NAMES_SHOWN) {
            Some(more @ 1..) => format!("{known} and {more} more"),
            _ => known,
        }
    }

    /// The layer whose channels are a layer's units: a convolution itself, and of any other layer
    /// one that is added behind all layers and hands the channels on, a convolution of one tap of
    /// weight 1 for each channel. It counts neither in [`Network::convolutions`] nor in the
    /// [`Network::digest`].
    ///
    /// # Errors
    /// A layer after whose name no files can be named.
    pub fn units_of(&mut self, id: LayerId) -> Result<LayerId, NetworkError> {
        if self.convolutions.binary_search(&id).is_ok() || self.taps.contains(&id) {
            return Ok(id);
        }
        if let Some(tap) = self.taps.iter().find(|&&tap| self.tapped(tap) == id) {
            return Ok(*tap);
        }
        check_file_name(&self.layer(id).name)?;
        if self.is_of_whole_map(id) {
            return Err(NetworkError::NoField { layer: self.layer(id).name.clone() });
        }
        let channels = self.channels(id);
        let op =
            Convolution { groups: channels, bias: false, ..Convolution::new(channels, 1, 1, 0) };
        let name = format!("{}:output", self.layer(id).name);
        let tap = LayerId(self.layers.len());
        // No layer of the network reads it, or is called so: it is none of them.
        self.projections.push(self.projections[id.0]);
        self.of_whole_map.push(false);
        self.channels.push(channels);
        self.layers.push(Layer { name, op: Op::Conv(op), inputs: vec![Input::Layer(id)] });
        self.taps.push(tap);
        Ok(tap)
    }

    /// The layer whose output a layer stands for: itself, but of those that
    /// [`Network::units_of`] added.
    pub fn tapped(&self, id: LayerId) -> LayerId {
        match self.layer(id).inputs[..] {
            [Input::Layer(source)] if self.taps.contains(&id) => source,
            _ => id,
        }
    }

    /// The layers that [`Network::units_of`] added.
    pub fn taps(&self) -> &[LayerId] {
        &self.taps
    }

    /// The layers without those that [`Network::units_of`] added.
    pub(super) fn own_layers(&self) -> &[Layer] {
        &self.layers[..self.layers.len() - self.taps.len()]
    }

    /// Notes where the network comes from.
    pub(super) fn set_origin(&mut self, origin: Origin) {
        self.origin = origin;
    }

    /// Changes a layer's operation to one of the same shape.
    pub(super) fn set_op(&mut self, id: LayerId, op: Op) {
        self.layers[id.0].op = op;
    }
}
