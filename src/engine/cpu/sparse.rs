//! The tap product of deltas of which many are zero.
//!
//! As [`Product`](super::product::Product), but of lists of what is not zero ([`Nonzero`]): one row
//! at a time, and as many channels as sums fit into the registers. A term that is left out would
//! have added zero, so a sum is that of all terms to the bit.

use super::nonzero::{LONGEST, List, Nonzero, TOGETHER};
use super::pointwise::Rectify;
use super::product::{BaselineRows, Offsets, TILE};
use super::simd::{Eight, Isa, Vector, prefetch, prefetch_all};

/// Floats of a cache line.
const LINE: usize = 16;
/// Rows whose sums still lie in a core's own cache when they are rectified.
const ROWS: usize = 16;
/// Floats of weights that stay in a core's first cache.
const WEIGHT_FLOATS: usize = 6 * 1024;
/// Tiles that are computed together at most, with any instructions.
const MOST: usize = 4;

/// The offsets of a list's weights are read as one number of 64 bits.
const _: () = assert!(TOGETHER * size_of::<u16>() == size_of::<u64>());
/// … and each has 16.
const _: () = assert!(LONGEST * TILE <= 1 << 16);

/// How many tiles are computed together at most.
pub(super) fn tiles_at_once(isa: Isa) -> usize {
    functions(isa).len()
}

/// Of how many channels the weights of so many tiles stay in a core's first cache.
pub(super) fn channels_at_once(isa: Isa) -> usize {
    (WEIGHT_FLOATS / (tiles_at_once(isa) * TILE)).min(LONGEST)
}

/// Operands of a product.
#[derive(Clone, Copy)]
pub(super) struct SparseProduct<'a> {
    /// Lists of deltas.
    pub input: &'a Nonzero,
    /// From which list each row counts.
    pub rows: Offsets<'a>,
    /// Which list from there.
    pub list: usize,
    /// Weights of some tiles, from those of the list's first channel and the first tile on.
    pub weights: &'a [f32],
    /// Floats from a tile's weights to the next one's.
    pub step: usize,
    /// How many tiles.
    pub tiles: usize,
    /// Where in the output each row's values go.
    pub outputs: Offsets<'a>,
    /// How many of the tiles' channels are written.
    pub width: usize,
    /// Whether sums are added to what stands in the output, instead of written over it.
    pub add: bool,
    /// If a ReLU of deltas follows, each row's baseline activations, and which of them is the
    /// first tile's first.
    pub rectify: Option<(BaselineRows<'a>, usize)>,
}

/// Computes some rows. Needs the instructions that it is compiled for, and as many tiles as it is
/// for; every row, list, weight and output must lie inside its buffer.
type TilesFn = unsafe fn(product: &SparseProduct<'_>, first: usize, count: usize, output: *mut f32);

impl SparseProduct<'_> {
    /// Writes the product into `output`.
    ///
    /// # Panics
    /// Where a row, a list, weights or an output lie outside of their buffer: the engine would be
    /// wrong.
    pub fn run(&self, isa: Isa, output: &mut [f32]) {
        let (rows, outputs) = (self.rows, self.outputs);
        if rows.all().is_empty() {
            return;
        }
        let functions = functions(isa);
        assert!((1..=functions.len()).contains(&self.tiles) && self.width <= self.tiles * TILE);
        assert!((self.tiles - 1) * self.step + self.input.reach() <= self.weights.len());
        assert!(outputs.last() + self.width <= output.len());
        assert_eq!(rows.all().len(), outputs.all().len());
        assert!(rows.last() + self.list < self.input.count());
        for first in (0..rows.all().len()).step_by(ROWS) {
            let count = ROWS.min(rows.all().len() - first);
            let baselines = || BaselineRows::of(self.rectify, first..first + count, self.width);
            baselines().for_each(prefetch_all);
            // SAFETY: `isa` is one of this machine's; offsets were checked above, and an entry's
            // when it was made; `first + count` rows exist.
            unsafe { functions[self.tiles - 1](self, first, count, output.as_mut_ptr()) };
            for (baseline, &offset) in baselines().zip(&outputs.all()[first..]) {
                let delta = &mut output[offset..][..self.width];
                isa.run(Rectify { delta, baseline });
            }
        }
    }
}

/// The functions for 1, 2, … tiles: as many as sums fit into the registers.
fn functions(isa: Isa) -> &'static [TilesFn] {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => &[avx512::<2>, avx512::<4>, avx512::<6>, avx512::<8>],
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => &[avx2::<4>, avx2::<8>, avx2::<12>],
        Isa::Portable => &[portable::<4>],
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512<const VECTORS: usize>(
    product: &SparseProduct<'_>,
    first: usize,
    count: usize,
    output: *mut f32,
) {
    // SAFETY: the caller's.
    unsafe { tiles::<std::arch::x86_64::__m512, VECTORS>(product, first, count, output) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<const VECTORS: usize>(
    product: &SparseProduct<'_>,
    first: usize,
    count: usize,
    output: *mut f32,
) {
    // SAFETY: the caller's.
    unsafe { tiles::<std::arch::x86_64::__m256, VECTORS>(product, first, count, output) }
}

unsafe fn portable<const VECTORS: usize>(
    product: &SparseProduct<'_>,
    first: usize,
    count: usize,
    output: *mut f32,
) {
    // SAFETY: the caller's.
    unsafe { tiles::<Eight, VECTORS>(product, first, count, output) }
}

/// `count` rows, from `first` on, of the tiles that `VECTORS` vectors are.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "indices keep the sums in registers")]
unsafe fn tiles<V: Vector, const VECTORS: usize>(
    product: &SparseProduct<'_>,
    first: usize,
    count: usize,
    output: *mut f32,
) {
    const { assert!(VECTORS * V::LANES <= MOST * TILE) };
    let of_tile = TILE / V::LANES;
    let &SparseProduct { input, width, step, .. } = product;
    let (rows, outputs) = (product.rows.all(), product.outputs.all());
    // SAFETY: `run` checked that there are so many rows, and that lists, weights and outputs lie inside
    // their buffers; a list has as many values as offsets of weights, `TOGETHER` at a time.
    unsafe {
        let mut list = input.list(rows.get_unchecked(first) + product.list);
        for row in first..first + count {
            let List { values, weights } = list;
            let target = output.add(*outputs.get_unchecked(row));
            if row + 1 < rows.len() {
                // What the next row needs lies farther away than the weights.
                list = input.list(rows.get_unchecked(row + 1) + product.list);
                list.prefetch();
                let to = output.add(*outputs.get_unchecked(row + 1));
                (0..VECTORS * V::LANES)
                    .step_by(LINE)
                    .for_each(|line| prefetch(to.wrapping_add(line)));
            }
            let mut sums = [V::splat(0.0); VECTORS];
            for first in (0..values.len()).step_by(TOGETHER) {
                // One at a time, these would take a load each, and loads are what there is least of.
                let offsets = weights.as_ptr().add(first).cast::<u64>().read_unaligned();
                let mut offsets = offsets.to_le();
                for which in 0..TOGETHER {
                    let value = V::splat(*values.as_ptr().add(first + which));
                    let weights = product.weights.as_ptr().add((offsets & 0xffff) as usize);
                    offsets >>= 16;
                    for v in 0..VECTORS {
                        let at = v / of_tile * step + v % of_tile * V::LANES;
                        sums[v] = value.mul_add(V::load(weights.add(at)), sums[v]);
                    }
                }
            }
            if width == VECTORS * V::LANES {
                put(sums, target, product.add);
            } else {
                let mut all = [0.0; MOST * TILE];
                all.as_mut_ptr().copy_from_nonoverlapping(target, width);
                put(sums, all.as_mut_ptr(), product.add);
                target.copy_from_nonoverlapping(all.as_ptr(), width);
            }
        }
    }
}

/// Writes sums, or adds them to what is there. Requires the instructions of `V`.
#[inline(always)]
unsafe fn put<V: Vector, const VECTORS: usize>(mut sums: [V; VECTORS], to: *mut f32, add: bool) {
    // SAFETY: the caller's.
    unsafe {
        if add {
            for (v, sum) in sums.iter_mut().enumerate() {
                *sum = V::load(to.add(v * V::LANES)).add(*sum);
            }
        }
        for (v, sum) in sums.into_iter().enumerate() {
            sum.store(to.add(v * V::LANES));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::nonzero::Sections;
    use super::super::product::{Block, Product};
    use super::*;
    use crate::noise::TorchStream;

    fn values(seed: u32, length: usize) -> Vec<f32> {
        TorchStream::new(seed).take(length).map(|value| value - 0.5).collect()
    }

    /// Two products in turn, the second of which is added and rectified.
    #[test]
    fn a_product_is_that_of_all_terms_to_the_bit() {
        const INPUTS: usize = 90;
        const POSITIONS: usize = 40;
        let input: Vec<f32> = values(1, INPUTS * POSITIONS).iter().map(|v| v.max(0.0)).collect();
        for isa in Isa::available() {
            for (tiles, width) in
                (1..=tiles_at_once(isa)).flat_map(|tiles| [(tiles, tiles * TILE), (tiles, 5)])
            {
                let sections = Sections::of(1, INPUTS, channels_at_once(isa));
                assert!(sections.count > 1);
                let step = INPUTS * TILE + 3 * TILE;
                let weights = values(2, tiles * step + LONGEST * TILE);
                let lists = Nonzero::of(&input, sections, isa);
                let outputs: Vec<usize> = (0..POSITIONS).map(|row| row * width).collect();
                let outputs = Offsets::new(&outputs);
                let baselines = values(3, POSITIONS * width);
                let baselines: Vec<&[f32]> = baselines.chunks_exact(width).collect();
                let rows: Vec<usize> = (0..POSITIONS).map(|row| row * 7 % POSITIONS).collect();
                let rows_of = |each: usize| -> Vec<usize> {
                    rows.iter().map(|position| position * each).collect()
                };
                let (mut found, mut expected) =
                    (vec![f32::NAN; POSITIONS * width], vec![f32::NAN; POSITIONS * width]);
                let (of_lists, of_input) = (rows_of(sections.count), rows_of(INPUTS));
                for section in 0..sections.count {
                    let channel = section * sections.length;
                    let last = section + 1 == sections.count;
                    let add = section > 0;
                    let baselines = BaselineRows::new(&baselines);
                    SparseProduct {
                        input: &lists,
                        rows: Offsets::new(&of_lists),
                        list: section,
                        weights: &weights[channel * TILE..],
                        step,
                        tiles,
                        outputs,
                        width,
                        add,
                        rectify: last.then_some((baselines, 0)),
                    }
                    .run(isa, &mut found);
                    for tile in 0..width.div_ceil(TILE) {
                        Product {
                            input: &input,
                            rows: Offsets::new(&of_input),
                            blocks: &[Block {
                                input: channel,
                                weights: channel,
                                length: sections.length.min(INPUTS - channel),
                            }],
                            weights: &weights[tile * step..],
                            start: &[0.0; TILE],
                            outputs,
                            width: TILE.min(width - tile * TILE),
                            add,
                            ahead: &[],
                            rectify: last.then_some((baselines, tile * TILE)),
                        }
                        .run(isa, &mut expected[tile * TILE..]);
                    }
                }
                assert_eq!(found, expected, "{isa:?}, {tiles} tiles, {width} channels");
                assert!(found.iter().any(|&value| value != 0.0));
            }
        }
    }

    /// A product of a single row.
    fn single<'a>(input: &'a Nonzero, list: usize, weights: &'a [f32]) -> SparseProduct<'a> {
        SparseProduct {
            input,
            rows: Offsets::new(&[0]),
            list,
            weights,
            step: 0,
            tiles: 1,
            outputs: Offsets::new(&[0]),
            width: TILE,
            add: false,
            rectify: None,
        }
    }

    #[test]
    #[should_panic(expected = "assertion failed")]
    fn weights_that_a_list_may_not_have_are_caught() {
        let isa = Isa::detect();
        let lists = Nonzero::of(&[1.0; 8], Sections::of(1, 8, 8), isa);
        single(&lists, 0, &[0.0; 7 * TILE]).run(isa, &mut [0.0; TILE]);
    }

    #[test]
    #[should_panic(expected = "assertion failed")]
    fn a_list_that_there_is_not_is_caught() {
        let isa = Isa::detect();
        let lists = Nonzero::of(&[1.0; 8], Sections::of(1, 8, 8), isa);
        single(&lists, 1, &[0.0; 8 * TILE]).run(isa, &mut [0.0; TILE]);
    }
}
