//! `kernels/normalise.cu`: normalisation across channels.

use super::node::{DeviceNumbers, NodeGeometry, NodeKernel};
use crate::engine::cuda::Device;
use crate::engine::cuda::tables::layout::{Axes, Origin};
use crate::engine::cuda::tables::mirrored::mirrored;
use crate::network::{ChannelNorm, LocalResponseNorm};

mirrored! {
    /// The kernels' numbers.
    pub struct NormaliseParameters {
        factor: f64,
        beta: f64,
        k: f64,
        origin: Origin,
        shift: Axes,
        channels: i32,
        before: i32,
        after: i32,
        all: i32,
    }
}

impl NormaliseParameters {
    /// Those of a normalisation by neighbouring channels.
    pub fn neighbours(norm: &LocalResponseNorm) -> Self {
        let [before, after] = norm.reach();
        Self {
            factor: f64::from(norm.alpha) / norm.size as f64,
            beta: f64::from(norm.beta),
            k: f64::from(norm.k),
            before: before as i32,
            after: after as i32,
            ..Self::default()
        }
    }

    /// Those of a normalisation by all channels.
    pub fn all(norm: ChannelNorm) -> Self {
        Self { k: f64::from(norm.eps), all: 1, ..Self::default() }
    }
}

/// A normalisation, with the numbers of its channels where it has any.
pub fn normalise<'a>(
    device: &'a Device,
    parameters: NormaliseParameters,
    geometry: NodeGeometry,
    channels: usize,
    numbers: Option<&'a DeviceNumbers>,
) -> NodeKernel<'a, NormaliseParameters> {
    let kernels = &device.kernels;
    let (origin, shift, count) = (geometry.input, geometry.axes(), channels as i32);
    NodeKernel {
        kernels: [&kernels.normalise_delta, &kernels.normalise_baseline],
        parameters: NormaliseParameters { origin, shift, channels: count, ..parameters },
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
        NormaliseParameters::check(include_str!("../../../../kernels/normalise.cu"));
    }
}
