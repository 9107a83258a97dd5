//! The one lowering of a network: the layers that lead to some targets, as nodes and their steps.

use super::Step;
use crate::geometry::{Axis, Border, ImageSize, PerAxis, SlidingWindow, Span};
use crate::network::{Input, LayerId, Network, NetworkError};

/// The image, or a layer on the way from it to a target.
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
    /// Groups of the channels of a convolution, of which only the taps that meet changed inputs count;
    /// `None` for another layer.
    pub groups: Option<usize>,
    /// Whether it joins every position of its first input with the one position of its second.
    pub is_gate: bool,
    /// Inputs, the first ones, that deltas come from. Where gates keep their numbers, what is made of
    /// the whole map has none.
    pub(super) deltas_from: usize,
    /// Positions of this node between neighbouring positions of the target.
    pub(super) step: PerAxis<usize>,
    /// Where the backward cone of the target's position 0 begins, ignoring that maps end.
    pub(super) corner: PerAxis<isize>,
}

impl Node {
    /// The image, of a network of so many image channels. Coordinates are the map's own, as those of every
    /// node before a [`Subgraph`](super::Subgraph) makes them relative.
    fn image(channels: usize, size: ImageSize) -> Self {
        Self {
            layer: None,
            inputs: Vec::new(),
            window: PerAxis::both(SlidingWindow::SINGLE),
            channels,
            size,
            border: None,
            reads_whole_windows: false,
            groups: None,
            is_gate: false,
            deltas_from: 0,
            step: PerAxis::both(0),
            corner: PerAxis::both(0),
        }
    }

    /// Values of its output.
    pub const fn values(&self) -> usize {
        self.channels * self.size.area()
    }

    /// The origin of the relative coordinates of this node for a target position: where that
    /// position's backward cone begins, were the map endless; of a subgraph
    /// [through gates](super::Subgraph::through_gates), and of what deltas do not come through, 0.
    pub const fn origin(&self, axis: Axis, position: usize) -> isize {
        (position * self.step.of(axis)) as isize + self.corner.of(axis)
    }

    /// The inputs that deltas come from: all, or, where gates keep their numbers, all but those that are
    /// made of the whole map.
    pub fn local_inputs(&self) -> &[usize] {
        &self.inputs[..self.deltas_from]
    }

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
    pub(super) fn first_input(&self) -> PerAxis<isize> {
        PerAxis::from_fn(|axis| self.window.of(axis).first_input(self.corner.of(axis)))
    }
}

/// The layers that lead to some targets, each after its inputs, the image first.
#[derive(Debug)]
pub(super) struct Lowered {
    pub nodes: Vec<Node>,
    /// The step of each node.
    pub steps: Vec<Step>,
}

impl Lowered {
    /// The layers that lead to `targets`, themselves included, for images of one size.
    ///
    /// # Errors
    /// Images too small for one of the layers.
    pub fn new(
        network: &Network,
        targets: &[LayerId],
        image: ImageSize,
    ) -> Result<Self, NetworkError> {
        let sizes = network.sizes_for(image, targets)?;
        let needed = network.leading_to(targets);
        let mut nodes = vec![Node::image(network.image_channels(), image)];
        let mut steps = vec![Step::Image];
        let mut node_of = vec![0; sizes.len()];
        for (id, &size) in sizes.iter().enumerate().filter(|&(id, _)| needed[id]) {
            let layer = network.layer(LayerId(id));
            let input = |input: &Input| match *input {
                Input::Image => 0,
                Input::Layer(LayerId(source)) => node_of[source],
            };
            let inputs: Vec<usize> = layer.inputs.iter().map(input).collect();
            let step = Step::of(network, LayerId(id));
            let window = if step.is_of_whole_map() {
                whole(nodes[inputs[0]].size)
            } else {
                layer.op.window().axes
            };
            node_of[id] = nodes.len();
            nodes.push(Node {
                layer: Some(LayerId(id)),
                deltas_from: inputs.len(),
                inputs,
                window,
                channels: network.channels(LayerId(id)),
                size,
                border: step.border(),
                reads_whole_windows: step.reads_whole_windows(),
                groups: layer.op.convolution().map(|conv| conv.groups),
                is_gate: step.is_gate(),
                step: PerAxis::both(0),
                corner: PerAxis::both(0),
            });
            steps.push(step);
        }
        Ok(Self { nodes, steps })
    }
}

/// The one window of a whole map.
fn whole(size: ImageSize) -> PerAxis<SlidingWindow> {
    PerAxis::from_fn(|axis| SlidingWindow { kernel: axis.of(size), ..SlidingWindow::SINGLE })
}

/// Who reads each node.
#[derive(Debug)]
pub(super) struct Reads {
    /// Of each node, whether exactly one other reads it.
    pub once: Vec<bool>,
    /// Of each node, the last node that reads it; 0, the image, which reads none, if none does.
    pub last: Vec<usize>,
}

impl Reads {
    /// The reads of some nodes.
    pub fn of(nodes: &[Node]) -> Self {
        let (mut readers, mut last) = (vec![0; nodes.len()], vec![0; nodes.len()]);
        for (index, node) in nodes.iter().enumerate() {
            for &input in &node.inputs {
                readers[input] += 1;
                last[input] = index;
            }
        }
        Self { once: readers.into_iter().map(|readers| readers == 1).collect(), last }
    }
}
