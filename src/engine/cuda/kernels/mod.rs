//! One launcher a kernel: it checks shapes and holds the only `unsafe`.
//!
//! To add a kernel: `kernels/NAME.cu`, its launcher `NAME.rs` here, and a field in [`Kernels`].

pub mod embedded;
pub mod extremes;
pub mod image;
mod parameters;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaFunction, DriverError};
use cudarc::nvrtc::Ptx;

/// The kernels of one device, all found when it was opened: a name that is misspelt fails in the
/// first second.
pub struct Kernels {
    extremes: CudaFunction,
    image: image::ImageKernels,
}

impl Kernels {
    /// Loads the embedded kernels.
    pub fn load(context: &Arc<CudaContext>) -> Result<Self, DriverError> {
        let module = |file: &str| context.load_module(Ptx::from_binary(embedded::fatbin(file)));
        Ok(Self {
            extremes: module("extremes")?.load_function("extremes")?,
            image: image::ImageKernels::load(module)?,
        })
    }
}
