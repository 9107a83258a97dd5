//! One launcher a kernel: it checks shapes and holds the only `unsafe`.
//!
//! To add a kernel: `kernels/NAME.cu`, its launcher `NAME.rs` here, and its name in `cuda::loaded::Kernels`.

pub(in crate::engine::cuda) mod deposit;
pub mod extremes;
mod fragments;
pub(in crate::engine::cuda) mod function;
pub mod image;
pub(in crate::engine::cuda) mod join;
pub(in crate::engine::cuda) mod multiply;
pub(in crate::engine::cuda) mod node;
pub(in crate::engine::cuda) mod normalise;
pub(in crate::engine::cuda) mod occlude;
pub(in crate::engine::cuda) mod pad;
pub(in crate::engine::cuda) mod pointwise;
pub(in crate::engine::cuda) mod pool;
pub(in crate::engine::cuda) mod present;
pub(in crate::engine::cuda) mod products;
pub(in crate::engine::cuda) mod respond;
pub(in crate::engine::cuda) mod tap_product;
pub(in crate::engine::cuda) mod window_sum;

#[cfg(test)]
mod tests;
