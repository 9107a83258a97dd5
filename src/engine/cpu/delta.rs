//! The deltas that travel through the network.

use std::ops::Range;

use super::activations::Baseline;
use super::program::Program;
use crate::geometry::{Axis, Occluder, Span};
use crate::noise::Patches;
use crate::program::Plan;

/// One presentation of a batch that shares a plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Presentation<'a> {
    /// The original image's activations.
    pub baseline: &'a Baseline,
    /// The unit.
    pub unit: usize,
    /// Its position on the target's output.
    pub position: (usize, usize),
    /// The occluder.
    pub occluder: &'a Occluder,
    /// The pixels of its job's occluders.
    pub patches: &'a Patches<'a>,
    /// Which of the job's occluders it is.
    pub which: usize,
}

impl<'a> Presentation<'a> {
    /// The baseline activations of `count` positions of a node, from `(y, x)` on, in the plan's
    /// relative coordinates.
    #[inline(always)]
    pub fn baseline_row(
        &self,
        program: &Program,
        node: usize,
        y: isize,
        x: isize,
        count: usize,
    ) -> &'a [f32] {
        let (top, left) = self.origin(program, node);
        self.baseline.node(node).row(y + top, x + left, count)
    }

    /// The same of a function in 64 bits, where they are kept.
    #[inline(always)]
    pub fn wide_row(
        &self,
        program: &Program,
        node: usize,
        y: isize,
        x: isize,
        count: usize,
    ) -> Option<&'a [f64]> {
        let (top, left) = self.origin(program, node);
        let values = self.baseline.wide[node].as_ref()?;
        Some(values.row(y + top, x + left, count))
    }

    /// Where a node's relative coordinates begin on its map: row and column.
    #[inline(always)]
    fn origin(&self, program: &Program, node: usize) -> (isize, isize) {
        let node = &program.subgraph.nodes()[node];
        (node.origin(Axis::Y, self.position.0), node.origin(Axis::X, self.position.1))
    }
}

/// Presentations that share a plan.
#[derive(Debug)]
pub(super) struct SamePlan<'a> {
    pub plan: Plan<'a>,
    pub presentations: Vec<Presentation<'a>>,
}

/// By how much a node's activations differ from the original image's, for each presentation of a
/// batch, in the plan's window: `[presentation][y][x][channel]`, with a gap between presentations.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delta<Values> {
    /// Rows, in the plan's relative coordinates.
    pub y: Span,
    /// Columns.
    pub x: Span,
    /// Channels.
    pub channels: usize,
    /// Deltas.
    pub values: Values,
}

/// Where in the buffer of a chunk's deltas that of a batch is.
pub(super) type DeltaRange = Delta<Range<usize>>;

/// The deltas of a node in all batches of a chunk, one after the other in one buffer: what
/// different plans have in common can be computed together.
#[derive(Debug, Default)]
pub(super) struct Deltas {
    /// Of each batch, where in the buffer its deltas are.
    batches: Vec<DeltaRange>,
    values: Vec<f32>,
}

impl Deltas {
    /// Takes the shape of a node's windows; those of empty plans are empty. Values are whatever
    /// they were.
    pub fn shape(&mut self, batches: &[SamePlan<'_>], node: usize) {
        self.batches.clear();
        let mut first = 0;
        for SamePlan { plan, presentations } in batches {
            let (y, x) =
                if plan.is_empty() { (Span::EMPTY, Span::EMPTY) } else { plan.window(node) };
            let channels = plan.subgraph().nodes()[node].channels;
            let mut delta = Delta { y, x, channels, values: first..first };
            first += presentations.len() * delta.each();
            delta.values.end = first;
            self.batches.push(delta);
        }
        self.values.resize(first.max(self.values.len()), 0.0);
    }

    /// Takes over the buffer of deltas that are read no more.
    pub fn reuse(&mut self, buffer: Vec<f32>) {
        self.values = buffer;
    }

    /// The buffer, for other deltas; these have none then.
    pub fn release(&mut self) -> Vec<f32> {
        self.batches.clear();
        std::mem::take(&mut self.values)
    }

    /// All deltas: those of a batch are where [`ranges`](Self::ranges) says.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// As [`values`](Self::values).
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// Where the deltas of each batch are.
    pub fn ranges(&self) -> &[DeltaRange] {
        &self.batches
    }

    /// The delta in a batch.
    pub fn of(&self, batch: usize) -> Delta<&[f32]> {
        let Delta { y, x, channels, values } = self.batches[batch].clone();
        Delta { y, x, channels, values: &self.values[values] }
    }

    /// As [`of`](Self::of).
    pub fn of_mut(&mut self, batch: usize) -> Delta<&mut [f32]> {
        let Delta { y, x, channels, values } = self.batches[batch].clone();
        Delta { y, x, channels, values: &mut self.values[values] }
    }

    /// The delta in each batch.
    pub fn each_mut(&mut self) -> impl Iterator<Item = Delta<&mut [f32]>> {
        let mut rest = &mut self.values[..];
        self.batches.iter().map(move |&Delta { y, x, channels, ref values }| {
            let (values, others) = std::mem::take(&mut rest).split_at_mut(values.len());
            rest = others;
            Delta { y, x, channels, values }
        })
    }
}

impl DeltaRange {
    /// Where the deltas of a presentation begin.
    pub fn of(&self, presentation: usize) -> usize {
        self.values.start + presentation * self.each()
    }
}

impl<Values> Delta<Values> {
    /// Floats from one presentation to the next; 0 where the window is empty.
    pub fn each(&self) -> usize {
        odd_lines(self.y.len() * self.x.len() * self.channels)
    }

    /// Whether a position is in the window.
    #[inline(always)]
    pub fn has(&self, y: isize, x: isize) -> bool {
        self.y.start <= y && y < self.y.end && self.x.start <= x && x < self.x.end
    }

    /// Where the channels of a position begin within a presentation's values.
    #[inline(always)]
    pub fn offset(&self, y: isize, x: isize) -> usize {
        let (row, column) = ((y - self.y.start) as usize, (x - self.x.start) as usize);
        (row * self.x.len() + column) * self.channels
    }

    /// The positions of the window.
    pub fn positions(&self) -> impl Iterator<Item = (isize, isize)> + Clone + use<Values> {
        let (y, x) = (self.y, self.x);
        (y.start..y.end).flat_map(move |y| (x.start..x.end).map(move |x| (y, x)))
    }
}

/// Rounds a number of floats up to an odd number of cache lines; 0 stays 0.
///
/// A product reads the same element of a dozen presentations at once, and at a multiple of 4 KiB all
/// of those would fall into one set of the cache.
pub(super) fn odd_lines(floats: usize) -> usize {
    const LINE: usize = 16;
    match floats.div_ceil(LINE) {
        0 => 0,
        lines => (lines | 1) * LINE,
    }
}
