//! Padding with values of the map itself.

use super::activations::Activations;
use super::delta::{Delta, Presentation};
use super::program::Program;
use crate::geometry::{Axis, Border, ImageSize, PerAxis, Span};

/// A padding of an input of one size.
#[derive(Clone, Copy)]
pub(super) struct Padding {
    pub border: Border,
    /// Positions before the input.
    pub before: PerAxis<usize>,
    /// The input's size.
    pub input: ImageSize,
}

impl Padding {
    /// That of a node.
    pub fn of(program: &Program, node: usize, border: Border) -> Self {
        let nodes = program.subgraph.nodes();
        let before = PerAxis::from_fn(|axis| nodes[node].window.of(axis).padding);
        Self { border, before, input: nodes[nodes[node].inputs[0]].size }
    }

    /// The input's position whose value stands at `output`.
    fn source(self, axis: Axis, output: isize) -> isize {
        self.border.source(output - self.before.of(axis) as isize, axis.of(self.input))
    }

    /// The original image's outputs `y` × `x`.
    pub fn baseline(self, input: &Activations, y: Span, x: Span, output: &mut [f32]) {
        let mut outputs = output.chunks_exact_mut(input.channels.max(1));
        for row in (y.start..y.end).map(|y| self.source(Axis::Y, y)) {
            for (column, output) in (x.start..x.end).zip(&mut outputs) {
                output.copy_from_slice(input.at(row, self.source(Axis::X, column)));
            }
        }
    }
}

/// Writes the delta of a padding's outputs: that of the input whose value stands there, or none.
///
/// Presentations that share a plan lie alike to the ends of the input, where their windows reach them.
pub(super) fn pad(
    program: &Program,
    node: usize,
    border: Border,
    batch: &[Presentation<'_>],
    input: Delta<&[f32]>,
    output: &mut Delta<&mut [f32]>,
) {
    let (in_each, out_each) = (input.each(), output.each());
    let Some(first) = batch.first() else { return };
    let padding = Padding::of(program, node, border);
    let nodes = program.subgraph.nodes();
    let (here, from) = (&nodes[node], &nodes[nodes[node].inputs[0]]);
    let sources = |axis: Axis, outputs: Span| -> Vec<isize> {
        let position = PerAxis::new(first.position.0, first.position.1).of(axis);
        let [output, input] = [here, from].map(|node| node.origin(axis, position));
        (outputs.start..outputs.end).map(|at| padding.source(axis, at + output) - input).collect()
    };
    let (rows, columns) = (sources(Axis::Y, output.y), sources(Axis::X, output.x));
    let channels = output.channels;
    for (which, outputs) in output.values.chunks_exact_mut(out_each).enumerate() {
        let positions = rows.iter().flat_map(|&y| columns.iter().map(move |&x| (y, x)));
        for ((y, x), output) in positions.zip(outputs.chunks_exact_mut(channels)) {
            if input.has(y, x) {
                let values = &input.values[which * in_each + input.offset(y, x)..];
                output.copy_from_slice(&values[..channels]);
            } else {
                output.fill(0.0);
            }
        }
    }
}
