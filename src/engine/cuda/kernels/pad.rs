//! `kernels/pad.cu`: padding with values of the map itself.

use super::node::{NodeGeometry, NodeKernel};
use crate::engine::cuda::Device;
use crate::engine::cuda::tables::layout::{Axes, Origin};
use crate::engine::cuda::tables::mirrored::mirrored;
use crate::geometry::{Border, ImageSize, PerAxis};

mirrored! {
    /// The kernels' numbers.
    pub struct PadParameters {
        input: Origin,
        output: Origin,
        before: Axes,
        size: Axes,
        channels: i32,
        edge: i32,
    }
}

/// A padding of an input of this size.
pub fn pad(
    device: &Device,
    border: Border,
    geometry: NodeGeometry,
    channels: usize,
    size: ImageSize,
) -> NodeKernel<'_, PadParameters> {
    let kernels = &device.kernels;
    let before = PerAxis::from_fn(|axis| geometry.window.of(axis).padding as isize);
    NodeKernel {
        kernels: [&kernels.pad_delta, &kernels.pad_baseline],
        parameters: PadParameters {
            input: geometry.input,
            output: geometry.output,
            before: Axes::of(before),
            size: size.into(),
            channels: channels as i32,
            edge: i32::from(border == Border::Edge),
        },
        channels: [channels; 2],
        numbers: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cuda::tables::mirrored::Mirrored;

    #[test]
    fn the_kernels_struct_is_this() {
        PadParameters::check(include_str!("../../../../kernels/pad.cu"));
    }
}
