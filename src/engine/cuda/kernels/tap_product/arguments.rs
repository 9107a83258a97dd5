//! What a convolution of deltas reads and writes.

use cudarc::driver::CudaSlice;

use crate::engine::cuda::tables::layout::{Baselines, Origin};

/// What a ReLU that is joined to a convolution reads.
#[derive(Clone, Copy, Debug)]
pub struct Rectify<'a> {
    /// Where the node lies.
    pub origin: Origin,
    /// Its baselines.
    pub baselines: &'a Baselines,
}

/// The buffers of a convolution of deltas.
#[derive(Debug)]
pub struct DeltaBuffers<'a, T = f32> {
    /// The input's deltas.
    pub from: &'a CudaSlice<T>,
    /// The node's.
    pub to: &'a mut CudaSlice<f32>,
}

/// How a convolution's deltas in fp16 are scaled and stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scales {
    /// By what its input's deltas are multiplied before they are rounded.
    pub from: f32,
    /// Whether they were, where they were written.
    pub halves: bool,
    /// By what its own are multiplied before they are rounded and written; 0 where they are written in 32
    /// bits.
    pub to: f32,
}

impl Default for Scales {
    fn default() -> Self {
        Self { from: 1.0, halves: false, to: 0.0 }
    }
}
