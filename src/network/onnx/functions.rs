//! Functions of single values.

use super::builder::Builder;
use super::messages::NodeProto;
use super::operations::number;
use super::value::Feature;
use crate::error::ParseError;
use crate::network::{Function, Input, Op};

/// The constants of `Selu`, by default those of the paper.
const SELU: [(&str, f32); 2] = [("alpha", 1.673_263_2), ("gamma", 1.050_701)];

/// The function that a node computes of each value, and the attributes that tell it; `None` where it
/// is another operation.
///
/// # Errors
/// Numbers that do not work.
pub(super) fn of(
    builder: &mut Builder<'_>,
    index: usize,
) -> Result<Option<(Function, &'static [&'static str])>, ParseError> {
    let node = builder.nodes[index];
    Ok(Some(match node.op_type.as_str() {
        "Clip" => (clip(builder, node)?, &["min", "max"]),
        "LeakyRelu" => {
            (Function::LeakyRelu { negative_slope: node.float("alpha", 0.01) }, &["alpha"])
        }
        "Sigmoid" => (Function::Sigmoid, &[]),
        "Tanh" => (Function::Tanh, &[]),
        "HardSigmoid" => {
            let (alpha, beta) = (node.float("alpha", 0.2), node.float("beta", 0.5));
            (Function::HardSigmoid { alpha, beta }, &["alpha", "beta"])
        }
        "HardSwish" => (Function::HardSwish, &[]),
        "Elu" => (Function::Elu { alpha: node.float("alpha", 1.0) }, &["alpha"]),
        "Selu" => {
            if SELU.iter().any(|&(name, usual)| (node.float(name, usual) - usual).abs() > 1e-5) {
                return Err("its alpha and gamma are not the usual ones".into());
            }
            (Function::Selu, &["alpha", "gamma"])
        }
        "Gelu" => {
            let tanh = node.text("approximate") == Some("tanh");
            (Function::Gelu { tanh }, &["approximate"])
        }
        "Mish" => (Function::Mish, &[]),
        "Reciprocal" => (Function::Reciprocal, &[]),
        "Sqrt" => (Function::Sqrt, &[]),
        "Swish" => {
            if node.float("alpha", 1.0) != 1.0 {
                return Err("its alpha is not 1".into());
            }
            (Function::Silu, &["alpha"])
        }
        _ => return Ok(None),
    }))
}

/// Until version 11 of the operators bounds are attributes.
fn clip(builder: &mut Builder<'_>, node: &NodeProto) -> Result<Function, ParseError> {
    let mut bound = |name: &str, which: usize| match (node.attribute(name), node.input(which)) {
        (Some(bound), _) => Ok(Some(bound.f.unwrap_or(0.0))),
        (None, Some(_)) => number(builder, node, which).map(Some),
        (None, None) => Ok(None),
    };
    let (min, max) = (bound("min", 1)?, bound("max", 2)?);
    if [min, max].into_iter().flatten().any(f32::is_nan) {
        return Err("a bound of it is NaN; expected a number".into());
    }
    // The largest and the least number are no bounds.
    let is_bound = |bound: &f32| bound.abs() < f32::MAX;
    Ok(Function::Clip { min: min.filter(is_bound), max: max.filter(is_bound) })
}

/// The input that is multiplied by its own sigmoid, if two inputs are these.
pub(super) fn times_sigmoid(builder: &Builder<'_>, inputs: &[Feature]) -> Option<Feature> {
    let &[a, b] = inputs else { return None };
    let is_sigmoid_of = |sigmoid: Feature, of: Feature| match sigmoid.input {
        Input::Layer(id) => {
            let layer = builder.network.layer(id);
            layer.op == Op::Pointwise(Function::Sigmoid) && layer.inputs == [of.input]
        }
        Input::Image => false,
    };
    match (is_sigmoid_of(a, b), is_sigmoid_of(b, a)) {
        (true, _) => Some(b),
        (_, true) => Some(a),
        _ => None,
    }
}
