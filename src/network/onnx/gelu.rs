//! GELU, as exporters before version 20 of the operators write it.

use std::collections::{HashMap, HashSet};

use super::builder::{Builder, translated};
use super::constant::Tensors;
use super::fold::fold;
use super::is_standard;
use super::messages::NodeProto;
use super::value::{Outcome, Value};
use crate::network::{Function, Op};

/// The parts of a GELU by its error function: `x / √2`, `erf`, `+ 1`, `* x` and `* 0.5`.
#[derive(Debug, Default)]
pub(super) struct Gelus {
    /// The nodes before the last, of which none is computed.
    pub inner: HashSet<usize>,
    /// Of each last node, the name of what the function is of.
    pub inputs: HashMap<usize, String>,
}

impl Gelus {
    /// Finds all in a graph; `numbers` are the constants of one float.
    pub fn of(nodes: &[&NodeProto], numbers: &HashMap<&str, f32>) -> Self {
        let mut makers = HashMap::new();
        let mut readers: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, node) in nodes.iter().enumerate() {
            makers.extend(node.output.iter().map(|output| (output.as_str(), index)));
            for input in &node.input {
                readers.entry(input).or_default().push(index);
            }
        }
        let mut found = Self::default();
        let is = |index: usize, op_type: &str| {
            nodes[index].op_type == op_type && is_standard(&nodes[index].domain)
        };
        // The one node that reads a node's output, where it is of this operation.
        let next = |index: usize, op_type: &str| {
            let [reader] = readers.get(nodes[index].output.first()?.as_str())?[..] else {
                return None;
            };
            is(reader, op_type).then_some(reader)
        };
        let has_number = |index: usize, expected: f32| {
            let close = |name: &String| {
                numbers
                    .get(name.as_str())
                    .is_some_and(|found| (found - expected).abs() <= 1e-4 * expected)
            };
            nodes[index].input.len() == 2 && nodes[index].input.iter().any(close)
        };
        for erf in (0..nodes.len()).filter(|&index| is(index, "Erf")) {
            let find = || {
                let scaled = *makers.get(nodes[erf].input(0)?)?;
                let root = std::f32::consts::SQRT_2;
                let scales = (is(scaled, "Div") && has_number(scaled, root))
                    || (is(scaled, "Mul") && has_number(scaled, 1.0 / root));
                let alone = next(scaled, "Erf") == Some(erf);
                let x = nodes[scaled].input(0).filter(|_| scales && alone)?;
                let sum = next(erf, "Add").filter(|&sum| has_number(sum, 1.0))?;
                let product = next(sum, "Mul")?;
                let of_x = nodes[product].input.iter().any(|input| input == x);
                let last = next(product, "Mul").filter(|&last| of_x && has_number(last, 0.5))?;
                Some((x.to_owned(), [scaled, erf, sum, product], last))
            };
            if let Some((x, inner, last)) = find() {
                found.inner.extend(inner);
                found.inputs.insert(last, x);
            }
        }
        found
    }
}

/// The values of the constants of one float.
pub(super) fn numbers<'a>(
    nodes: &[&'a NodeProto],
    values: &HashMap<&'a str, Value>,
    tensors: &mut Tensors,
) -> HashMap<&'a str, f32> {
    let mut numbers = HashMap::new();
    for (&name, value) in values {
        if let Value::Constant(constant) = value
            && constant.len() == Some(1)
            && let Ok(tensor) = constant.read(tensors)
        {
            numbers.insert(name, tensor.data[0]);
        }
    }
    let is_small = |node: &&&NodeProto| {
        let tensor = node.attribute("value").and_then(|value| value.t.as_ref());
        node.op_type == "Constant"
            && tensor.is_none_or(|tensor| tensor.dims.iter().all(|&l| l == 1))
    };
    for node in nodes.iter().filter(is_small) {
        if let Some(output) = node.output.first()
            && let Ok(constant) = fold(node, &[], tensors)
            && constant.len() == Some(1)
            && let Ok(tensor) = constant.read(tensors)
        {
            numbers.insert(output, tensor.data[0]);
        }
    }
    numbers
}

/// The values of the outputs of a GELU's last node, and its result; `x` is its argument.
pub(super) fn gelu(builder: &mut Builder<'_>, index: usize, x: &Value) -> (Vec<Value>, Outcome) {
    let outputs = builder.nodes[index].output.len();
    match *x {
        Value::Layer(input) => {
            let op = Op::Pointwise(Function::Gelu { tanh: false });
            translated(builder.layer(index, op, &[input]).map(|value| vec![value]))
        }
        Value::Padded { .. }
        | Value::Grouped { .. }
        | Value::Bundled { .. }
        | Value::Shape(_)
        | Value::Column(_) => {
            let problem = "its input, of which it is the GELU, is padded or has its channels in \
                           groups or its axes incomplete, which is not supported";
            translated(Err(problem.into()))
        }
        Value::Pooled => (vec![Value::Pooled; outputs], Outcome::Pooled),
        Value::Behind(before) => (vec![Value::Behind(before); outputs], Outcome::Behind),
        Value::Constant(_) => (vec![Value::Unfolded(index); outputs], Outcome::Done),
        Value::Unfolded(maker) => (vec![Value::Unfolded(maker); outputs], Outcome::Done),
    }
}
