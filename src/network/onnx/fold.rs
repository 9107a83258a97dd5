//! Nodes whose inputs are constants.

use super::arithmetic::{compute, expanded};
use super::constant::{Constant, Tensors};
use super::is_standard;
use super::messages::{NodeProto, TensorProto};
use super::rearranged::rearranged;
use super::tensor::{MAX_RANK, check_few, is_float, type_name};
use crate::error::ParseError;
use crate::network::weights::TensorProblem;

/// Nodes that compute constants from constants.
///
/// # Errors
/// Operations that are not folded, and numbers that do not work.
pub(super) fn fold(
    node: &NodeProto,
    inputs: &[Constant],
    tensors: &mut Tensors,
) -> Result<Constant, ParseError> {
    if !is_standard(&node.domain) {
        return Err("the operation is not one of ONNX's own".into());
    }
    match (node.op_type.as_str(), inputs) {
        ("Constant", []) => constant(node, tensors),
        ("ConstantOfShape", [shape]) => {
            let lengths = lengths(&integers(shape, tensors)?)?;
            let Some(value) = node.attribute("value").and_then(|value| value.t.as_ref()) else {
                return Ok(Constant::filled(lengths, 0.0));
            };
            repeated(lengths, value, tensors)
        }
        ("Identity", [input]) => Ok(input.clone()),
        ("Cast", [input]) => cast(input, node.int("to", 0), tensors),
        ("Reshape", [input, shape]) => {
            let shape = reshaped(input, &integers(shape, tensors)?)?;
            into_shape(input, shape)
        }
        ("Unsqueeze", [input, ..]) => {
            let axes = axes(node, inputs, tensors)?;
            let rank = input.shape.len() + axes.len();
            let mut axes = from_start(&axes, rank)?;
            axes.sort_unstable();
            let mut shape = input.shape.clone();
            for axis in axes {
                shape.insert(axis.min(shape.len()), 1);
            }
            into_shape(input, shape)
        }
        ("Squeeze", [input, ..]) => {
            let is_given = node.attribute("axes").is_some() || inputs.len() > 1;
            let axes = if is_given { axes(node, inputs, tensors)? } else { Vec::new() };
            let axes = from_start(&axes, input.shape.len())?;
            let stays = |&(axis, length): &(usize, usize)| {
                length != 1 || (is_given && !axes.contains(&axis))
            };
            let shape = input.shape.iter().copied().enumerate().filter(stays);
            into_shape(input, shape.map(|(_, length)| length).collect())
        }
        ("Expand", [input, shape]) => {
            let shape = lengths(&integers(shape, tensors)?)?;
            expanded(input, &shape, tensors)
        }
        ("Concat" | "Slice" | "Transpose", [first, ..]) if first.is_of_integers(tensors) => {
            rearranged(node, inputs, tensors)
        }
        (other, _) => compute(node, inputs, tensors)
            .unwrap_or_else(|| Err(ParseError(format!("{other} of constants is not computed")))),
    }
}

/// A constant in another type, as ONNX rounds: integers to the nearest float32, floats towards zero. Floats are read
/// in any type of floats.
fn cast(input: &Constant, to: i64, tensors: &mut Tensors) -> Result<Constant, ParseError> {
    let refused = || ParseError(format!("a cast to {}", type_name(to)));
    if to != 6 && to != 7 {
        return match input.is_of_integers(tensors) {
            false if is_float(to) => Ok(input.clone()),
            true if to == 1 => {
                let values: Vec<f32> =
                    integers(input, tensors)?.iter().map(|&value| value as f32).collect();
                Ok(Constant::floats(input.shape.clone(), &values))
            }
            _ => Err(refused()),
        };
    }
    let values = if input.is_of_integers(tensors) {
        integers(input, tensors)?
    } else {
        // Bounds are lists or numbers; anything of more axes is weights.
        if input.shape.len() > 1 {
            return Err(refused());
        }
        check_few(input.len().unwrap_or(usize::MAX)).map_err(problem)?;
        let floats = input.read(tensors).map_err(problem)?.data;
        if !floats.iter().all(|value| value.abs() < i64::MAX as f32) {
            return Err(refused());
        }
        floats.iter().map(|&value| value as i64).collect()
    };
    if to == 6 && !values.iter().all(|&value| i32::try_from(value).is_ok()) {
        return Err(refused());
    }
    Ok(Constant::integers(input.shape.clone(), &values))
}

fn constant(node: &NodeProto, tensors: &mut Tensors) -> Result<Constant, ParseError> {
    let Some(value) = node.attribute.first() else { return Err("it has no value".into()) };
    match (value.name.as_str(), &value.t) {
        ("value", Some(tensor)) => {
            tensors.stored.push(tensor.clone());
            Constant::stored(tensors, tensors.stored.len() - 1).map_err(problem)
        }
        ("value_float", _) => Ok(Constant::floats(vec![], &[value.f.unwrap_or(0.0)])),
        ("value_floats", _) => Ok(Constant::floats(vec![value.floats.len()], &value.floats)),
        ("value_int", _) => Ok(Constant::integers(vec![], &[value.i.unwrap_or(0)])),
        ("value_ints", _) => Ok(Constant::integers(vec![value.ints.len()], &value.ints)),
        (other, _) => Err(ParseError(format!("its `{other}` is not read"))),
    }
}

/// One value everywhere, of integers or floats.
fn repeated(
    shape: Vec<usize>,
    value: &TensorProto,
    tensors: &mut Tensors,
) -> Result<Constant, ParseError> {
    let empty = || ParseError::from("its value is empty");
    if !matches!(value.data_type, 6 | 7) {
        let floats = value.floats(&mut tensors.external).map_err(problem)?.data;
        return Ok(Constant::filled(shape, *floats.first().ok_or_else(empty)?));
    }
    let values = value.integers(&mut tensors.external).map_err(problem)?;
    let count = Constant::filled(shape.clone(), 0.0).len().unwrap_or(usize::MAX);
    check_few(count).map_err(problem)?;
    Ok(Constant::integers(shape, &vec![*values.first().ok_or_else(empty)?; count]))
}

/// The values of a constant as integers.
pub(super) fn integers(constant: &Constant, tensors: &mut Tensors) -> Result<Vec<i64>, ParseError> {
    constant.read_integers(tensors).map_err(problem)
}

/// The axes of a node, in an attribute or an input.
pub(super) fn axes(
    node: &NodeProto,
    inputs: &[Constant],
    tensors: &mut Tensors,
) -> Result<Vec<i64>, ParseError> {
    match (node.ints("axes"), inputs.get(1)) {
        (Some(axes), _) => Ok(axes.to_vec()),
        (None, Some(axes)) => integers(axes, tensors),
        (None, None) => Err("it has no axes".into()),
    }
}

/// Axes of a tensor of `rank` axes, the negative ones counted from its end.
pub(super) fn from_start(axes: &[i64], rank: usize) -> Result<Vec<usize>, ParseError> {
    let problem = || ParseError(format!("its axes do not fit a tensor of {rank} axes"));
    if rank > MAX_RANK {
        return Err(problem());
    }
    let from_start = |&axis: &i64| {
        let axis = if axis < 0 { axis.saturating_add(rank as i64) } else { axis };
        usize::try_from(axis).ok().filter(|&axis| axis < rank).ok_or_else(problem)
    };
    axes.iter().map(from_start).collect()
}

fn lengths(shape: &[i64]) -> Result<Vec<usize>, ParseError> {
    if shape.len() > MAX_RANK {
        return Err(ParseError(format!("a shape of {} axes", shape.len())));
    }
    let length = |&length: &i64| {
        usize::try_from(length).map_err(|_| ParseError(format!("a length of {length}")))
    };
    shape.iter().map(length).collect()
}

/// The shape that `Reshape` makes: 0 is the input's length, -1 what is left.
fn reshaped(input: &Constant, shape: &[i64]) -> Result<Vec<usize>, ParseError> {
    let copied = shape.iter().enumerate().map(|(axis, &length)| match length {
        0 => input.shape.get(axis).map_or(0, |&length| length as i64),
        other => other,
    });
    let copied: Vec<i64> = copied.collect();
    let known: usize = copied
        .iter()
        .filter_map(|&length| usize::try_from(length).ok())
        .fold(1, usize::saturating_mul);
    let left = input.len().unwrap_or(0).checked_div(known).unwrap_or(0);
    lengths(&copied.iter().map(|&l| if l == -1 { left as i64 } else { l }).collect::<Vec<_>>())
}

fn into_shape(input: &Constant, shape: Vec<usize>) -> Result<Constant, ParseError> {
    input
        .reshaped(shape)
        .ok_or_else(|| ParseError(format!("the values of {:?} do not fit its shape", input.shape)))
}

/// The problem of a tensor as that of a node.
pub(super) fn problem(problem: TensorProblem) -> ParseError {
    match problem {
        TensorProblem::Content(problem) => ParseError(problem),
        TensorProblem::NotFinite { index, value } => {
            ParseError(format!("element {index} of a tensor is {value:?}; expected finite numbers"))
        }
    }
}
