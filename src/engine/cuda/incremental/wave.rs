//! A wave: as many presentations as fit on the device at a time, those of a plan next to each
//! other, from the occluders to the responses.

use cudarc::driver::CudaSlice;

use super::lists::Tables;
use super::program::Program;
use super::runs::Wave;
use super::step_kernel::StepKernel;
use super::storage::Storage;
use crate::engine::cuda::kernels::present::{DeviceJobs, Presentations};
use crate::engine::cuda::shape::ensure;
use crate::engine::cuda::support::no_kernel;
use crate::engine::cuda::tables::layout::{Baselines, Delta, Output};
use crate::engine::cuda::tables::tiles::ImageTiles;
use crate::engine::cuda::{CudaError, Device};
use crate::program::Plan;

/// What all waves of a target on some images share.
pub(super) struct Waves<'a> {
    pub device: &'a Device,
    pub program: &'a Program,
    pub storage: &'a Storage,
    /// Of each node that is kept, the baselines of the images.
    pub baselines: &'a [Option<Baselines>],
    /// The values of `torch.rand` that presentations refer to.
    pub stream: &'a CudaSlice<f32>,
}

/// Presentations of one plan, which is not empty: the plan, and how many.
pub(super) type Group<'p> = (Plan<'p>, usize);

/// The buffers of deltas, as `Storage` numbers them; they stay from one wave to the next.
#[derive(Debug, Default)]
pub(super) struct Buffers(Vec<Option<CudaSlice<f32>>>);

impl Buffers {
    /// Gives back all memory.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Makes each buffer as large as so many floats.
    fn reserve(&mut self, device: &Device, floats: &[usize]) -> Result<(), CudaError> {
        self.0.resize_with(floats.len(), || None);
        for (buffer, &floats) in self.0.iter_mut().zip(floats) {
            if buffer.as_ref().is_none_or(|buffer| buffer.len() < floats.max(1)) {
                // What is too small is given back first.
                *buffer = None;
                *buffer = Some(device.allocate(floats.max(1))?);
            }
        }
        Ok(())
    }

    fn get(&self, slot: usize) -> Result<&CudaSlice<f32>, CudaError> {
        self.0.get(slot).and_then(Option::as_ref).ok_or_else(no_buffer)
    }

    fn take(&mut self, slot: usize) -> Result<CudaSlice<f32>, CudaError> {
        self.0.get_mut(slot).and_then(Option::take).ok_or_else(no_buffer)
    }
}

pub(super) fn no_buffer() -> CudaError {
    CudaError::Shape { kernel: "wave", problem: "a node has no buffer".into() }
}

impl Waves<'_> {
    /// Starts a wave; `differences` has what presentations say when the device is done.
    pub fn start(
        &self,
        wave: Wave<'_>,
        jobs: &DeviceJobs,
        buffers: &mut Buffers,
        differences: &mut CudaSlice<f32>,
    ) -> Result<(), CudaError> {
        let (device, subgraph) = (self.device, &self.program.subgraph);
        let Wave { groups, runs, count, floats } = wave;
        let groups = &groups;
        buffers.reserve(device, &floats)?;
        let tiles = ImageTiles::new(&runs, count);
        let presentations = jobs.present(device, runs, count)?;
        let tables = Tables::new(device, self.program, self.storage, groups, &tiles)?;
        for index in 0..subgraph.target() {
            if let Some(here) = &tables.windows[index] {
                let slot = self.storage.buffers.of(index);
                let mut to = buffers.take(slot)?;
                let wave = Started {
                    waves: self,
                    presentations: &presentations,
                    tables: &tables,
                    buffers,
                };
                let step = &self.program.steps[index];
                let kernel =
                    if step.passes_on() { Some(StepKernel::COPY) } else { StepKernel::of(step) };
                let to_here = Output { windows: here, values: &mut to };
                let done = kernel
                    .ok_or_else(|| no_kernel(index))
                    .and_then(|kernel| kernel.deltas(&wave, index, to_here));
                buffers.0[slot] = Some(to);
                done?;
            }
        }
        let (last, program) = (subgraph.target(), self.program);
        let input = subgraph.nodes()[last].inputs[0];
        let Some(patterns) = &tables.patterns[last] else { return Ok(()) };
        let from = buffers.get(self.storage.buffers.of(input))?;
        program.units.respond_delta(device, patterns, &presentations, from, differences)
    }
}

/// A wave on its way.
pub(super) struct Started<'a> {
    pub waves: &'a Waves<'a>,
    pub presentations: &'a Presentations,
    pub tables: &'a Tables,
    buffers: &'a Buffers,
}

impl Started<'_> {
    /// The deltas of a node, in 32 bits.
    pub fn delta(&self, node: usize) -> Result<Delta<'_>, CudaError> {
        ensure(self.waves.storage.scale(node) == 0.0, "wave", || {
            format!("the deltas of node {node} are in fp16")
        })?;
        self.stored(node)
    }

    /// The deltas of a node, as they are.
    pub fn stored(&self, node: usize) -> Result<Delta<'_>, CudaError> {
        let shown = self.waves.storage.buffers.source[node];
        let windows =
            self.tables.windows.get(shown).and_then(Option::as_ref).ok_or_else(no_buffer)?;
        Ok(Delta { windows, values: self.buffers.get(self.waves.storage.buffers.of(shown))? })
    }

    /// The baselines of a node.
    pub fn baseline(&self, node: usize) -> Result<&Baselines, CudaError> {
        self.waves.baselines.get(node).and_then(Option::as_ref).ok_or_else(|| CudaError::Shape {
            kernel: "wave",
            problem: format!("the baselines of node {node} were not kept"),
        })
    }
}
