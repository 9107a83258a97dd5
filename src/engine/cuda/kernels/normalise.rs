//! `kernels/normalise.cu`: local response normalisation.

use cudarc::driver::{CudaSlice, PushKernelArg};

use super::parameters::mirrored;
use super::present::Presentations;
use super::tables::{Change, Origin, Originals, Windows};
use crate::engine::cuda::{CudaError, Device};
use crate::network::LocalResponseNorm;

mirrored! {
    /// The kernels' numbers.
    struct NormaliseParameters {
        weight: f64,
        beta: f64,
        k: f64,
        origin: Origin,
        channels: i32,
        size: i32,
        shift: i32,
        reserved: i32,
    }
}

impl NormaliseParameters {
    fn new(norm: &LocalResponseNorm, origin: Origin, channels: usize, shift: isize) -> Self {
        Self {
            weight: f64::from(norm.alpha) / norm.size as f64,
            beta: f64::from(norm.beta),
            k: f64::from(norm.k),
            origin,
            channels: channels as i32,
            size: norm.size as i32,
            shift: shift as i32,
            reserved: 0,
        }
    }
}

/// Writes the change of the normalised values into `to`; `from` and `original` are of the node's
/// input, of the same channels, whose origin is `origin`, and position `p` of the output is
/// `p + shift` of it.
///
/// # Errors
/// [`CudaError::Shape`] where buffers are too small; [`CudaError::Driver`].
pub fn normalise_change(
    device: &Device,
    norm: &LocalResponseNorm,
    (origin, channels, shift): (Origin, usize, isize),
    presentations: &Presentations,
    original: &Originals,
    from: Change<'_>,
    (outputs, to): (&Windows, &mut CudaSlice<f32>),
) -> Result<(), CudaError> {
    from.check("normalise_change", channels)?;
    outputs.check("normalise_change", channels, to)?;
    let Some(grid) = outputs.grid() else { return Ok(()) };
    let parameters = NormaliseParameters::new(norm, origin, channels, shift);
    let mut launch = device.stream.launch_builder(&device.kernels.normalise_change);
    launch.arg(&parameters).arg(outputs.blocks.items.device()).arg(outputs.blocks.table.device());
    launch.arg(from.windows.blocks.table.device()).arg(presentations.device());
    launch.arg(original.images.device()).arg(&original.values).arg(from.values).arg(to);
    // SAFETY: the arguments are the kernel's; windows lie in their buffers, those of the output
    // within those of the input, and in its originals as `Originals` says.
    unsafe { device.start("normalise_change", &mut launch, grid) }?;
    Ok(())
}

/// Writes the normalised values of original images into `to`.
///
/// # Errors
/// [`CudaError::Shape`] where buffers are too small; [`CudaError::Driver`].
pub fn normalise_original(
    device: &Device,
    norm: &LocalResponseNorm,
    channels: usize,
    from: &Originals,
    (outputs, to): (&Windows, &mut CudaSlice<f32>),
) -> Result<(), CudaError> {
    outputs.check("normalise_original", channels, to)?;
    from.windows.check("normalise_original", channels, &from.values)?;
    let Some(grid) = outputs.grid() else { return Ok(()) };
    let parameters = NormaliseParameters::new(norm, Origin::default(), channels, 0);
    let mut launch = device.stream.launch_builder(&device.kernels.normalise_original);
    launch.arg(&parameters).arg(outputs.blocks.items.device()).arg(outputs.blocks.table.device());
    launch.arg(from.images.device()).arg(&from.values).arg(to);
    // SAFETY: the arguments are the kernel's; windows lie in their buffers, and what an output sees
    // is within the input's windows, as backward cones are.
    unsafe { device.start("normalise_original", &mut launch, grid) }?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::parameters::Mirrored;
    use super::*;

    #[test]
    fn the_kernels_struct_is_this() {
        NormaliseParameters::check(include_str!("../../../../kernels/normalise.cu"));
    }
}
