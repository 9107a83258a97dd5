//! `kernels/window_sum.cu`: depthwise convolution and average pooling.

use super::node::{DeviceNumbers, NodeGeometry, NodeKernel};
use crate::engine::cuda::Device;
use crate::engine::cuda::tables::layout::{Axes, Origin, Stencil};
use crate::engine::cuda::tables::mirrored::mirrored;
use crate::geometry::{Axis, ImageSize, PerAxis};
use crate::network::AveragePool;

mirrored! {
    /// The kernels' numbers.
    pub struct WindowSumParameters {
        origin: Origin,
        window: Stencil,
        padding: Axes,
        begin: Axes,
        end: Axes,
        channels: i32,
        mean: i32,
    }
}

impl WindowSumParameters {
    /// Those of the mean of an input of this size.
    pub fn mean(pool: &AveragePool, input: ImageSize) -> Self {
        let counted = PerAxis::from_fn(|axis| pool.counted(axis, input));
        let before = |axis: Axis| pool.padding.before.of(axis) as isize;
        Self {
            padding: Axes::of(PerAxis::from_fn(before)),
            begin: Axes::of(PerAxis::from_fn(|axis| counted.of(axis).start)),
            end: Axes::of(PerAxis::from_fn(|axis| counted.of(axis).end)),
            mean: 1,
            ..Self::default()
        }
    }
}

/// A depthwise convolution with these numbers, or a mean.
pub fn window_sum<'a>(
    device: &'a Device,
    parameters: WindowSumParameters,
    geometry: NodeGeometry,
    channels: usize,
    numbers: Option<&'a DeviceNumbers>,
) -> NodeKernel<'a, WindowSumParameters> {
    let kernels = &device.kernels;
    let (origin, window) = (geometry.output, Stencil::new(geometry.window, geometry.shift));
    NodeKernel {
        kernels: [&kernels.window_sum_delta, &kernels.window_sum_baseline],
        parameters: WindowSumParameters { origin, window, channels: channels as i32, ..parameters },
        channels: [channels; 2],
        numbers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cuda::tables::mirrored::Mirrored;

    #[test]
    fn the_kernels_struct_is_this() {
        WindowSumParameters::check(include_str!("../../../../kernels/window_sum.cu"));
    }
}
