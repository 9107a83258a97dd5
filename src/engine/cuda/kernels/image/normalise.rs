//! `kernels/image_normalise.cu`: normalisation across channels.

use cudarc::driver::{CudaSlice, PushKernelArg};

use super::super::node::{DeviceNumbers, push_numbers};
use super::{Maps, check, grid};
use crate::engine::cuda::tables::mirrored::mirrored;
use crate::engine::cuda::{CudaError, Device};
use crate::network::{ChannelNorm, LocalResponseNorm};

mirrored! {
    /// The kernel's numbers.
    pub struct ImageNormaliseParameters {
        images: u32,
        channels: u32,
        area: u32,
        before: u32,
        after: u32,
        factor: f32,
        beta: f32,
        k: f32,
        all: u32,
    }
}

impl ImageNormaliseParameters {
    /// Those of a normalisation by neighbouring channels.
    pub fn neighbours(norm: &LocalResponseNorm) -> Self {
        let [before, after] = norm.reach();
        Self {
            before: before as u32,
            after: after as u32,
            factor: norm.alpha / norm.size as f32,
            beta: norm.beta,
            k: norm.k,
            ..Self::default()
        }
    }

    /// Those of a normalisation by all channels.
    pub fn all(norm: ChannelNorm) -> Self {
        Self { k: norm.eps, all: 1, ..Self::default() }
    }
}

/// Normalises `from` `[image][channel][area]` into `to`, of the same shape, with the numbers of its
/// channels where it has any.
///
/// # Errors
/// [`CudaError::Shape`], [`CudaError::Driver`].
pub fn normalise(
    device: &Device,
    parameters: &ImageNormaliseParameters,
    numbers: Option<&DeviceNumbers>,
    maps: Maps,
    from: &CudaSlice<f32>,
    to: &mut CudaSlice<f32>,
) -> Result<(), CudaError> {
    let (count, Maps { images, channels, area }) = (maps.values(), maps);
    check("image_normalise", &[("from", from.len(), count), ("to", to.len(), count)])?;
    let parameters = ImageNormaliseParameters {
        images: images as u32,
        channels: channels as u32,
        area: area as u32,
        ..*parameters
    };
    let mut launch = device.stream.launch_builder(&device.kernels.image_normalise.function);
    launch.arg(&parameters);
    push_numbers(&mut launch, numbers);
    launch.arg(from).arg(to);
    // SAFETY: the arguments are the kernel's, and the buffers as long as it takes for granted.
    unsafe { device.start("image_normalise", &mut launch, grid(count)) }
}
