//! The tensors of weight files become the numbers of layers.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Filters, ModelError};
use crate::files::{escaped, near};
use crate::network::weights::{self, Tensor, Tensors};
use crate::network::{LayerId, Network, Op, TensorShape, leftover, reparametrised};

/// A tensor that a layer needs.
pub(super) struct LayerTensor {
    layer: LayerId,
    /// Its name in a weight file, below the prefix.
    name: String,
    shape: Vec<usize>,
}

/// The filters of each layer that needs some, from the tensors of `path`, and the names of those that
/// have no use, as the network would name them.
pub(super) fn filters_of(
    network: &Network,
    shapes: &[LayerTensor],
    mut tensors: Tensors,
    path: &Path,
) -> Result<(BTreeMap<LayerId, Filters>, Vec<String>), ModelError> {
    let mut filters = BTreeMap::new();
    let mut of_layer: Vec<Vec<f32>> = Vec::new();
    for (index, LayerTensor { layer, name: tensor, shape: expected }) in shapes.iter().enumerate() {
        let (path, name) = (path.to_owned(), network.name().to_owned());
        let (tensor, expected) = (tensor.clone(), expected.clone());
        let Some(Tensor { shape: found, data }) = tensors.found.remove(&tensor) else {
            let near = near(&tensor, tensors.ignored.iter().map(String::as_str));
            let near = escaped(&near).to_string();
            return Err(ModelError::Missing { path, network: name, tensor, expected, near });
        };
        // A PReLU of one slope has it for all channels.
        let one_slope = found == [1] && matches!(network.layer(*layer).op, Op::Prelu);
        if found != expected && !one_slope {
            return Err(ModelError::Misshapen { path, network: name, tensor, expected, found });
        }
        of_layer.push(if one_slope { vec![data[0]; expected[0]] } else { data });
        if shapes.get(index + 1).is_none_or(|LayerTensor { layer: next, .. }| next != layer) {
            let tensors = std::mem::take(&mut of_layer);
            let numbers = Filters::of_tensors(&network.layer(*layer).op, tensors);
            if !numbers.weight.iter().chain(&numbers.bias).all(|number| number.is_finite()) {
                let layer = escaped(&network.layer(*layer).name).to_string();
                return Err(ModelError::Statistics { path, network: name, layer });
            }
            filters.insert(*layer, numbers);
        }
    }
    if let Some(tensor) = leftover::first(network, &tensors) {
        let (path, tensor) = (path.to_owned(), escaped(tensor).to_string());
        return Err(ModelError::Unused { path, network: network.name.clone(), tensor });
    }
    if let Some(tensor) = leftover::between(network, &tensors) {
        let (path, tensor) = (path.to_owned(), escaped(tensor).to_string());
        return Err(ModelError::OfAnother { path, network: network.name.clone(), tensor });
    }
    let Tensors { ignored, ignored_plain, prefix, .. } = tensors;
    let of_network = |(name, plain): (String, String)| match plain.strip_prefix(&prefix) {
        Some(own) if !own.is_empty() => own.to_owned(),
        _ => name,
    };
    let unused = ignored.into_iter().zip(ignored_plain);
    let unused = unused.filter(|(name, _)| !leftover::is_counter(name)).map(of_network);
    Ok((filters, unused.collect()))
}

pub(super) fn names(shapes: &[LayerTensor]) -> Vec<String> {
    shapes.iter().map(|tensor| tensor.name.clone()).collect()
}

/// Reads the tensors of `shapes`; weights that are kept in parts are computed.
pub(super) fn read_tensors(
    network: &Network,
    path: &Path,
    prefix: Option<&str>,
    shapes: &[LayerTensor],
) -> Result<Tensors, ModelError> {
    let mut names = names(shapes);
    let tensors = weights::read_below(path, prefix, &names)?;
    let in_parts: Vec<&str> = shapes
        .iter()
        .filter(|LayerTensor { layer, name, shape }| {
            let weight = matches!(network.layer(*layer).op, Op::Conv(_)) && shape.len() > 1;
            weight && !tensors.found.contains_key(name)
        })
        .map(|tensor| network.layer(tensor.layer).name.as_str())
        .collect();
    if in_parts.is_empty() {
        return Ok(tensors);
    }
    names.extend(in_parts.iter().flat_map(|layer| reparametrised::names(layer)));
    let mut tensors = weights::read_below(path, prefix, &names)?;
    for layer in in_parts {
        let weight = reparametrised::compute(layer, &mut tensors)
            .map_err(|problem| reparametrised::problem(path, layer, problem))?;
        if let Some(weight) = weight {
            tensors.found.insert(format!("{layer}.weight"), weight);
        }
    }
    Ok(tensors)
}

/// Every tensor that the network needs, those of a layer next to each other.
pub(super) fn tensor_shapes(network: &Network) -> Vec<LayerTensor> {
    let mut shapes = Vec::new();
    for id in (0..network.own_layers().len()).map(LayerId) {
        let layer = network.layer(id);
        for TensorShape { name, shape } in layer.op.tensors(network.input_channels(id)) {
            let name = format!("{}.{name}", layer.name);
            shapes.push(LayerTensor { layer: id, name, shape });
        }
    }
    shapes
}
