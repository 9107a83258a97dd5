//! The incremental engine on a GPU: only what an occluder changes, and only as far as the unit
//! depends on it.
//!
//! It is the CPU's incremental engine with other hands: the same plans ([`program`](crate::program)),
//! the same steps, the same layout with channels innermost. The original images' activations are
//! computed once for all jobs on an image and stay on the device (`baselines`); the presentations
//! of all jobs are sorted by plan (`classes`, `runs`) and cut into waves that fit into its memory
//! (`wave`), whose tables all cores make (`lists`); of each only the difference of one response is
//! kept there (`kept`). Each value is a chain of operations that depends on the presentation alone, so
//! results are the same bytes for any batch and wave.
//!
//! It needs the driver and nothing else: every kernel is our own.

mod baselines;
mod classes;
mod count;
mod grid;
mod jobs;
mod kept;
mod lists;
mod pixels;
mod presenting;
mod program;
mod runs;
mod scales;
mod step_kernel;
mod storage;
mod wave;

use crate::progress::{CancelToken, Progress};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use self::count::Counted;
use self::kept::KeptDifferences;
use self::presenting::Presenting;
use self::program::{Program, Shared};
use self::scales::scale;
pub(super) use self::step_kernel::StepKernel;
use self::storage::Storage;
use super::{CudaError, Device, Precision};
use crate::engine::cuda::support::check_support;
use crate::engine::request::{PreparedImages, check_layers, not_prepared};
use crate::engine::{
    Batch, Engine, EngineError, EngineName, JobResult, Kept, KernelTime, KernelWork, Presenter,
    Profiler, Rates,
};
use crate::geometry::ImageSize;
use crate::network::{LayerId, Model};
use crate::program::{PlanKey, Planner};

/// The incremental engine on one GPU.
#[derive(Clone, Debug)]
pub struct CudaEngine {
    /// The GPU.
    pub device: Arc<Device>,
    /// How products are computed.
    pub precision: Precision,
    /// Bytes of the device's memory that it may take beside the weights, at most; as much as is
    /// useful where there is none. What there is not it does without.
    pub memory: Option<usize>,
}

impl CudaEngine {
    /// An engine on a device, with all the memory that is useful.
    pub fn new(device: Arc<Device>, precision: Precision) -> Self {
        Self { device, precision, memory: None }
    }

    /// The [`name`](Engine::name) of one with this precision.
    pub const fn name_of(precision: Precision) -> EngineName {
        match precision {
            Precision::Fp32 => EngineName::CudaIncremental,
            Precision::Tf32 => EngineName::CudaIncrementalTf32,
            Precision::Fp16 => EngineName::CudaIncrementalFp16,
            Precision::Bf16 => EngineName::CudaIncrementalBf16,
        }
    }
}

impl Engine for CudaEngine {
    fn name(&self) -> EngineName {
        Self::name_of(self.precision)
    }

    fn device(&self) -> String {
        self.device.info().to_string()
    }

    fn profiler(&self) -> Option<&dyn Profiler> {
        Some(self)
    }

    fn prepare<'m>(
        &self,
        model: &'m Model,
        layers: &[LayerId],
        image: ImageSize,
    ) -> Result<Box<dyn Presenter + 'm>, EngineError> {
        check_support(model.network(), layers)?;
        check_layers(model.network(), layers, image)?;
        self.precision.check_on(self.device.info())?;
        let Self { ref device, precision, .. } = *self;
        let mut shared = Shared { device, precision, filters: HashMap::new() };
        let mut programs = HashMap::new();
        for &layer in layers {
            let program = shared.program(model, layer, image)?;
            let mut storage = Storage::new(&program);
            scale(&self.device, &program, image, &mut storage)?;
            programs.insert(layer, (program, storage));
        }
        Ok(Box::new(Incremental { model, image, programs, engine: self.clone() }))
    }
}

impl Profiler for CudaEngine {
    fn time_kernels(
        &self,
        work: &mut dyn FnMut() -> Result<(), EngineError>,
    ) -> Result<Vec<KernelTime>, EngineError> {
        self.device.time_kernels(work)
    }

    fn rates(&self) -> Option<Rates> {
        self.device.rates(self.precision)
    }
}

struct Incremental<'m> {
    model: &'m Model,
    image: ImageSize,
    programs: HashMap<LayerId, (Program, Storage)>,
    engine: CudaEngine,
}

impl Incremental<'_> {
    /// Bytes of the device's memory that may be taken now.
    fn memory(&self) -> Result<usize, CudaError> {
        // A tenth is left to the driver and to tables.
        let free = self.engine.device.free_memory()? / 10 * 9;
        Ok(self.engine.memory.map_or(free, |memory| memory.min(free)))
    }

    /// What to tell when not even the smallest piece of work fits.
    fn too_large(&self, wanted: usize) -> EngineError {
        let total = self.engine.device.info().memory;
        match self.engine.device.free_memory() {
            Ok(free) => CudaError::OutOfMemory { wanted, free, total }.into(),
            Err(error) => error.into(),
        }
    }

    fn program(&self, layer: LayerId) -> Result<(&Program, &Storage), EngineError> {
        let found = self.programs.get(&layer).map(|(program, storage)| (program, storage));
        found.ok_or_else(|| not_prepared(self.model.network(), layer))
    }

    /// Jobs that fit the layer and the images.
    fn presenting<'a, 'j>(
        &'a self,
        layer: LayerId,
        batch: &'a Batch<'j>,
        progress: &'a Progress<'a>,
    ) -> Result<Presenting<'a, 'j>, EngineError> {
        let (program, storage) = self.program(layer)?;
        let units = self.model.network().channels(layer);
        let output = program.subgraph.nodes()[program.subgraph.target()].size;
        let images =
            PreparedImages { channels: self.model.network().image_channels(), size: self.image };
        images.check_jobs(batch, units, output)?;
        Ok(Presenting { engine: self, layer, program, storage, batch, progress })
    }
}

impl Presenter for Incremental<'_> {
    /// The device's tables are made for each plan, and products fill whole blocks where many
    /// presentations share one.
    fn maps_at_a_time(&self) -> usize {
        4096
    }

    fn present(
        &self,
        layer: LayerId,
        batch: &Batch<'_>,
        progress: &Progress<'_>,
    ) -> Result<Vec<JobResult>, EngineError> {
        KeptDifferences::presented(self, layer, batch, progress)
    }

    fn work(&self, layer: LayerId, batch: &Batch<'_>) -> Result<Vec<KernelWork>, EngineError> {
        let cancel = CancelToken::default();
        let progress = Progress::new(&cancel);
        let Presenting { program, storage, .. } = self.presenting(layer, batch, &progress)?;
        let mut planner = Planner::new(&program.subgraph);
        let mut counts: HashMap<PlanKey, usize> = HashMap::new();
        for job in batch.placed() {
            for occluder in job.occluders {
                *counts.entry(planner.key(job.position, occluder)).or_default() += 1;
            }
        }
        let all = counts.values().sum::<usize>().max(1) as f64;
        let mut work = vec![KernelWork::default(); program.steps.len()];
        let counted = Counted { kernels: &self.engine.device.kernels, program, storage };
        // In an order that does not change, so that sums do not.
        let counts: BTreeMap<PlanKey, usize> = counts.into_iter().collect();
        for (key, count) in counts {
            let plan = planner.plan(key);
            if !plan.is_empty() {
                let share = count as f64 / all;
                counted.add(&mut work, &plan, share);
            }
        }
        work.retain(|work| !work.kernel.is_empty());
        Ok(work)
    }

    fn keep(
        &self,
        layer: LayerId,
        differences: usize,
    ) -> Result<Option<Box<dyn Kept + '_>>, EngineError> {
        self.program(layer)?;
        Ok(KeptDifferences::new(self, layer, differences)?.map(|kept| Box::new(kept) as _))
    }
}
