//! A pass of whole images through the layers that lead to some targets.

use super::node::{Lowered, Reads};
use super::step::fuse_into_convolutions;
use super::{Buffers, Node, Step};
use crate::geometry::ImageSize;
use crate::network::{LayerId, Network, NetworkError};

/// The layers that lead to some targets, and nothing else, on whole images. `F` are the filters of
/// convolutions and `N` the numbers of other layers, in the order in which an engine reads them; nothing in
/// a pass without weights ([`Pass::new`]).
#[derive(Clone, Debug)]
pub struct Pass<F = (), N = ()> {
    /// The nodes: the image, then layers.
    pub nodes: Vec<Node>,
    /// The step of each node.
    pub steps: Vec<Step<F, N>>,
    /// The buffer of each node but the image. A node in place writes over its input: VGG's 26 activations
    /// need two buffers.
    pub buffers: Buffers,
}

impl Pass {
    /// The pass to some targets, for images of one size; each layer by itself.
    ///
    /// # Errors
    /// Images too small for one of the layers.
    pub fn new(
        network: &Network,
        targets: &[LayerId],
        image: ImageSize,
    ) -> Result<Self, NetworkError> {
        let Lowered { nodes, steps } = Lowered::new(network, targets, image)?;
        let Reads { last, .. } = Reads::of(&nodes);
        // The image, node 0, is the caller's.
        let buffers = Buffers::shared(&nodes, &last, 1, |node, input| {
            steps[node].is_in_place() && input > 0 && last[input] == node
        });
        Ok(Self { nodes, steps, buffers })
    }

    /// The same pass, in which convolutions compute the `ReLU`s behind them. Targets are left as they are.
    #[must_use]
    pub fn fused(mut self, targets: &[LayerId]) -> Self {
        let mut read_once = Reads::of(&self.nodes).once;
        for (once, node) in read_once.iter_mut().zip(&self.nodes) {
            *once &= node.layer.is_some_and(|layer| !targets.contains(&layer));
        }
        fuse_into_convolutions(&self.nodes, &read_once, &mut self.steps);
        self
    }
}

impl<F, N> Pass<F, N> {
    /// Whether a node writes over its input.
    pub fn is_in_place(&self, node: usize) -> bool {
        self.buffers.source[node] != node
    }

    /// The node of a layer; `None` of one that leads to no target.
    pub fn node_of(&self, layer: LayerId) -> Option<usize> {
        self.nodes.iter().position(|node| node.layer == Some(layer))
    }

    /// The size of a layer's output; 0×0 of one that leads to no target.
    pub fn size(&self, layer: LayerId) -> ImageSize {
        self.node_of(layer).map_or(ImageSize::new(0, 0), |node| self.nodes[node].size)
    }

    /// Values of each buffer for one image.
    pub fn buffer_values(&self) -> Vec<usize> {
        let mut values = vec![0; self.buffers.count];
        for (index, node) in self.nodes.iter().enumerate().skip(1) {
            let values = &mut values[self.buffers.of(index)];
            *values = node.values().max(*values);
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_needs_two_buffers() {
        for preset in ["alexnet", "vgg11", "vgg19", "vgg16_bn"] {
            let network = Network::preset(preset).unwrap();
            let (last, _) = network.convolutions().last().unwrap();
            let pass = Pass::new(&network, &[last], ImageSize::square(227)).unwrap();
            assert_eq!(pass.nodes.len(), last.0 + 2);
            assert_eq!(pass.buffers.count, 2, "{preset}");
            for (index, node) in pass.nodes.iter().enumerate().skip(2) {
                let writes_over = pass.buffers.of(index) == pass.buffers.of(node.inputs[0]);
                assert_eq!(pass.is_in_place(index), writes_over, "{preset}: {index}");
            }
        }
    }

    #[test]
    fn a_branch_keeps_what_it_reads_later() {
        let network = Network::from_description(
            br#"{"name": "branch", "layers": [
                {"name": "a", "op": "conv", "out_channels": 4, "kernel": 3, "padding": 1},
                {"name": "r", "op": "relu"},
                {"name": "b", "op": "conv", "out_channels": 4, "kernel": 3, "padding": 1},
                {"name": "sum", "op": "add", "inputs": ["a", "b"]},
                {"name": "unused", "op": "relu", "inputs": ["a"]},
                {"name": "c", "op": "conv", "out_channels": 2, "kernel": 1, "inputs": ["sum"]}
            ]}"#,
        )
        .unwrap();
        let target = network.convolution("c").unwrap();
        let pass = Pass::new(&network, &[target], ImageSize::square(9)).unwrap();
        let layers = pass.nodes.iter().filter_map(|node| node.layer);
        let names: Vec<&str> = layers.map(|layer| network.layer(layer).name.as_str()).collect();
        assert_eq!(names, ["a", "r", "b", "sum", "c"]);
        assert!(!pass.is_in_place(2), "`a` is read again by the sum");
        let [a, r, b] = [1, 2, 3].map(|node| pass.buffers.of(node));
        assert!(r != a && b != a);
        // The ReLU is not the convolution's, which the sum reads too.
        let fused = pass.fused(&[target]);
        assert_eq!(fused.steps[2], Step::Relu { elsewhere: false });
    }

    #[test]
    fn a_convolution_computes_the_relu_behind_it_unless_its_own_values_are_asked_for() {
        let network = Network::preset("vgg11").unwrap();
        let [first, second] = ["conv1", "conv2"].map(|name| network.convolution(name).unwrap());
        let pass = |targets: &[LayerId]| {
            let pass = Pass::new(&network, targets, ImageSize::square(32)).unwrap().fused(targets);
            (pass.steps[1].clone(), pass.steps[2].clone())
        };
        let convolve = |rectify| Step::Convolve { filters: (), rectify };
        assert_eq!(pass(&[second]), (convolve(true), Step::Relu { elsewhere: true }));
        assert_eq!(pass(&[first, second]), (convolve(false), Step::Relu { elsewhere: false }));
    }
}
