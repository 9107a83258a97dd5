//! The layers that lead to a target, and what of them can reach one position of it.

use crate::geometry::{Axis, Border, ImageSize, PerAxis, SlidingWindow, Span};
use crate::network::{Input, LayerId, Network, NetworkError, Op};

/// The image, or a layer on the way from it to the target.
#[derive(Clone, Debug)]
pub struct Node {
    /// The layer; `None` for the image.
    pub layer: Option<LayerId>,
    /// The nodes that it is computed from, all of them earlier.
    pub inputs: Vec<usize>,
    /// The window that it slides over its inputs.
    pub window: PerAxis<SlidingWindow>,
    /// Output channels.
    pub channels: usize,
    /// Output size.
    pub size: ImageSize,
    /// Values past the ends of its input, of a node that pads it with its own.
    pub border: Option<Border>,
    /// Whether windows must be read whole where a part of them changed: a maximum cannot be
    /// updated from the changed values alone.
    pub reads_whole_windows: bool,
    /// Whether it is a convolution: only the taps that meet changed inputs count.
    pub has_taps: bool,
    /// Whether it joins every position of its first input with the one position of its second.
    pub is_gate: bool,
    /// Inputs, the first ones, that deltas come from. Where gates keep their numbers, what is made of
    /// the whole map has none.
    deltas_from: usize,
    /// Positions of this node between neighbouring positions of the target.
    step: PerAxis<usize>,
    /// Where the backward cone of the target's position 0 begins, ignoring that maps end.
    corner: PerAxis<isize>,
}

impl Node {
    /// The origin of the relative coordinates of this node for a target position: where that
    /// position's backward cone begins, were the map endless; of a subgraph
    /// [through gates](Subgraph::through_gates), and of what deltas do not come through, 0.
    pub const fn origin(&self, axis: Axis, position: usize) -> isize {
        (position * self.step.of(axis)) as isize + self.corner.of(axis)
    }

    /// The inputs that deltas come from: all, or, where gates keep their numbers, all but those that are
    /// made of the whole map.
    pub fn local_inputs(&self) -> &[usize] {
        &self.inputs[..self.deltas_from]
    }
}

impl Node {
    /// The inputs, of an axis of `length`, that `outputs` see; the smallest span with all of them.
    pub fn inputs_of(&self, axis: Axis, outputs: Span, length: usize) -> Span {
        let seen = self.window.of(axis).inputs(outputs);
        match self.border {
            Some(border) => border.sources(seen, length),
            None => seen.intersect(Span::whole(length)),
        }
    }

    /// The outputs that see `inputs`, of an axis of `length`; of a padding, those of `needed`. The smallest
    /// span with all of them.
    pub fn outputs_of(&self, axis: Axis, inputs: Span, length: usize, needed: Span) -> Span {
        let window = self.window.of(axis);
        let seen = match self.border {
            Some(border) => border.copies(inputs, length, window.inputs(needed)),
            None => inputs,
        };
        window.outputs(seen)
    }

    /// The first input that the first position of its backward cone sees.
    fn first_input(&self) -> PerAxis<isize> {
        PerAxis::from_fn(|axis| self.window.of(axis).first_input(self.corner.of(axis)))
    }
}

/// The one window of a whole map.
fn whole(size: ImageSize) -> PerAxis<SlidingWindow> {
    PerAxis::from_fn(|axis| SlidingWindow { kernel: axis.of(size), ..SlidingWindow::SINGLE })
}

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
        let sizes = network.sizes(image, target)?;
        let needed = network.leading_to(&[target]);
        let through_gates = network.has_exact_gates_before(target);
        let mut nodes = vec![Node {
            layer: None,
            inputs: Vec::new(),
            window: PerAxis::both(SlidingWindow::SINGLE),
            channels: network.image_channels(),
            size: image,
            border: None,
            reads_whole_windows: false,
            has_taps: false,
            is_gate: false,
            deltas_from: 0,
            step: network.projection(target).step,
            corner: PerAxis::both(isize::MAX),
        }];
        let mut place = vec![0; target.0 + 1];
        for id in (0..=target.0).filter(|&id| needed[id]) {
            let (id, layer) = (LayerId(id), &network.layers()[id]);
            let node_of = |input: &Input| match *input {
                Input::Image => 0,
                Input::Layer(LayerId(source)) => place[source],
            };
            let inputs: Vec<usize> = layer.inputs.iter().map(node_of).collect();
            let window = if layer.op.is_of_whole_map() {
                whole(nodes[inputs[0]].size)
            } else {
                layer.op.window().axes
            };
            let of_whole_map = network.is_of_whole_map(id);
            let is_gate = matches!(layer.op, Op::Gate(_));
            let deltas_from = match inputs.len() {
                all if through_gates => all,
                _ if of_whole_map => 0,
                _ if is_gate => 1,
                all => all,
            };
            place[id.0] = nodes.len();
            nodes.push(Node {
                layer: Some(id),
                inputs,
                window,
                channels: network.channels(id),
                size: sizes[id.0],
                border: match &layer.op {
                    Op::Pad(pad) => Some(pad.mode),
                    _ => None,
                },
                reads_whole_windows: matches!(layer.op, Op::MaxPool(_)),
                has_taps: matches!(layer.op, Op::Conv(_)),
                is_gate,
                deltas_from,
                // Branches that join advance over the image in equal steps: `Network` sees to it.
                step: PerAxis::from_fn(|axis| {
                    let steps = [target, id].map(|id| network.projection(id).step.of(axis));
                    if of_whole_map { 0 } else { steps[0] / steps[1] }
                }),
                corner: PerAxis::both(isize::MAX),
            });
        }
        let last = nodes.len() - 1;
        nodes[last].corner = PerAxis::both(0);
        for node in (0..nodes.len()).rev() {
            // Behind a gate that changes, windows are whole maps; and what no delta comes through has
            // no place beside the target's position.
            if through_gates || nodes[node].corner == PerAxis::both(isize::MAX) {
                (nodes[node].corner, nodes[node].step) = (PerAxis::both(0), PerAxis::both(0));
                continue;
            }
            let first = nodes[node].first_input();
            for input in nodes[node].local_inputs().to_vec() {
                let corner = nodes[input].corner;
                nodes[input].corner = PerAxis::from_fn(|axis| corner.of(axis).min(first.of(axis)));
            }
        }
        Ok(Self { nodes, through_gates })
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
        for (place, node) in self.nodes.iter().enumerate().rev() {
            for (which, &input) in inputs(node).iter().enumerate() {
                let length = axis.of(self.nodes[input].size);
                let seen = match (node.is_gate, which) {
                    // A gate reads the one position, whatever its own is.
                    (true, 1) if !cone[place].is_empty() => Span::whole(length),
                    _ => node.inputs_of(axis, cone[place], length),
                };
                cone[input] = cone[input].hull(seen);
            }
        }
        cone
    }

    /// Of the input `input`, by its place among the node's inputs, what lies between the two
    /// relative origins: output `o` sees inputs from `o * stride + shift` on.
    pub fn shift(&self, node: usize, input: usize) -> PerAxis<isize> {
        let source = &self.nodes[self.nodes[node].inputs[input]];
        let first = self.nodes[node].first_input();
        PerAxis::from_fn(|axis| first.of(axis) - source.corner.of(axis))
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
