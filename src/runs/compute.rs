//! The choice of an engine.

use std::sync::Arc;

use serde::Deserialize;

use super::{Context, DeviceChoice, Devices, RunError};
use crate::engine::cpu;
use crate::engine::cuda::{self, Device};
use crate::engine::{
    CpuEngine, CudaEngine, CudaFullEngine, Engine, EngineName, Float64Engine, RankingEngine,
    ReferenceEngine,
};
use crate::network::{LayerId, Network};
use crate::noise::FillRule;

/// Method, precision and device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComputeSettings {
    /// How occluded images are presented.
    pub method: Method,
    /// Arithmetic of products.
    pub precision: Precision,
    /// The device.
    pub device: DeviceChoice,
}

/// Method of presenting occluded images
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Method {
    /// Activations that the occluder changes and the unit depends on
    #[default]
    Incremental,
    /// As incremental on the CPU, without Winograd forms: slower, rounds less, takes less memory.
    /// On a GPU, the same as incremental
    Direct,
    /// Whole occluded images, without shortcuts
    Full,
}

/// Arithmetic of products; sums have at least 32 bits
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Precision {
    /// 32-bit floats, as PyTorch computes
    #[default]
    #[serde(alias = "f32")]
    #[cfg_attr(feature = "cli", value(alias = "f32"))]
    Fp32,
    /// 19 bits, on the tensor cores of a GPU, with --method incremental
    Tf32,
    /// 16 bits, rounded as tf32, on the tensor cores of a GPU, with --method incremental; fails if a
    /// value is too large for 16 bits
    Fp16,
    /// Each operand as two numbers of 16 bits, on the CPU; slower than fp32 on processors without
    /// AMX; with --method incremental
    Bf16x3,
    /// 16 bits, on a GPU 19 in every other convolution; no faster than fp32 on processors without
    /// AMX; with --method incremental
    Bf16,
    /// 64-bit floats, as a yardstick for the others; with --method full, on the CPU
    #[serde(alias = "f64")]
    #[cfg_attr(feature = "cli", value(alias = "f64"))]
    Fp64,
}

impl Precision {
    const fn on_gpu(self) -> cuda::Precision {
        match self {
            Self::Fp32 | Self::Bf16x3 | Self::Fp64 => cuda::Precision::Fp32,
            Self::Tf32 => cuda::Precision::Tf32,
            Self::Fp16 => cuda::Precision::Fp16,
            Self::Bf16 => cuda::Precision::Bf16,
        }
    }

    const fn on_cpu(self) -> cpu::Precision {
        match self {
            Self::Fp32 | Self::Tf32 | Self::Fp16 | Self::Fp64 => cpu::Precision::Fp32,
            Self::Bf16x3 => cpu::Precision::Bf16x3,
            Self::Bf16 => cpu::Precision::Bf16,
        }
    }

    const fn needs_tensor_cores(self) -> bool {
        matches!(self, Self::Tf32 | Self::Fp16)
    }

    const fn is_reduced(self) -> bool {
        !matches!(self, Self::Fp32 | Self::Fp64)
    }
}

/// Method and precision, with the devices ready for use.
#[derive(Clone, Debug)]
pub struct Compute {
    method: Method,
    precision: Precision,
    /// The devices.
    pub devices: Devices,
    /// Those that rank.
    ranking: Devices,
}

impl ComputeSettings {
    /// The settings that select this engine, including the device, because results of devices
    /// differ by rounding.
    pub fn of(engine: EngineName) -> Self {
        use {EngineName as E, Method as M, Precision as P};
        let (method, precision) = match engine {
            E::CpuIncremental | E::CudaIncremental => (M::Incremental, P::Fp32),
            E::CpuIncrementalBf16x3 => (M::Incremental, P::Bf16x3),
            E::CpuDirect => (M::Direct, P::Fp32),
            E::CpuFull | E::CudaFull => (M::Full, P::Fp32),
            E::CpuFullF64 => (M::Full, P::Fp64),
            E::CudaIncrementalTf32 => (M::Incremental, P::Tf32),
            E::CudaIncrementalFp16 => (M::Incremental, P::Fp16),
            E::CpuIncrementalBf16 | E::CudaIncrementalBf16 => (M::Incremental, P::Bf16),
        };
        let device = match engine {
            E::CpuIncremental
            | E::CpuIncrementalBf16x3
            | E::CpuIncrementalBf16
            | E::CpuDirect
            | E::CpuFull
            | E::CpuFullF64 => DeviceChoice::Cpu,
            _ => DeviceChoice::Cuda(vec![0]),
        };
        Self { method, precision, device }
    }

    /// Settings for a machine that only checks what another machine computes; the other may have
    /// `gpus`.
    ///
    /// # Errors
    /// Contradictory settings.
    pub fn remote(&self, gpus: bool) -> Result<Self, RunError> {
        self.check()?;
        let on_gpu = match self.device {
            DeviceChoice::Cpu => false,
            DeviceChoice::Auto => {
                self.precision.needs_tensor_cores() || gpus && !self.only_on_cpu()
            }
            DeviceChoice::Cuda(_) | DeviceChoice::AllCuda | DeviceChoice::Remote => true,
        };
        let device = if on_gpu { DeviceChoice::Remote } else { DeviceChoice::Cpu };
        Ok(Self { device, ..*self })
    }

    /// The engines that may do the work on any machine, the likeliest first.
    ///
    /// # Errors
    /// Contradictory settings.
    pub fn engine_names(&self, gpus: bool) -> Result<Vec<EngineName>, RunError> {
        let Self { method, precision, ref device } = *self;
        let remote = self.remote(gpus)?;
        let on_cpu = Compute::on(method, precision, Devices::Cpu).on_cpu(None).name();
        let on_gpu = match method {
            Method::Full => EngineName::CudaFull,
            _ => CudaEngine::name_of(precision.on_gpu()),
        };
        Ok(match (remote.device, device) {
            (DeviceChoice::Cpu, DeviceChoice::Auto) if !self.only_on_cpu() => vec![on_cpu, on_gpu],
            (DeviceChoice::Cpu, _) => vec![on_cpu],
            (_, DeviceChoice::Auto) if !precision.needs_tensor_cores() => vec![on_gpu, on_cpu],
            _ => vec![on_gpu],
        })
    }

    /// Whether only the CPU supports the settings.
    fn only_on_cpu(&self) -> bool {
        matches!(self.precision, Precision::Fp64 | Precision::Bf16x3)
            || self.method == Method::Direct
    }

    fn check(&self) -> Result<(), RunError> {
        let Self { method, precision, ref device } = *self;
        let problem = match device {
            _ if precision == Precision::Fp64 && method != Method::Full => {
                "--precision fp64 needs --method full; the other methods have fp32, bf16x3 and \
                 bf16, and on a GPU tf32, fp16 and bf16"
            }
            _ if precision.is_reduced() && method != Method::Incremental => {
                "--precision tf32, fp16, bf16x3 and bf16 go with --method incremental, which \
                 computes the changes themselves: they would be lost between two nearly equal \
                 responses"
            }
            DeviceChoice::Cpu if precision.needs_tensor_cores() => {
                "--precision tf32 and fp16 need a GPU; the CPU has fp32, bf16x3 and bf16"
            }
            DeviceChoice::Cuda(_) | DeviceChoice::AllCuda if precision == Precision::Bf16x3 => {
                "--precision bf16x3 needs the CPU; give --device cpu, or on a GPU --precision fp32, \
                 tf32, fp16 or bf16"
            }
            DeviceChoice::Cuda(_) | DeviceChoice::AllCuda if precision == Precision::Fp64 => {
                "--precision fp64 needs the CPU; give --device cpu, or no --device"
            }
            DeviceChoice::Cuda(_) | DeviceChoice::AllCuda if method == Method::Direct => {
                "--method direct needs the CPU: on a GPU --method incremental computes tap by tap \
                 already"
            }
            _ => return Ok(()),
        };
        Err(RunError::usage(problem))
    }

    /// Opens the devices for `layers` of a network.
    ///
    /// # Errors
    /// Contradictory settings; a GPU that is required and cannot be used.
    pub fn open(
        &self,
        network: &Network,
        layers: &[LayerId],
        context: &Context<'_>,
    ) -> Result<Compute, RunError> {
        self.check()?;
        let Self { method, precision, ref device } = *self;
        let devices = if self.only_on_cpu() {
            Devices::Cpu
        } else {
            device.open(network, layers, context)?
        };
        match &devices {
            Devices::Cpu if precision.needs_tensor_cores() => Err(RunError::usage(
                "--precision tf32 and fp16 need a GPU, and none can be used; `occlumap devices` tells \
                 why; the CPU has fp32, bf16x3 and bf16",
            )),
            Devices::Cuda { gpus, .. } => {
                let check = |gpu: &Arc<Device>| precision.on_gpu().check_on(gpu.info());
                gpus.iter().try_for_each(check)?;
                Ok(Compute::on(method, precision, devices))
            }
            _ => Ok(Compute::on(method, precision, devices)),
        }
    }
}

impl Compute {
    /// Method and precision on devices, which rank too.
    fn on(method: Method, precision: Precision, devices: Devices) -> Self {
        Self { method, precision, ranking: devices.clone(), devices }
    }

    /// The engines that rank, one per device.
    ///
    /// # Errors
    /// As [`Devices::rankers`].
    pub fn rankers(&self, context: &Context<'_>) -> Result<Vec<Box<dyn RankingEngine>>, RunError> {
        self.ranking.rankers(context)
    }

    /// The same, for occluders with this fill: GPUs draw uniform noise alone. The CPU presents instead if
    /// no GPU was requested, with a note; ranking has no occluders and stays.
    ///
    /// # Errors
    /// A requested GPU with another fill.
    pub(super) fn with_fill(self, fill: FillRule, context: &Context<'_>) -> Result<Self, RunError> {
        if fill.is_noise() || matches!(self.devices, Devices::Cpu) {
            return Ok(self);
        }
        let problem = format!("no kernel fills occluders as --fill {} does", fill.name());
        let is_free = matches!(self.devices, Devices::Cuda { required: false, .. });
        if !is_free || self.precision.needs_tensor_cores() {
            let other = if self.precision.needs_tensor_cores() { " --precision fp32" } else { "" };
            return Err(RunError::usage(format!("{problem}; use --device cpu{other}")));
        }
        context.note(format!("note: presenting on the CPU: {problem}"));
        Ok(Self { devices: Devices::Cpu, ..self })
    }

    /// The engines, one per device. `activations` limits the baselines that the CPU's engine holds,
    /// in bytes.
    pub fn engines(&self, activations: Option<usize>) -> Vec<Box<dyn Engine>> {
        match &self.devices {
            Devices::Cpu => vec![self.on_cpu(activations)],
            Devices::Cuda { gpus, .. } => {
                gpus.iter().map(|device| self.on_gpu(Arc::clone(device))).collect()
            }
            // Like a GPU's engine, it holds no weights in the machine's memory.
            Devices::Remote => vec![Box::new(ReferenceEngine)],
        }
    }

    /// Limit of rounding errors of a layer, as a part of the largest difference of a map.
    pub fn tolerance(&self, network: &Network, layer: LayerId) -> f64 {
        let limits = match self.devices {
            Devices::Cpu => self.precision.on_cpu().limits_of(network, layer),
            _ => self.precision.on_gpu().limits_of(network, layer),
        };
        limits.largest
    }

    fn on_cpu(&self, activations: Option<usize>) -> Box<dyn Engine> {
        match (self.method, self.precision) {
            (Method::Full, Precision::Fp64) => Box::new(Float64Engine),
            (Method::Full, _) => Box::new(ReferenceEngine),
            (method, _) => {
                let mut engine = CpuEngine::default();
                engine.direct = method == Method::Direct;
                engine.precision = self.precision.on_cpu();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_of_an_engine_choose_that_engine() {
        for name in EngineName::ALL {
            let settings = ComputeSettings::of(name);
            assert_eq!(settings.engine_names(true).unwrap()[0], name);
        }
    }

    #[test]
    fn bf16_is_computed_by_a_gpu_where_there_is_one_and_bf16x3_by_the_cpu() {
        let names = |precision, gpus| {
            ComputeSettings { precision, ..ComputeSettings::default() }.engine_names(gpus).unwrap()
        };
        let (on_cpu, on_gpu) = (EngineName::CpuIncrementalBf16, EngineName::CudaIncrementalBf16);
        assert_eq!(names(Precision::Bf16, true), [on_gpu, on_cpu]);
        assert_eq!(names(Precision::Bf16, false), [on_cpu, on_gpu]);
        assert_eq!(names(Precision::Bf16x3, true), [EngineName::CpuIncrementalBf16x3]);
        assert_eq!(names(Precision::Tf32, false), [EngineName::CudaIncrementalTf32]);
    }
}
