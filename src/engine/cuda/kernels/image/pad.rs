//! `kernels/image_pad.cu`: padding with values of the map itself.

use cudarc::driver::{CudaSlice, PushKernelArg};

use super::{Sizes, check, grid};
use crate::engine::cuda::tables::layout::Axes;
use crate::engine::cuda::tables::mirrored::mirrored;
use crate::engine::cuda::{CudaError, Device};
use crate::geometry::{Axis, Border, PerAxis};
use crate::network::Pad;

mirrored! {
    /// The kernel's numbers.
    pub(super) struct ImagePadParameters {
        before: Axes,
        size: Axes,
        to_size: Axes,
        planes: u32,
        edge: i32,
    }
}

/// Pads so many planes, channels of images, from `from` into `to`.
///
/// # Errors
/// [`CudaError::Shape`], [`CudaError::Driver`].
pub fn pad(
    device: &Device,
    padding: Pad,
    planes: usize,
    sizes: Sizes,
    from: &CudaSlice<f32>,
    to: &mut CudaSlice<f32>,
) -> Result<(), CudaError> {
    let count = planes * sizes.output.area();
    let read = planes * sizes.input.area();
    check("image_pad", &[("from", from.len(), read), ("to", to.len(), count)])?;
    let before = |axis: Axis| padding.padding.before.of(axis) as isize;
    let parameters = ImagePadParameters {
        before: Axes::of(PerAxis::from_fn(before)),
        size: sizes.input.into(),
        to_size: sizes.output.into(),
        planes: planes as u32,
        edge: i32::from(padding.mode == Border::Edge),
    };
    let mut launch = device.stream.launch_builder(&device.kernels.image_pad.function);
    launch.arg(&parameters).arg(from).arg(to);
    // SAFETY: the arguments are the kernel's, and the buffers as long as it takes for granted; every
    // position is one of the input's.
    unsafe { device.start("image_pad", &mut launch, grid(count)) }
}
