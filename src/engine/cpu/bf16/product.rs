//! The tap product of bf16.
//!
//! As [`Product`](crate::engine::cpu::product::Product), of lines of pairs, and of several tiles of channels.

use std::ops::Range;

use super::deltas::Operands;
use super::weights::TILE_WORDS;
use super::{Form, PAIRS, Panel, amx, pairs, tiles};
use crate::engine::cpu::pointwise::Rectify;
use crate::engine::cpu::product::{BaselineRows, Block, Offsets, TILE};
use crate::engine::cpu::simd::{Isa, prefetch_all};

/// Operands of a product.
#[derive(Clone, Copy)]
pub(super) struct PairProduct<'a> {
    /// Deltas.
    pub deltas: Operands<'a>,
    /// From which word each row's first block counts.
    pub rows: Offsets<'a>,
    /// The blocks, the same for each row: inputs in words, weights and lengths in lines.
    pub blocks: &'a [Block],
    /// Of each tile.
    pub weights: &'a [Operands<'a>],
    /// Where in the output each row's values go.
    pub outputs: Offsets<'a>,
    /// How many of the tiles' channels are written.
    pub width: usize,
    /// Whether sums begin with what stands in the output, instead of with zero.
    pub add: bool,
    /// If a ReLU of deltas follows, each row's baseline activations, and which of them is the first
    /// tile's first.
    pub rectify: Option<(BaselineRows<'a>, usize)>,
    /// Which vectors rectify.
    pub isa: Isa,
}

impl PairProduct<'_> {
    /// Writes the product into `output`.
    ///
    /// # Panics
    /// Where a row, a block or an output lies outside of its buffer: the engine would be wrong.
    pub fn run(&self, form: Form, panel: &mut Panel, output: &mut [f32]) {
        let (rows, outputs) = (self.rows, self.outputs);
        if rows.all().is_empty() {
            return;
        }
        let end = |of: fn(&Block) -> usize| self.blocks.iter().map(of).max().unwrap_or(0);
        let words = end(|block| block.input + block.length * PAIRS);
        assert!(rows.last() + words <= self.deltas.len());
        let words = end(|block| block.weights + block.length) * TILE_WORDS;
        assert!(self.weights.iter().all(|tile| words <= tile.len()));
        assert!(self.width.div_ceil(TILE) == self.weights.len());
        assert!(outputs.last() + self.width <= output.len());
        assert_eq!(rows.all().len(), outputs.all().len());
        let low = self.deltas.low.is_some();
        assert!(self.weights.iter().all(|tile| tile.low.is_some() == low));
        // SAFETY: `Form::available` found the instructions on this machine; offsets were checked above.
        unsafe {
            match form {
                Form::Amx => tiles::run(self, &mut amx::Unit::new(), panel, output),
                #[cfg(test)]
                Form::Model => tiles::run(self, &mut super::model::Model::default(), panel, output),
                #[cfg(target_arch = "x86_64")]
                Form::Avx512 => pairs::run(self, &pairs::AVX512, output),
                Form::Floats(isa) => pairs::run(self, pairs::functions(isa), output),
            }
        }
    }

    /// The channels of a tile that are written.
    pub(super) fn width_of(&self, tile: usize) -> usize {
        (self.width - tile * TILE).min(TILE)
    }

    /// Has the baseline activations of some rows brought nearer, `channels` from the first tile's first on.
    pub(super) fn prefetch(&self, rows: Range<usize>, channels: Range<usize>) {
        let rectify = self.rectify.map(|(baselines, first)| (baselines, first + channels.start));
        BaselineRows::of(rectify, rows, channels.len()).for_each(prefetch_all);
    }

    /// Rectifies channels of some rows, if a ReLU follows.
    pub(super) fn rectify(&self, rows: Range<usize>, channels: Range<usize>, output: &mut [f32]) {
        let rectify = self.rectify.map(|(baselines, first)| (baselines, first + channels.start));
        let baselines = BaselineRows::of(rectify, rows.clone(), channels.len());
        for (baseline, &offset) in baselines.zip(&self.outputs.all()[rows]) {
            let delta = &mut output[offset + channels.start..][..channels.len()];
            self.isa.run(Rectify { delta, baseline });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::deltas::words;
    use super::super::weights::put_column;
    use super::super::{LINE, Order, split, split_line};
    use super::*;
    use crate::noise::TorchStream;

    const ROWS: usize = 41;
    const TILES: usize = 3;
    /// Lines of all rows and of a tile's weights.
    const LINES: usize = 80;
    const BLOCKS: [Block; 3] = [
        Block { input: 0, weights: 3, length: 2 },
        Block { input: 5 * PAIRS, weights: 5, length: 1 },
        Block { input: 3 * PAIRS, weights: 11, length: 3 },
    ];

    /// Words of high and of low parts.
    type Words = [Vec<u32>; 2];

    /// Lines of deltas, weights of tiles, and both as numbers.
    struct Problem {
        deltas: Words,
        weights: Vec<Words>,
        values: Vec<[f32; LINE]>,
        /// `[tile][line][column][channel]`.
        factors: Vec<Vec<[[f32; LINE]; TILE]>>,
    }

    fn problem(order: Order, low: bool) -> Problem {
        let mut stream = TorchStream::new(3);
        let mut line = || -> [f32; LINE] {
            let mut some = stream.by_ref().take(LINE).map(|value| value - 0.5);
            std::array::from_fn(|_| some.next().unwrap())
        };
        // The numbers that the parts are.
        let taken = |line: [f32; LINE]| {
            line.map(|value| {
                let (high, rest) = split(value);
                f32::from_bits(high) + if low { f32::from_bits(rest) } else { 0.0 }
            })
        };
        let (mut deltas, mut values) = (Words::default(), Vec::new());
        for _ in 0..LINES {
            let line = line();
            for (deltas, part) in deltas.iter_mut().zip(split_line(&line)) {
                deltas.extend(words(order, &part));
            }
            values.push(taken(line));
        }
        let (mut weights, mut factors) = (Vec::new(), Vec::new());
        for _ in 0..TILES {
            let mut of_tile = [vec![0; LINES * TILE_WORDS], vec![0; LINES * TILE_WORDS]];
            let mut factors_of_tile = Vec::new();
            for first in (0..LINES).map(|line| line * TILE_WORDS) {
                let columns: [[f32; LINE]; TILE] = std::array::from_fn(|column| {
                    let line = line();
                    for (to, part) in of_tile.iter_mut().zip(split_line(&line)) {
                        put_column(order, &part, column, &mut to[first..]);
                    }
                    taken(line)
                });
                factors_of_tile.push(columns);
            }
            weights.push(of_tile);
            factors.push(factors_of_tile);
        }
        Problem { deltas, weights, values, factors }
    }

    impl Problem {
        fn by_definition(&self, row: usize, channel: usize) -> f64 {
            let mut sum = 0.0;
            for block in BLOCKS {
                for line in 0..block.length {
                    let values = &self.values[row + block.input / PAIRS + line];
                    let factors = &self.factors[channel / TILE][block.weights + line];
                    for (value, factor) in values.iter().zip(&factors[channel % TILE]) {
                        sum += f64::from(*value) * f64::from(*factor);
                    }
                }
            }
            sum
        }

        /// The sums of some rows, the blocks in runs of these numbers.
        fn run<'a>(
            &'a self,
            (form, low): (Form, bool),
            rows: &[usize],
            width: usize,
            runs: &[usize],
        ) -> Vec<f32> {
            let operands =
                |[high, rest]: &'a Words| Operands { high, low: low.then_some(&rest[..]) };
            let weights: Vec<Operands<'_>> =
                self.weights[..width.div_ceil(TILE)].iter().map(operands).collect();
            let from: Vec<usize> = rows.iter().map(|row| row * PAIRS).collect();
            let outputs: Vec<usize> = (0..rows.len()).map(|row| row * (width + 3)).collect();
            let mut output = vec![f32::NAN; rows.len() * (width + 3)];
            let (mut first, mut panel) = (0, Panel::default());
            for &count in runs {
                PairProduct {
                    deltas: operands(&self.deltas),
                    rows: Offsets::new(&from),
                    blocks: &BLOCKS[first..first + count],
                    weights: &weights,
                    outputs: Offsets::new(&outputs),
                    width,
                    add: first > 0,
                    rectify: None,
                    isa: Isa::Portable,
                }
                .run(form, &mut panel, &mut output);
                first += count;
            }
            assert!(output.chunks(width + 3).all(|row| row[width..].iter().all(|v| v.is_nan())));
            output.chunks(width + 3).flat_map(|row| row[..width].to_vec()).collect()
        }
    }

    #[test]
    fn sums_are_those_of_the_definition_and_depend_on_nothing_else() {
        let rows: Vec<usize> = (0..ROWS).map(|row| row * 29 % 70).collect();
        for low in [false, true] {
            let mut first: Option<Vec<Vec<f32>>> = None;
            for form in Form::available().into_iter().chain([Form::Model]) {
                let problem = problem(form.order(), low);
                let all: Vec<Vec<f32>> = [TILE, 5, 2 * TILE, 2 * TILE + 9]
                    .into_iter()
                    .map(|width| {
                        let together = problem.run((form, low), &rows, width, &[3]);
                        for (at, &found) in together.iter().enumerate() {
                            let expected = problem.by_definition(rows[at / width], at % width);
                            let error = (f64::from(found) - expected).abs();
                            // What is left out of bf16x3, low by low, is up to 2^-16 of each of 192
                            // products.
                            assert!(error < if low { 5e-5 } else { 1e-6 }, "{form:?} {error}");
                        }
                        for count in (1..rows.len()).step_by(7) {
                            let part = problem.run((form, low), &rows[..count], width, &[3]);
                            assert_eq!(part, together[..count * width], "{form:?}");
                        }
                        let in_parts = problem.run((form, low), &rows, width, &[1, 2]);
                        assert_eq!(in_parts, together, "{form:?}, {width} channels");
                        together
                    })
                    .collect();
                assert_eq!(*first.get_or_insert(all.clone()), all, "{form:?}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "assertion failed")]
    fn a_row_outside_of_the_deltas_is_caught() {
        PairProduct {
            deltas: Operands { high: &[0; 2 * PAIRS], low: None },
            rows: Offsets::new(&[PAIRS + 1]),
            blocks: &[Block { input: 0, weights: 0, length: 1 }],
            weights: &[Operands { high: &[0; TILE_WORDS], low: None }],
            outputs: Offsets::new(&[0]),
            width: TILE,
            add: false,
            rectify: None,
            isa: Isa::Portable,
        }
        .run(Form::detect(), &mut Panel::default(), &mut [0.0; TILE]);
    }
}
