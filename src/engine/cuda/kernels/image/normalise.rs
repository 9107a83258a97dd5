//! `kernels/image_normalise.cu`: local response normalisation.

use cudarc::driver::{CudaSlice, PushKernelArg};

use super::super::parameters::mirrored;
use super::{check, grid};
use crate::engine::cuda::{CudaError, Device};
use crate::network::LocalResponseNorm;

mirrored! {
    /// The kernel's numbers.
    pub(super) struct ImageNormaliseParameters {
        images: u32,
        channels: u32,
        area: u32,
        before: u32,
        after: u32,
        weight: f32,
        beta: f32,
        k: f32,
    }
}

/// Normalises `from` `[image][channel][area]` into `to`, of the same shape.
///
/// # Errors
/// [`CudaError::Shape`], [`CudaError::Driver`].
pub fn normalise(
    device: &Device,
    norm: &LocalResponseNorm,
    (images, channels, area): (usize, usize, usize),
    from: &CudaSlice<f32>,
    to: &mut CudaSlice<f32>,
) -> Result<(), CudaError> {
    let count = images * channels * area;
    check("image_normalise", &[("from", from.len(), count), ("to", to.len(), count)])?;
    let parameters = ImageNormaliseParameters {
        images: images as u32,
        channels: channels as u32,
        area: area as u32,
        before: (norm.size / 2) as u32,
        after: ((norm.size - 1) / 2) as u32,
        weight: norm.alpha / norm.size as f32,
        beta: norm.beta,
        k: norm.k,
    };
    let mut launch = device.stream.launch_builder(&device.kernels.image.normalise);
    launch.arg(&parameters).arg(from).arg(to);
    // SAFETY: the arguments are the kernel's, and the buffers as long as it takes for granted.
    unsafe { device.start("image_normalise", &mut launch, grid(count)) }?;
    Ok(())
}
