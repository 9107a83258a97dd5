//! A convolution of deltas in bf16.

use std::ops::Range;

use super::deltas::{Operands, PackedDeltas, Packing, RoundRows};
use super::product::PairProduct;
use super::weights::{TILE_WORDS, Weights};
use super::{PAIRS, Panel};
use crate::engine::cpu::convolve::{Convolution, clear_untouched};
use crate::engine::cpu::delta::{Deltas, SamePlan};
use crate::engine::cpu::patterns::{Convolved, Patterns, Rows};
use crate::engine::cpu::product::TILE;
use crate::engine::cpu::program::{Program, Step};
use crate::engine::cpu::weights::Grid;

/// Words of weights that are gone through for all rows before the next: of a tile, they should stay in
/// a core's own cache beside the deltas.
const TILE_LIMIT: usize = 32 * 1024;
/// The same of all tiles of a group, where rows are copied.
const GROUP_LIMIT: usize = 256 * 1024;

/// Buffers that are used again, and deltas that were rounded by the convolution that computed them.
#[derive(Debug, Default)]
pub(in crate::engine::cpu) struct Scratch {
    /// With the node that reads them.
    rounded: Vec<(usize, PackedDeltas)>,
    free: Vec<PackedDeltas>,
    panel: Panel,
}

impl Scratch {
    /// A convolution's deltas in bf16: as they were rounded before, or are now.
    fn deltas(&mut self, node: usize, round: impl FnOnce(&mut PackedDeltas)) -> PackedDeltas {
        if let Some(index) = self.rounded.iter().position(|&(reader, _)| reader == node) {
            return self.rounded.swap_remove(index).1;
        }
        let mut deltas = self.free.pop().unwrap_or_default();
        round(&mut deltas);
        deltas
    }
}

/// The convolution in bf16 that alone reads what a convolution writes, and how it reads it: it is rounded once,
/// by the writer, while it is near.
fn only_reader(program: &Program, mut node: usize) -> Option<(usize, Packing)> {
    loop {
        if !program.read_once[node] {
            return None;
        }
        let reader = program.last_reads[node];
        match &program.steps[reader] {
            // Joined to the convolution.
            Step::Relu { elsewhere: true } => node = reader,
            Step::Convolve { filters, .. } => {
                let packing = filters.bf16()?.packing();
                return packing.is_even().then_some((reader, packing));
            }
            _ => return None,
        }
    }
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
        let (lines, channels) = (self.channels.lines(), self.channels.words());
        let &Self { parts, form, .. } = self;
        let round = |deltas: &mut PackedDeltas| deltas.collect(input, which, self.packing(), isa);
        let deltas = scratch.deltas(node, round);
        #[cfg(test)]
        {
            let mut again = PackedDeltas::default();
            again.collect(input, which, self.packing(), isa);
            assert!(deltas.positions(parts).eq(again.positions(parts)));
        }
        let Scratch { rounded, free, panel } = scratch;
        let even = packed.groups == 1 || packed.outputs.is_multiple_of(TILE);
        let mut next = only_reader(program, node).filter(|_| even).map(|(reader, packing)| {
            let mut next = free.pop().unwrap_or_default();
            next.shape(output, which, packing);
            (reader, packing, next)
        });
        let baselines = patterns.collect(
            Convolved {
                program,
                node,
                rectify,
                inputs: deltas.ranges(),
                outputs: output.ranges(),
                rounded: next.as_ref().map(|(.., next)| next.ranges()),
            },
            batches,
            which,
            &|y, x, width, blocks| {
                packed.blocks(y, x, Grid { width, channels, rows: lines }, blocks);
            },
        );
        let patterns = patterns.each(&baselines);
        clear_untouched(&patterns, packed, output);
        let mut round = |pattern: &Rows<'_>, output: &Deltas, channels: Range<usize>| {
            if let (Some((_, packing, next)), Some(to)) = (&mut next, pattern.rounded) {
                let values = output.values();
                next.put(RoundRows { values, from: pattern.to, to, channels }, *packing, isa);
            }
        };
        for untouched in patterns.iter().filter(|pattern| pattern.ends(0)) {
            round(untouched, output, 0..packed.groups * packed.outputs);
        }

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
                        if ends {
                            round(pattern, output, channel..channel + width);
                        }
                    }
                }
            }
        }
        free.push(deltas);
        rounded.extend(next.map(|(reader, _, next)| (reader, next)));
    }
}
