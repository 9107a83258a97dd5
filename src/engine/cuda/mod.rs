//! NVIDIA GPUs: hand-written kernels (`kernels/*.cu`), started through cudarc.
//!
//! The driver, cuBLAS and cuDNN are opened at run time, so one binary starts on machines with and
//! without a GPU; whatever is missing is a [`CudaError`] that says what to do.

mod device;
mod double_buffer;
pub mod embedded;
mod error;
mod full;
mod incremental;
pub mod kernels;
pub mod libraries;
mod loaded;
mod precision;
mod rates;
mod shape;
mod support;
mod tables;
mod times;
mod transfer;

pub use device::{Device, DeviceInfo};
pub use error::CudaError;
pub use error::{driver_for, version};
pub use full::CudaFullEngine;
pub use incremental::CudaEngine;
pub use precision::Precision;
pub use support::check_support;
pub(crate) use transfer::PINNED_BYTES;
