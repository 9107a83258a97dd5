//! Which part of a network's activations an occluder changes *and* a unit depends on: host
//! geometry, integers only, the same for every engine.
//!
//! A presentation asks for the change of one unit at one position when a small square of the
//! image changes. At each layer that is the work of a *window*: the positions inside the unit's
//! backward cone (those that can reach it) and inside the occluder's forward cone (those that it
//! can change). Outside of the window every activation is the original image's, or does not
//! matter. Within it only differences travel, so a convolution needs only the *taps* that meet a
//! changed input: a plan lists them as blocks, [`Plan::blocks`].
//!
//! Everything here is separable: a window is a [`Span`] of rows times a span of columns, and so
//! are the taps. An [`AxisPlan`] therefore serves all presentations that agree in one axis, and a
//! [`Plan`] is two of them. Where branches join, their windows' bounding box is taken.
//!
//! Spans are relative to the unit's own backward cone ([`Node::origin`]), so that plans of
//! different positions compare equal, and what they are equal in is batched together
//! ([`PlanKey`]).

mod axis;
mod lineage;
mod planner;

#[cfg(test)]
mod tests;

pub use axis::{AxisPlan, Reach, TapRun};
pub use lineage::{Lineage, Node};
pub use planner::{PlanKey, Planner};

use crate::geometry::Span;

/// The work of a presentation.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'p> {
    lineage: &'p Lineage,
    y: &'p AxisPlan,
    x: &'p AxisPlan,
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
    pub fn lineage(&self) -> &'p Lineage {
        self.lineage
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
        self.positions(self.lineage.target()) == 0
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
    /// `change[y, x] = Σ_blocks W[block] · δ[block]`. One block a kernel row.
    pub fn blocks(&self, node: usize, y: usize, x: usize) -> Vec<TapBlock> {
        let run = |axis: &'p AxisPlan, output: usize| {
            axis.runs(node)
                .iter()
                .find(|run| (run.output..run.output + run.outputs).contains(&output))
        };
        let (Some(rows), Some(columns)) = (run(self.y, y), run(self.x, x)) else {
            return Vec::new();
        };
        let (node, input) = (&self.lineage.nodes()[node], self.lineage.nodes()[node].inputs[0]);
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
    /// difference: of one unit at the target, of all channels before it. `groups` as in the
    /// convolution.
    pub fn multiply_adds(&self, node: usize, groups: usize) -> u64 {
        if self.positions(node) == 0 {
            return 0;
        }
        self.of_taps(node, groups, self.y.taps(node) * self.x.taps(node))
    }

    /// As [`multiply_adds`](Self::multiply_adds), with all taps of every position in the window:
    /// what the two cones alone would leave.
    pub fn multiply_adds_of_window(&self, node: usize, groups: usize) -> u64 {
        let window = self.lineage.nodes()[node].window;
        self.of_taps(node, groups, self.positions(node) * window.y.kernel * window.x.kernel)
    }

    fn of_taps(&self, node: usize, groups: usize, taps: usize) -> u64 {
        let here = &self.lineage.nodes()[node];
        if !here.has_taps {
            return 0;
        }
        let inputs = self.lineage.nodes()[here.inputs[0]].channels / groups;
        let outputs = if node == self.lineage.target() { 1 } else { here.channels };
        (taps * inputs * outputs) as u64
    }
}
