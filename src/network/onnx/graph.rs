//! The graph of a file: its nodes in order, its image.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use super::messages::{GraphProto, NodeProto, ValueInfoProto};
use super::tensor::{is_float, type_name};
use crate::error::ParseError;
use crate::geometry::ImageSize;

/// The input that the image goes into.
#[derive(Debug)]
pub(super) struct ImageInput {
    pub name: String,
    /// Whether it is `[n, height, width, channels]`.
    pub channels_last: bool,
    /// Its channels, where the file tells them.
    pub channels: Option<usize>,
    /// Its size, where the file tells it.
    pub size: Option<ImageSize>,
}

/// The nodes, each after those that make its inputs; as in the file where that is such an order.
///
/// # Errors
/// A value that two nodes make; nodes in a circle.
pub(super) fn in_order(nodes: &[NodeProto]) -> Result<Vec<&NodeProto>, ParseError> {
    let mut makers: HashMap<&str, usize> = HashMap::new();
    for (index, node) in nodes.iter().enumerate() {
        for output in node.output.iter().filter(|name| !name.is_empty()) {
            if makers.insert(output, index).is_some() {
                return Err(ParseError(format!("its graph makes the value `{output}` twice")));
            }
        }
    }
    let mut missing = vec![0_usize; nodes.len()];
    let mut readers = vec![Vec::new(); nodes.len()];
    for (index, node) in nodes.iter().enumerate() {
        for maker in node.input.iter().filter_map(|name| makers.get(name.as_str())) {
            missing[index] += 1;
            readers[*maker].push(index);
        }
    }
    let ready = (0..nodes.len()).filter(|&index| missing[index] == 0).map(Reverse);
    let mut ready: BinaryHeap<Reverse<usize>> = ready.collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(Reverse(index)) = ready.pop() {
        order.push(&nodes[index]);
        for &reader in &readers[index] {
            missing[reader] -= 1;
            if missing[reader] == 0 {
                ready.push(Reverse(reader));
            }
        }
    }
    match missing.iter().position(|&missing| missing > 0) {
        Some(index) => {
            let node = &nodes[index];
            let output = node.output.first().map_or("", String::as_str);
            Err(ParseError(format!(
                "its graph goes in a circle: the {} that makes `{output}` is among its own inputs",
                node.op_type
            )))
        }
        None => Ok(order),
    }
}

/// The one input that the image goes into.
///
/// # Errors
/// None, or several; another type than floats; other than four axes.
pub(super) fn image_input(graph: &GraphProto) -> Result<ImageInput, ParseError> {
    // Until version 4 of the format initialisers are inputs too.
    let known: HashSet<&str> = graph.initializer.iter().map(|tensor| &tensor.name[..]).collect();
    let read: HashSet<&str> =
        graph.node.iter().flat_map(|node| &node.input).map(|n| &n[..]).collect();
    let inputs: Vec<&ValueInfoProto> = graph
        .input
        .iter()
        .filter(|input| !known.contains(&input.name[..]) && read.contains(&input.name[..]))
        .collect();
    let [input] = inputs[..] else {
        let names: Vec<&str> = inputs.iter().take(8).map(|input| &input.name[..]).collect();
        return Err(ParseError(format!(
            "its graph has {} inputs ({}); expected one, for an image",
            inputs.len(),
            names.join(", ")
        )));
    };
    let tensor = input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
    if let Some(found) = tensor.map(|tensor| tensor.elem_type.into())
        && found != 0
        && !is_float(found)
    {
        return Err(ParseError(format!(
            "its input `{}` is of type {}; expected float16, bfloat16, float32 or float64: export \
             the network with an input of floats",
            input.name,
            type_name(found)
        )));
    }
    let shape = tensor.and_then(|tensor| tensor.shape.as_ref());
    let lengths: Option<Vec<Option<usize>>> = shape.map(|shape| {
        let length = |length: i64| usize::try_from(length).ok().filter(|&length| length > 0);
        shape.dim.iter().map(|axis| axis.dim_value.and_then(length)).collect()
    });
    let lengths = lengths.unwrap_or_else(|| vec![None; 4]);
    let name = &input.name[..];
    let mut readers = graph.node.iter().filter(|node| node.input.iter().any(|input| input == name));
    let channels_last =
        readers.all(|node| node.op_type == "Transpose" && node.ints("perm") == Some(&[0, 3, 1, 2]));
    let [_, a, b, c] = lengths[..] else {
        return Err(ParseError(format!(
            "its input `{name}` has {} axes; expected [n, channels, height, width]",
            lengths.len()
        )));
    };
    let (channels, height, width) = if channels_last { (c, a, b) } else { (a, b, c) };
    let size = height.zip(width).map(|(height, width)| ImageSize::new(height, width));
    Ok(ImageInput { name: name.to_owned(), channels_last, channels, size })
}
