//! `kernels/rectify.cu`: a ReLU that no neighbour does.

use cudarc::driver::{CudaSlice, PushKernelArg};

use super::parameters::mirrored;
use super::present::Presentations;
use super::tables::{Change, Origin, Originals, Windows};
use crate::engine::cuda::{CudaError, Device};

mirrored! {
    /// The kernels' numbers.
    struct RectifyParameters {
        origin: Origin,
        channels: i32,
        shift: i32,
    }
}

/// Writes the change of `max(z, 0)` into `to`; `from` and `original` are of the node's input, of
/// the same channels, whose origin is `origin`, and position `p` of the output is `p + shift` of it.
///
/// # Errors
/// [`CudaError::Shape`] where buffers are too small; [`CudaError::Driver`].
pub fn rectify_change(
    device: &Device,
    (origin, channels, shift): (Origin, usize, isize),
    presentations: &Presentations,
    original: &Originals,
    from: Change<'_>,
    (outputs, to): (&Windows, &mut CudaSlice<f32>),
) -> Result<(), CudaError> {
    from.check("rectify_change", channels)?;
    outputs.check("rectify_change", channels, to)?;
    let Some(grid) = outputs.grid() else { return Ok(()) };
    let parameters = RectifyParameters { origin, channels: channels as i32, shift: shift as i32 };
    let mut launch = device.stream.launch_builder(&device.kernels.rectify_change);
    launch.arg(&parameters).arg(outputs.blocks.items.device()).arg(outputs.blocks.table.device());
    launch.arg(from.windows.blocks.table.device()).arg(presentations.device());
    launch.arg(original.images.device()).arg(&original.values).arg(from.values).arg(to);
    // SAFETY: the arguments are the kernel's; windows lie in their buffers, those of the output
    // within those of the input, and in its originals as `Originals` says.
    unsafe { device.start("rectify_change", &mut launch, grid) }?;
    Ok(())
}

/// Writes `max(z, 0)` of original images into `to`.
///
/// # Errors
/// [`CudaError::Shape`] where buffers are too small; [`CudaError::Driver`].
pub fn rectify_original(
    device: &Device,
    channels: usize,
    from: &Originals,
    (outputs, to): (&Windows, &mut CudaSlice<f32>),
) -> Result<(), CudaError> {
    outputs.check("rectify_original", channels, to)?;
    from.windows.check("rectify_original", channels, &from.values)?;
    let Some(grid) = outputs.grid() else { return Ok(()) };
    let origin = Origin::default();
    let parameters = RectifyParameters { origin, channels: channels as i32, shift: 0 };
    let mut launch = device.stream.launch_builder(&device.kernels.rectify_original);
    launch.arg(&parameters).arg(outputs.blocks.items.device()).arg(outputs.blocks.table.device());
    launch.arg(from.images.device()).arg(&from.values).arg(to);
    // SAFETY: the arguments are the kernel's; windows lie in their buffers, and what an output sees
    // is within the input's windows, as backward cones are.
    unsafe { device.start("rectify_original", &mut launch, grid) }?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::parameters::Mirrored;
    use super::*;

    #[test]
    fn the_kernels_struct_is_this() {
        RectifyParameters::check(include_str!("../../../../kernels/rectify.cu"));
    }
}
