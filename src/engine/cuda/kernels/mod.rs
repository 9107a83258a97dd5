//! One launcher a kernel: it checks shapes and holds the only `unsafe`.
//!
//! To add a kernel: `kernels/NAME.cu`, its launcher `NAME.rs` here, and a field in [`Kernels`].

pub(in crate::engine::cuda) mod blocks;
mod by_taps;
pub(in crate::engine::cuda) mod cohorts;
pub(in crate::engine::cuda) mod deposit;
pub mod embedded;
pub mod extremes;
mod fragments;
pub mod image;
pub(in crate::engine::cuda) mod join;
pub(in crate::engine::cuda) mod normalise;
pub(in crate::engine::cuda) mod occlude;
mod parameters;
pub(in crate::engine::cuda) mod parcel;
pub(in crate::engine::cuda) mod pool;
pub(in crate::engine::cuda) mod present;
pub(in crate::engine::cuda) mod products;
pub(in crate::engine::cuda) mod rectify;
pub(in crate::engine::cuda) mod respond;
pub(in crate::engine::cuda) mod tables;
pub(in crate::engine::cuda) mod tap_product;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaFunction, DriverError};
use cudarc::nvrtc::Ptx;

/// The kernels of one device, all found when it was opened: a name that is misspelt fails in the
/// first second.
pub struct Kernels {
    deposit: CudaFunction,
    extremes: CudaFunction,
    image: image::ImageKernels,
    join_change: CudaFunction,
    join_original: CudaFunction,
    normalise_change: CudaFunction,
    normalise_original: CudaFunction,
    occlude: CudaFunction,
    pool_change: CudaFunction,
    pool_change_four: CudaFunction,
    pool_original: CudaFunction,
    present: CudaFunction,
    rectify_change: CudaFunction,
    rectify_original: CudaFunction,
    respond_change: CudaFunction,
    respond_original: CudaFunction,
    tap_product_bf16: CudaFunction,
    tap_product_fp16: CudaFunction,
    tap_product_fp16_of_fp32: CudaFunction,
    tap_product_fp32: CudaFunction,
    tap_product_original: CudaFunction,
    tap_product_tf32: CudaFunction,
    tap_product_tf32_any: CudaFunction,
}

impl Kernels {
    /// Loads the embedded kernels.
    pub fn load(context: &Arc<CudaContext>) -> Result<Self, DriverError> {
        let module = |file: &str| context.load_module(Ptx::from_binary(embedded::fatbin(file)));
        let (join, normalise) = (module("join")?, module("normalise")?);
        let (pool, rectify) = (module("pool")?, module("rectify")?);
        let (respond, tap_product) = (module("respond")?, module("tap_product")?);
        Ok(Self {
            deposit: module("deposit")?.load_function("deposit")?,
            extremes: module("extremes")?.load_function("extremes")?,
            image: image::ImageKernels::load(module)?,
            join_change: join.load_function("join_change")?,
            join_original: join.load_function("join_original")?,
            normalise_change: normalise.load_function("normalise_change")?,
            normalise_original: normalise.load_function("normalise_original")?,
            occlude: module("occlude")?.load_function("occlude")?,
            pool_change: pool.load_function("pool_change")?,
            pool_change_four: pool.load_function("pool_change_four")?,
            pool_original: pool.load_function("pool_original")?,
            present: module("present")?.load_function("present")?,
            rectify_change: rectify.load_function("rectify_change")?,
            rectify_original: rectify.load_function("rectify_original")?,
            respond_change: respond.load_function("respond_change")?,
            respond_original: respond.load_function("respond_original")?,
            tap_product_bf16: tap_product.load_function("tap_product_bf16")?,
            tap_product_fp16: tap_product.load_function("tap_product_fp16")?,
            tap_product_fp16_of_fp32: tap_product.load_function("tap_product_fp16_of_fp32")?,
            tap_product_fp32: tap_product.load_function("tap_product_fp32")?,
            tap_product_original: tap_product.load_function("tap_product_original")?,
            tap_product_tf32: tap_product.load_function("tap_product_tf32")?,
            tap_product_tf32_any: tap_product.load_function("tap_product_tf32_any")?,
        })
    }
}
