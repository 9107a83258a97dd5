//! A program as rows of text.

use super::{Buffers, Node, Program};
use crate::geometry::{Axis, PerAxis, SlidingWindow, Span};
use crate::network::Network;

/// One node of a program in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The layer's name, or `image`.
    pub layer: String,
    /// Its step.
    pub step: String,
    /// The nodes that it reads, by their rows.
    pub inputs: Vec<usize>,
    /// Output channels, rows and columns.
    pub output: [usize; 3],
    /// Rows and columns of the backward cone of one position in the middle of the target.
    pub cone: [usize; 2],
    /// The buffer of its deltas; the last node has none.
    pub buffer: Option<usize>,
    /// Whether the original image's activations are kept.
    pub kept: bool,
}

impl Program {
    /// A row for each node.
    pub fn rows(&self, network: &Network) -> Vec<Row> {
        let (nodes, buffers) = (self.subgraph.nodes(), Buffers::new(self));
        let target = self.subgraph.target();
        let middle = |axis: Axis| Span::at(axis.of(nodes[target].size) / 2);
        let [ys, xs] = [Axis::Y, Axis::X].map(|axis| self.subgraph.backward(axis, middle(axis)));
        let row = |(index, node): (usize, &Node)| Row {
            layer: node.layer.map_or("image".into(), |layer| network.layer(layer).name.clone()),
            step: format!("{}{}", self.steps[index].name(), window(node.window)),
            inputs: node.inputs.clone(),
            output: [node.channels, node.size.height, node.size.width],
            cone: [ys[index].len(), xs[index].len()],
            buffer: (index < target).then(|| buffers.of(index)),
            kept: self.kept[index],
        };
        nodes.iter().enumerate().map(row).collect()
    }
}

/// A window in words; nothing for a single position.
fn window(window: PerAxis<SlidingWindow>) -> String {
    if window == PerAxis::both(SlidingWindow::SINGLE) {
        return String::new();
    }
    let PerAxis { y, x } = window;
    let mut text = match (y.kernel, x.kernel) {
        // A padding.
        (1, 1) if (y.stride, x.stride) == (1, 1) => ",".into(),
        kernel => format!(" {}×{}", kernel.0, kernel.1),
    };
    let mut add = |word: &str, usual: usize, of: fn(SlidingWindow) -> usize| {
        if (of(y), of(x)) != (usual, usual) {
            let both =
                if of(y) == of(x) { of(y).to_string() } else { format!("{}×{}", of(y), of(x)) };
            text = format!("{text} {word} {both}");
        }
    };
    add("stride", 1, |window| window.stride);
    add("dilation", 1, |window| window.dilation);
    add("padding", 0, |window| window.padding);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::ImageSize;

    #[test]
    fn a_residual_block_in_words() {
        let network = Network::from_description(
            br#"{"name": "residual", "layers": [
                {"name": "a", "op": "conv", "out_channels": 4, "kernel": 3, "padding": 1},
                {"name": "r", "op": "relu"},
                {"name": "b", "op": "conv", "out_channels": 4, "kernel": [1, 3], "padding": [0, 1]},
                {"name": "sum", "op": "add", "inputs": ["r", "b"]},
                {"name": "p", "op": "max_pool", "kernel": 2, "stride": 2},
                {"name": "c", "op": "conv", "out_channels": 2, "kernel": 1}
            ]}"#,
        )
        .unwrap();
        let target = network.convolution("c").unwrap();
        let program = Program::new(&network, target, ImageSize::new(12, 10)).unwrap();
        let rows = program.rows(&network);
        let found = rows
            .iter()
            .map(|row| (&*row.layer, &*row.step, row.inputs.clone(), row.cone, row.kept));
        let expected = [
            ("image", "occlude", vec![], [4, 6], true),
            ("a", "convolve, rectify 3×3 padding 1", vec![0], [2, 4], true),
            ("r", "pass on", vec![1], [2, 4], false),
            ("b", "convolve 1×3 padding 0×1", vec![2], [2, 2], false),
            ("sum", "add", vec![2, 3], [2, 2], true),
            ("p", "maximum 2×2 stride 2", vec![4], [1, 1], true),
            ("c", "respond", vec![5], [1, 1], false),
        ];
        assert!(found.eq(expected));
        // The ReLU's deltas are the convolution's, and are read by the sum too.
        let buffers: Vec<Option<usize>> = rows.iter().map(|row| row.buffer).collect();
        assert_eq!(
            buffers,
            [0, 1, 1, 0, 2, 0].map(Some).into_iter().chain([None]).collect::<Vec<_>>()
        );
    }
}
