//! A convolution of differences: only the taps that meet one.

use std::collections::HashMap;
use std::ops::Range;

use super::change::{Batch, Changes, Place};
use super::minimal::{self, Form, Minimal};
use super::product::{Block, Originals, Places, Product, TILE};
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
    patterns: Patterns,
    minimal: minimal::Scratch,
}

/// A convolution of differences, and the ReLU behind it if that is joined to it.
#[derive(Clone, Copy)]
pub(super) struct Convolution<'a> {
    pub target: &'a Target,
    pub node: usize,
    pub packed: &'a Packed,
    /// Whether the ReLU is joined to it.
    pub rectify: bool,
    pub isa: Isa,
}

impl Convolution<'_> {
    /// Computes the differences of all batches, each in the form that suits its plan: those that
    /// multiply by the same weights together. `output` is shaped.
    pub fn run(
        self,
        batches: &[Batch<'_>],
        input: &Changes,
        output: &mut Changes,
        scratch: &mut Scratch,
    ) {
        let form = |Batch { plan, .. }: &Batch<'_>| {
            let weights = self.packed.transformed().filter(|_| !plan.is_empty());
            weights.and_then(|weights| Form::of(plan, self.node, weights))
        };
        let mut forms: Vec<Option<Form>> = batches.iter().map(form).collect();
        let direct = |which: &usize| forms[*which].is_none() && !batches[*which].plan.is_empty();
        let direct: Vec<usize> = (0..batches.len()).filter(direct).collect();
        self.run_direct(batches, &direct, input, output, &mut scratch.patterns);
        let outputs = output.each_mut().zip(batches).zip(&mut forms).enumerate();
        let mut minimal: Vec<Minimal<'_>> = outputs
            .filter_map(|(which, ((output, batch), form))| {
                let (form, batch) = (form.take()?, &batch.presentations[..]);
                Some(Minimal { form, batch, input: input.of(which), output })
            })
            .collect();
        minimal.sort_by_key(|minimal| minimal.form.points());
        for together in minimal.chunk_by_mut(|one, other| one.form.points() == other.form.points())
        {
            Minimal::run_all(self, together, &mut scratch.minimal);
        }
    }

    /// Computes those of the batches with the places `which` tap by tap.
    fn run_direct(
        self,
        batches: &[Batch<'_>],
        which: &[usize],
        input: &Changes,
        output: &mut Changes,
        patterns: &mut Patterns,
    ) {
        let Self { packed, rectify, isa, .. } = self;
        let originals = patterns.collect(self, batches, which, (input.places(), output.places()));
        let rows_of = |pattern: &Pattern| {
            let rows = pattern.rows.clone();
            let originals = rectify.then(|| Originals::new(&originals[rows.clone()]));
            let (rows, places) = (&patterns.rows[rows.clone()], &patterns.places[rows]);
            (Places::new(rows), Places::new(places), originals)
        };
        let all: Vec<_> = patterns.all.iter().map(rows_of).collect();
        let rows_at_once = packed.kernel_rows_of(WEIGHT_FLOATS);
        for (group, tile) in packed.all_tiles() {
            let (channel, width) = packed.channels(group, tile);
            for first in (0..packed.kernel).step_by(rows_at_once) {
                let taps = packed.taps_of_rows(first..first + rows_at_once);
                for (pattern, &(rows, places, originals)) in patterns.all.iter().zip(&all) {
                    let blocks = &patterns.blocks[pattern.blocks.clone()];
                    // Blocks are in the order of their taps.
                    let start = blocks.partition_point(|block| block.weights < taps.start);
                    let end = blocks.partition_point(|block| block.weights < taps.end);
                    if start == end {
                        continue;
                    }
                    let last = end == blocks.len();
                    let product = Product {
                        input: &input.values()[group * packed.inputs..],
                        rows,
                        blocks: &blocks[start..end],
                        weights: packed.tile(group, tile),
                        start: &[0.0; TILE],
                        places,
                        width,
                        add: start > 0,
                        ahead: &[],
                        rectify: originals.filter(|_| last).map(|originals| (originals, channel)),
                    };
                    product.run(isa, &mut output.values_mut()[channel..]);
                }
            }
        }
    }
}

/// Outputs that the same taps meet, whichever plan they are of: their rows, in the lists of rows
/// and of places, and their blocks.
#[derive(Debug)]
struct Pattern {
    rows: Range<usize>,
    blocks: Range<usize>,
}

/// What tells patterns apart: on both axes the first tap and their number, and the width of the
/// input's window, on which it depends where the next row of taps is.
type Taps = ([usize; 2], [usize; 2], usize);

/// The patterns of a chunk.
#[derive(Debug, Default)]
struct Patterns {
    all: Vec<Pattern>,
    /// Where each row begins in the input.
    rows: Vec<usize>,
    /// Where it goes in the output.
    places: Vec<usize>,
    blocks: Vec<Block>,
    known: HashMap<Taps, usize>,
    /// The pattern of each run of outputs of each batch.
    of_runs: Vec<usize>,
}

impl Patterns {
    /// Collects the patterns of the batches with the places `which`. Returns what a ReLU needs: for
    /// each row, the original activations of its position; nothing where none is joined.
    fn collect<'a>(
        &mut self,
        convolution: Convolution<'_>,
        batches: &[Batch<'a>],
        which: &[usize],
        (inputs, outputs): (&[Place], &[Place]),
    ) -> Vec<&'a [f32]> {
        let Convolution { target, node, rectify, .. } = convolution;
        let stride = target.lineage.nodes()[node].slide.stride;
        let count = self.count(convolution, batches, which, inputs);
        self.rows.resize(count, 0);
        self.places.resize(count, 0);
        let mut originals: Vec<&[f32]> = vec![&[]; if rectify { count } else { 0 }];
        let mut of_runs = self.of_runs.iter();
        for &which in which {
            let Batch { plan, presentations } = &batches[which];
            let (input, output) = (&inputs[which], &outputs[which]);
            let step = stride * input.channels;
            for (y, x) in runs(plan, node) {
                let Some(&pattern) = of_runs.next() else { break };
                let rows = &mut self.all[pattern].rows;
                let column = output.x.start + x.output as isize;
                for (place, presentation) in presentations.iter().enumerate() {
                    for row in 0..y.outputs {
                        let from = (y.input + row * stride) * input.x.len() + x.input;
                        let from = input.of(place) + from * input.channels;
                        let line = y.output + row;
                        let to = line * output.x.len() + x.output;
                        let to = output.of(place) + to * output.channels;
                        let here = rows.end..rows.end + x.outputs;
                        rows.end = here.end;
                        for (at, row) in self.rows[here.clone()].iter_mut().enumerate() {
                            *row = from + at * step;
                        }
                        for (at, place) in self.places[here.clone()].iter_mut().enumerate() {
                            *place = to + at * output.channels;
                        }
                        if rectify {
                            let line = output.y.start + line as isize;
                            let row = presentation.original(target, node, line, column, x.outputs);
                            for (to, original) in
                                originals[here].iter_mut().zip(row.chunks_exact(output.channels))
                            {
                                *to = original;
                            }
                        }
                    }
                }
            }
        }
        originals
    }

    /// Finds the patterns, and where the rows of each begin: their ends are still there too.
    /// Returns the number of rows.
    fn count(
        &mut self,
        Convolution { node, packed, .. }: Convolution<'_>,
        batches: &[Batch<'_>],
        which: &[usize],
        inputs: &[Place],
    ) -> usize {
        let Self { all, blocks, known, of_runs, .. } = self;
        all.clear();
        blocks.clear();
        known.clear();
        of_runs.clear();
        for &which in which {
            let Batch { plan, presentations } = &batches[which];
            let (width, channels) = (inputs[which].x.len(), inputs[which].channels);
            for (y, x) in runs(plan, node) {
                let taps = ([y.tap, y.taps], [x.tap, x.taps], width);
                let pattern = *known.entry(taps).or_insert_with(|| {
                    let first = blocks.len();
                    packed.blocks((y.tap, y.taps), (x.tap, x.taps), width, channels, blocks);
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
