//! Where the work is done: the one place where a GPU is looked for.

use std::str::FromStr;
use std::sync::Arc;

use clap::Args;

use super::failure::Failure;
use super::progress::Progress;
use crate::engine::cuda::{CudaError, Device, libraries};
use crate::engine::{CudaFullEngine, Engine, ReferenceEngine};

/// Where the work is done.
#[derive(Debug, Args)]
#[command(next_help_heading = "Running")]
pub(super) struct DeviceArguments {
    /// Where to compute: cpu; cuda or cuda:N, a GPU that `occlumap devices` shows; auto, the first
    /// GPU that can be used, or else the CPU
    #[arg(
        long,
        value_name = "auto|cpu|cuda[:N]",
        default_value = "auto",
        hide_default_value = true
    )]
    device: DeviceName,
}

/// What `--device` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeviceName {
    /// A GPU where one can be used.
    Auto,
    /// The processor.
    Cpu,
    /// A GPU, by its number.
    Cuda(usize),
}

impl FromStr for DeviceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => {
                let index = text.strip_prefix("cuda:").and_then(|index| index.parse().ok());
                index.map(Self::Cuda).ok_or_else(|| "expected auto, cpu, cuda or cuda:N".into())
            }
        }
    }
}

/// A place to compute, ready to be used.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// The processor.
    Cpu,
    /// A GPU.
    Gpu {
        /// The GPU.
        device: Arc<Device>,
        /// Whether it was asked for by name: then what it lacks is an error.
        named: bool,
    },
}

impl DeviceArguments {
    pub const CPU: Self = Self { device: DeviceName::Cpu };

    /// What was asked for.
    pub fn name(&self) -> DeviceName {
        self.device
    }

    /// Opens what was asked for. A GPU that is there and cannot be used is noted where one need not
    /// be used.
    ///
    /// # Errors
    /// A GPU that was asked for and cannot be used.
    pub fn open(&self, progress: Progress) -> Result<Place, Failure> {
        let index = match self.device {
            DeviceName::Cpu => return Ok(Place::Cpu),
            DeviceName::Auto => return Ok(first_gpu(progress)),
            DeviceName::Cuda(index) => index,
        };
        match Device::open(index) {
            Ok(device) => Ok(Place::Gpu { device: Arc::new(device), named: true }),
            Err(error @ CudaError::NoSuchDevice { .. }) => Err(Failure::Usage(error.into())),
            Err(error) => Err(error.into()),
        }
    }
}

/// The first GPU that can be used, or else the CPU.
fn first_gpu(progress: Progress) -> Place {
    let devices = match Device::list() {
        Ok(devices) => devices,
        // What most machines lack need not be told of.
        Err(CudaError::NoDriver { .. } | CudaError::NoDevice) => return Place::Cpu,
        Err(error) => {
            progress.say(format!("note: computing on the CPU: {error}"));
            return Place::Cpu;
        }
    };
    let mut first = None;
    for info in devices {
        match Device::open(info.index) {
            Ok(device) => return Place::Gpu { device: Arc::new(device), named: false },
            Err(error) => first = first.or(Some(error)),
        }
    }
    if let Some(error) = first {
        progress.say(format!("note: computing on the CPU: {error}"));
    }
    Place::Cpu
}

impl Place {
    /// The engine that ranks: whole images, on a GPU through cuDNN. Where that is missing, and the
    /// GPU was not asked for by name, the processor ranks, which is noted.
    ///
    /// # Errors
    /// cuDNN is missing.
    pub fn ranker(&self, progress: Progress) -> Result<Box<dyn Engine>, Failure> {
        let Self::Gpu { device, named } = self else { return Ok(Box::new(ReferenceEngine)) };
        match libraries::cudnn() {
            Ok(_) => Ok(Box::new(CudaFullEngine { device: Arc::clone(device) })),
            Err(error) if *named => Err(error.into()),
            Err(error) => {
                progress.say(format!("note: ranking on the CPU: {error}"));
                Ok(Box::new(ReferenceEngine))
            }
        }
    }
}
