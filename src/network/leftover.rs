//! Tensors of a weight file that a network does not use, and should.

use super::weights::{Tensors, plain_name};
use super::{Input, LayerId, Network, Op};

/// Counters, which no output depends on.
const COUNTERS: [&str; 1] = ["num_batches_tracked"];

/// The first tensor of a file that is part of the network and is not used: one of a layer's own, or
/// one of a batch normalisation among the network's layers. What lies behind the last layer, such as
/// a classifier, is no part of it.
pub(super) fn first<'t>(network: &Network, tensors: &'t Tensors) -> Option<&'t str> {
    let read = read_by_others(network);
    let belongs = |name: &&String| {
        let plain = plain_name(name);
        let Some(own) = plain.strip_prefix(&tensors.prefix) else { return false };
        let Some((module, tensor)) = own.rsplit_once('.') else { return false };
        if COUNTERS.contains(&tensor) {
            return false;
        }
        network.by_name.contains_key(module)
            || (tensor.starts_with("running_") && is_among(network, &read, module))
    };
    tensors.ignored.iter().find(belongs).map(String::as_str)
}

/// Of each layer, whether another one reads it.
fn read_by_others(network: &Network) -> Vec<bool> {
    let mut read = vec![false; network.own_layers().len()];
    for layer in network.own_layers() {
        for input in &layer.inputs {
            if let Input::Layer(LayerId(id)) = *input {
                read[id] = true;
            }
        }
    }
    read
}

/// Whether a module stands among a network's layers: beside a convolution that others read and, where
/// modules are numbered, before the last of them.
fn is_among(network: &Network, read: &[bool], module: &str) -> bool {
    let split = |name: &'_ str| -> (String, String) {
        let (parent, own) = name.rsplit_once('.').unwrap_or(("", name));
        (parent.to_owned(), own.to_owned())
    };
    let (parent, own) = split(module);
    let beside = |layer: &&super::Layer| split(&layer.name).0 == parent;
    let read_convolution = network.own_layers().iter().zip(read).any(|(layer, &read)| {
        read && matches!(layer.op, Op::Conv(_)) && split(&layer.name).0 == parent
    });
    let Ok(place) = own.parse::<usize>() else { return read_convolution };
    let places = network.own_layers().iter().filter(beside);
    let last = places.filter_map(|layer| split(&layer.name).1.parse::<usize>().ok()).max();
    read_convolution && last.is_some_and(|last| place < last)
}
