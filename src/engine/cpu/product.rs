//! The tap product: the one matrix product of this engine.
//!
//! `output[row] = start + Σ_blocks Σ_k input[row + block.input + k] · weights[block.weights + k]`
//! for some rows, each with its own offset in `input` and `output`, and the [`TILE`] channels of a
//! tile of weights `[k][TILE]`. Neither side is copied or packed: rows are read where the
//! activations lie, channels innermost, so a kernel row of taps is one contiguous run.
//!
//! Each value is one chain of multiply-adds, block by block and tap by tap. Its bits therefore
//! depend on its own row, blocks and weights and on nothing else: not on how many rows there are,
//! which of them it is, or who computes it. The whole engine's promise of equal bytes rests on
//! that.

mod rows;
mod tile;

pub(super) use self::rows::{BaselineRows, Offsets};
use self::tile::tiles;
use super::pointwise::Rectify;
use super::simd::{Isa, prefetch_all};

/// Output channels computed together.
pub(super) const TILE: usize = 32;

/// A run of taps: where it begins relative to the row, where in the weights, and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Offset from the row's offset in the input.
    pub input: usize,
    /// First tap, in rows of the tile's weights.
    pub weights: usize,
    /// Taps times channels.
    pub length: usize,
}

/// Terms of a short sum.
const SHORT: usize = 64;

/// Cuts blocks up into such for short sums, which are more precise when they are added up than one
/// long sum.
pub(super) fn short_blocks(blocks: &[Block]) -> Vec<Block> {
    let parts = |block: &Block| {
        let Block { input, weights, length } = *block;
        (0..length).step_by(SHORT).map(move |k| Block {
            input: input + k,
            weights: weights + k,
            length: SHORT.min(length - k),
        })
    };
    blocks.iter().flat_map(parts).collect()
}

/// Operands of a product.
#[derive(Clone, Copy)]
pub(super) struct Product<'a> {
    /// Activations.
    pub input: &'a [f32],
    /// Where in `input` each row's first block counts from.
    pub rows: Offsets<'a>,
    /// The blocks, the same for each row.
    pub blocks: &'a [Block],
    /// A tile of weights, `[k][TILE]`.
    pub weights: &'a [f32],
    /// What sums begin with.
    pub start: &'a [f32; TILE],
    /// Where in the output each row's values go.
    pub outputs: Offsets<'a>,
    /// How many of the tile's channels are written.
    pub width: usize,
    /// Whether sums are added to what stands in the output, instead of written over it.
    pub add: bool,
    /// The weights of the next product: where they are not in a core's own cache, they are fetched
    /// meanwhile.
    pub ahead: &'a [f32],
    /// If a ReLU of deltas follows, each row's baseline activations, and which of them is the
    /// tile's first.
    pub rectify: Option<(BaselineRows<'a>, usize)>,
}

impl Product<'_> {
    /// Writes the product into `output`.
    ///
    /// # Panics
    /// Where a row, a block or an output lies outside of its buffer: the engine would be wrong.
    pub fn run(&self, isa: Isa, output: &mut [f32]) {
        let (rows, outputs) = (self.rows, self.outputs);
        if rows.all.is_empty() {
            return;
        }
        let taps = |of: fn(&Block) -> usize| {
            self.blocks.iter().map(|block| of(block) + block.length).max().unwrap_or(0)
        };
        assert!(rows.last + taps(|block| block.input) <= self.input.len());
        assert!(taps(|block| block.weights) * TILE <= self.weights.len());
        assert!(self.width <= TILE && outputs.last + self.width <= output.len());
        assert_eq!(rows.all.len(), outputs.all.len());
        if let Some((baselines, channel)) = self.rectify {
            assert_eq!(rows.all.len(), baselines.all.len());
            assert!(channel + self.width <= baselines.channels);
        }
        let tiles = tiles(isa);
        // As equal parts as possible: a last part of one row would wait for its own sums.
        let parts = rows.all.len().div_ceil(tiles.len());
        let mut first = 0;
        for part in 0..parts {
            let count = (rows.all.len() - first).div_ceil(parts - part);
            let share = self.ahead.len() * part / parts..self.ahead.len() * (part + 1) / parts;
            prefetch_all(&self.ahead[share]);
            // Baseline activations lie far away, and a product gives them time to come.
            let baselines = || BaselineRows::of(self.rectify, first..first + count, self.width);
            baselines().for_each(prefetch_all);
            // SAFETY: `isa` is one of this machine's; offsets were checked above; `first + count`
            // rows exist.
            unsafe { tiles[count - 1](self, first, output.as_mut_ptr()) };
            for (baseline, &offset) in baselines().zip(&outputs.all[first..]) {
                let delta = &mut output[offset..][..self.width];
                isa.run(Rectify { delta, baseline });
            }
            first += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::TorchStream;

    fn values(seed: u32, length: usize) -> Vec<f32> {
        TorchStream::new(seed).take(length).map(|value| value - 0.5).collect()
    }

    fn by_definition(product: &Product<'_>, row: usize, channel: usize) -> f64 {
        let mut sum = f64::from(product.start[channel]);
        for block in product.blocks {
            for k in 0..block.length {
                let value = product.input[row + block.input + k];
                let weight = product.weights[(block.weights + k) * TILE + channel];
                sum += f64::from(value) * f64::from(weight);
            }
        }
        sum
    }

    #[test]
    fn a_product_equals_its_definition_and_its_bits_do_not_depend_on_the_company() {
        let (input, weights) = (values(1, 3000), values(2, 60 * TILE));
        let start: [f32; TILE] = values(3, TILE).try_into().unwrap();
        let blocks = [
            Block { input: 0, weights: 5, length: 17 },
            Block { input: 100, weights: 30, length: 1 },
            Block { input: 40, weights: 31, length: 29 },
        ];
        let rows: Vec<usize> = (0..61).map(|row| row * 37 % 2000).collect();
        let mut first_isa: Option<Vec<f32>> = None;
        for isa in Isa::available() {
            for width in [TILE, 5] {
                let run = |rows: &[usize]| {
                    let outputs: Vec<usize> = (0..rows.len()).map(|row| row * width).collect();
                    let mut output = vec![f32::NAN; rows.len() * width];
                    let product = Product {
                        input: &input,
                        rows: Offsets::new(rows),
                        blocks: &blocks,
                        weights: &weights,
                        start: &start,
                        outputs: Offsets::new(&outputs),
                        width,
                        add: false,
                        ahead: &[],
                        rectify: None,
                    };
                    product.run(isa, &mut output);
                    let mut sums = vec![f32::NAN; output.len()];
                    for (part, block) in short_blocks(&blocks).iter().enumerate() {
                        let start = if part == 0 { &start } else { &[0.0; TILE] };
                        let blocks = std::slice::from_ref(block);
                        Product { blocks, start, add: part > 0, ..product }.run(isa, &mut sums);
                    }
                    for (at, (sum, found)) in sums.iter().zip(&output).enumerate() {
                        assert!((sum - found).abs() < 1e-5, "{at}: {sum} {found}");
                    }
                    for (at, found) in output.iter().enumerate() {
                        let expected = by_definition(&product, rows[at / width], at % width);
                        assert!((f64::from(*found) - expected).abs() < 1e-5);
                    }
                    output
                };
                let together = run(&rows);
                for count in 1..=rows.len() {
                    assert_eq!(run(&rows[..count]), together[..count * width]);
                    assert_eq!(run(&rows[61 - count..]), together[(61 - count) * width..]);
                }
                if width == TILE && isa != Isa::Portable {
                    assert_eq!(*first_isa.get_or_insert(together.clone()), together, "{isa:?}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "assertion failed")]
    fn a_row_outside_of_the_input_is_caught() {
        let product = Product {
            input: &[0.0; 10],
            rows: Offsets::new(&[6]),
            blocks: &[Block { input: 0, weights: 0, length: 5 }],
            weights: &[0.0; 5 * TILE],
            start: &[0.0; TILE],
            outputs: Offsets::new(&[0]),
            width: TILE,
            add: false,
            ahead: &[],
            rectify: None,
        };
        product.run(Isa::detect(), &mut [0.0; TILE]);
    }
}
