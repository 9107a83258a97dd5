//! `kernels/image_join.cu`: sums and stacks.

use cudarc::driver::{CudaSlice, PushKernelArg};

use super::super::parameters::mirrored;
use super::{check, grid};
use crate::engine::cuda::{CudaError, Device};

mirrored! {
    /// The kernel's numbers.
    pub(super) struct ImageJoinParameters {
        images: u32,
        values: u32,
        to_values: u32,
        first: u32,
        added: u32,
    }
}

/// One input of a join.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Values of an image of the input.
    pub values: usize,
    /// Values of an image of the output.
    pub to_values: usize,
    /// Where among those the input begins.
    pub first: usize,
    /// Whether it is added to what is there.
    pub added: bool,
}

/// Joins `from` `[image][values]` of so many images to `to` `[image][to_values]`.
///
/// # Errors
/// [`CudaError::Shape`], [`CudaError::Driver`].
pub fn join(
    device: &Device,
    images: usize,
    Part { values, to_values, first, added }: Part,
    from: &CudaSlice<f32>,
    to: &mut CudaSlice<f32>,
) -> Result<(), CudaError> {
    let buffers = [
        ("from", from.len(), images * values),
        ("to", to.len(), images * to_values),
        ("an image", to_values, first + values),
    ];
    check("image_join", &buffers)?;
    let parameters = ImageJoinParameters {
        images: images as u32,
        values: values as u32,
        to_values: to_values as u32,
        first: first as u32,
        added: u32::from(added),
    };
    let mut launch = device.stream.launch_builder(&device.kernels.image.join);
    launch.arg(&parameters).arg(from).arg(to);
    // SAFETY: the arguments are the kernel's, and the buffers as long as it takes for granted.
    unsafe { device.start("image_join", &mut launch, grid(images * values)) }?;
    Ok(())
}
