//! Shapes that kernels take for granted.

use super::CudaError;

/// An error of shape unless `fits`.
pub(super) fn ensure(
    fits: bool,
    kernel: &'static str,
    problem: impl FnOnce() -> String,
) -> Result<(), CudaError> {
    if fits { Ok(()) } else { Err(CudaError::Shape { kernel, problem: problem() }) }
}
