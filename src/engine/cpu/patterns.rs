//! Outputs that the same taps meet, whichever plan they are of: what a product does together.

use std::collections::HashMap;
use std::ops::Range;

use super::delta::{DeltaRange, SamePlan};
use super::product::{BaselineRows, Block, Offsets};
use super::program::Program;
use crate::geometry::PerAxis;
use crate::program::{Plan, TapRun};

/// Outputs that the same taps meet: their rows, in the lists of rows and of outputs, and their
/// blocks.
#[derive(Debug)]
pub(super) struct Pattern {
    rows: Range<usize>,
    blocks: Range<usize>,
}

/// What tells patterns apart: on both axes the first tap and their number, and the width of the
/// input's window, on which it depends where the next row of taps is.
type Taps = ([usize; 2], [usize; 2], usize);

/// Appends the blocks of a rectangle of taps, each axis given as its first tap and their number, on
/// an input of so many columns.
pub(super) type Blocks<'a> = &'a dyn Fn((usize, usize), (usize, usize), usize, &mut Vec<Block>);

/// A convolution whose patterns are collected.
#[derive(Clone, Copy)]
pub(super) struct Convolved<'a> {
    /// The program.
    pub program: &'a Program,
    /// The convolution's node.
    pub node: usize,
    /// Whether a ReLU is joined to it.
    pub rectify: bool,
    /// Of each batch, where its inputs lie.
    pub inputs: &'a [DeltaRange],
    /// Of each batch, where its outputs lie.
    pub outputs: &'a [DeltaRange],
    /// The same where they are rounded, if they are.
    pub rounded: Option<&'a [DeltaRange]>,
}

/// The patterns of a chunk's convolution.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    all: Vec<Pattern>,
    /// Where each row begins in the input.
    rows: Vec<usize>,
    /// Where it goes in the output.
    outputs: Vec<usize>,
    /// Where it is rounded to, if it is.
    rounded: Vec<usize>,
    blocks: Vec<Block>,
    known: HashMap<Taps, usize>,
    /// The pattern of each run of outputs of each batch.
    of_runs: Vec<usize>,
}

/// The rows of a pattern and their blocks.
pub(super) struct Rows<'a> {
    /// Where each begins in the input.
    pub from: Offsets<'a>,
    /// Where it goes in the output.
    pub to: Offsets<'a>,
    /// Where it is rounded to, if it is.
    pub rounded: Option<Offsets<'a>>,
    /// Baseline activations, if a ReLU is joined.
    pub baselines: Option<BaselineRows<'a>>,
    /// In the order of their taps.
    blocks: &'a [Block],
}

impl<'a> Rows<'a> {
    /// The blocks of some taps, as [`Block::weights`] counts them, and whether there are none before
    /// them and none behind them.
    pub fn blocks(&self, taps: &Range<usize>) -> (&'a [Block], bool, bool) {
        let start = self.blocks.partition_point(|block| block.weights < taps.start);
        let end = self.blocks.partition_point(|block| block.weights < taps.end);
        (&self.blocks[start..end], start == 0, end == self.blocks.len())
    }

    /// The block with the number `which`, if it begins with the tap `first`, and whether it is the first
    /// and the last one; `which` is then that of the one behind it.
    pub fn next(&self, first: usize, which: &mut usize) -> Option<(&'a Block, bool, bool)> {
        let block = self.blocks.get(*which).filter(|block| block.weights == first)?;
        let begins = *which == 0;
        *which += 1;
        Some((block, begins, self.ends(*which)))
    }

    /// Whether there are no more than so many blocks.
    pub fn ends(&self, which: usize) -> bool {
        which == self.blocks.len()
    }
}

impl Patterns {
    /// What was collected, with the baseline activations that [`collect`](Self::collect) returned.
    pub fn each<'a>(&'a self, baselines: &'a [&'a [f32]]) -> Vec<Rows<'a>> {
        let rows_of = |pattern: &Pattern| {
            let rows = pattern.rows.clone();
            let baselines = baselines.get(rows.clone()).map(BaselineRows::new);
            let rounded = self.rounded.get(rows.clone()).map(Offsets::new);
            let (from, to) = (&self.rows[rows.clone()], &self.outputs[rows]);
            let blocks = &self.blocks[pattern.blocks.clone()];
            Rows { from: Offsets::new(from), to: Offsets::new(to), rounded, baselines, blocks }
        };
        self.all.iter().map(rows_of).collect()
    }

    /// Collects the patterns of a node in the batches with the indices `which`, whose blocks of
    /// taps are `blocks`. Rows and blocks count in what the inputs are ranges of. Returns what a
    /// joined ReLU needs: for each row, the baseline activations of its position.
    pub fn collect<'a>(
        &mut self,
        convolved: Convolved<'_>,
        batches: &[SamePlan<'a>],
        which: &[usize],
        blocks: Blocks<'_>,
    ) -> Vec<&'a [f32]> {
        let Convolved { program, node, rectify, inputs, outputs, rounded } = convolved;
        let window = program.subgraph.nodes()[node].window;
        let stride = PerAxis::from_fn(|axis| window.of(axis).stride);
        let count = self.count(node, batches, which, inputs, blocks);
        self.rows.resize(count, 0);
        self.outputs.resize(count, 0);
        self.rounded.resize(rounded.map_or(0, |_| count), 0);
        let mut baselines: Vec<&[f32]> = vec![&[]; if rectify { count } else { 0 }];
        let mut of_runs = self.of_runs.iter();
        for &which in which {
            let SamePlan { plan, presentations } = &batches[which];
            let (input, output) = (&inputs[which], &outputs[which]);
            let step = stride.x * input.channels;
            for (y, x) in runs(plan, node) {
                let Some(&pattern) = of_runs.next() else { break };
                let rows = &mut self.all[pattern].rows;
                let column = output.x.start + x.output as isize;
                for (index, presentation) in presentations.iter().enumerate() {
                    for row in 0..y.outputs {
                        let from = (y.input + row * stride.y) * input.x.len() + x.input;
                        let from = input.of(index) + from * input.channels;
                        let line = y.output + row;
                        let to = line * output.x.len() + x.output;
                        let to = output.of(index) + to * output.channels;
                        let here = rows.end..rows.end + x.outputs;
                        rows.end = here.end;
                        for (at, row) in self.rows[here.clone()].iter_mut().enumerate() {
                            *row = from + at * step;
                        }
                        for (at, offset) in self.outputs[here.clone()].iter_mut().enumerate() {
                            *offset = to + at * output.channels;
                        }
                        if let Some(rounded) = rounded {
                            let words = &rounded[which];
                            let to = words.of(index)
                                + (line * words.x.len() + x.output) * words.channels;
                            for (at, offset) in self.rounded[here.clone()].iter_mut().enumerate() {
                                *offset = to + at * words.channels;
                            }
                        }
                        if rectify {
                            let line = output.y.start + line as isize;
                            let row =
                                presentation.baseline_row(program, node, line, column, x.outputs);
                            for (to, baseline) in
                                baselines[here].iter_mut().zip(row.chunks_exact(output.channels))
                            {
                                *to = baseline;
                            }
                        }
                    }
                }
            }
        }
        baselines
    }

    /// Finds the patterns, and where the rows of each begin: their ends are still there too.
    /// Returns the number of rows.
    fn count(
        &mut self,
        node: usize,
        batches: &[SamePlan<'_>],
        which: &[usize],
        inputs: &[DeltaRange],
        append: Blocks<'_>,
    ) -> usize {
        let Self { all, blocks, known, of_runs, .. } = self;
        all.clear();
        blocks.clear();
        known.clear();
        of_runs.clear();
        for &which in which {
            let SamePlan { plan, presentations } = &batches[which];
            let width = inputs[which].x.len();
            for (y, x) in runs(plan, node) {
                let taps = ([y.tap, y.taps], [x.tap, x.taps], width);
                let pattern = *known.entry(taps).or_insert_with(|| {
                    let first = blocks.len();
                    append((y.tap, y.taps), (x.tap, x.taps), width, blocks);
                    all.push(Pattern { rows: 0..0, blocks: first..blocks.len() });
                    all.len() - 1
                });
                all[pattern].rows.end += presentations.len() * y.outputs * x.outputs;
                of_runs.push(pattern);
            }
        }
        let mut first = 0;
        for Pattern { rows, .. } in all {
            let next = first + rows.end;
            *rows = first..first;
            first = next;
        }
        first
    }
}

/// The runs of outputs that the same taps meet, on both axes.
fn runs<'p>(plan: &Plan<'p>, node: usize) -> impl Iterator<Item = (&'p TapRun, &'p TapRun)> {
    let (y, x) = (plan.y().runs(node), plan.x().runs(node));
    y.iter().flat_map(move |y| x.iter().map(move |x| (y, x)))
}
