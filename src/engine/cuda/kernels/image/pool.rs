//! `kernels/image_pool.cu`: max-pooling.

use cudarc::driver::{CudaSlice, PushKernelArg};

use super::super::parameters::mirrored;
use super::{check, grid};
use crate::engine::cuda::support::square;
use crate::engine::cuda::{CudaError, Device};
use crate::geometry::{ImageSize, SlidingWindow};
use crate::network::MaxPool;

mirrored! {
    /// The kernel's numbers.
    pub(super) struct ImagePoolParameters {
        planes: u32,
        height: u32,
        width: u32,
        to_height: u32,
        to_width: u32,
        kernel: u32,
        stride: u32,
        padding: u32,
    }
}

/// Pools so many planes, channels of images, of size `input`, from `from` into planes of size
/// `output` in `to`.
///
/// # Errors
/// [`CudaError::Shape`], [`CudaError::Driver`].
pub fn pool(
    device: &Device,
    pool: &MaxPool,
    planes: usize,
    (input, output): (ImageSize, ImageSize),
    from: &CudaSlice<f32>,
    to: &mut CudaSlice<f32>,
) -> Result<(), CudaError> {
    let SlidingWindow { kernel, stride, padding, .. } = square(pool.window());
    let count = planes * output.area();
    check("image_pool", &[("from", from.len(), planes * input.area()), ("to", to.len(), count)])?;
    let parameters = ImagePoolParameters {
        planes: planes as u32,
        height: input.height as u32,
        width: input.width as u32,
        to_height: output.height as u32,
        to_width: output.width as u32,
        kernel: kernel as u32,
        stride: stride as u32,
        padding: padding as u32,
    };
    let mut launch = device.stream.launch_builder(&device.kernels.image.pool);
    launch.arg(&parameters).arg(from).arg(to);
    // SAFETY: the arguments are the kernel's, and the buffers as long as it takes for granted;
    // windows are cut at the border.
    unsafe { device.start("image_pool", &mut launch, grid(count)) }?;
    Ok(())
}
