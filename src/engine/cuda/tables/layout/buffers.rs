//! Values of a node on the device, with the windows that they are of.

use cudarc::driver::CudaSlice;

use super::{Baseline, Windows};
use crate::engine::cuda::CudaError;
use crate::engine::cuda::tables::upload::Table;

/// Deltas of a node's activations, as far as its windows say.
#[derive(Clone, Copy, Debug)]
pub struct Delta<'a> {
    /// The windows.
    pub windows: &'a Windows,
    /// Their values.
    pub values: &'a CudaSlice<f32>,
}

impl Delta<'_> {
    /// As [`Windows::check`].
    pub(in crate::engine::cuda) fn check(
        &self,
        kernel: &'static str,
        channels: usize,
    ) -> Result<(), CudaError> {
        self.windows.check(kernel, channels, self.values)
    }
}

/// A buffer that a node's values are written into.
#[derive(Debug)]
pub struct Output<'a, T = f32> {
    /// The node's windows.
    pub windows: &'a Windows,
    /// The buffer.
    pub values: &'a mut CudaSlice<T>,
}

impl<T> Output<'_, T> {
    /// The same output, for one kernel of several.
    pub const fn reborrow(&mut self) -> Output<'_, T> {
        Output { windows: self.windows, values: self.values }
    }
}

/// A node's activations of original images, `[image][y][x][channel]`.
///
/// For whichever kernel reads them: a presentation's image is one of these, and its position is in
/// the span of positions that they were computed for, so its windows are inside of them.
#[derive(Debug)]
pub struct Baselines {
    /// Where each image's are.
    pub images: Table<Baseline>,
    /// The windows that were computed.
    pub windows: Windows,
    /// Activations.
    pub values: CudaSlice<f32>,
}
