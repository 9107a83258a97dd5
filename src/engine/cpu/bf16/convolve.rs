//! A convolution of deltas in bf16.

use super::deltas::{Operands, PackedDeltas, Packing};
use super::product::PairProduct;
use super::weights::{TILE_WORDS, Weights};
use super::{PAIRS, Panel};
use crate::engine::cpu::convolve::{Convolution, clear_untouched};
use crate::engine::cpu::delta::{Deltas, SamePlan};
use crate::engine::cpu::patterns::{Convolved, Patterns, Rows};
use crate::engine::cpu::weights::Grid;

/// Words of weights that are gone through for all rows before the next: of a tile, they should stay in
/// a core's own cache beside the deltas.
const TILE_LIMIT: usize = 32 * 1024;
/// The same of all tiles of a group, where rows are copied.
const GROUP_LIMIT: usize = 256 * 1024;

/// Buffers that are used again.
#[derive(Debug, Default)]
pub(in crate::engine::cpu) struct Scratch {
    deltas: PackedDeltas,
    panel: Panel,
}

/// Batches of which some are convolved, and their deltas.
#[derive(Clone, Copy)]
pub(in crate::engine::cpu) struct Batches<'a, 'p> {
    pub all: &'a [SamePlan<'p>],
    /// The numbers of those that are convolved.
    pub which: &'a [usize],
    pub deltas: &'a Deltas,
}

impl Weights {
    /// Computes the deltas behind a convolution. `output` is shaped.
    pub fn convolve(
        &self,
        convolution: Convolution<'_>,
        batches: Batches<'_, '_>,
        output: &mut Deltas,
        patterns: &mut Patterns,
        scratch: &mut Scratch,
    ) {
        let Convolution { program, node, packed, rectify, isa } = convolution;
        let Batches { all: batches, which, deltas: input } = batches;
        let Scratch { deltas, panel } = scratch;
        let (lines, channels) = (self.channels.lines(), self.channels.words());
        let &Self { parts, form, .. } = self;
        let packing = Packing { channels: self.channels, parts, order: form.order() };
        deltas.collect(input, which, packing, isa);
        let baselines = patterns.collect(
            Convolved { program, node, rectify, inputs: deltas.ranges(), outputs: output.ranges() },
            batches,
            which,
            &|y, x, width, blocks| {
                packed.blocks(y, x, Grid { width, channels, rows: lines }, blocks);
            },
        );
        let patterns = patterns.each(&baselines);
        clear_untouched(&patterns, packed, output);

        let (tiles, limit) = if form.copies_rows() {
            (packed.tiles, GROUP_LIMIT / packed.tiles)
        } else {
            (1, TILE_LIMIT)
        };
        let row = packed.kernel.x * lines;
        let at_once = (limit / (row * TILE_WORDS)).clamp(1, packed.kernel.y);
        for group in 0..packed.groups {
            let weights: Vec<Operands<'_>> =
                (0..packed.tiles).map(|tile| self.tile(group, tile, packed.tiles)).collect();
            let deltas = deltas.operands(parts);
            for (first, weights) in weights.chunks(tiles).enumerate() {
                let (channel, _) = packed.channels(group, first * tiles);
                let (last, width) = packed.channels(group, first * tiles + weights.len() - 1);
                let width = last + width - channel;
                for first in (0..packed.kernel.y).step_by(at_once) {
                    let taps = first * row..(first + at_once) * row;
                    for pattern in &patterns {
                        let &Rows { from, to, baselines, .. } = pattern;
                        let (blocks, begins, ends) = pattern.blocks(&taps);
                        if blocks.is_empty() {
                            continue;
                        }
                        let rectify =
                            baselines.filter(|_| ends).map(|baselines| (baselines, channel));
                        let product = PairProduct {
                            deltas: deltas.from(group * lines * PAIRS),
                            rows: from,
                            blocks,
                            weights,
                            outputs: to,
                            width,
                            add: !begins,
                            rectify,
                            isa,
                        };
                        product.run(self.form, panel, &mut output.values_mut()[channel..]);
                    }
                }
            }
        }
    }
}
