//! The choice of devices.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::{Context, RunError};
use crate::engine::cuda::{CudaError, Device, check_support, libraries};
use crate::engine::{CudaFullEngine, RankingEngine, ReferenceEngine};
use crate::error::ParseError;
use crate::network::{LayerId, Network};

/// The device of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first usable GPU, otherwise the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// GPUs by number, each once.
    Cuda(Vec<usize>),
    /// Every GPU.
    AllCuda,
    /// A GPU of another machine; supports checks only.
    Remote,
}

impl FromStr for DeviceChoice {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(vec![0])),
            "cuda:all" => Ok(Self::AllCuda),
            _ => {
                let mut indices = Vec::new();
                for name in text.split(',') {
                    let index = name.strip_prefix("cuda:").and_then(|index| index.parse().ok());
                    let index = index.ok_or_else(|| {
                        ParseError::from(
                            "expected auto, cpu, cuda, cuda:N, several as cuda:0,cuda:1, or \
                             cuda:all",
                        )
                    })?;
                    if indices.contains(&index) {
                        return Err(ParseError::from(format!("GPU {index} is named twice")));
                    }
                    indices.push(index);
                }
                Ok(Self::Cuda(indices))
            }
        }
    }
}

/// Opened devices.
#[derive(Clone, Debug)]
pub enum Devices {
    /// The CPU.
    Cpu,
    /// GPUs that share the work; at least one.
    Cuda {
        /// The GPUs.
        gpus: Vec<Arc<Device>>,
        /// Whether GPUs were requested: a missing feature is then an error.
        required: bool,
    },
    /// A GPU of another machine; supports checks only.
    Remote,
}

impl DeviceChoice {
    /// Opens the devices for `layers` of a network. With `Auto`, an unusable GPU is a note, and the
    /// CPU computes.
    ///
    /// # Errors
    /// A requested GPU that cannot be used, or has no kernel for a layer.
    pub fn open(
        &self,
        network: &Network,
        layers: &[LayerId],
        context: &Context<'_>,
    ) -> Result<Devices, RunError> {
        match (self.open_any(context)?, check_support(network, layers)) {
            (Devices::Cuda { required: true, .. }, Err(error)) => {
                Err(RunError::usage(format!("{error}; use --device cpu")))
            }
            (Devices::Cuda { .. }, Err(error)) => {
                context.note(format!("note: computing on the CPU: {error}"));
                Ok(Devices::Cpu)
            }
            (devices, _) => Ok(devices),
        }
    }

    fn open_any(&self, context: &Context<'_>) -> Result<Devices, RunError> {
        let open = |index| Device::open(index).map(Arc::new);
        let gpus: Result<Vec<_>, CudaError> = match self {
            Self::Cpu => return Ok(Devices::Cpu),
            Self::Remote => return Ok(Devices::Remote),
            Self::Auto => return Ok(first_gpu(context)),
            Self::Cuda(indices) if indices.is_empty() => {
                return Err(RunError::usage("--device: no GPU is named"));
            }
            Self::Cuda(indices) => indices.iter().copied().map(open).collect(),
            Self::AllCuda => Device::list()?.into_iter().map(|info| open(info.index)).collect(),
        };
        Ok(Devices::Cuda { gpus: gpus?, required: true })
    }
}

/// The first usable GPU, otherwise the CPU.
fn first_gpu(context: &Context<'_>) -> Devices {
    let on_cpu = |error: &dyn fmt::Display| {
        context.note(format!("note: computing on the CPU: {error}"));
        Devices::Cpu
    };
    let devices = match Device::list() {
        Ok(devices) => devices,
        // Most machines have no GPU, which needs no note.
        Err(CudaError::NoDriver { .. } | CudaError::NoDevice) => return Devices::Cpu,
        Err(error) => return on_cpu(&error),
    };
    let mut first = None;
    for info in devices {
        match Device::open(info.index) {
            Ok(device) => {
                return Devices::Cuda { gpus: vec![Arc::new(device)], required: false };
            }
            Err(error) => first = first.or(Some(error)),
        }
    }
    first.map_or(Devices::Cpu, |error| on_cpu(&error))
}

impl Devices {
    /// The engines that rank, one per device: whole images, on a GPU through cuBLAS and cuDNN. If
    /// one of these is missing and no GPU was requested, the CPU ranks, with a note.
    ///
    /// # Errors
    /// Missing cuBLAS or cuDNN.
    pub fn rankers(&self, context: &Context<'_>) -> Result<Vec<Box<dyn RankingEngine>>, RunError> {
        let Self::Cuda { gpus, required } = self else {
            return Ok(vec![Box::new(ReferenceEngine)]);
        };
        let ranker = |device: &Arc<Device>| -> Box<dyn RankingEngine> {
            Box::new(CudaFullEngine { device: Arc::clone(device) })
        };
        match libraries::cublas().and_then(|_| libraries::cudnn()) {
            Ok(_) => Ok(gpus.iter().map(ranker).collect()),
            Err(error) if *required => Err(error.into()),
            Err(error) => {
                context.note(format!("note: ranking on the CPU: {error}"));
                Ok(vec![Box::new(ReferenceEngine)])
            }
        }
    }
}
