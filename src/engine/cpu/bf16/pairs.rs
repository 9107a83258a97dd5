//! The product by vectors of pairs: rows are read where deltas lie.

use super::PAIRS;
use super::dot::{Dot, Floats};
use super::product::PairProduct;
use super::weights::TILE_WORDS;
use crate::engine::cpu::product::TILE;
use crate::engine::cpu::simd::{Eight, Isa, Vector};

/// Computes some rows of a tile. Needs the instructions that it is compiled for, and as many outputs as
/// rows; every row, block and output must lie inside its buffer.
pub(super) type RowsFn = unsafe fn(tile: &Tile<'_>, first: usize, output: *mut f32);

/// A tile of a product.
pub(super) struct Tile<'a> {
    product: &'a PairProduct<'a>,
    /// Which of the product's.
    which: usize,
    /// How many of its channels are written.
    width: usize,
}

/// Writes the product. Requires the instructions of `functions`, and offsets that were checked.
pub(super) unsafe fn run(product: &PairProduct<'_>, functions: &[RowsFn], output: &mut [f32]) {
    let all = product.rows.all().len();
    // As equal parts as possible: a last part of one row would wait for its own sums.
    let parts = all.div_ceil(functions.len());
    for which in 0..product.weights.len() {
        let tile = Tile { product, which, width: product.width_of(which) };
        let channels = which * TILE..which * TILE + tile.width;
        let mut first = 0;
        for part in 0..parts {
            let count = (all - first).div_ceil(parts - part);
            product.prefetch(first..first + count, channels.clone());
            // SAFETY: the caller's; `first + count` rows exist.
            unsafe { functions[count - 1](&tile, first, output.as_mut_ptr()) };
            product.rectify(first..first + count, channels.clone(), output);
            first += count;
        }
    }
}

/// The functions for 1, 2, … rows: as many as sums fit into the registers.
pub(super) fn functions(isa: Isa) -> &'static [RowsFn] {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => &[floats512::<1>, floats512::<2>, floats512::<3>, floats512::<4>],
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => &[floats256::<1>, floats256::<2>],
        Isa::Portable => &[portable::<1>],
    }
}

/// Those of AVX512-BF16.
#[cfg(target_arch = "x86_64")]
pub(super) static AVX512: [RowsFn; 6] =
    [pairs512::<1>, pairs512::<2>, pairs512::<3>, pairs512::<4>, pairs512::<5>, pairs512::<6>];

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn pairs512<const ROWS: usize>(tile: &Tile<'_>, first: usize, output: *mut f32) {
    // SAFETY: the caller's.
    unsafe { rows::<std::arch::x86_64::__m512i, ROWS, 2>(tile, first, output) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn floats512<const ROWS: usize>(tile: &Tile<'_>, first: usize, output: *mut f32) {
    // SAFETY: the caller's.
    unsafe { rows::<Floats<std::arch::x86_64::__m512>, ROWS, 2>(tile, first, output) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn floats256<const ROWS: usize>(tile: &Tile<'_>, first: usize, output: *mut f32) {
    // SAFETY: the caller's.
    unsafe { rows::<Floats<std::arch::x86_64::__m256>, ROWS, 2>(tile, first, output) }
}

unsafe fn portable<const ROWS: usize>(tile: &Tile<'_>, first: usize, output: *mut f32) {
    // SAFETY: the caller's.
    unsafe { rows::<Floats<Eight>, ROWS, 1>(tile, first, output) }
}

/// `ROWS` rows, from `first` on, `VECTORS` vectors of channels at a time.
#[inline(always)]
unsafe fn rows<D: Dot, const ROWS: usize, const VECTORS: usize>(
    tile: &Tile<'_>,
    first: usize,
    output: *mut f32,
) {
    const { assert!(TILE.is_multiple_of(D::Sum::LANES * VECTORS)) };
    for channel in (0..tile.width).step_by(D::Sum::LANES * VECTORS) {
        // SAFETY: the caller's; weights have a whole tile of channels.
        unsafe { columns::<D, ROWS, VECTORS>(tile, first, channel, output) }
    }
}

/// The chains of some sums.
type Sums<D, const ROWS: usize, const VECTORS: usize> = [[<D as Dot>::Sum; VECTORS]; ROWS];

/// `ROWS` rows, from `first` on, of `VECTORS` vectors of a tile's channels, from `channel` on.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "indices keep the sums in registers")]
unsafe fn columns<D: Dot, const ROWS: usize, const VECTORS: usize>(
    tile: &Tile<'_>,
    first: usize,
    channel: usize,
    output: *mut f32,
) {
    let &Tile { product, which, width } = tile;
    let lanes = D::Sum::LANES;
    let width = (width - channel).min(lanes * VECTORS);
    let deltas = product.deltas.pointers();
    let weights = product.weights[which].pointers();
    // High by low, high by high, low by high; only high by high of operands of one part.
    let terms: &[(usize, usize)] =
        if product.deltas.low.is_some() { &[(0, 1), (0, 0), (1, 0)] } else { &[(0, 0)] };
    // SAFETY: `PairProduct::run` checked that rows, blocks and outputs lie inside their buffers, and that
    // `first + ROWS` of them exist; a tile's channels that are written begin at `channel` of the tile.
    unsafe {
        let mut all = [[0.0_f32; TILE]; ROWS];
        if product.add {
            for row in 0..ROWS {
                let offset =
                    product.outputs.all().get_unchecked(first + row) + which * TILE + channel;
                all[row].as_mut_ptr().copy_from_nonoverlapping(output.add(offset), width);
            }
        }
        for block in product.blocks {
            for line in 0..block.length {
                let mut inputs = [block.input + line * PAIRS; ROWS];
                for row in 0..ROWS {
                    inputs[row] += *product.rows.all().get_unchecked(first + row);
                }
                let words = (block.weights + line) * TILE_WORDS + channel;
                for &(of_deltas, of_weights) in terms {
                    let (deltas, weights) = (deltas[of_deltas], weights[of_weights].add(words));
                    let zero: Sums<D, ROWS, VECTORS> = [[D::Sum::splat(0.0); VECTORS]; ROWS];
                    let (mut even, mut odd) = (zero, zero);
                    for pair in 0..PAIRS / 2 {
                        let at = weights.add(2 * pair * TILE);
                        add::<D, ROWS, VECTORS>(deltas.add(2 * pair), &inputs, at, &mut even);
                        let at = at.add(TILE);
                        add::<D, ROWS, VECTORS>(deltas.add(2 * pair + 1), &inputs, at, &mut odd);
                    }
                    for row in 0..ROWS {
                        for v in 0..VECTORS {
                            let sum = all[row].as_mut_ptr().add(v * lanes);
                            D::Sum::load(sum).add(even[row][v].add(odd[row][v])).store(sum);
                        }
                    }
                }
            }
        }
        for row in 0..ROWS {
            let offset = product.outputs.all().get_unchecked(first + row) + which * TILE + channel;
            output.add(offset).copy_from_nonoverlapping(all[row].as_ptr(), width);
        }
    }
}

/// Adds the products of a word of each row to a chain.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "indices keep the sums in registers")]
unsafe fn add<D: Dot, const ROWS: usize, const VECTORS: usize>(
    deltas: *const u32,
    inputs: &[usize; ROWS],
    weights: *const u32,
    chain: &mut Sums<D, ROWS, VECTORS>,
) {
    // SAFETY: the caller's.
    unsafe {
        let mut factors = [D::splat(0); VECTORS];
        for v in 0..VECTORS {
            factors[v] = D::load(weights.add(v * D::Sum::LANES));
        }
        for row in 0..ROWS {
            let value = D::splat(*deltas.add(inputs[row]));
            for v in 0..VECTORS {
                chain[row][v] = value.dot(factors[v], chain[row][v]);
            }
        }
    }
}
