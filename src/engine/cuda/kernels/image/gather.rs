//! `kernels/image_gather.cu`: what units see of a layer's input.

use cudarc::driver::{CudaSlice, PushKernelArg};

use super::{check, grid};
use crate::engine::cuda::tables::layout::{Axes, Stencil};
use crate::engine::cuda::tables::mirrored::mirrored;
use crate::engine::cuda::{CudaError, Device};
use crate::geometry::{ImageSize, PerAxis, SlidingWindow};

mirrored! {
    /// The kernel's numbers.
    pub(super) struct ImageGatherParameters {
        count: u32,
        channels: u32,
        height: u32,
        width: u32,
        depth: u32,
        kernel: Axes,
        dilation: Axes,
    }
    /// One unit's view of one image.
    pub struct Sight {
        /// The image.
        pub image: u32,
        /// The first channel of the unit's group.
        pub channel: u32,
        /// The row of the first tap; outside of the map where there is padding.
        pub top: i32,
        /// Its column.
        pub left: i32,
    }
}

/// A layer's input, and what one unit sees of it.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Channels of an image.
    pub channels: usize,
    /// The size of its maps.
    pub size: ImageSize,
    /// Channels that a unit sees.
    pub depth: usize,
    /// The window of a filter.
    pub window: PerAxis<SlidingWindow>,
}

impl View {
    /// Values that a unit sees.
    pub fn taps(&self) -> usize {
        self.depth * self.window.y.kernel * self.window.x.kernel
    }
}

/// Gathers from `values`, `[image][channel][y][x]`, what each of `seen` sees: into `patches`,
/// `[seen][channel][tap row][tap column]`, 0 outside of the maps.
///
/// # Errors
/// [`CudaError::Shape`], [`CudaError::Driver`].
pub fn gather(
    device: &Device,
    view: View,
    seen: &[Sight],
    values: &CudaSlice<f32>,
    patches: &mut CudaSlice<f32>,
) -> Result<(), CudaError> {
    let View { channels, size, depth, window } = view;
    let Stencil { kernel, dilation, .. } = Stencil::of_map(window);
    let images = seen.iter().map(|seen| seen.image as usize + 1).max().unwrap_or(0);
    let furthest = seen.iter().map(|seen| seen.channel as usize + depth).max().unwrap_or(0);
    let count = seen.len() * view.taps();
    check(
        "image_gather",
        &[
            ("values", values.len(), images * channels * size.area()),
            ("an image", channels, furthest),
            ("patches", patches.len(), count),
        ],
    )?;
    let parameters = ImageGatherParameters {
        count: seen.len() as u32,
        channels: channels as u32,
        height: size.height as u32,
        width: size.width as u32,
        depth: depth as u32,
        kernel,
        dilation,
    };
    let seen = device.upload(seen)?;
    let mut launch = device.stream.launch_builder(&device.kernels.image_gather.function);
    launch.arg(&parameters).arg(&seen).arg(values).arg(patches);
    // SAFETY: the arguments are the kernel's, and the buffers as long as it takes for granted.
    unsafe { device.start("image_gather", &mut launch, grid(count)) }
}
