//! A convolution of differences: only the taps that meet one.

use super::change::{Change, Presentation};
use super::minimal::{self, Form, Minimal};
use super::product::{Block, Product, TILE};
use super::simd::Isa;
use super::target::Target;
use super::weights::Packed;
use crate::engine::plan::{Plan, TapRun};

/// Floats of a tile's weights that are gone through for all rows before the next: they should stay
/// in a core's own cache, beside the activations.
const WEIGHT_FLOATS: usize = 32 * 1024;

/// Buffers that are used again.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    patterns: Vec<Pattern>,
    rows: Vec<usize>,
    places: Vec<usize>,
    blocks: Vec<Block>,
    minimal: minimal::Scratch,
}

/// Output positions that the same taps meet: their ends in the lists of rows and of blocks.
#[derive(Debug)]
struct Pattern {
    rows: usize,
    blocks: usize,
}

/// A convolution of a batch's differences, and the ReLU behind it if that is joined to it.
pub(super) struct Convolution<'a> {
    pub plan: &'a Plan<'a>,
    pub node: usize,
    pub packed: &'a Packed,
    /// What a ReLU needs: the original activations of `node`.
    pub rectify: Option<(&'a Target, &'a [Presentation<'a>])>,
    /// The window of the node's input.
    pub input: &'a Change,
    /// Shaped as the node's window.
    pub output: &'a mut Change,
    pub isa: Isa,
}

impl Convolution<'_> {
    /// Computes some convolutions of one node, each in the form that suits its plan, and those
    /// that multiply by the same weights together.
    pub fn run_all(all: Vec<Self>, scratch: &mut Scratch) {
        let mut minimal: Vec<Minimal<'_>> = Vec::new();
        for mut convolution in all {
            if convolution.output.values.is_empty() {
                continue;
            }
            let weights = convolution.packed.transformed();
            let form =
                weights.and_then(|weights| Form::of(convolution.plan, convolution.node, weights));
            match form {
                Some(form) => minimal.push(Minimal { convolution, form }),
                None => convolution.run(scratch),
            }
        }
        minimal.sort_by_key(|minimal| minimal.form.points());
        for together in minimal.chunk_by_mut(|one, other| one.form.points() == other.form.points())
        {
            Minimal::run_all(together, &mut scratch.minimal);
        }
    }

    /// Computes it tap by tap.
    fn run(&mut self, scratch: &mut Scratch) {
        let &mut Self { plan, node, packed, input, isa, .. } = self;
        let originals = self.originals();
        let output = &mut *self.output;
        scratch.collect(plan, node, packed, input, output);
        let rows_at_once = packed.kernel_rows_of(WEIGHT_FLOATS);
        for (group, tile) in packed.all_tiles() {
            let (channel, width) = packed.channels(group, tile);
            for first in (0..packed.kernel).step_by(rows_at_once) {
                let taps = packed.taps_of_rows(first..first + rows_at_once);
                let (mut row, mut block) = (0, 0);
                for pattern in &scratch.patterns {
                    let rows = row..pattern.rows;
                    let blocks = &scratch.blocks[block..pattern.blocks];
                    (row, block) = (pattern.rows, pattern.blocks);
                    // Blocks are in the order of their taps.
                    let start = blocks.partition_point(|block| block.weights < taps.start);
                    let end = blocks.partition_point(|block| block.weights < taps.end);
                    if start == end {
                        continue;
                    }
                    let last = end == blocks.len();
                    let product = Product {
                        input: &input.values[group * packed.inputs..],
                        rows: &scratch.rows[rows.clone()],
                        blocks: &blocks[start..end],
                        weights: packed.tile(group, tile),
                        start: &[0.0; TILE],
                        places: &scratch.places[rows.clone()],
                        width,
                        add: start > 0,
                        ahead: &[],
                        rectify: originals
                            .as_ref()
                            .filter(|_| last)
                            .map(|originals| (&originals[rows], channel)),
                    };
                    product.run(isa, &mut output.values[channel..]);
                }
            }
        }
    }

    /// For each row of the product, the original activations of its position.
    fn originals<'o>(&self) -> Option<Vec<&'o [f32]>>
    where
        Self: 'o,
    {
        let (target, batch) = self.rectify?;
        let (plan, node, output) = (self.plan, self.node, &self.output);
        let mut originals = Vec::with_capacity(batch.len() * output.y.len() * output.x.len());
        for (y, x) in runs(plan, node) {
            let (top, left) =
                (output.y.start + y.output as isize, output.x.start + x.output as isize);
            for presentation in batch {
                for row in top..top + y.outputs as isize {
                    let row = presentation.original(target, node, row, left, x.outputs);
                    originals.extend(row.chunks_exact(output.channels));
                }
            }
        }
        Some(originals)
    }
}

/// The runs of outputs that the same taps meet, on both axes.
fn runs<'p>(plan: &Plan<'p>, node: usize) -> impl Iterator<Item = (&'p TapRun, &'p TapRun)> {
    let (y, x) = (plan.y().runs(node), plan.x().runs(node));
    y.iter().flat_map(move |y| x.iter().map(move |x| (y, x)))
}

impl Scratch {
    /// Collects the patterns with their rows and blocks, in `[presentation][y][x]` order.
    fn collect(
        &mut self,
        plan: &Plan<'_>,
        node: usize,
        packed: &Packed,
        input: &Change,
        output: &Change,
    ) {
        self.patterns.clear();
        self.rows.clear();
        self.places.clear();
        self.blocks.clear();
        let stride = plan.lineage().nodes()[node].slide.stride;
        let (in_each, out_each) = (input.each(), output.each());
        let batch = output.values.len() / out_each;
        let (in_width, out_width) = (input.x.len(), output.x.len());
        for (y, x) in runs(plan, node) {
            for presentation in 0..batch {
                for row in 0..y.outputs {
                    let from = (y.input + row * stride) * in_width + x.input;
                    let from = presentation * in_each + from * input.channels;
                    let to = (y.output + row) * out_width + x.output;
                    let to = presentation * out_each + to * output.channels;
                    let step = stride * input.channels;
                    self.rows.extend((0..x.outputs).map(|column| from + column * step));
                    let columns = (0..x.outputs).map(|column| to + column * output.channels);
                    self.places.extend(columns);
                }
            }
            let (rows, columns) = ((y.tap, y.taps), (x.tap, x.taps));
            packed.blocks(rows, columns, in_width, input.channels, &mut self.blocks);
            self.patterns.push(Pattern { rows: self.rows.len(), blocks: self.blocks.len() });
        }
    }
}
