//! Whether a plan's convolution is computed by taps or with fewer multiplications.

use std::sync::Arc;

use super::axis::{Axis, AxisForm, Tile};
use super::weights::Transformed;
use crate::geometry::Span;
use crate::program::Plan;

/// What a term of a transform costs, in multiply-adds of a product: its operands come from memory,
/// one by one.
const TERM: usize = 3;

/// What a tap costs, in parts of a product's, where many deltas are zero. With 3/5 instead of 4/5
/// AlexNet's conv5 and conv4 were found 1.07 and 1.05 times as fast (AVX2), conv3 no different.
const SPARSE: (usize, usize) = (3, 5);

/// A plan's convolution with fewer multiplications than taps.
#[derive(Debug)]
pub(in crate::engine::cpu) struct Form {
    pub(super) y: Arc<AxisForm>,
    pub(super) x: Arc<AxisForm>,
}

impl Form {
    /// The form for a node of a plan, if it is worth it; `sparse` if many of the deltas that it
    /// is computed from are zero. It depends on the network and the plan alone.
    pub fn of(plan: &Plan<'_>, node: usize, weights: &Transformed, sparse: bool) -> Option<Self> {
        let here = &plan.subgraph().nodes()[node];
        let (input, shift) = (here.inputs[0], plan.subgraph().shift(node, 0));
        let axis = |inputs: Span, outputs: Span, shift: isize| Axis {
            inputs: inputs.len(),
            outputs: outputs.len(),
            shift: outputs.start + shift - inputs.start,
            kernel: here.window.y.kernel,
        };
        let (inputs, outputs) = (plan.window(input), plan.window(node));
        let y = weights.axis(axis(inputs.0, outputs.0, shift.y))?;
        let x = weights.axis(axis(inputs.1, outputs.1, shift.x))?;
        let form = Self { y, x };
        let (channels, results) = (plan.subgraph().nodes()[input].channels, here.channels);
        let taps = plan.y().taps(node) * plan.x().taps(node);
        let products = form.y.multiplications() * form.x.multiplications();
        let group = channels / weights.groups();
        let (part, parts) = if sparse { SPARSE } else { (1, 1) };
        let direct = taps * group * results * part / parts;
        let fewest = products * group * results
            + TERM * (form.value_terms() * channels + form.result_terms() * results);
        (fewest < direct).then_some(form)
    }

    /// Points of both axes: forms that agree in them multiply by the same weights.
    pub fn points(&self) -> (usize, usize) {
        (self.y.points, self.x.points)
    }

    /// The tiles, `[y][x]`.
    pub(super) fn tiles(&self) -> impl Iterator<Item = (&Tile, &Tile)> {
        self.y.tiles.iter().flat_map(|y| self.x.tiles.iter().map(move |x| (y, x)))
    }

    /// Terms of a channel's values.
    fn value_terms(&self) -> usize {
        let columns = self.x.tiles.iter().map(|tile| tile.values.terms());
        let columns: usize = columns.sum::<usize>() * self.y.multiplications();
        // The first pass is over the columns of inputs that a tile sees; about all are.
        let rows: usize = self.y.tiles.iter().map(|tile| tile.values.terms()).sum();
        columns + rows * self.x.multiplications()
    }

    /// Terms of a channel's results.
    fn result_terms(&self) -> usize {
        let rows: usize = self.y.tiles.iter().map(|tile| tile.results.terms()).sum();
        let outputs: usize = self.y.tiles.iter().map(|tile| tile.outputs).sum();
        let columns: usize = self.x.tiles.iter().map(|tile| tile.results.terms()).sum();
        rows * self.x.multiplications() + outputs * columns
    }
}
