//! The compiled kernels of a device.

use std::collections::HashMap;
use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaFunction, DriverError};
use cudarc::nvrtc::Ptx;

use super::embedded;

/// Declares the kernels of each file.
macro_rules! kernels {
    ($($file:literal: $($kernel:ident)+;)+) => {
        /// The kernels of one device, all found when it was opened: a name that is misspelt fails in
        /// the first second.
        pub struct Kernels { $($(pub(super) $kernel: CudaFunction,)+)+ }

        impl Kernels {
            /// Loads the embedded kernels.
            pub fn load(context: &Arc<CudaContext>) -> Result<Self, DriverError> {
                let mut modules = HashMap::new();
                let mut find = |file: &'static str, kernel: &str| -> Result<CudaFunction, DriverError> {
                    if !modules.contains_key(file) {
                        let module = context.load_module(Ptx::from_binary(embedded::fatbin(file)))?;
                        modules.insert(file, module);
                    }
                    modules[file].load_function(kernel)
                };
                Ok(Self { $($($kernel: find($file, stringify!($kernel))?,)+)+ })
            }
        }
    };
}

kernels! {
    "deposit": deposit;
    "extremes": extremes;
    "image_finish": image_finish;
    "image_function": image_function;
    "image_gather": image_gather;
    "image_join": image_join;
    "image_multiply": image_multiply;
    "image_normalise": image_normalise;
    "image_occlude": image_occlude;
    "image_pad": image_pad;
    "image_pool": image_pool;
    "image_respond": image_respond;
    "image_window_sum": image_window_sum;
    "join": join_change join_original;
    "multiply": multiply_change multiply_original;
    "normalise": normalise_change normalise_original;
    "occlude": occlude;
    "pad": pad_change pad_original;
    "pointwise": pointwise_change pointwise_original;
    "pool": pool_change pool_change_four pool_original;
    "present": present;
    "respond": respond_change respond_original;
    "tap_product": tap_product_bf16 tap_product_fp16 tap_product_fp16_of_fp32 tap_product_fp32
        tap_product_original tap_product_tf32 tap_product_tf32_any;
    "window_sum": window_sum_change window_sum_original;
}
