//! Operations that have a kernel.

use super::CudaError;
use crate::network::{LayerId, Network, Op};
use crate::noise::{Fill, Noise};

/// The error of a node that no kernel computes: of a network that did not pass [`check_support`].
pub(super) fn no_kernel(node: usize) -> CudaError {
    CudaError::Shape { kernel: "forward pass", problem: format!("no kernel computes node {node}") }
}

/// The noise that fills occluders.
///
/// # Errors
/// [`CudaError::Shape`]: a fill that no kernel draws.
pub(super) fn noise_of(fill: Fill<'_>) -> Result<Noise, CudaError> {
    match fill {
        Fill::Noise(noise) => Ok(noise),
        Fill::Gaussian { .. } | Fill::Picture(_) => {
            let problem = "occluders are filled with uniform noise alone".into();
            Err(CudaError::Shape { kernel: "occlude", problem })
        }
    }
}

/// Checks that a network can be computed on a GPU up to `layers`.
///
/// # Errors
/// [`CudaError::Unsupported`], with the first layer that cannot be.
pub fn check_support(network: &Network, layers: &[LayerId]) -> Result<(), CudaError> {
    let leading = network.leading_to(layers);
    for id in (0..leading.len()).filter(|&id| leading[id]).map(LayerId) {
        let layer = network.layer(id);
        if let Some(what) = missing(&layer.op) {
            return Err(CudaError::Unsupported { layer: layer.name.clone(), what });
        }
    }
    Ok(())
}

/// What no kernel computes of an operation.
fn missing(op: &Op) -> Option<String> {
    match op {
        Op::Conv(_)
        | Op::MaxPool(_)
        | Op::AvgPool(_)
        | Op::Pad(_)
        | Op::Relu
        | Op::Prelu
        | Op::Pointwise(_)
        | Op::BatchNorm(_)
        | Op::Scale(_)
        | Op::LocalResponseNorm(_)
        | Op::ChannelNorm(_)
        | Op::Dropout
        | Op::Add
        | Op::Mul
        | Op::Concat
        | Op::Slice(_)
        | Op::Shuffle(_) => None,
        Op::GlobalAvgPool | Op::GroupNorm(_) | Op::Gate(_) => {
            Some(format!("it is a {}, which the whole map makes", op.kind()))
        }
    }
}
