//! The buffers of deltas on the device, and their number format.

use crate::engine::cuda::kernels::tap_product::Scales;
use crate::program::{Buffers, Plan, Program};

/// Where and how a program's deltas are stored.
#[derive(Debug)]
pub(super) struct Storage {
    /// The buffer of each node.
    pub buffers: Buffers,
    /// By what the deltas of each node are multiplied before they are rounded to fp16, where
    /// products in fp16 read them.
    pub scales: Vec<f32>,
    /// Of each node, whether its deltas are rounded to fp16 where they are written.
    pub halves: Vec<bool>,
}

/// Values between the beginnings of windows: a multiple of what is read at once.
const ALIGNED: usize = 32;

impl Storage {
    /// The storage of a program, all in 32 bits.
    pub fn new<F, N, U>(program: &Program<F, N, U>) -> Self {
        let nodes = program.steps.len();
        Self {
            buffers: Buffers::new(program),
            scales: vec![1.0; nodes],
            halves: vec![false; nodes],
        }
    }

    /// The scale of a node's deltas in fp16; 0 for those in 32 bits.
    pub fn scale(&self, node: usize) -> f32 {
        let source = self.buffers.source[node];
        if self.halves[source] { self.scales[source] } else { 0.0 }
    }

    /// How a convolution reads the deltas of its input, and writes those of its node.
    pub fn of_convolution(&self, input: usize, node: usize) -> Scales {
        let source = self.buffers.source[input];
        Scales { from: self.scales[source], halves: self.halves[source], to: self.scale(node) }
    }

    /// Floats that a group of `count` presentations takes of each buffer, and of all.
    pub fn floats(&self, plan: &Plan<'_>, count: usize, of_buffer: &mut [usize]) -> usize {
        let values = |node: usize, values| aligned(values) / if self.halves[node] { 2 } else { 1 };
        self.buffers.sizes(plan, count, values, of_buffer);
        of_buffer.iter().sum()
    }
}

/// The next position where a window may begin.
pub(super) fn aligned(values: usize) -> usize {
    values.next_multiple_of(ALIGNED)
}
