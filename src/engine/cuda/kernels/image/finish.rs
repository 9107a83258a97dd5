//! `kernels/image_finish.cu`: bias and ReLU.

use cudarc::driver::{CudaSlice, PushKernelArg};

use super::super::node::NOTHING;
use super::{Maps, check, grid};
use crate::engine::cuda::tables::mirrored::mirrored;
use crate::engine::cuda::{CudaError, Device};

mirrored! {
    /// The kernel's numbers.
    pub(super) struct ImageFinishParameters {
        count: u64,
        channels: u32,
        area: u32,
        biased: u32,
        rectified: u32,
    }
}

/// Adds `bias` `[channels]`, if there is one, to the `values` of maps, and cuts them at 0 if
/// `rectified`.
///
/// # Errors
/// [`CudaError::Shape`], [`CudaError::Driver`].
pub fn finish(
    device: &Device,
    maps: Maps,
    bias: Option<&CudaSlice<f32>>,
    rectified: bool,
    values: &mut CudaSlice<f32>,
) -> Result<(), CudaError> {
    let (count, Maps { channels, area, .. }) = (maps.values(), maps);
    let biases = bias.map_or(channels, CudaSlice::len);
    check("image_finish", &[("bias", biases, channels), ("values", values.len(), count)])?;
    let parameters = ImageFinishParameters {
        count: count as u64,
        channels: channels as u32,
        area: area as u32,
        biased: u32::from(bias.is_some()),
        rectified: u32::from(rectified),
    };
    let mut launch = device.stream.launch_builder(&device.kernels.image_finish.function);
    launch.arg(&parameters);
    match bias {
        Some(bias) => launch.arg(bias),
        None => launch.arg(&NOTHING),
    };
    launch.arg(values);
    // SAFETY: the arguments are the kernel's, and the buffers as long as it takes for granted.
    unsafe { device.start("image_finish", &mut launch, grid(count)) }
}
