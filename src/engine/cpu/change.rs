//! The differences that travel through the network.

use super::base::Base;
use super::target::Target;
use crate::engine::plan::Plan;
use crate::geometry::{Occluder, Span};
use crate::noise::Patches;

/// One presentation of a batch that shares a plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Presentation<'a> {
    /// The original image's activations.
    pub base: &'a Base,
    /// The unit.
    pub unit: usize,
    /// Its position on the target's output.
    pub position: (usize, usize),
    /// The occluder.
    pub occluder: &'a Occluder,
    /// The noise of its job.
    pub patches: &'a Patches<'a>,
    /// Which of the job's occluders it is.
    pub which: usize,
}

impl<'a> Presentation<'a> {
    /// The original activations of `count` positions of a node, from `(y, x)` on, in the plan's
    /// relative coordinates.
    #[inline(always)]
    pub fn original(
        &self,
        target: &Target,
        node: usize,
        y: isize,
        x: isize,
        count: usize,
    ) -> &'a [f32] {
        let origin = &target.lineage.nodes()[node];
        let (top, left) = (origin.origin(self.position.0), origin.origin(self.position.1));
        self.base.node(node).row(y + top, x + left, count)
    }
}

/// By how much a node's activations differ from the original image's, for each presentation of a
/// batch, in the plan's window: `[presentation][y][x][channel]`, with a gap between presentations.
#[derive(Debug)]
pub(super) struct Change {
    /// Rows, in the plan's relative coordinates.
    pub y: Span,
    /// Columns.
    pub x: Span,
    /// Channels.
    pub channels: usize,
    /// Differences.
    pub values: Vec<f32>,
}

impl Default for Change {
    fn default() -> Self {
        Self { y: Span::EMPTY, x: Span::EMPTY, channels: 0, values: Vec::new() }
    }
}

impl Change {
    /// Takes the shape of a node's window for a batch. Values are whatever they were.
    pub fn shape(&mut self, plan: &Plan<'_>, node: usize, batch: usize) {
        (self.y, self.x) = plan.window(node);
        self.channels = plan.lineage().nodes()[node].channels;
        self.values.resize(batch * self.each(), 0.0);
    }

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
    pub fn positions(&self) -> impl Iterator<Item = (isize, isize)> + Clone + use<> {
        let (y, x) = (self.y, self.x);
        (y.start..y.end).flat_map(move |y| (x.start..x.end).map(move |x| (y, x)))
    }
}

/// Rounds a number of floats up to an odd number of cache lines; 0 stays 0.
///
/// A product reads the same place of a dozen presentations at once, and at a multiple of 4 KiB all
/// of those would fall into one set of the cache.
pub(super) fn odd_lines(floats: usize) -> usize {
    const LINE: usize = 16;
    match floats.div_ceil(LINE) {
        0 => 0,
        lines => (lines | 1) * LINE,
    }
}
