//! `kernels/image_window_sum.cu`: average pooling, and convolutions with uneven padding.

use cudarc::driver::{CudaSlice, PushKernelArg};

use super::{Sizes, check, grid};
use crate::engine::cuda::tables::layout::{Axes, Stencil};
use crate::engine::cuda::tables::mirrored::mirrored;
use crate::engine::cuda::{CudaError, Device};
use crate::geometry::PerAxis;
use crate::network::{AveragePool, Convolution};

mirrored! {
    /// The kernel's numbers.
    pub struct ImageWindowSumParameters {
        window: Stencil,
        size: Axes,
        to_size: Axes,
        begin: Axes,
        end: Axes,
        images: u32,
        in_channels: u32,
        channels: u32,
        inputs: u32,
        outputs: u32,
        mean: u32,
    }
}

impl ImageWindowSumParameters {
    /// Those of a mean of so many channels.
    pub fn mean(pool: &AveragePool, channels: usize, sizes: Sizes) -> Self {
        let counted = PerAxis::from_fn(|axis| pool.counted(axis, sizes.input));
        Self {
            window: Stencil::of_map(pool.window().axes),
            size: sizes.input.into(),
            to_size: sizes.output.into(),
            begin: Axes::of(PerAxis::from_fn(|axis| counted.of(axis).start)),
            end: Axes::of(PerAxis::from_fn(|axis| counted.of(axis).end)),
            images: 0,
            in_channels: channels as u32,
            channels: channels as u32,
            inputs: 1,
            outputs: 1,
            mean: 1,
        }
    }

    /// Those of a convolution on so many channels.
    pub fn convolution(conv: &Convolution, channels: usize, sizes: Sizes) -> Self {
        Self {
            window: Stencil::of_map(conv.window().axes),
            size: sizes.input.into(),
            to_size: sizes.output.into(),
            in_channels: channels as u32,
            channels: conv.out_channels as u32,
            inputs: (channels / conv.groups) as u32,
            outputs: (conv.out_channels / conv.groups) as u32,
            ..Self::default()
        }
    }

    fn weights(&self) -> usize {
        let Axes { y, x } = self.window.kernel;
        if self.mean == 1 { 1 } else { (self.channels * self.inputs) as usize * (y * x) as usize }
    }
}

/// Sums the windows of so many images; `weight` are a convolution's filters, or anything for a mean.
/// Adds no bias.
///
/// # Errors
/// [`CudaError::Shape`], [`CudaError::Driver`].
pub fn window_sum(
    device: &Device,
    parameters: &ImageWindowSumParameters,
    images: usize,
    weight: &CudaSlice<f32>,
    from: &CudaSlice<f32>,
    to: &mut CudaSlice<f32>,
) -> Result<(), CudaError> {
    let parameters = ImageWindowSumParameters { images: images as u32, ..*parameters };
    let values = |channels: u32, Axes { y, x }: Axes| images * channels as usize * (y * x) as usize;
    let count = values(parameters.channels, parameters.to_size);
    let buffers = [
        ("weight", weight.len(), parameters.weights()),
        ("from", from.len(), values(parameters.in_channels, parameters.size)),
        ("to", to.len(), count),
    ];
    check("image_window_sum", &buffers)?;
    let mut launch = device.stream.launch_builder(&device.kernels.image_window_sum.function);
    launch.arg(&parameters).arg(weight).arg(from).arg(to);
    // SAFETY: the arguments are the kernel's, and the buffers as long as it takes for granted;
    // windows are cut at the border.
    unsafe { device.start("image_window_sum", &mut launch, grid(count)) }
}
