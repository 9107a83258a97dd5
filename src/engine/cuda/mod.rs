//! NVIDIA GPUs: hand-written kernels (`kernels/*.cu`), started through cudarc.
//!
//! The driver and cuDNN are opened at run time, so one binary starts on machines with and without
//! a GPU; whatever is missing is a [`CudaError`] that says what to do.

mod device;
mod error;
mod full;
pub mod kernels;
pub mod libraries;

pub use device::{Device, DeviceInfo};
pub use error::CudaError;
pub use full::CudaFullEngine;
