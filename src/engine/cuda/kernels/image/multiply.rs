//! `kernels/image_multiply.cu`: the product of two inputs.

use cudarc::driver::{CudaSlice, PushKernelArg};

use super::{check, grid};
use crate::engine::cuda::tables::mirrored::mirrored;
use crate::engine::cuda::{CudaError, Device};

mirrored! {
    /// The kernel's numbers.
    pub(super) struct ImageMultiplyParameters {
        count: u64,
    }
}

/// Multiplies the first `count` values of two inputs.
///
/// # Errors
/// [`CudaError::Shape`], [`CudaError::Driver`].
pub fn multiply(
    device: &Device,
    count: usize,
    [one, other]: [&CudaSlice<f32>; 2],
    to: &mut CudaSlice<f32>,
) -> Result<(), CudaError> {
    let buffers =
        [("one", one.len(), count), ("other", other.len(), count), ("to", to.len(), count)];
    check("image_multiply", &buffers)?;
    let parameters = ImageMultiplyParameters { count: count as u64 };
    let mut launch = device.stream.launch_builder(&device.kernels.image_multiply.function);
    launch.arg(&parameters).arg(one).arg(other).arg(to);
    // SAFETY: the arguments are the kernel's, and the buffers as long as it takes for granted.
    unsafe { device.start("image_multiply", &mut launch, grid(count)) }
}
