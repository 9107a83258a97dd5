//! The one place where an engine is chosen.

use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::device::{DeviceArguments, DeviceName, Place};
use super::failure::Failure;
use super::progress::Progress;
use crate::engine::cuda::{self, Device};
use crate::engine::{
    CpuEngine, CudaEngine, CudaFullEngine, Engine, Float64Engine, ReferenceEngine,
};

/// How responses are computed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Running")]
pub(super) struct MethodArguments {
    /// How occluded images are presented
    #[arg(long, value_enum, default_value_t)]
    method: Method,
    /// Arithmetic of products; sums have at least 32 bits in each
    #[arg(long, value_enum, default_value_t)]
    precision: Precision,
    #[command(flatten)]
    device: DeviceArguments,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Method {
    /// Only what an occluder changes, and only as far as the unit depends on it
    #[default]
    Incremental,
    /// As incremental on the CPU, without forms that need fewer multiplications: slower, rounds
    /// less, takes less memory. On a GPU incremental is this already
    Direct,
    /// Every occluded image whole, by the book
    Full,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Precision {
    /// 32-bit floats, as PyTorch computes
    #[default]
    #[value(alias = "f32")]
    Fp32,
    /// 19 bits, on the tensor cores of a GPU: with --method incremental
    Tf32,
    /// 16 bits that round as tf32's 19 do, likewise; fails where a value is too large for them
    Fp16,
    /// 16 bits in every other convolution and 19 in the rest, likewise
    Bf16,
    /// 64-bit floats, to tell how much the others round: with --method full, on the CPU
    #[value(alias = "f64")]
    Fp64,
}

impl Precision {
    fn on_gpu(self) -> cuda::Precision {
        match self {
            Self::Fp32 | Self::Fp64 => cuda::Precision::Fp32,
            Self::Tf32 => cuda::Precision::Tf32,
            Self::Fp16 => cuda::Precision::Fp16,
            Self::Bf16 => cuda::Precision::Bf16,
        }
    }
}

/// What was asked for, with the device ready to be used.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    method: Method,
    precision: Precision,
    pub place: Place,
}

impl MethodArguments {
    /// Whether images are presented whole.
    pub fn is_full(&self) -> bool {
        self.method == Method::Full
    }

    /// The device that was asked for.
    pub fn device(&self) -> &DeviceName {
        self.device.name()
    }

    /// What stands in on a machine that only checks, since the device is another machine's, which
    /// may have `gpus`.
    ///
    /// # Errors
    /// What does not go together.
    pub fn elsewhere(&self, gpus: bool) -> Result<Self, Failure> {
        self.check()?;
        let on_gpu = match self.device.name() {
            DeviceName::Cpu => false,
            DeviceName::Auto => self.tensor_cores() || gpus && !self.only_on_cpu(),
            DeviceName::Cuda(_) | DeviceName::All | DeviceName::Elsewhere => true,
        };
        let device = if on_gpu { DeviceArguments::ELSEWHERE } else { DeviceArguments::CPU };
        Ok(Self { method: self.method, precision: self.precision, device })
    }

    /// The names of the engines that may do the work, on whatever machine, the likeliest first.
    pub fn engine_names(&self, gpus: bool) -> Result<Vec<&'static str>, Failure> {
        let Self { method, precision, ref device } = *self;
        let stand_in = self.elsewhere(gpus)?;
        let on_cpu = Chosen { method, precision, place: Place::Cpu }.on_cpu(None).name();
        let on_gpu = match method {
            Method::Full => CudaFullEngine::NAME,
            _ => CudaEngine::name_of(precision.on_gpu()),
        };
        Ok(match (stand_in.device.name(), device.name()) {
            (DeviceName::Cpu, DeviceName::Auto) if !self.only_on_cpu() => vec![on_cpu, on_gpu],
            (DeviceName::Cpu, _) => vec![on_cpu],
            (_, DeviceName::Auto) if !self.tensor_cores() => vec![on_gpu, on_cpu],
            _ => vec![on_gpu],
        })
    }

    /// Whether it is what only the CPU has.
    fn only_on_cpu(&self) -> bool {
        self.precision == Precision::Fp64 || self.method == Method::Direct
    }

    fn tensor_cores(&self) -> bool {
        matches!(self.precision, Precision::Tf32 | Precision::Fp16 | Precision::Bf16)
    }

    fn check(&self) -> Result<(), Failure> {
        let Self { method, precision, ref device } = *self;
        let tensor_cores = self.tensor_cores();
        let problem = match device.name() {
            _ if precision == Precision::Fp64 && method != Method::Full => {
                "--precision fp64 goes with --method full; the other methods have fp32, and on a \
                 GPU tf32, fp16 and bf16"
            }
            _ if tensor_cores && method != Method::Incremental => {
                "--precision tf32, fp16 and bf16 go with --method incremental, which computes the \
                 changes themselves: they would be lost between two nearly equal responses"
            }
            DeviceName::Cpu if tensor_cores => {
                "--precision tf32, fp16 and bf16 need a GPU; the CPU has fp32"
            }
            DeviceName::Cuda(_) | DeviceName::All if precision == Precision::Fp64 => {
                "--precision fp64 is the CPU's; leave --device out, or give --device cpu"
            }
            DeviceName::Cuda(_) | DeviceName::All if method == Method::Direct => {
                "--method direct is the CPU's: on a GPU --method incremental computes tap by tap \
                 already"
            }
            _ => "",
        };
        if problem.is_empty() { Ok(()) } else { Err(Failure::usage(problem)) }
    }

    /// Opens the device.
    ///
    /// # Errors
    /// What does not go together; a GPU that is asked for, or needed, and cannot be used.
    pub fn choose(&self, progress: Progress) -> Result<Chosen, Failure> {
        self.check()?;
        let Self { method, precision, ref device } = *self;
        let place = if self.only_on_cpu() { Place::Cpu } else { device.open(progress)? };
        if self.tensor_cores() && matches!(place, Place::Cpu) {
            return Err(Failure::usage(
                "--precision tf32, fp16 and bf16 need a GPU, and none can be used; `occlumap \
                 devices` tells why",
            ));
        }
        if let Place::Gpus { devices, .. } = &place {
            let missing = |device: &Arc<Device>| precision.on_gpu().missing_on(device.info());
            if let Some(problem) = devices.iter().find_map(missing) {
                return Err(Failure::usage(problem));
            }
        }
        Ok(Chosen { method, precision, place })
    }
}

impl Chosen {
    /// The engines, one a device; `activations` bounds, in bytes, what the CPU's holds of original
    /// images.
    pub fn engines(&self, activations: Option<usize>) -> Vec<Box<dyn Engine>> {
        match &self.place {
            Place::Cpu => vec![self.on_cpu(activations)],
            Place::Gpus { devices, .. } => {
                devices.iter().map(|device| self.on_gpu(Arc::clone(device))).collect()
            }
            // As those of a GPU, it holds no weights in the machine's memory.
            Place::Elsewhere => vec![Box::new(ReferenceEngine)],
        }
    }

    /// What is rounding in a difference, as a part of the largest difference of its map.
    pub fn tolerance(&self) -> f64 {
        self.precision.on_gpu().tolerance()
    }

    fn on_cpu(&self, activations: Option<usize>) -> Box<dyn Engine> {
        match (self.method, self.precision) {
            (Method::Full, Precision::Fp64) => Box::new(Float64Engine),
            (Method::Full, _) => Box::new(ReferenceEngine),
            (method, _) => {
                let mut engine = CpuEngine::default();
                engine.direct = method == Method::Direct;
                engine.base_bytes = activations.unwrap_or(engine.base_bytes);
                Box::new(engine)
            }
        }
    }

    fn on_gpu(&self, device: Arc<Device>) -> Box<dyn Engine> {
        if self.method == Method::Full {
            return Box::new(CudaFullEngine { device });
        }
        Box::new(CudaEngine::new(device, self.precision.on_gpu()))
    }
}
