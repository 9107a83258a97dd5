//! GELU, as exporters before version 20 of the operators write it.

use std::collections::{HashMap, HashSet};

use super::messages::NodeProto;

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
        // The one node that reads a node's output, where it is of this operation.
        let next = |index: usize, op_type: &str| {
            let [reader] = readers.get(nodes[index].output.first()?.as_str())?[..] else {
                return None;
            };
            (nodes[reader].op_type == op_type).then_some(reader)
        };
        let has_number = |index: usize, expected: f32| {
            let close = |name: &String| {
                numbers
                    .get(name.as_str())
                    .is_some_and(|found| (found - expected).abs() <= 1e-4 * expected)
            };
            nodes[index].input.len() == 2 && nodes[index].input.iter().any(close)
        };
        for erf in (0..nodes.len()).filter(|&index| nodes[index].op_type == "Erf") {
            let find = || {
                let scaled = *makers.get(nodes[erf].input(0)?)?;
                let root = std::f32::consts::SQRT_2;
                let scales = match nodes[scaled].op_type.as_str() {
                    "Div" => has_number(scaled, root),
                    "Mul" => has_number(scaled, 1.0 / root),
                    _ => false,
                };
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
