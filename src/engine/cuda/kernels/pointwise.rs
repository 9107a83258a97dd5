//! `kernels/pointwise.cu`: a function of each value.

use super::function::FunctionParameters;
use super::node::{DeviceNumbers, NodeGeometry, NodeKernel};
use crate::engine::cuda::Device;
use crate::engine::cuda::tables::layout::{Axes, Origin};
use crate::engine::cuda::tables::mirrored::mirrored;

mirrored! {
    /// The kernels' numbers.
    pub struct PointwiseParameters {
        function: FunctionParameters,
        origin: Origin,
        shift: Axes,
        channels: i32,
        reserved: i32,
    }
}

/// A function of each value, with the numbers of its channels where it has any.
pub fn pointwise<'a>(
    device: &'a Device,
    function: FunctionParameters,
    geometry: NodeGeometry,
    channels: usize,
    numbers: Option<&'a DeviceNumbers>,
) -> NodeKernel<'a, PointwiseParameters> {
    let kernels = &device.kernels;
    NodeKernel {
        kernels: [&kernels.pointwise_delta, &kernels.pointwise_baseline],
        parameters: PointwiseParameters {
            function,
            origin: geometry.input,
            shift: geometry.axes(),
            channels: channels as i32,
            reserved: 0,
        },
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
        PointwiseParameters::check(include_str!("../../../../kernels/pointwise.cu"));
    }
}
