//! Tensors of a weight file that a network does not use, and should.

use std::collections::HashMap;

use super::weights::Tensors;
use super::{Input, LayerId, Network, Op};

/// Names of counters.
const COUNTERS: [&str; 1] = ["num_batches_tracked"];

/// The first tensor of a file that is part of the network and is not used: one of a layer's own, or
/// one of a batch normalisation among the network's layers. What lies behind the last layer, such as
/// a classifier, is no part of it.
pub(super) fn first<'t>(network: &Network, tensors: &'t Tensors) -> Option<&'t str> {
    let read = read_by_others(network);
    let belongs = |(_, plain): &(&String, &String)| {
        let Some(own) = plain.strip_prefix(&tensors.prefix) else { return false };
        let Some((module, tensor)) = own.rsplit_once('.') else { return false };
        if is_counter(plain) {
            return false;
        }
        network.by_name.contains_key(module)
            || (tensor.starts_with("running_") && is_among(network, &read, module))
    };
    let mut ignored = tensors.ignored.iter().zip(&tensors.ignored_plain);
    ignored.find(belongs).map(|(name, _)| name.as_str())
}

/// The first tensor of a file that stands among the network's modules, as `layer1.2` of a deeper network
/// stands between `layer1` and `layer2`: the nearest module that holds layers of the network, and not
/// the last of them.
pub(super) fn between<'t>(network: &Network, tensors: &'t Tensors) -> Option<&'t str> {
    let layers = network.own_layers();
    let last_of: HashMap<&str, usize> = (layers.iter().enumerate())
        .flat_map(|(index, layer)| modules(&layer.name).map(move |module| (module, index)))
        .collect();
    let stands_between = |(_, plain): &(&String, &String)| {
        let own = plain.strip_prefix(&tensors.prefix).unwrap_or_default();
        let nearest = modules(own).rev().find_map(|module| last_of.get(module));
        !is_counter(plain) && nearest.is_some_and(|last| last + 1 < layers.len())
    };
    let mut ignored = tensors.ignored.iter().zip(&tensors.ignored_plain);
    ignored.find(stands_between).map(|(name, _)| name.as_str())
}

/// The modules around a name, the outermost first.
fn modules(name: &str) -> impl DoubleEndedIterator<Item = &str> {
    name.match_indices('.').map(|(end, _)| &name[..end])
}

/// Whether a tensor is a counter, which no output depends on.
pub(super) fn is_counter(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, tensor)| COUNTERS.contains(&tensor))
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

/// Whether a normalisation stands among a network's layers: behind a convolution that others read. That
/// is the one of the same number beside it, as `conv2` of `bn2`; where modules are numbered, any before
/// the last layer; where the name has no number, any beside it.
fn is_among(network: &Network, read: &[bool], module: &str) -> bool {
    let (parent, own) = split(module);
    let beside =
        || network.own_layers().iter().zip(read).filter(|(l, _)| split(&l.name).0 == parent);
    let is_read = |own: Option<&str>| {
        let number = own.map(trailing_number);
        beside().any(|(layer, &read)| {
            let same = number.is_none_or(|number| number == trailing_number(split(&layer.name).1));
            read && same && matches!(layer.op, Op::Conv(_))
        })
    };
    match (own.parse::<usize>(), trailing_number(own)) {
        (Ok(index), _) => {
            let indices = beside().filter_map(|(layer, _)| split(&layer.name).1.parse().ok());
            is_read(None) && indices.max().is_some_and(|last: usize| index < last)
        }
        (Err(_), "") => is_read(None),
        (Err(_), _) => is_read(Some(own)),
    }
}

/// A module's parent and its own name.
fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or(("", name))
}

/// The digits at the end of a name.
fn trailing_number(name: &str) -> &str {
    &name[name.trim_end_matches(|c: char| c.is_ascii_digit()).len()..]
}
