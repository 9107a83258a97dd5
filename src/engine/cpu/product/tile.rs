//! Tiles of a product whose sums stay in registers.

use super::{Product, TILE};
use crate::engine::cpu::simd::{Eight, Isa, Vector};

/// Computes some rows of a tile. Needs the instructions that it is compiled for, and as many
/// outputs as rows; every row, block and output must lie inside its buffer.
type TileFn = unsafe fn(product: &Product<'_>, first: usize, output: *mut f32);

/// The functions for 1, 2, … rows: as many as sums fit into the registers.
pub(super) fn tiles(isa: Isa) -> &'static [TileFn] {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => &[
            avx512::<1>,
            avx512::<2>,
            avx512::<3>,
            avx512::<4>,
            avx512::<5>,
            avx512::<6>,
            avx512::<7>,
            avx512::<8>,
            avx512::<9>,
            avx512::<10>,
            avx512::<11>,
            avx512::<12>,
        ],
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => &[avx2::<1>, avx2::<2>, avx2::<3>, avx2::<4>, avx2::<5>, avx2::<6>],
        Isa::Portable => &[portable::<1>, portable::<2>],
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512<const ROWS: usize>(product: &Product<'_>, first: usize, output: *mut f32) {
    // SAFETY: the caller's.
    unsafe { tile::<std::arch::x86_64::__m512, ROWS, 2>(product, first, output) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<const ROWS: usize>(product: &Product<'_>, first: usize, output: *mut f32) {
    // SAFETY: the caller's.
    unsafe { tile::<std::arch::x86_64::__m256, ROWS, 2>(product, first, output) }
}

unsafe fn portable<const ROWS: usize>(product: &Product<'_>, first: usize, output: *mut f32) {
    // SAFETY: the caller's.
    unsafe { tile::<Eight, ROWS, 4>(product, first, output) }
}

/// The vectors from `from` on, which must have so many values. Requires the instructions of `V`.
#[inline(always)]
unsafe fn load<V: Vector, const VECTORS: usize>(from: *const f32) -> [V; VECTORS] {
    // SAFETY: the caller's.
    unsafe {
        let mut vectors = [V::splat(0.0); VECTORS];
        for (v, vector) in vectors.iter_mut().enumerate() {
            *vector = V::load(from.add(v * V::LANES));
        }
        vectors
    }
}

/// As [`load`], where only the first `width` values must be there.
#[inline(always)]
unsafe fn load_some<V: Vector, const VECTORS: usize>(
    from: *const f32,
    width: usize,
) -> [V; VECTORS] {
    // SAFETY: the caller's; `all` has as many values as the vectors, at most a tile's.
    unsafe {
        let mut all = [0.0; TILE];
        if width >= V::LANES * VECTORS {
            return load(from);
        }
        all.as_mut_ptr().copy_from_nonoverlapping(from, width);
        load(all.as_ptr())
    }
}

/// `ROWS` rows, from `first` on, of a tile, `VECTORS` vectors of its channels at a time.
#[inline(always)]
unsafe fn tile<V: Vector, const ROWS: usize, const VECTORS: usize>(
    product: &Product<'_>,
    first: usize,
    output: *mut f32,
) {
    const { assert!(TILE.is_multiple_of(V::LANES * VECTORS)) };
    for channel in (0..product.width).step_by(V::LANES * VECTORS) {
        // SAFETY: the caller's; the tile has that channel, and those of the vectors behind it.
        unsafe { columns::<V, ROWS, VECTORS>(product, first, channel, output) }
    }
}

/// `ROWS` rows, from `first` on, of `VECTORS` vectors of a tile's channels, from `channel` on.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "indices keep the sums in registers")]
unsafe fn columns<V: Vector, const ROWS: usize, const VECTORS: usize>(
    product: &Product<'_>,
    first: usize,
    channel: usize,
    output: *mut f32,
) {
    let input = product.input.as_ptr();
    let width = product.width - channel;
    // SAFETY: `run` checked that rows, blocks and outputs lie inside their buffers, and that
    // `first + ROWS` of them exist.
    unsafe {
        let output = output.add(channel);
        let mut sums = [load::<V, VECTORS>(product.start.as_ptr().add(channel)); ROWS];
        for block in product.blocks {
            let mut rows = [input.add(block.input); ROWS];
            for row in 0..ROWS {
                rows[row] = rows[row].add(*product.rows.all.get_unchecked(first + row));
            }
            let mut weights = product.weights.as_ptr().add(block.weights * TILE + channel);
            for tap in 0..block.length {
                let factors = load::<V, VECTORS>(weights);
                for row in 0..ROWS {
                    let value = V::splat(*rows[row].add(tap));
                    for v in 0..VECTORS {
                        sums[row][v] = value.mul_add(factors[v], sums[row][v]);
                    }
                }
                weights = weights.add(TILE);
            }
        }
        if product.add {
            for row in 0..ROWS {
                let target = output.add(*product.outputs.all.get_unchecked(first + row));
                let before = load_some::<V, VECTORS>(target, width);
                for v in 0..VECTORS {
                    sums[row][v] = before[v].add(sums[row][v]);
                }
            }
        }
        for row in 0..ROWS {
            let target = output.add(*product.outputs.all.get_unchecked(first + row));
            if width >= V::LANES * VECTORS {
                for v in 0..VECTORS {
                    sums[row][v].store(target.add(v * V::LANES));
                }
            } else {
                let mut all = [0.0; TILE];
                for v in 0..VECTORS {
                    sums[row][v].store(all.as_mut_ptr().add(v * V::LANES));
                }
                target.copy_from_nonoverlapping(all.as_ptr(), width);
            }
        }
    }
}
