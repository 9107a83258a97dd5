//! `kernels/image_join.cu`: sums and stacks.

use cudarc::driver::{CudaSlice, PushKernelArg};

use super::{check, grid};
use crate::engine::cuda::tables::mirrored::mirrored;
use crate::engine::cuda::{CudaError, Device};
use crate::program::Selection;

mirrored! {
    /// The kernel's numbers.
    pub(super) struct ImageJoinParameters {
        images: u32,
        from_values: u32,
        values: u32,
        to_values: u32,
        first: u32,
        area: u32,
        start: u32,
        groups: u32,
        each: u32,
        added: u32,
    }
}

/// One input of a join.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Values of a channel.
    pub area: usize,
    /// Channels of the input.
    pub inputs: usize,
    /// Which of them are joined.
    pub selection: Selection,
    /// Channels of the output.
    pub channels: usize,
    /// The first channel of the output that is the input's.
    pub first: usize,
    /// Whether it is added to what is there.
    pub added: bool,
}

/// Joins `from` `[image][channel][area]` of so many images to `to`, of the same shape.
///
/// # Errors
/// [`CudaError::Shape`], [`CudaError::Driver`].
pub fn join(
    device: &Device,
    images: usize,
    Part { area, inputs, selection, channels, first, added }: Part,
    from: &CudaSlice<f32>,
    to: &mut CudaSlice<f32>,
) -> Result<(), CudaError> {
    let Selection { start, groups, each } = selection;
    let joined = selection.channels();
    let buffers = [
        ("from", from.len(), images * inputs * area),
        ("to", to.len(), images * channels * area),
        ("an image", channels, first + joined),
        ("an input", inputs, start + joined),
    ];
    check("image_join", &buffers)?;
    let parameters = ImageJoinParameters {
        images: images as u32,
        from_values: (inputs * area) as u32,
        values: (joined * area) as u32,
        to_values: (channels * area) as u32,
        first: (first * area) as u32,
        area: area as u32,
        start: start as u32,
        groups: groups as u32,
        each: each as u32,
        added: u32::from(added),
    };
    let mut launch = device.stream.launch_builder(&device.kernels.image_join.function);
    launch.arg(&parameters).arg(from).arg(to);
    // SAFETY: the arguments are the kernel's, and the buffers as long as it takes for granted.
    unsafe { device.start("image_join", &mut launch, grid(images * joined * area)) }
}
