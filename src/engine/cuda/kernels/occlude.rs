//! `kernels/occlude.cu`: noise instead of the image.

use cudarc::driver::{CudaSlice, PushKernelArg};

use super::present::Presentations;
use crate::engine::cuda::tables::layout::{Baselines, Origin, Output};
use crate::engine::cuda::tables::mirrored::mirrored;
use crate::engine::cuda::{CudaError, Device};

mirrored! {
    /// The kernel's numbers.
    struct OccludeParameters {
        origin: Origin,
        channels: i32,
        reserved: i32,
    }
}

/// Writes noise minus image into `to`, the image's `windows`; `stream` holds the values of
/// `torch.rand` that presentations refer to.
///
/// # Errors
/// [`CudaError::Shape`] where buffers are too small; [`CudaError::Driver`].
pub fn occlude(
    device: &Device,
    (origin, channels): (Origin, usize),
    presentations: &Presentations,
    image: &Baselines,
    stream: &CudaSlice<f32>,
    to: Output<'_>,
) -> Result<(), CudaError> {
    let Output { windows, values: to } = to;
    windows.check("occlude", channels, to)?;
    let Some(grid) = windows.grid() else { return Ok(()) };
    let parameters = OccludeParameters { origin, channels: channels as i32, reserved: 0 };
    let mut launch = device.stream.launch_builder(&device.kernels.occlude.function);
    launch.arg(&parameters).arg(windows.blocks.items.device()).arg(windows.blocks.table.device());
    launch.arg(presentations.device()).arg(image.images.device()).arg(&image.values);
    launch.arg(stream).arg(to);
    // SAFETY: the arguments are the kernel's; windows lie in `to`, and in the image's baselines as
    // `Baselines` says.
    unsafe { device.start("occlude", &mut launch, grid) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cuda::tables::mirrored::Mirrored;

    #[test]
    fn the_kernels_struct_is_this() {
        OccludeParameters::check(include_str!("../../../../kernels/occlude.cu"));
    }
}
