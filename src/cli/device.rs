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
    /// Where to compute: cpu; cuda or cuda:N, a GPU that `occlumap devices` shows; several, as
    /// cuda:0,cuda:1, or cuda:all; auto, the first GPU that can be used, or else the CPU
    #[arg(
        long,
        value_name = "auto|cpu|cuda[:N|:all]",
        default_value = "auto",
        hide_default_value = true
    )]
    device: DeviceName,
}

/// What `--device` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DeviceName {
    /// A GPU where one can be used.
    Auto,
    /// The processor.
    Cpu,
    /// GPUs, by their numbers, each once.
    Cuda(Vec<usize>),
    /// Every GPU.
    All,
    /// One of another machine; no option names it.
    Elsewhere,
}

impl FromStr for DeviceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(vec![0])),
            "cuda:all" => Ok(Self::All),
            _ => {
                let mut indices = Vec::new();
                for name in text.split(',') {
                    let index = name.strip_prefix("cuda:").and_then(|index| index.parse().ok());
                    let index = index.ok_or(
                        "expected auto, cpu, cuda, cuda:N, several as cuda:0,cuda:1, or cuda:all",
                    )?;
                    if indices.contains(&index) {
                        return Err(format!("GPU {index} is named twice"));
                    }
                    indices.push(index);
                }
                Ok(Self::Cuda(indices))
            }
        }
    }
}

/// A place to compute, ready to be used.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// The processor.
    Cpu,
    /// GPUs, one at least, which share the work.
    Gpus {
        /// The GPUs.
        devices: Vec<Arc<Device>>,
        /// Whether they were asked for by name: then what they lack is an error.
        named: bool,
    },
    /// A GPU of another machine: for checks alone.
    Elsewhere,
}

impl DeviceArguments {
    pub const CPU: Self = Self { device: DeviceName::Cpu };
    pub const ELSEWHERE: Self = Self { device: DeviceName::Elsewhere };

    /// What was asked for.
    pub fn name(&self) -> &DeviceName {
        &self.device
    }

    /// Opens what was asked for. A GPU that is there and cannot be used is noted where one need not
    /// be used.
    ///
    /// # Errors
    /// A GPU that was asked for and cannot be used.
    pub fn open(&self, progress: Progress) -> Result<Place, Failure> {
        let open = |index| match Device::open(index) {
            Ok(device) => Ok(Arc::new(device)),
            Err(error @ CudaError::NoSuchDevice { .. }) => Err(Failure::Usage(error.into())),
            Err(error) => Err(error.into()),
        };
        let devices: Result<Vec<_>, Failure> = match &self.device {
            DeviceName::Cpu => return Ok(Place::Cpu),
            DeviceName::Elsewhere => return Ok(Place::Elsewhere),
            DeviceName::Auto => return Ok(first_gpu(progress)),
            DeviceName::Cuda(indices) => indices.iter().copied().map(open).collect(),
            DeviceName::All => Device::list()?.into_iter().map(|info| open(info.index)).collect(),
        };
        Ok(Place::Gpus { devices: devices?, named: true })
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
            Ok(device) => return Place::Gpus { devices: vec![Arc::new(device)], named: false },
            Err(error) => first = first.or(Some(error)),
        }
    }
    if let Some(error) = first {
        progress.say(format!("note: computing on the CPU: {error}"));
    }
    Place::Cpu
}

impl Place {
    /// The engines that rank, one a device: whole images, on a GPU through cuBLAS and cuDNN. Where
    /// one is missing, and GPUs were not asked for by name, the processor ranks, which is noted.
    ///
    /// # Errors
    /// cuBLAS or cuDNN is missing.
    pub fn rankers(&self, progress: Progress) -> Result<Vec<Box<dyn Engine>>, Failure> {
        let Self::Gpus { devices, named } = self else {
            return Ok(vec![Box::new(ReferenceEngine)]);
        };
        match libraries::cublas().and_then(|_| libraries::cudnn()) {
            Ok(_) => Ok(devices.iter().map(ranker).collect()),
            Err(error) if *named => Err(error.into()),
            Err(error) => {
                progress.say(format!("note: ranking on the CPU: {error}"));
                Ok(vec![Box::new(ReferenceEngine)])
            }
        }
    }
}

fn ranker(device: &Arc<Device>) -> Box<dyn Engine> {
    Box::new(CudaFullEngine { device: Arc::clone(device) })
}
