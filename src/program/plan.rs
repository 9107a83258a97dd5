//! The work of a presentation.

use super::{AxisPlan, Subgraph};
use crate::geometry::Span;

/// The work of a presentation.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'p> {
    pub(super) subgraph: &'p Subgraph,
    pub(super) y: &'p AxisPlan,
    pub(super) x: &'p AxisPlan,
}

/// Taps of one kernel row that meet changed inputs at one output position: a contiguous run of
/// weights in `[ky][kx]` and, unless the convolution is dilated, of changed inputs in `[y][x]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapBlock {
    /// The first tap, `ky * kernel.x + kx`.
    pub tap: usize,
    /// The input that it meets, `y * width + x` within the input's window.
    pub input: usize,
    /// Taps in the run.
    pub taps: usize,
}

impl<'p> Plan<'p> {
    /// The layers that the plan is about.
    pub fn subgraph(&self) -> &'p Subgraph {
        self.subgraph
    }

    /// The plan's rows.
    pub fn y(&self) -> &'p AxisPlan {
        self.y
    }

    /// The plan's columns.
    pub fn x(&self) -> &'p AxisPlan {
        self.x
    }

    /// Whether the occluder cannot reach the unit: the difference is exactly 0.
    pub fn is_empty(&self) -> bool {
        self.positions(self.subgraph.target()) == 0
    }

    /// Rows and columns of a node's window; `(0, 0)` where it is empty.
    pub fn window(&self, node: usize) -> (Span, Span) {
        let (y, x) = (self.y.reach(node).changed, self.x.reach(node).changed);
        if y.is_empty() || x.is_empty() { (Span::EMPTY, Span::EMPTY) } else { (y, x) }
    }

    /// Positions in a node's window.
    pub fn positions(&self, node: usize) -> usize {
        let (y, x) = self.window(node);
        y.len() * x.len()
    }

    /// The blocks of taps of a convolution's output position `(y, x)`, counted within its window:
    /// `delta[y, x] = Σ_blocks W[block] · δ[block]`. One block a kernel row.
    pub fn blocks(&self, node: usize, y: usize, x: usize) -> Vec<TapBlock> {
        let run = |axis: &'p AxisPlan, output: usize| {
            axis.runs(node)
                .iter()
                .find(|run| (run.output..run.output + run.outputs).contains(&output))
        };
        let (Some(rows), Some(columns)) = (run(self.y, y), run(self.x, x)) else {
            return Vec::new();
        };
        let (node, input) = (&self.subgraph.nodes()[node], self.subgraph.nodes()[node].inputs[0]);
        let window = node.window;
        let width = self.window(input).1.len();
        let row = rows.input + (y - rows.output) * window.y.stride;
        let column = columns.input + (x - columns.output) * window.x.stride;
        let block = |row_tap: usize| TapBlock {
            tap: (rows.tap + row_tap) * window.x.kernel + columns.tap,
            input: (row + row_tap * window.y.dilation) * width + column,
            taps: columns.taps,
        };
        (0..rows.taps).map(block).collect()
    }

    /// Multiply-adds of a convolution's share of the presentation, with only the taps that meet a
    /// delta: of one unit at the target, of all channels before it.
    pub fn multiply_adds(&self, node: usize) -> u64 {
        if self.positions(node) == 0 {
            return 0;
        }
        self.of_taps(node, self.y.taps(node) * self.x.taps(node))
    }

    /// As [`multiply_adds`](Self::multiply_adds), with all taps of every position in the window:
    /// what the two cones alone would leave.
    pub fn multiply_adds_of_window(&self, node: usize) -> u64 {
        let window = self.subgraph.nodes()[node].window;
        self.of_taps(node, self.positions(node) * window.y.kernel * window.x.kernel)
    }

    fn of_taps(&self, node: usize, taps: usize) -> u64 {
        let here = &self.subgraph.nodes()[node];
        let Some(groups) = here.groups else { return 0 };
        let inputs = self.subgraph.nodes()[here.inputs[0]].channels / groups;
        let outputs = if node == self.subgraph.target() { 1 } else { here.channels };
        (taps * inputs * outputs) as u64
    }
}
