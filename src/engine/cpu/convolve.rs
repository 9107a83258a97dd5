//! A convolution of differences: only the taps that meet one.

use super::change::Change;
use super::product::{Block, Product, TILE};
use super::simd::Isa;
use super::weights::Packed;
use crate::engine::plan::Plan;

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
}

/// Output positions that the same taps meet: their ends in the lists of rows and of blocks.
#[derive(Debug)]
struct Pattern {
    rows: usize,
    blocks: usize,
}

/// Convolves `input`, the window of the node's input, into `output`, shaped as the node's window.
pub(super) fn convolve(
    plan: &Plan<'_>,
    node: usize,
    packed: &Packed,
    input: &Change,
    output: &mut Change,
    scratch: &mut Scratch,
    isa: Isa,
) {
    if output.each() == 0 || output.values.is_empty() {
        return;
    }
    scratch.collect(plan, node, packed, input, output);
    let rows_at_once = packed.kernel_rows_of(WEIGHT_FLOATS);
    for (group, tile) in packed.all_tiles() {
        let (channel, width) = packed.channels(group, tile);
        for first in (0..packed.kernel).step_by(rows_at_once) {
            let taps = packed.taps_of_rows(first..first + rows_at_once);
            let (mut row, mut block) = (0, 0);
            for pattern in &scratch.patterns {
                let (rows, blocks) = (row..pattern.rows, &scratch.blocks[block..pattern.blocks]);
                (row, block) = (pattern.rows, pattern.blocks);
                // Blocks are in the order of their taps.
                let start = blocks.partition_point(|block| block.weights < taps.start);
                let end = blocks.partition_point(|block| block.weights < taps.end);
                if start == end {
                    continue;
                }
                let product = Product {
                    input: &input.values[group * packed.inputs..],
                    rows: &scratch.rows[rows.clone()],
                    blocks: &blocks[start..end],
                    weights: packed.tile(group, tile),
                    start: &[0.0; TILE],
                    places: &scratch.places[rows],
                    width,
                    onward: start > 0,
                };
                product.run(isa, &mut output.values[channel..]);
            }
        }
    }
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
        for y in plan.y().runs(node) {
            for x in plan.x().runs(node) {
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
}
