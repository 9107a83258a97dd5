//! The layers that lead to a target, and what of them can reach one position of it.

use super::Node;
use super::node::Lowered;
use crate::geometry::{Axis, ImageSize, PerAxis, Span};
use crate::network::{LayerId, Network, NetworkError};

/// The layers that lead to a target, each after its inputs, the image first and the target last.
#[derive(Clone, Debug)]
pub struct Subgraph {
    nodes: Vec<Node>,
    through_gates: bool,
}

impl Subgraph {
    /// The subgraph of a layer, for images of one size.
    ///
    /// # Errors
    /// Images too small for one of the layers.
    pub fn new(network: &Network, target: LayerId, image: ImageSize) -> Result<Self, NetworkError> {
        let Lowered { nodes, .. } = Lowered::new(network, &[target], image)?;
        Ok(Self::of(network, target, nodes))
    }

    /// The subgraph of the nodes that lead to a layer.
    pub(super) fn of(network: &Network, target: LayerId, mut nodes: Vec<Node>) -> Self {
        let through_gates = network.has_exact_gates_before(target);
        // Behind a gate that changes, windows are whole maps, in the maps' own coordinates.
        if !through_gates {
            set_origins(network, target, &mut nodes);
        }
        Self { nodes, through_gates }
    }

    /// Whether deltas come through what is made of the whole map, so that behind the first gate every
    /// position changes. Coordinates are then the maps' own: plans are of one position.
    pub fn through_gates(&self) -> bool {
        self.through_gates
    }

    /// The nodes: the image, then layers, the target last.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node of the target.
    pub fn target(&self) -> usize {
        self.nodes.len() - 1
    }

    /// The backward cone of some positions of the target: for each node the positions whose deltas can
    /// reach one of them; where gates keep their numbers, other than through what is made of the whole
    /// map. Only positions that exist are part of it: what lies outside a map is padding, and nothing
    /// reaches through it.
    pub fn backward(&self, axis: Axis, positions: Span) -> Vec<Span> {
        self.cone(axis, positions, Node::local_inputs)
    }

    /// What of the original image's activations some positions of the target depend on: their backward
    /// cone and, of what leads to a global pooling, the whole map.
    pub fn baseline(&self, axis: Axis, positions: Span) -> Vec<Span> {
        self.cone(axis, positions, |node| &node.inputs)
    }

    /// What reaches some positions of the target through some of each node's inputs, the first ones.
    fn cone(&self, axis: Axis, positions: Span, inputs: impl Fn(&Node) -> &[usize]) -> Vec<Span> {
        let mut cone = vec![Span::EMPTY; self.nodes.len()];
        let target = self.target();
        cone[target] = positions.intersect(Span::whole(axis.of(self.nodes[target].size)));
        for (index, node) in self.nodes.iter().enumerate().rev() {
            for (which, &input) in inputs(node).iter().enumerate() {
                let length = axis.of(self.nodes[input].size);
                let seen = match (node.is_gate, which) {
                    // A gate reads the one position, whatever its own is.
                    (true, 1) if !cone[index].is_empty() => Span::whole(length),
                    _ => node.inputs_of(axis, cone[index], length),
                };
                cone[input] = cone[input].hull(seen);
            }
        }
        cone
    }

    /// Of the input `input`, by its index among the node's inputs, what lies between the two
    /// relative origins: output `o` sees inputs from `o * stride + shift` on.
    pub fn shift(&self, node: usize, input: usize) -> PerAxis<isize> {
        let source = &self.nodes[self.nodes[node].inputs[input]];
        let first = self.nodes[node].first_input();
        PerAxis::from_fn(|axis| first.of(axis) - source.corner.of(axis))
    }
}

/// Makes coordinates relative to the backward cone of a target's position, where gates keep their
/// numbers.
fn set_origins(network: &Network, target: LayerId, nodes: &mut [Node]) {
    const NOWHERE: PerAxis<isize> = PerAxis { y: isize::MAX, x: isize::MAX };
    for node in nodes.iter_mut() {
        // Branches that join advance over the image in equal steps: `Network` sees to it.
        let step = network.projection(target).step;
        match node.layer {
            Some(id) if network.is_of_whole_map(id) => node.deltas_from = 0,
            Some(id) => {
                let of_layer = network.projection(id).step;
                node.step = PerAxis::from_fn(|axis| step.of(axis) / of_layer.of(axis));
                node.deltas_from = if node.is_gate { 1 } else { node.inputs.len() };
            }
            None => node.step = step,
        }
        node.corner = NOWHERE;
    }
    if let Some(last) = nodes.last_mut() {
        last.corner = PerAxis::both(0);
    }
    for index in (0..nodes.len()).rev() {
        let node = &mut nodes[index];
        // What no delta comes through has no position relative to the target's.
        if node.corner == NOWHERE {
            (node.corner, node.step) = (PerAxis::both(0), PerAxis::both(0));
            continue;
        }
        let first = node.first_input();
        for input in node.local_inputs().to_vec() {
            let corner = nodes[input].corner;
            nodes[input].corner = PerAxis::from_fn(|axis| corner.of(axis).min(first.of(axis)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alexnets_cone_is_the_known_one() {
        let network = Network::preset("alexnet").unwrap();
        let conv5 = network.convolution("conv5").unwrap();
        let subgraph = Subgraph::new(&network, conv5, ImageSize::square(227)).unwrap();
        let sides = |positions| {
            let cone = subgraph.backward(Axis::X, positions);
            cone.into_iter().map(Span::len).collect::<Vec<_>>()
        };
        // image, conv1, relu, pool, conv2, relu, pool, conv3, relu, conv4, relu, conv5
        assert_eq!(sides(Span::at(6)), [163, 39, 39, 19, 15, 15, 7, 5, 5, 3, 3, 1]);
        // The first pooling leaves out the last of 56 rows, and with it the last pixels.
        assert_eq!(sides(Span::whole(13)), [225, 55, 55, 27, 27, 27, 13, 13, 13, 13, 13, 13]);
        // In the corner, less than what lies inside of the endless cone is needed nowhere here.
        let corner = subgraph.backward(Axis::Y, Span::at(0));
        for (node, span) in subgraph.nodes().iter().zip(&corner) {
            assert!(span.start == 0 && span.end <= node.origin(Axis::Y, 0) + 163);
        }
        assert_eq!(subgraph.nodes()[0].origin(Axis::X, 6), 30);
        assert!(
            (1..subgraph.nodes().len()).all(|node| subgraph.shift(node, 0) == PerAxis::both(0))
        );
    }

    #[test]
    fn layers_that_do_not_lead_to_the_target_are_left_out() {
        let network = Network::from_description(
            br#"{"name": "branch", "layers": [
                {"name": "a", "op": "conv", "out_channels": 4, "kernel": 3, "padding": 1},
                {"name": "unused", "op": "relu"},
                {"name": "b", "op": "conv", "out_channels": 4, "kernel": 5, "padding": 2,
                 "inputs": ["a"]},
                {"name": "sum", "op": "add", "inputs": ["a", "b"]},
                {"name": "c", "op": "conv", "out_channels": 2, "kernel": 1, "inputs": ["sum"]}
            ]}"#,
        )
        .unwrap();
        let target = network.convolution("c").unwrap();
        let subgraph = Subgraph::new(&network, target, ImageSize::new(20, 30)).unwrap();
        let layers: Vec<_> = subgraph.nodes().iter().map(|node| node.layer).collect();
        assert_eq!(layers, [None, Some(0), Some(2), Some(3), Some(4)].map(|id| id.map(LayerId)));
        // `a` is read by the sum directly and through the wider window of `b`.
        let cone = subgraph.backward(Axis::Y, Span::at(10));
        assert_eq!(cone[1], Span::new(8, 13));
        let shifts = [(3, 0), (3, 1), (2, 0)].map(|(node, input)| subgraph.shift(node, input));
        assert_eq!(shifts, [2, 0, 0].map(PerAxis::both));
    }
}
