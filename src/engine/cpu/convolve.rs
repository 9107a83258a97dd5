//! A convolution of deltas: only the taps that meet one.

use super::bf16;
use super::delta::{Deltas, SamePlan};
use super::nonzero::{Nonzero, Sections};
use super::patterns::{Convolved, Patterns, Rows};
use super::product::{Product, TILE};
use super::program::Program;
use super::simd::Isa;
use super::sparse::{SparseProduct, channels_at_once, tiles_at_once};
use super::weights::Packed;
use super::winograd::{self, Form, Winograd};

/// Floats of a tile's weights that are gone through for all rows before the next: they should stay
/// in a core's own cache, beside the activations.
const WEIGHT_FLOATS: usize = 32 * 1024;

/// Buffers that are used again.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    patterns: Patterns,
    nonzero: Nonzero,
    bf16: bf16::Scratch,
    winograd: winograd::Scratch,
}

/// A convolution of deltas, and the ReLU behind it if that is joined to it.
#[derive(Clone, Copy)]
pub(super) struct Convolution<'a> {
    pub program: &'a Program,
    pub node: usize,
    pub packed: &'a Packed,
    /// Whether the ReLU is joined to it.
    pub rectify: bool,
    pub isa: Isa,
}

impl Convolution<'_> {
    /// Computes the deltas of all batches, each in the form that suits its plan: those that
    /// multiply by the same weights together. `output` is shaped.
    pub fn run(
        self,
        batches: &[SamePlan<'_>],
        input: &Deltas,
        output: &mut Deltas,
        scratch: &mut Scratch,
    ) {
        let form = |SamePlan { plan, .. }: &SamePlan<'_>| {
            let weights = self.packed.transformed().filter(|_| !plan.is_empty());
            weights.and_then(|weights| Form::of(plan, self.node, weights, self.packed.sparse))
        };
        let mut forms: Vec<Option<Form>> = batches.iter().map(form).collect();
        let direct = |which: &usize| forms[*which].is_none() && !batches[*which].plan.is_empty();
        let direct: Vec<usize> = (0..batches.len()).filter(direct).collect();
        if let Some(weights) = self.packed.bf16() {
            let Scratch { patterns, bf16, .. } = scratch;
            let some = bf16::Batches { all: batches, which: &direct, deltas: input };
            weights.convolve(self, some, output, patterns, bf16);
        } else if self.packed.sparse {
            self.run_sparse(batches, &direct, input, output, scratch);
        } else {
            self.run_dense(batches, &direct, input, output, &mut scratch.patterns);
        }
        let outputs = output.each_mut().zip(batches).zip(&mut forms).enumerate();
        let mut winograd: Vec<Winograd<'_>> = outputs
            .filter_map(|(which, ((output, batch), form))| {
                let (form, batch) = (form.take()?, &batch.presentations[..]);
                Some(Winograd { form, batch, input: input.of(which), output })
            })
            .collect();
        winograd.sort_by_key(|winograd| winograd.form.points());
        for together in winograd.chunk_by_mut(|one, other| one.form.points() == other.form.points())
        {
            Winograd::run_all(self, together, &mut scratch.winograd);
        }
    }

    /// Computes those of the batches with the indices `which` tap by tap.
    fn run_dense(
        self,
        batches: &[SamePlan<'_>],
        which: &[usize],
        input: &Deltas,
        output: &mut Deltas,
        patterns: &mut Patterns,
    ) {
        let Self { program, node, packed, rectify, isa } = self;
        let baselines = patterns.collect(
            Convolved {
                program,
                node,
                rectify,
                inputs: input.ranges(),
                outputs: output.ranges(),
                rounded: None,
            },
            batches,
            which,
            &|y, x, width, blocks| packed.blocks(y, x, packed.grid(width), blocks),
        );
        let patterns = patterns.each(&baselines);
        clear_untouched(&patterns, packed, output);
        let rows_at_once = packed.kernel_rows_of(WEIGHT_FLOATS);
        for (group, tile) in packed.all_tiles() {
            let (channel, width) = packed.channels(group, tile);
            for first in (0..packed.kernel.y).step_by(rows_at_once) {
                let taps = packed.taps_of_rows(first..first + rows_at_once);
                for pattern in &patterns {
                    let &Rows { from, to, baselines, .. } = pattern;
                    let (blocks, begins, ends) = pattern.blocks(&taps);
                    if blocks.is_empty() {
                        continue;
                    }
                    let product = Product {
                        input: &input.values()[group * packed.inputs..],
                        rows: from,
                        blocks,
                        weights: packed.tile(group, tile),
                        start: &[0.0; TILE],
                        outputs: to,
                        width,
                        add: !begins,
                        ahead: &[],
                        rectify: baselines.filter(|_| ends).map(|baselines| (baselines, channel)),
                    };
                    product.run(isa, &mut output.values_mut()[channel..]);
                }
            }
        }
    }

    /// As [`run_dense`](Self::run_dense), without the deltas that are zero.
    fn run_sparse(
        self,
        batches: &[SamePlan<'_>],
        which: &[usize],
        input: &Deltas,
        output: &mut Deltas,
        Scratch { patterns, nonzero, .. }: &mut Scratch,
    ) {
        let Self { program, node, packed, rectify, isa } = self;
        let sections = Sections::new(packed, channels_at_once(isa));
        nonzero.collect(input, which, sections, isa);
        let baselines = patterns.collect(
            Convolved {
                program,
                node,
                rectify,
                inputs: nonzero.ranges(),
                outputs: output.ranges(),
                rounded: None,
            },
            batches,
            which,
            &|y, x, width, blocks| {
                sections.blocks((packed.kernel, packed.dilation), y, x, width, blocks);
            },
        );
        let patterns = patterns.each(&baselines);
        clear_untouched(&patterns, packed, output);
        let mut next = vec![0; patterns.len()];
        for (group, first, tiles) in packed.runs_of_tiles(tiles_at_once(isa)) {
            let (channel, _) = packed.channels(group, first);
            let width = (packed.outputs - first * TILE).min(tiles * TILE);
            // Taps come in the order of every pattern's blocks, one of a pattern at most with each.
            next.fill(0);
            for taps in sections.taps(packed.kernel) {
                let weights = &packed.tiles_from(group, first)[taps.start * TILE..];
                for (pattern, next) in patterns.iter().zip(&mut next) {
                    let Some((block, begins, ends)) = pattern.next(taps.start, next) else {
                        continue;
                    };
                    let &Rows { from, to, baselines, .. } = pattern;
                    let product = SparseProduct {
                        input: nonzero,
                        rows: from,
                        list: group * sections.count + block.input,
                        weights,
                        step: packed.tile_length(),
                        tiles,
                        outputs: to,
                        width,
                        add: !begins,
                        rectify: baselines.filter(|_| ends).map(|baselines| (baselines, channel)),
                    };
                    product.run(isa, &mut output.values_mut()[channel..]);
                }
            }
            debug_assert!(patterns.iter().zip(&next).all(|(pattern, &next)| pattern.ends(next)));
        }
    }
}

/// Writes the deltas of outputs whose taps all lie beside the changed inputs, as may be in a dilated
/// window: none.
pub(super) fn clear_untouched(patterns: &[Rows<'_>], packed: &Packed, output: &mut Deltas) {
    let channels = packed.groups * packed.outputs;
    for untouched in patterns.iter().filter(|pattern| pattern.ends(0)) {
        for &offset in untouched.to.all() {
            output.values_mut()[offset..offset + channels].fill(0.0);
        }
    }
}
