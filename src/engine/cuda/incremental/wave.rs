//! A wave: as many presentations as fit on the device at a time, those of a plan next to each
//! other, from the occluders to the responses.

use cudarc::driver::CudaSlice;

use super::lists::Tables;
use super::runs::Wave;
use super::slots::Slots;
use super::target::Target;
use crate::engine::cuda::kernels::cohorts::Cohorts;
use crate::engine::cuda::kernels::join::Join;
use crate::engine::cuda::kernels::normalise::normalise_change;
use crate::engine::cuda::kernels::occlude::occlude;
use crate::engine::cuda::kernels::pool::Pool;
use crate::engine::cuda::kernels::present::{DeviceJobs, Presentations};
use crate::engine::cuda::kernels::rectify::rectify_change;
use crate::engine::cuda::kernels::tables::{Change, Origin, Originals, Windows, ensure};
use crate::engine::cuda::support::no_kernel;
use crate::engine::cuda::{CudaError, Device};
use crate::engine::plan::Plan;
use crate::engine::target::Step;

/// What all waves of a target on some images share.
pub(super) struct Waves<'a> {
    pub device: &'a Device,
    pub target: &'a Target,
    pub slots: &'a Slots,
    /// Of each node that is kept, the originals of the images.
    pub originals: &'a [Option<Originals>],
    /// The values of `torch.rand` that presentations refer to.
    pub stream: &'a CudaSlice<f32>,
}

/// Presentations of one plan, which is not empty: the plan, and how many.
pub(super) type Group<'p> = (Plan<'p>, usize);

/// The buffers of all slots; they stay from one wave to the next.
#[derive(Debug, Default)]
pub(super) struct Buffers(Vec<Option<CudaSlice<f32>>>);

impl Buffers {
    /// Gives back all memory.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Sees to it that each slot has room for so many floats.
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
        let (device, lineage) = (self.device, &self.target.lineage);
        let Wave { groups, runs, count, floats } = wave;
        let groups = &groups;
        buffers.reserve(device, &floats)?;
        let cohorts = Cohorts::new(&runs, count);
        let presentations = jobs.present(device, runs, count)?;
        let tables = Tables::new(device, self.target, self.slots, groups, &cohorts)?;
        for place in 0..lineage.target() {
            if let Some(here) = &tables.windows[place] {
                let slot = self.slots.of(place);
                let mut to = buffers.take(slot)?;
                let wave = Started {
                    waves: self,
                    presentations: &presentations,
                    tables: &tables,
                    buffers,
                };
                let done = wave.step(place, (here, &mut to));
                buffers.0[slot] = Some(to);
                done?;
            }
        }
        let (last, target) = (lineage.target(), self.target);
        let input = lineage.nodes()[last].inputs[0];
        match (target.unit_filters(), &tables.patterns[last]) {
            (Some(units), Some(patterns)) => {
                let from = buffers.get(self.slots.of(input))?;
                units.respond_change(device, patterns, &presentations, from, differences)
            }
            _ => Ok(()),
        }
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
    fn step(&self, place: usize, to: (&Windows, &mut CudaSlice<f32>)) -> Result<(), CudaError> {
        let Self { waves, presentations, .. } = *self;
        let Waves { device, target, .. } = *waves;
        let lineage = &target.lineage;
        let node = &lineage.nodes()[place];
        let input = node.inputs.first().copied().unwrap_or_default();
        let origin = Origin::of(&lineage.nodes()[input]);
        match &target.steps[place] {
            Step::Image => {
                let (windows, to) = to;
                let image = (Origin::of(node), node.channels);
                let original = self.original(place)?;
                occlude(device, image, windows, presentations, original, waves.stream, to)
            }
            Step::Convolve { packed, rectify } => {
                let from = self.stored(input)?;
                let patterns = self.tables.patterns[place].as_ref().ok_or_else(no_buffer)?;
                let original = rectify.then(|| self.original(place)).transpose()?;
                let rectify = original.map(|original| (Origin::of(node), original));
                let scales = waves.slots.of_convolution(input, place);
                let both = (from.values, to.1);
                packed.convolve_changes(device, patterns, presentations, rectify, scales, both)
            }
            Step::Relu { elsewhere: false } => {
                let numbers = (origin, node.channels, lineage.shift(place, 0).y);
                let (original, from) = (self.original(input)?, self.change(input)?);
                rectify_change(device, numbers, presentations, original, from, to)
            }
            &Step::Pool { rectify } => {
                let pooled = target.pooled(place);
                let pool = Pool {
                    input: Origin::of(&lineage.nodes()[pooled]),
                    output: Origin::of(node),
                    channels: node.channels,
                    window: node.window.y,
                    shift: lineage.shift(place, 0).y,
                    rectify,
                    to_scale: waves.slots.stored(place),
                };
                let originals = (self.original(pooled)?, self.original(place)?);
                pool.change(device, presentations, originals, self.change(input)?, to)
            }
            Step::Normalise(norm) => {
                let numbers = (origin, node.channels, lineage.shift(place, 0).y);
                let (original, from) = (self.original(input)?, self.change(input)?);
                normalise_change(device, norm, numbers, presentations, original, from, to)
            }
            step
            @ (Step::Relu { elsewhere: true } | Step::Same | Step::Add | Step::Concatenate) => {
                let (outputs, to) = to;
                let stack = matches!(step, Step::Concatenate);
                let mut channel = 0;
                for (which, &input) in node.inputs.iter().enumerate() {
                    let part = lineage.nodes()[input].channels;
                    let (shift, add) = (lineage.shift(place, which).y, !stack && which > 0);
                    let join = Join { channels: node.channels, part, channel, shift, add };
                    join.change(device, self.change(input)?, (outputs, &mut *to))?;
                    channel += if stack { part } else { 0 };
                }
                Ok(())
            }
            Step::Respond(_) => Ok(()),
            _ => Err(no_kernel(place)),
        }
    }

    /// The changes of a node, in 32 bits.
    fn change(&self, node: usize) -> Result<Change<'_>, CudaError> {
        ensure(self.waves.slots.stored(node) == 0.0, "wave", || {
            format!("the changes of node {node} are in fp16")
        })?;
        self.stored(node)
    }

    /// The changes of a node, as they are.
    fn stored(&self, node: usize) -> Result<Change<'_>, CudaError> {
        let shown = self.waves.slots.shown[node];
        let windows =
            self.tables.windows.get(shown).and_then(Option::as_ref).ok_or_else(no_buffer)?;
        Ok(Change { windows, values: self.buffers.get(self.waves.slots.of(shown))? })
    }

    /// The originals of a node.
    fn original(&self, node: usize) -> Result<&Originals, CudaError> {
        self.waves.originals.get(node).and_then(Option::as_ref).ok_or_else(|| CudaError::Shape {
            kernel: "wave",
            problem: format!("the originals of node {node} were not kept"),
        })
    }
}
