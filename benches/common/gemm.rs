//! Large matrix products, the yardstick of what a machine can do.

use rayon::prelude::*;

const SIDE: usize = 768;
const ROUNDS: usize = 4;

/// The operands of some products for each thread of the current pool.
pub struct Products(Vec<[Vec<f32>; 3]>);

impl Products {
    /// Operands for the current pool.
    pub fn new() -> Self {
        let matrix = || vec![0.5_f32; SIDE * SIDE];
        Self((0..rayon::current_num_threads()).map(|_| [matrix(), matrix(), matrix()]).collect())
    }

    /// Floating-point operations of [`run`](Self::run).
    pub fn operations(&self) -> f64 {
        (2 * SIDE.pow(3) * ROUNDS * self.0.len()) as f64
    }

    /// Multiplies, each thread its own.
    pub fn run(&mut self) {
        let all = self.0.par_iter_mut().with_max_len(1);
        all.for_each(|operands| (0..ROUNDS).for_each(|_| product(operands)));
    }
}

fn product([a, b, c]: &mut [Vec<f32>; 3]) {
    let side = SIDE as isize;
    // SAFETY: each matrix has SIDE × SIDE elements, and none overlaps another.
    unsafe {
        ::gemm::gemm(
            SIDE,
            SIDE,
            SIDE,
            c.as_mut_ptr(),
            side,
            1,
            false,
            a.as_ptr(),
            side,
            1,
            b.as_ptr(),
            side,
            1,
            0.0,
            1.0,
            false,
            false,
            false,
            ::gemm::Parallelism::None,
        );
    }
}
