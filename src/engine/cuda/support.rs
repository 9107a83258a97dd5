//! Operations that have a kernel.

use super::CudaError;
use super::incremental::StepKernel;
use crate::network::{LayerId, Network};
use crate::noise::{Fill, Noise};
use crate::program::{MissingFilters, Step};

/// The error of a node that no kernel computes: of a network that did not pass [`check_support`].
pub(super) fn no_kernel(node: usize) -> CudaError {
    CudaError::Shape { kernel: "forward pass", problem: format!("no kernel computes node {node}") }
}

/// A model whose numbers are incomplete.
impl From<MissingFilters> for CudaError {
    fn from(missing: MissingFilters) -> Self {
        Self::Shape { kernel: "forward pass", problem: missing.to_string() }
    }
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
        if StepKernel::of(&Step::of(network, id)).is_none() {
            let layer = network.layer(id);
            let what = format!("it is a {}, which the whole map makes", layer.op.kind());
            return Err(CudaError::Unsupported { layer: layer.name.clone(), what });
        }
    }
    Ok(())
}
