//! The product by tiles: rows are copied into a panel, and a tile's registers compute 32 × 32 sums.

use bytemuck::Zeroable;

use super::PAIRS;
use super::deltas::Line;
use super::product::PairProduct;
use super::weights::TILE_WORDS;
use crate::engine::cpu::product::TILE;

/// Rows, and columns, of a tile register.
pub(super) const SIDE: usize = 16;
/// Rows that are computed together.
const ROWS: usize = 2 * SIDE;
/// Words of a tile register.
const REGISTER: usize = SIDE * SIDE;
/// Bytes from one row of a register to the next in a panel and in packed weights.
const STRIDE: usize = SIDE * size_of::<u32>();

/// A unit with eight tile registers of 16 × 16 words.
///
/// Pointers must be good for 16 rows of 16 words, `stride` bytes apart.
pub(super) trait TileUnit {
    /// `tilezero`.
    fn zero<const TILE: u8>(&mut self);
    /// `tileloadd`.
    unsafe fn load<const TILE: u8>(&mut self, from: *const u32, stride: usize);
    /// `tilestored`.
    unsafe fn store<const TILE: u8>(&mut self, to: *mut u32, stride: usize);
    /// `tdpbf16ps`: adds the products of `A`, whose rows are pairs along a line, and `B`, whose rows are those
    /// pairs' weights, to `C`.
    fn dot<const C: u8, const A: u8, const B: u8>(&mut self);
}

/// Rows that were copied, `[part][line][row]`, and sums, `[row][column]`.
#[derive(Debug, Default)]
pub(in crate::engine::cpu) struct Panel {
    rows: Vec<Line>,
    sums: Vec<Line>,
}

/// Writes the product. Requires that offsets were checked.
pub(super) unsafe fn run<T: TileUnit>(
    product: &PairProduct<'_>,
    unit: &mut T,
    panel: &mut Panel,
    output: &mut [f32],
) {
    let all = product.rows.all().len();
    let lines: usize = product.blocks.iter().map(|block| block.length).sum();
    let Panel { rows, sums } = panel;
    rows.resize(rows.len().max(2 * lines * ROWS), Line::zeroed());
    sums.resize(ROWS * TILE / PAIRS, Line::zeroed());
    let outputs = product.outputs.all();
    for first in (0..all).step_by(ROWS) {
        let count = ROWS.min(all - first);
        product.prefetch(first..first + count, 0..product.width);
        copy_rows(product, first, count, rows);
        for tile in 0..product.weights.len() {
            let width = product.width_of(tile);
            let floats: &mut [f32] = bytemuck::cast_slice_mut(sums);
            if product.add {
                for (sums, offset) in floats.chunks_exact_mut(TILE).zip(&outputs[first..][..count])
                {
                    sums[..width].copy_from_slice(&output[offset + tile * TILE..][..width]);
                }
            }
            // SAFETY: the panel has all lines of the blocks; weights were checked.
            unsafe {
                let sums = floats.as_mut_ptr().cast();
                let rows = rows.as_ptr().cast();
                let block = TileBlock { product, tile, lines, rows, sums };
                if count > SIDE { block.run::<T, true>(unit) } else { block.run::<T, false>(unit) }
            }
            for (sums, offset) in floats.chunks_exact(TILE).zip(&outputs[first..][..count]) {
                output[offset + tile * TILE..][..width].copy_from_slice(&sums[..width]);
            }
        }
        product.rectify(first..first + count, 0..product.width, output);
    }
}

/// Copies the lines of some rows, which are fewer than a panel has at the end: the others are whatever they
/// were, and so are their sums, which nobody reads.
fn copy_rows(product: &PairProduct<'_>, first: usize, count: usize, to: &mut [Line]) {
    let rows = &product.rows.all()[first..first + count];
    let mut next = 0;
    for part in [Some(product.deltas.high), product.deltas.low].into_iter().flatten() {
        for block in product.blocks {
            for line in 0..block.length {
                let panel = &mut to[next..][..ROWS];
                next += ROWS;
                for (to, row) in panel.iter_mut().zip(rows) {
                    to.0.copy_from_slice(&part[row + block.input + line * PAIRS..][..PAIRS]);
                }
            }
        }
    }
}

/// The sums of a tile and of the rows of a panel.
struct TileBlock<'a> {
    product: &'a PairProduct<'a>,
    tile: usize,
    /// Lines of a part of the panel.
    lines: usize,
    rows: *const u32,
    sums: *mut u32,
}

impl TileBlock<'_> {
    /// Sums of 32 rows, or of 16, and 32 columns: registers 0 to 3 are sums, 4 and 5 rows, 6 and 7 columns.
    #[inline(always)]
    unsafe fn run<T: TileUnit, const TALL: bool>(&self, unit: &mut T) {
        let &Self { product, tile, lines, rows, sums } = self;
        let [high, low] = product.weights[tile].pointers();
        let apart = TILE * size_of::<f32>();
        // SAFETY: the caller's.
        unsafe {
            if product.add {
                unit.load::<0>(sums, apart);
                unit.load::<1>(sums.add(SIDE), apart);
                if TALL {
                    unit.load::<2>(sums.add(SIDE * TILE), apart);
                    unit.load::<3>(sums.add(SIDE * TILE + SIDE), apart);
                }
            } else {
                unit.zero::<0>();
                unit.zero::<1>();
                unit.zero::<2>();
                unit.zero::<3>();
            }
            let mut line = 0;
            for block in product.blocks {
                for of_block in 0..block.length {
                    let words = (block.weights + of_block) * TILE_WORDS;
                    let row = |part: usize| rows.add((part * lines + line) * ROWS * PAIRS);
                    if product.deltas.low.is_some() {
                        load_rows::<T, TALL>(unit, row(0));
                        load_columns(unit, low.add(words));
                        multiply::<T, TALL>(unit);
                        load_columns(unit, high.add(words));
                        multiply::<T, TALL>(unit);
                        load_rows::<T, TALL>(unit, row(1));
                    } else {
                        load_rows::<T, TALL>(unit, row(0));
                        load_columns(unit, high.add(words));
                    }
                    multiply::<T, TALL>(unit);
                    line += 1;
                }
            }
            unit.store::<0>(sums, apart);
            unit.store::<1>(sums.add(SIDE), apart);
            if TALL {
                unit.store::<2>(sums.add(SIDE * TILE), apart);
                unit.store::<3>(sums.add(SIDE * TILE + SIDE), apart);
            }
        }
    }
}

#[inline(always)]
unsafe fn load_rows<T: TileUnit, const TALL: bool>(unit: &mut T, from: *const u32) {
    // SAFETY: the caller's.
    unsafe {
        unit.load::<4>(from, STRIDE);
        if TALL {
            unit.load::<5>(from.add(REGISTER), STRIDE);
        }
    }
}

#[inline(always)]
unsafe fn load_columns<T: TileUnit>(unit: &mut T, from: *const u32) {
    // SAFETY: the caller's.
    unsafe {
        unit.load::<6>(from, STRIDE);
        unit.load::<7>(from.add(REGISTER), STRIDE);
    }
}

#[inline(always)]
fn multiply<T: TileUnit, const TALL: bool>(unit: &mut T) {
    unit.dot::<0, 4, 6>();
    unit.dot::<1, 4, 7>();
    if TALL {
        unit.dot::<2, 5, 6>();
        unit.dot::<3, 5, 7>();
    }
}
