//! The compiled kernels of a device.

use std::collections::HashMap;
use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaFunction, DriverError};
use cudarc::nvrtc::Ptx;

use super::embedded;

/// A kernel, found by its name.
#[derive(Debug)]
pub(super) struct LoadedKernel {
    /// The name, also for messages and times.
    pub name: &'static str,
    /// The function.
    pub function: CudaFunction,
}

/// Declares the kernels of each file.
macro_rules! kernels {
    ($($file:literal: $($kernel:ident)+;)+) => {
        /// The kernels of one device, all found when it was opened: a name that is misspelt fails in
        /// the first second.
        pub struct Kernels { $($(pub(super) $kernel: LoadedKernel,)+)+ }

        impl Kernels {
            /// Loads the embedded kernels.
            pub fn load(context: &Arc<CudaContext>) -> Result<Self, DriverError> {
                let mut modules = HashMap::new();
                let mut find = |file: &'static str, name: &'static str| -> Result<LoadedKernel, DriverError> {
                    if !modules.contains_key(file) {
                        let module = context.load_module(Ptx::from_binary(embedded::fatbin(file)))?;
                        modules.insert(file, module);
                    }
                    Ok(LoadedKernel { name, function: modules[file].load_function(name)? })
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
    "join": join_delta join_baseline;
    "multiply": multiply_delta multiply_baseline;
    "normalise": normalise_delta normalise_baseline;
    "occlude": occlude;
    "pad": pad_delta pad_baseline;
    "pointwise": pointwise_delta pointwise_baseline;
    "pool": pool_delta pool_delta_four pool_baseline;
    "present": present;
    "respond": respond_delta respond_baseline;
    "tap_product": tap_product_bf16 tap_product_fp16 tap_product_fp16_of_fp32 tap_product_fp32
        tap_product_baseline tap_product_tf32 tap_product_tf32_any;
    "window_sum": window_sum_delta window_sum_baseline;
}
