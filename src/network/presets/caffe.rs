//! Networks of Caffe's model zoo, with the names of its layers.

use super::Layers;
use crate::network::{Convolution, Input, Layer, LocalResponseNorm, MaxPool, Op};

/// The operation that comes first behind the first two convolutions.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum First {
    /// The normalisation, as in Krizhevsky et al. 2012 (`bvlc_alexnet`).
    Norm,
    /// The pooling (`bvlc_reference_caffenet`, and the `AlexNet`s of Places205 and Places365: Zhou et al. 2014
    /// and 2018).
    Pool,
}

/// Caffe's AlexNet up to its fifth pooling: some convolutions in two groups, and local response
/// normalisation. Its images are blue, green and red, from 0 to 255 less a mean.
pub(super) fn alexnet(first: First) -> Vec<Layer> {
    let mut layers = Layers::default();
    let mut output = Input::Image;
    let shapes = [
        (96, 11, 4, 0, 1),
        (256, 5, 1, 2, 2),
        (384, 3, 1, 1, 1),
        (384, 3, 1, 1, 2),
        (256, 3, 1, 1, 2),
    ];
    for (index, (channels, kernel, stride, padding, groups)) in shapes.into_iter().enumerate() {
        let named = |kind: &str| format!("{kind}{}", index + 1);
        let conv = Convolution { groups, ..Convolution::new(channels, kernel, stride, padding) };
        output = layers.add(named("conv"), Op::Conv(conv), &[output]);
        output = layers.add(named("relu"), Op::Relu, &[output]);
        let norm = ("norm", Op::LocalResponseNorm(LocalResponseNorm::over(5)));
        // Caffe's poolings are all of this mode.
        let pool = ("pool", Op::MaxPool(MaxPool { ceil_mode: true, ..MaxPool::new(3, 2) }));
        let behind = match (index, first) {
            (0 | 1, First::Norm) => vec![norm, pool],
            (0 | 1, First::Pool) => vec![pool, norm],
            (4, _) => vec![pool],
            _ => Vec::new(),
        };
        for (kind, op) in behind {
            output = layers.add(named(kind), op, &[output]);
        }
    }
    layers.0
}
