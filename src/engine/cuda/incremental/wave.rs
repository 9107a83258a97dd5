//! A wave: as many presentations as fit on the device at a time, those of a plan next to each
//! other, from the occluders to the responses.

use cudarc::driver::CudaSlice;

use super::lists::Tables;
use super::nodes::{geometry_of_deltas, join, kernel};
use super::program::{Program, Step};
use super::runs::Wave;
use super::storage::Storage;
use crate::engine::cuda::kernels::multiply::{Factor, Multiply};
use crate::engine::cuda::kernels::node::NodeGeometry;
use crate::engine::cuda::kernels::occlude::occlude;
use crate::engine::cuda::kernels::pool::{Pool, PoolBaselines};
use crate::engine::cuda::kernels::present::{DeviceJobs, Presentations};
use crate::engine::cuda::kernels::tap_product::{DeltaBuffers, Rectify};
use crate::engine::cuda::shape::ensure;
use crate::engine::cuda::support::no_kernel;
use crate::engine::cuda::tables::layout::{Baselines, Delta, Origin, Output};
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

fn no_buffer() -> CudaError {
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
                let done = wave.step(index, Output { windows: here, values: &mut to });
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
struct Started<'a> {
    waves: &'a Waves<'a>,
    presentations: &'a Presentations,
    tables: &'a Tables,
    buffers: &'a Buffers,
}

impl Started<'_> {
    /// Starts what one node computes.
    fn step(&self, index: usize, mut to: Output<'_>) -> Result<(), CudaError> {
        let Self { waves, presentations, .. } = *self;
        let Waves { device, program, .. } = *waves;
        let subgraph = &program.subgraph;
        let node = &subgraph.nodes()[index];
        let input = node.inputs.first().copied().unwrap_or_default();
        let geometry = |which: usize| geometry_of_deltas(program, index, which);
        match &program.steps[index] {
            Step::Image => {
                let image = (Origin::of(node), node.channels);
                let baseline = self.baseline(index)?;
                occlude(device, image, presentations, baseline, waves.stream, to)
            }
            Step::Convolve { filters: packed, rectify } => {
                let from = self.stored(input)?;
                let patterns = self.tables.patterns[index].as_ref().ok_or_else(no_buffer)?;
                let baseline = rectify.then(|| self.baseline(index)).transpose()?;
                let origin = Origin::of(node);
                let rectify = baseline.map(|baselines| Rectify { origin, baselines });
                let scales = waves.storage.of_convolution(input, index);
                let buffers = DeltaBuffers { from: from.values, to: to.values };
                packed.convolve_deltas(device, patterns, presentations, rectify, scales, buffers)
            }
            &Step::MaxPool { rectify } => {
                let pooled = program.pooled(index);
                let input_origin = Origin::of(&subgraph.nodes()[pooled]);
                let pool = Pool {
                    geometry: NodeGeometry { input: input_origin, ..geometry(0) },
                    channels: node.channels,
                    rectify,
                    to_scale: waves.storage.scale(index),
                };
                let (read, pooled) = (self.baseline(pooled)?, self.baseline(index)?);
                let baselines = PoolBaselines { read, pooled };
                pool.delta(device, presentations, baselines, self.delta(input)?, to)
            }
            Step::Multiply => {
                let product =
                    Multiply { geometry: [geometry(0), geometry(1)], channels: node.channels };
                let input = |which: usize| -> Result<_, CudaError> {
                    let input = node.inputs[which];
                    Ok(Factor { baseline: self.baseline(input)?, delta: self.delta(input)? })
                };
                product.delta(device, presentations, [input(0)?, input(1)?], to)
            }
            Step::Relu { elsewhere: true }
            | Step::Copy
            | Step::Select(_)
            | Step::Add
            | Step::Concatenate => {
                for (which, &input) in node.inputs.iter().enumerate() {
                    let join = join(device, program, index, which, geometry(which))?;
                    let from = self.delta(input)?;
                    join.delta(device, presentations, None, from, to.reborrow())?;
                }
                Ok(())
            }
            Step::Respond => Ok(()),
            step => {
                // The baselines are kept of the inputs whose values a step reads.
                let baseline = step.reads_inputs().then(|| self.baseline(input)).transpose()?;
                match kernel(device, program, index, geometry(0)) {
                    Some(kernel) => {
                        kernel.delta(device, presentations, baseline, self.delta(input)?, to)
                    }
                    None => Err(no_kernel(index)),
                }
            }
        }
    }

    /// The deltas of a node, in 32 bits.
    fn delta(&self, node: usize) -> Result<Delta<'_>, CudaError> {
        ensure(self.waves.storage.scale(node) == 0.0, "wave", || {
            format!("the deltas of node {node} are in fp16")
        })?;
        self.stored(node)
    }

    /// The deltas of a node, as they are.
    fn stored(&self, node: usize) -> Result<Delta<'_>, CudaError> {
        let shown = self.waves.storage.buffers.source[node];
        let windows =
            self.tables.windows.get(shown).and_then(Option::as_ref).ok_or_else(no_buffer)?;
        Ok(Delta { windows, values: self.buffers.get(self.waves.storage.buffers.of(shown))? })
    }

    /// The baselines of a node.
    fn baseline(&self, node: usize) -> Result<&Baselines, CudaError> {
        self.waves.baselines.get(node).and_then(Option::as_ref).ok_or_else(|| CudaError::Shape {
            kernel: "wave",
            problem: format!("the baselines of node {node} were not kept"),
        })
    }
}
