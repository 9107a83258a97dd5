//! `kernels/image_respond.cu`: the responses that presentations ask for.

use cudarc::driver::{CudaSlice, PushKernelArg};

use super::{check, grid};
use crate::engine::cuda::tables::mirrored::mirrored;
use crate::engine::cuda::{CudaError, Device};

mirrored! {
    /// The kernel's numbers.
    pub(super) struct ImageRespondParameters {
        images: u32,
        values: u32,
    }
}

/// Of each image of a layer's output `[image][values]`, the value at its one of `indices`.
///
/// # Errors
/// [`CudaError::Shape`], [`CudaError::Driver`].
pub fn respond(
    device: &Device,
    indices: &[u32],
    values: usize,
    output: &CudaSlice<f32>,
) -> Result<CudaSlice<f32>, CudaError> {
    let furthest = indices.iter().max().map_or(0, |&index| index as usize + 1);
    let buffers =
        [("output", output.len(), indices.len() * values), ("an image", values, furthest)];
    check("image_respond", &buffers)?;
    let parameters = ImageRespondParameters { images: indices.len() as u32, values: values as u32 };
    let count = indices.len();
    let indices = device.upload(indices)?;
    let mut responses = device.allocate(count)?;
    let mut launch = device.stream.launch_builder(&device.kernels.image_respond.function);
    launch.arg(&parameters).arg(&indices).arg(output).arg(&mut responses);
    // SAFETY: the arguments are the kernel's, and the buffers as long as it takes for granted.
    unsafe { device.start("image_respond", &mut launch, grid(count)) }?;
    Ok(responses)
}
