//! The layers that lead to a target, and what of them can reach one position of it.

use crate::geometry::{Axis, ImageSize, PerAxis, SlidingWindow, Span};
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
    /// Whether windows must be read whole where a part of them changed: a maximum cannot be
    /// updated from the changed values alone.
    pub reads_whole_windows: bool,
    /// Whether it is a convolution: only the taps that meet changed inputs count.
    pub has_taps: bool,
    /// Positions of this node between neighbouring positions of the target.
    step: PerAxis<usize>,
    /// Where the backward cone of the target's position 0 begins, ignoring that maps end.
    corner: PerAxis<isize>,
}

impl Node {
    /// The origin of the relative coordinates of this node for a target position: where that
    /// position's backward cone begins, were the map endless.
    pub const fn origin(&self, axis: Axis, position: usize) -> isize {
        (position * self.step.of(axis)) as isize + self.corner.of(axis)
    }
}

impl Node {
    /// The first input that the first position of its backward cone sees.
    fn first_input(&self) -> PerAxis<isize> {
        PerAxis::from_fn(|axis| self.window.of(axis).first_input(self.corner.of(axis)))
    }
}

/// The layers that lead to a target, each after its inputs, the image first and the target last.
#[derive(Clone, Debug)]
pub struct Subgraph {
    nodes: Vec<Node>,
}

impl Subgraph {
    /// The subgraph of a layer, for images of one size.
    ///
    /// # Errors
    /// Images too small for one of the layers.
    pub fn new(network: &Network, target: LayerId, image: ImageSize) -> Result<Self, NetworkError> {
        let sizes = network.sizes(image, target)?;
        let needed = network.leading_to(&[target]);
        let mut nodes = vec![Node {
            layer: None,
            inputs: Vec::new(),
            window: PerAxis::both(SlidingWindow::SINGLE),
            channels: network.image_channels(),
            size: image,
            reads_whole_windows: false,
            has_taps: false,
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
            let inputs = layer.inputs.iter().map(node_of).collect();
            place[id.0] = nodes.len();
            nodes.push(Node {
                layer: Some(id),
                inputs,
                window: layer.op.window().axes,
                channels: network.channels(id),
                size: sizes[id.0],
                reads_whole_windows: matches!(layer.op, Op::MaxPool(_)),
                has_taps: matches!(layer.op, Op::Conv(_)),
                // Branches that join advance over the image in equal steps: `Network` sees to it.
                step: PerAxis::from_fn(|axis| {
                    network.projection(target).step.of(axis) / network.projection(id).step.of(axis)
                }),
                corner: PerAxis::both(isize::MAX),
            });
        }
        let last = nodes.len() - 1;
        nodes[last].corner = PerAxis::both(0);
        for node in (1..nodes.len()).rev() {
            let first = nodes[node].first_input();
            for input in nodes[node].inputs.clone() {
                let corner = nodes[input].corner;
                nodes[input].corner = PerAxis::from_fn(|axis| corner.of(axis).min(first.of(axis)));
            }
        }
        Ok(Self { nodes })
    }

    /// The nodes: the image, then layers, the target last.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node of the target.
    pub fn target(&self) -> usize {
        self.nodes.len() - 1
    }

    /// The backward cone of some positions of the target: for each node the positions that can
    /// reach one of them. Only positions that exist are part of it: what lies outside a map is
    /// padding, and nothing reaches through it.
    pub fn backward(&self, axis: Axis, positions: Span) -> Vec<Span> {
        let mut cone = vec![Span::EMPTY; self.nodes.len()];
        let target = self.target();
        cone[target] = positions.intersect(Span::whole(axis.of(self.nodes[target].size)));
        for (place, node) in self.nodes.iter().enumerate().rev() {
            for &input in &node.inputs {
                let real = Span::whole(axis.of(self.nodes[input].size));
                let seen = node.window.of(axis).inputs(cone[place]).intersect(real);
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
