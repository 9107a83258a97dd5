//! `kernels/image_pool.cu`: max-pooling.

use cudarc::driver::{CudaSlice, PushKernelArg};

use super::{Sizes, check, grid};
use crate::engine::cuda::tables::layout::{Axes, Stencil};
use crate::engine::cuda::tables::mirrored::mirrored;
use crate::engine::cuda::{CudaError, Device};
use crate::geometry::{PerAxis, SlidingWindow};

mirrored! {
    /// The kernel's numbers.
    pub(super) struct ImagePoolParameters {
        window: Stencil,
        size: Axes,
        to_size: Axes,
        planes: u32,
        reserved: u32,
    }
}

/// Pools so many planes, channels of images, from `from` into `to`.
///
/// # Errors
/// [`CudaError::Shape`], [`CudaError::Driver`].
pub fn pool(
    device: &Device,
    window: PerAxis<SlidingWindow>,
    planes: usize,
    sizes: Sizes,
    from: &CudaSlice<f32>,
    to: &mut CudaSlice<f32>,
) -> Result<(), CudaError> {
    let count = planes * sizes.output.area();
    let read = planes * sizes.input.area();
    check("image_pool", &[("from", from.len(), read), ("to", to.len(), count)])?;
    let parameters = ImagePoolParameters {
        window: Stencil::of_map(window),
        size: sizes.input.into(),
        to_size: sizes.output.into(),
        planes: planes as u32,
        reserved: 0,
    };
    let mut launch = device.stream.launch_builder(&device.kernels.image_pool.function);
    launch.arg(&parameters).arg(from).arg(to);
    // SAFETY: the arguments are the kernel's, and the buffers as long as it takes for granted;
    // windows are cut at the border.
    unsafe { device.start("image_pool", &mut launch, grid(count)) }
}
