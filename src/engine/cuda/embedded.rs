//! The compiled kernels that `build.rs` embeds.

use crate::engine::cuda::CudaError;

include!(concat!(env!("OUT_DIR"), "/kernels.rs"));

/// The CUDA version that the kernels were compiled with, 1000 × major + 10 × minor.
///
/// # Errors
/// [`CudaError::NotBuilt`]: there was no compiler.
pub fn compiler() -> Result<i32, CudaError> {
    match COMPILER {
        Ok((major, minor)) => Ok(1000 * major as i32 + 10 * minor as i32),
        Err(tried) => Err(CudaError::NotBuilt { tried }),
    }
}

/// The code of `kernels/FILE.cu` for all architectures; empty where there is none, which no
/// driver accepts.
pub(super) fn fatbin(file: &str) -> Vec<u8> {
    code(FATBINS, file)
}

/// The code of `kernels/lab/FILE.cu`, likewise.
#[cfg(test)]
pub(super) fn lab(file: &str) -> Vec<u8> {
    code(LAB, file)
}

fn code(fatbins: &[(&str, &[u8])], file: &str) -> Vec<u8> {
    fatbins.iter().find(|(name, _)| *name == file).map_or(Vec::new(), |(_, code)| code.to_vec())
}
