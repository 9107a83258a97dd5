//! Gates, and the layers that make them of the whole map.

use std::collections::BTreeSet;

use super::builder::Builder;
use super::error::shown_text;
use super::gelu::gelu;
use super::messages::NodeProto;
use super::operations::translate;
use super::recipe::Recipe;
use super::value::{Feature, Outcome, Value};
use super::views::list;
use super::{is_standard, single};
use crate::error::ParseError;
use crate::geometry::ImageSize;
use crate::network::{Convolution, Gate, GateJoin, Op};

/// The join of a map with one number for each channel.
pub(super) fn gate(builder: &mut Builder<'_>, index: usize) -> Result<Value, ParseError> {
    let node: &NodeProto = builder.nodes[index];
    node.check_attributes(&["axis", "broadcast"])?;
    if node.input.len() != 2 {
        return Err("it joins more than a map and one number for each channel".into());
    }
    let first = builder.value(node, 0)?;
    let (map, numbers) = if builder.is_of_whole_map(&first) { (1, 0) } else { (0, 1) };
    let map = builder.feature(node, map)?;
    let (reader, numbers) = before_expand(builder, node, numbers, map)?;
    let numbers = builder.of_whole_map(reader, numbers)?;
    let join = if node.op_type == "Mul" { GateJoin::Mul } else { GateJoin::Add };
    builder.layer(index, Op::Gate(Gate { join }), &[map, numbers])
}

/// The node, and its input, that reads the numbers of a join with a map: an `Expand` that repeats them for each
/// position of the map, or the join itself.
///
/// # Errors
/// An `Expand` to another size.
fn before_expand<'a>(
    builder: &mut Builder<'a>,
    node: &'a NodeProto,
    which: usize,
    map: Feature,
) -> Result<(&'a NodeProto, usize), ParseError> {
    let maker = node.input(which).and_then(|name| builder.makers.get(name)).copied();
    let Some(maker) = maker.filter(|&maker| builder.expands(maker)) else {
        return Ok((node, which));
    };
    let expand = builder.nodes[maker];
    if !repeats_for(builder, expand, map)? {
        return Err(ParseError(format!(
            "`{}` (Expand) repeats its gate to another size than its map's",
            builder.names.of(maker)
        )));
    }
    builder.of_gates.push(maker);
    Ok((expand, 0))
}

/// Whether an `Expand` makes the size of a map.
fn repeats_for(
    builder: &mut Builder<'_>,
    expand: &NodeProto,
    map: Feature,
) -> Result<bool, ParseError> {
    let size = builder.size(map);
    if let Value::Shape(of) = builder.value(expand, 1)? {
        let same = of.channels_last == map.channels_last && builder.size(of) == size;
        return Ok(of == map || same);
    }
    let given = list(builder, expand, "shape", 1)?.unwrap_or_default();
    let mut lengths = [1; 4];
    let Some(first) = lengths.len().checked_sub(given.len()) else { return Ok(false) };
    lengths[first..].copy_from_slice(&given);
    let [_, channels, height, width] = lengths;
    let (channels, height, width) =
        if map.channels_last { (width, channels, height) } else { (channels, height, width) };
    let fits = |ImageSize { height: rows, width: columns }: ImageSize| {
        [height, width] == [rows as i64, columns as i64]
    };
    Ok([1, builder.channels(map) as i64].contains(&channels) && size.is_none_or(fits))
}

impl<'a> Builder<'a> {
    /// Whether a node is an `Expand`.
    fn expands(&self, index: usize) -> bool {
        self.nodes[index].op_type == "Expand" && is_standard(&self.nodes[index].domain)
    }

    /// The nodes behind a value that the whole map makes, each after those that make its inputs.
    fn made_of_whole_map(&self, value: &str) -> BTreeSet<usize> {
        let mut needed = BTreeSet::new();
        let mut rest = vec![value];
        while let Some(name) = rest.pop() {
            let is_pooled = matches!(self.values.get(name), Some(Value::Pooled));
            if let Some(&maker) = self.makers.get(name)
                && is_pooled
                && needed.insert(maker)
            {
                match self.gelus.inputs.get(&maker) {
                    Some(x) => rest.push(x),
                    None => rest.extend(self.nodes[maker].input.iter().map(String::as_str)),
                }
            }
        }
        needed
    }

    /// Adds the layers that make an input of a node of the whole map, and returns the last of them.
    ///
    /// # Errors
    /// The part that is not supported.
    pub fn of_whole_map(&mut self, node: &NodeProto, which: usize) -> Result<Feature, ParseError> {
        let needed = self.made_of_whole_map(node.input(which).unwrap_or_default());
        let mut failed = None;
        for maker in needed {
            let made: &'a NodeProto = self.nodes[maker];
            let values = match failed {
                None => pooled_layers(self, maker),
                Some(_) => Ok(Vec::new()),
            };
            let values = values.unwrap_or_else(|ParseError(problem)| {
                failed = Some((maker, problem));
                Vec::new()
            });
            // Once found, what is not supported is not looked at again.
            let stop = failed.as_ref().map_or(maker, |&(maker, _)| maker);
            for (number, output) in made.output.iter().enumerate() {
                let value = values.get(number).cloned().unwrap_or(Value::Behind(stop));
                self.values.insert(output, value);
            }
            if failed.is_none() {
                self.of_gates.push(maker);
            }
        }
        if let Some((maker, problem)) = failed {
            let (name, of) = (self.names.of(maker), &self.nodes[maker].op_type);
            return Err(ParseError(format!(
                "its gate is made by `{name}` ({}): {problem}",
                shown_text(of)
            )));
        }
        self.feature(node, which)
    }
}

/// The value of each output of a node that depends on the whole map.
///
/// # Errors
/// The part that is not supported.
fn pooled_layers(builder: &mut Builder<'_>, index: usize) -> Result<Vec<Value>, ParseError> {
    let node = builder.nodes[index];
    if let Some(x) = builder.gelus.inputs.get(&index).cloned()
        && let Some(x) = builder.values.get(x.as_str()).cloned()
    {
        return match gelu(builder, index, &x) {
            (_, Outcome::Unsupported(problem)) => Err(ParseError(problem)),
            (values, _) => Ok(values),
        };
    }
    let one = match node.op_type.as_str() {
        "GlobalAveragePool" => {
            node.check_attributes(&[])?;
            let map = builder.planar(node, 0)?;
            builder.layer(index, Op::GlobalAvgPool, &[map])
        }
        "ReduceMean" => {
            let map = builder.feature(node, 0)?;
            if !builder.reduces_only_space(node)? {
                return Err("it takes the mean of more than height and width".into());
            }
            let mean = builder.part(index, 0, Op::GlobalAvgPool, map)?;
            let flat = node.int("keepdims", 1) == 0;
            Ok(Value::Layer(Feature { channels_last: flat || mean.channels_last, ..mean }))
        }
        "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" => single::shaped(builder, index),
        "Gemm" => matrix(builder, index),
        "Expand" => {
            Err("it repeats what the whole map makes, which is supported right before its join with a map".into())
        }
        "GlobalMaxPool" | "GlobalLpPool" | "ReduceMax" | "ReduceSum" => {
            Err("the operation is not supported; expected a mean".into())
        }
        _ => return translate(builder, index),
    };
    one.map(|value| vec![value])
}

/// A matrix on the channels of one position, as a convolution of one tap.
fn matrix(builder: &mut Builder<'_>, index: usize) -> Result<Value, ParseError> {
    let node: &NodeProto = builder.nodes[index];
    node.check_attributes(&["alpha", "beta", "transA", "transB"])?;
    let plain = node.float("alpha", 1.0) == 1.0 && node.float("beta", 1.0) == 1.0;
    if !plain || node.int("transA", 0) != 0 {
        return Err("its alpha and beta are not 1, or it turns its first matrix".into());
    }
    let input: Feature = builder.feature(node, 0)?;
    if !input.channels_last {
        return Err("its input is not `[1, channels]`".into());
    }
    let weight = builder.constant(node, 1)?;
    let bias = node.input(2).map(|_| builder.constant(node, 2)).transpose()?;
    let turned = node.int("transB", 0) != 0;
    let ((&[outputs, inputs], true) | (&[inputs, outputs], false)) = (&weight.shape[..], turned)
    else {
        return Err(ParseError(format!("its matrix has shape {:?}", weight.shape)));
    };
    if inputs != builder.channels(input) || bias.as_ref().is_some_and(|b| b.shape != [outputs]) {
        return Err(ParseError(format!(
            "its matrix {:?} or its bias does not fit its input of {} channels",
            weight.shape,
            builder.channels(input)
        )));
    }
    let op = Convolution { bias: bias.is_some(), ..Convolution::new(outputs, 1, 1, 0) };
    let recipe =
        if turned { Recipe::Convolution { weight, bias } } else { Recipe::Matrix { weight, bias } };
    builder.with_recipe(index, Op::Conv(op), input, recipe)
}
