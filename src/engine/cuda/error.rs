//! What can go wrong with a GPU, and what to do about it.

use cudarc::driver::DriverError;
use cudarc::driver::sys::CUresult;
use thiserror::Error;

use super::libraries::Tried;
use crate::error::{ErrorKind, HasKind};
use crate::files::escaped;

/// What can go wrong with a GPU.
#[derive(Debug, Error)]
pub enum CudaError {
    /// The program was built without a CUDA compiler.
    #[error(
        "this occlumap was built without CUDA kernels, since no CUDA compiler was found ({tried}); \
         in its source folder run `scripts/install-nvcc`, which needs no GPU and no root, and \
         build it again"
    )]
    NotBuilt {
        /// The paths that were searched for a compiler.
        tried: &'static str,
    },
    /// There is no driver.
    #[error(
        "no NVIDIA driver was found: {tried}; install the driver, or give a container access to the \
         GPU (`docker run --gpus all`)"
    )]
    NoDriver {
        /// The paths that were searched.
        tried: Tried,
    },
    /// The driver's library is the toolkit's stand-in for linking.
    #[error(
        "the libcuda.so that was found is the CUDA toolkit's stub, which is only there for \
         linking; take the folder `stubs` out of LD_LIBRARY_PATH"
    )]
    Stub,
    /// The driver is older than the kernels.
    #[error(
        "the NVIDIA driver supports CUDA {}; the kernels of this occlumap were built with CUDA {} \
         and need a driver for CUDA {} ({}); update the driver",
        version(*.found), version(*.built), version(*.needed), driver_for(*.needed)
    )]
    DriverTooOld {
        /// What the driver supports, 1000 × major + 10 × minor.
        found: i32,
        /// What the kernels were compiled with, likewise.
        built: i32,
        /// What the driver has to support at least, likewise.
        needed: i32,
    },
    /// A driver, and nothing for it to drive.
    #[error("the NVIDIA driver finds no GPU{}; check `nvidia-smi`", hidden())]
    NoDevice,
    /// A device without the tensor cores that a precision needs.
    #[error(
        "{device} has compute capability {}.{}; tf32, fp16 and bf16 need 8.0 (Ampere) or newer; \
         use fp32", .capability.0, .capability.1
    )]
    Precision {
        /// The device's number and name.
        device: String,
        /// Its compute capability, major and minor.
        capability: (i32, i32),
    },
    /// A layer that no kernel computes.
    #[error("no GPU kernel computes layer `{}`: {what}", escaped(.layer))]
    Unsupported {
        /// The layer's name.
        layer: String,
        /// Why.
        what: String,
    },
    /// Fewer devices than that.
    #[error("there is no GPU {index}; {}", devices(*.count))]
    NoSuchDevice {
        /// The device asked for.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// Another process has the device, or all of its memory.
    #[error(
        "GPU {index} ({name}) cannot be used: {source}; another process may be using it (see \
         `nvidia-smi`); wait for it, or use another"
    )]
    Busy {
        /// The device.
        index: usize,
        /// Its name.
        name: String,
        /// What the driver says.
        source: Call,
    },
    /// Not enough memory on the device for the smallest piece of work.
    #[error(
        "the GPU's memory is too small, or other processes hold it: {wanted} bytes more are needed \
         at least, {free} of {total} are free; free some (see `nvidia-smi`)"
    )]
    OutOfMemory {
        /// Bytes that were asked for.
        wanted: usize,
        /// Bytes that are free.
        free: usize,
        /// Bytes that there are.
        total: usize,
    },
    /// Not enough memory on the host for copies to and from the device.
    #[error(
        "the host has no {wanted} bytes of memory that can be pinned, which copies to and from the GPU \
         go through; end other programs, or ask for more memory (of the job, of the container), and \
         run it again"
    )]
    NotPinned {
        /// Bytes that were asked for.
        wanted: usize,
    },
    /// The device is none of those that the kernels were compiled for.
    #[error(
        "GPU {index} ({name}, compute capability {}.{}) cannot run the kernels of this occlumap: \
         {source}; they need compute capability 7.5 (Turing) or newer and a driver of CUDA {} or \
         newer",
        capability.0, capability.1, version(*.built)
    )]
    Incompatible {
        /// The device.
        index: usize,
        /// Its name.
        name: String,
        /// Its compute capability, major and minor.
        capability: (i32, i32),
        /// What the kernels were compiled with, 1000 × major + 10 × minor.
        built: i32,
        /// What the driver says.
        source: Call,
    },
    /// A library that the method needs.
    #[error(
        "{name} was not found, or is not usable: {tried}; install it ({install}), or name its \
         folder in {}",
        super::libraries::VARIABLE
    )]
    NoLibrary {
        /// Its name, such as `cuDNN 9`.
        name: &'static str,
        /// How to install it.
        install: String,
        /// The paths that were searched.
        tried: Tried,
    },
    /// A failure of cuBLAS or cuDNN.
    #[error(
        "{name} failed to {what}: {status}{}",
        if .status.ends_with("EXECUTION_FAILED") { KERNEL } else { "" }
    )]
    Library {
        /// Its name.
        name: &'static str,
        /// What it should do, as a verb and its object.
        what: &'static str,
        /// What it says.
        status: String,
    },
    /// Work that does not fit a kernel's parameters.
    #[error("{kernel}: {problem}")]
    Shape {
        /// The kernel.
        kernel: &'static str,
        /// What does not fit.
        problem: String,
    },
    /// A kernel that does not start.
    #[error("the GPU failed to start {kernel}: {source}")]
    Launch {
        /// The kernel.
        kernel: &'static str,
        /// What the driver says.
        source: Call,
    },
    /// Any other failure of the driver.
    #[error("the GPU failed to {what}: {source}")]
    Driver {
        /// What it should do, as a verb and its object.
        what: &'static str,
        /// What the driver says.
        source: Call,
    },
}

/// A call of the driver that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{}{}", name(*.0), explained(*.0))]
pub struct Call(pub CUresult);

impl Call {
    /// Whether there was not enough memory: less work at a time may succeed.
    pub fn out_of_memory(self) -> bool {
        self.0 == CUresult::CUDA_ERROR_OUT_OF_MEMORY
    }
}

impl From<DriverError> for Call {
    fn from(DriverError(result): DriverError) -> Self {
        Self(result)
    }
}

impl CudaError {
    /// For `map_err`: the driver failed to do this.
    pub(in crate::engine) fn driver(what: &'static str) -> impl Fn(DriverError) -> Self {
        move |error| Self::Driver { what, source: error.into() }
    }

    /// Whether there was not enough memory: less work at a time may succeed.
    pub fn is_out_of_memory(&self) -> bool {
        match self {
            Self::Driver { source, .. } | Self::Launch { source, .. } => source.out_of_memory(),
            Self::OutOfMemory { .. } => true,
            // cuBLAS' ALLOC_FAILED, cuDNN's HOST_ and DEVICE_ALLOCATION_FAILED.
            Self::Library { status, .. } => {
                status.ends_with("ALLOC_FAILED") || status.ends_with("ALLOCATION_FAILED")
            }
            _ => false,
        }
    }
}

/// `CUDA_ERROR_OUT_OF_MEMORY` and the like.
fn name(result: CUresult) -> String {
    format!("{result:?} ({})", result as i32)
}

/// What it means that work on a device did not succeed.
const KERNEL: &str = ": a kernel went wrong; please report this";

/// What some errors mean, where their name does not tell.
fn explained(result: CUresult) -> &'static str {
    match result {
        CUresult::CUDA_ERROR_ILLEGAL_ADDRESS
        | CUresult::CUDA_ERROR_LAUNCH_FAILED
        | CUresult::CUDA_ERROR_MISALIGNED_ADDRESS
        | CUresult::CUDA_ERROR_INVALID_ADDRESS_SPACE
        | CUresult::CUDA_ERROR_ILLEGAL_INSTRUCTION
        | CUresult::CUDA_ERROR_INVALID_PC
        | CUresult::CUDA_ERROR_HARDWARE_STACK_ERROR => KERNEL,
        CUresult::CUDA_ERROR_LAUNCH_TIMEOUT => {
            ": the driver ends what takes seconds on a GPU with a display; use another GPU"
        }
        CUresult::CUDA_ERROR_DEVICE_UNAVAILABLE => {
            ": the GPU is busy or lost; `nvidia-smi` and the system's log (Xid) tell more"
        }
        CUresult::CUDA_ERROR_ECC_UNCORRECTABLE => {
            ": the GPU's memory is damaged; reset the GPU, or use another"
        }
        CUresult::CUDA_ERROR_NVLINK_UNCORRECTABLE | CUresult::CUDA_ERROR_CONTAINED => {
            ": the GPU's hardware failed; start again, and use another GPU if it fails again"
        }
        CUresult::CUDA_ERROR_SYSTEM_DRIVER_MISMATCH => {
            ": the driver was updated while it was loaded; restart the machine"
        }
        CUresult::CUDA_ERROR_SYSTEM_NOT_READY => {
            ": a service of the machine is not running (on HGX machines nvidia-fabricmanager)"
        }
        CUresult::CUDA_ERROR_UNKNOWN => {
            ": often the modules of the driver are not loaded, or the machine was suspended; \
             restart it"
        }
        _ => "",
    }
}

/// 13000 as `13.0`.
pub fn version(number: i32) -> String {
    format!("{}.{}", number / 1000, number % 1000 / 10)
}

/// The driver that runs what a CUDA version made, 1000 × major + 10 × minor.
pub fn driver_for(version: i32) -> &'static str {
    match version / 1000 {
        ..=12 => "525 or newer",
        13 => "580 or newer",
        _ => "a newer one",
    }
}

fn devices(count: usize) -> String {
    match count {
        1 => "the only one is GPU 0".into(),
        _ => format!("there are {count}, 0 to {}", count - 1),
    }
}

/// A reason why there may be no device.
fn hidden() -> String {
    match std::env::var("CUDA_VISIBLE_DEVICES") {
        Ok(value) => format!(" (CUDA_VISIBLE_DEVICES is `{value}`)"),
        Err(_) => String::new(),
    }
}

impl HasKind for CudaError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSuchDevice { .. } | Self::Precision { .. } => ErrorKind::Usage,
            _ => ErrorKind::Device,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What no emulator can play: a program without kernels.
    #[test]
    fn a_program_without_kernels_says_how_to_build_one_with_them() {
        let error = CudaError::NotBuilt { tried: "nvcc (PATH): not there" };
        let text = error.to_string();
        for expected in
            ["built without CUDA kernels", "nvcc (PATH): not there", "scripts/install-nvcc"]
        {
            assert!(text.contains(expected), "{text}");
        }
        assert_eq!(error.kind(), ErrorKind::Device);
    }
}
