//! `kernels/image_function.cu`: a function of each value.

use cudarc::driver::{CudaSlice, PushKernelArg};

use super::super::function::FunctionParameters;
use super::super::node::{DeviceNumbers, push_numbers};
use super::{Maps, check, grid};
use crate::engine::cuda::tables::mirrored::mirrored;
use crate::engine::cuda::{CudaError, Device};

mirrored! {
    /// The kernel's numbers.
    pub(super) struct ImageFunctionParameters {
        function: FunctionParameters,
        count: u64,
        channels: u32,
        area: u32,
    }
}

/// Applies a function to `values` `[image][channel][area]`, in place, with the numbers of its
/// channels where it has any.
///
/// # Errors
/// [`CudaError::Shape`], [`CudaError::Driver`].
pub fn function(
    device: &Device,
    function: FunctionParameters,
    numbers: Option<&DeviceNumbers>,
    maps: Maps,
    values: &mut CudaSlice<f32>,
) -> Result<(), CudaError> {
    let (count, Maps { channels, area, .. }) = (maps.values(), maps);
    check("image_function", &[("values", values.len(), count)])?;
    let parameters = ImageFunctionParameters {
        function,
        count: count as u64,
        channels: channels as u32,
        area: area as u32,
    };
    let mut launch = device.stream.launch_builder(&device.kernels.image_function.function);
    launch.arg(&parameters);
    push_numbers(&mut launch, numbers);
    launch.arg(values);
    // SAFETY: the arguments are the kernel's, and the buffers as long as it takes for granted.
    unsafe { device.start("image_function", &mut launch, grid(count)) }
}
