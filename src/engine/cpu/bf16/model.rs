//! What the tile instructions compute, by the text of the instruction set.

use super::tiles::{SIDE, TileUnit};

/// Eight tile registers in memory.
pub(super) struct Model([[[u32; SIDE]; SIDE]; 8]);

impl Default for Model {
    /// Registers hold whatever they held before.
    fn default() -> Self {
        Self([[[0x7fc0_7fc0; SIDE]; SIDE]; 8])
    }
}

impl TileUnit for Model {
    fn zero<const TILE: u8>(&mut self) {
        self.0[usize::from(TILE)] = [[0; SIDE]; SIDE];
    }

    unsafe fn load<const TILE: u8>(&mut self, from: *const u32, stride: usize) {
        for (row, words) in self.0[usize::from(TILE)].iter_mut().enumerate() {
            // SAFETY: the trait's requirements.
            *words = unsafe { from.byte_add(row * stride).cast::<[u32; SIDE]>().read() };
        }
    }

    unsafe fn store<const TILE: u8>(&mut self, to: *mut u32, stride: usize) {
        for (row, words) in self.0[usize::from(TILE)].iter().enumerate() {
            // SAFETY: the trait's requirements.
            unsafe { to.byte_add(row * stride).cast::<[u32; SIDE]>().write(*words) };
        }
    }

    /// Two chains of fused multiply-adds from zero, of the lower and of the upper halves; their sum is added.
    fn dot<const C: u8, const A: u8, const B: u8>(&mut self) {
        let [a, b] = [A, B].map(|tile| self.0[usize::from(tile)]);
        let halves = |word: u32| [word << 16, word & 0xffff_0000].map(f32::from_bits);
        for (sums, pairs) in self.0[usize::from(C)].iter_mut().zip(&a) {
            for (column, sum) in sums.iter_mut().enumerate() {
                let mut chains = [0.0_f32; 2];
                for (pair, weights) in pairs.iter().zip(&b) {
                    let (pair, weights) = (halves(*pair), halves(weights[column]));
                    for half in 0..2 {
                        chains[half] = flushed(pair[half].mul_add(weights[half], chains[half]));
                    }
                }
                let of_line = flushed(chains[0] + chains[1]);
                *sum = flushed(f32::from_bits(*sum) + of_line).to_bits();
            }
        }
    }
}

/// Zero instead of a subnormal.
fn flushed(value: f32) -> f32 {
    if value.is_subnormal() { 0.0 } else { value }
}
