//! A wave: as many presentations as fit on the device at a time, those of a plan next to each
//! other, from the occluders to the responses.

use cudarc::driver::CudaSlice;

use super::originals::window;
use super::runs::Wave;
use super::slots::{Slots, aligned};
use super::target::Target;
use crate::engine::cuda::kernels::join::Join;
use crate::engine::cuda::kernels::normalise::normalise_change;
use crate::engine::cuda::kernels::occlude::occlude;
use crate::engine::cuda::kernels::pool::Pool;
use crate::engine::cuda::kernels::present::{DeviceJobs, Presentations};
use crate::engine::cuda::kernels::rectify::rectify_change;
use crate::engine::cuda::kernels::tables::{Change, Origin, Originals, Window, Windows};
use crate::engine::cuda::kernels::tap_product::Patterns;
use crate::engine::cuda::{CudaError, Device, Precision};
use crate::engine::plan::Plan;
use crate::engine::target::Step;

/// What all waves of a target on some images share.
pub(super) struct Waves<'a> {
    pub device: &'a Device,
    pub precision: Precision,
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
        let presentations = jobs.present(device, runs, count)?;
        let mut windows: Vec<Option<Windows>> = Vec::with_capacity(lineage.nodes().len());
        for place in 0..lineage.target() {
            let own = self.slots.shown[place] == place;
            windows.push(own.then(|| self.windows(place, groups)).transpose()?);
            if let Some(here) = &windows[place] {
                let slot = self.slots.of(place);
                let mut to = buffers.take(slot)?;
                let step = Started { waves: self, groups, presentations: &presentations, buffers };
                let done = step.step(place, &windows, (here, &mut to));
                buffers.0[slot] = Some(to);
                done?;
            }
        }
        self.respond(groups, &presentations, &windows, buffers, differences)
    }

    /// The windows of a node, a group each.
    fn windows(&self, place: usize, groups: &[Group<'_>]) -> Result<Windows, CudaError> {
        let channels = self.target.lineage.nodes()[place].channels;
        let (mut first, mut offset) = (0, 0);
        let mut windows = Vec::with_capacity(groups.len());
        for (plan, count) in groups {
            let read = (plan.y().reach(place).read, plan.x().reach(place).read);
            let window = Window {
                offset: offset as i64,
                first,
                count: *count as u32,
                ..window(plan.window(place), read)
            };
            first += *count as u32;
            offset += aligned(window.floats(channels));
            windows.push(window);
        }
        Windows::new(self.device, windows, channels)
    }

    fn respond(
        &self,
        groups: &[Group<'_>],
        presentations: &Presentations,
        windows: &[Option<Windows>],
        buffers: &Buffers,
        differences: &mut CudaSlice<f32>,
    ) -> Result<(), CudaError> {
        let (device, target) = (self.device, self.target);
        let last = target.lineage.target();
        let input = target.lineage.nodes()[last].inputs[0];
        let Some(units) = target.unit_filters() else { return Ok(()) };
        let shown = self.slots.shown[input];
        let Some(seen) = &windows[shown] else { return Ok(()) };
        let mut patterns = Vec::new();
        for ((plan, _), from) in groups.iter().zip(seen.table.entries()) {
            for runs in plan.y().runs(last).iter().zip(plan.x().runs(last)) {
                patterns.push(units.pattern(runs, from, (from.first, from.count)));
            }
        }
        let from = buffers.get(self.slots.of(shown))?;
        units.respond_change(device, patterns, presentations, from, differences)
    }
}

/// A wave on its way.
struct Started<'a> {
    waves: &'a Waves<'a>,
    groups: &'a [Group<'a>],
    presentations: &'a Presentations,
    buffers: &'a Buffers,
}

impl Started<'_> {
    /// Starts what one node computes.
    fn step(
        &self,
        place: usize,
        windows: &[Option<Windows>],
        to: (&Windows, &mut CudaSlice<f32>),
    ) -> Result<(), CudaError> {
        let Self { waves, presentations, .. } = *self;
        let Waves { device, target, precision, .. } = *waves;
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
                let (outputs, to) = to;
                let from = self.change(input, windows)?;
                let mut patterns = Vec::new();
                let both = from.windows.table.entries().iter().zip(outputs.table.entries());
                for ((plan, _), (from, to)) in self.groups.iter().zip(both) {
                    if !to.is_empty() {
                        let runs = (plan.y().runs(place), plan.x().runs(place));
                        packed.patterns(runs, from, to, &mut patterns);
                    }
                }
                let patterns = Patterns::new(device, patterns)?;
                let original = rectify.then(|| self.original(place)).transpose()?;
                let rectify = original.map(|original| (Origin::of(node), original));
                packed.convolve_changes(
                    device,
                    precision,
                    &patterns,
                    presentations,
                    rectify,
                    (from.values, to),
                )
            }
            Step::Relu { elsewhere: false } => {
                let numbers = (origin, node.channels, lineage.shift(place, 0));
                let (original, from) = (self.original(input)?, self.change(input, windows)?);
                rectify_change(device, numbers, presentations, original, from, to)
            }
            &Step::Pool { rectify } => {
                let pooled = target.pooled(place);
                let pool = Pool {
                    input: Origin::of(&lineage.nodes()[pooled]),
                    output: Origin::of(node),
                    channels: node.channels,
                    slide: node.slide,
                    shift: lineage.shift(place, 0),
                    rectify,
                };
                let originals = (self.original(pooled)?, self.original(place)?);
                pool.change(device, presentations, originals, self.change(input, windows)?, to)
            }
            Step::Normalise(norm) => {
                let numbers = (origin, node.channels, lineage.shift(place, 0));
                let (original, from) = (self.original(input)?, self.change(input, windows)?);
                normalise_change(device, norm, numbers, presentations, original, from, to)
            }
            step
            @ (Step::Relu { elsewhere: true } | Step::Same | Step::Add | Step::Concatenate) => {
                let (outputs, to) = to;
                let stack = matches!(step, Step::Concatenate);
                let mut channel = 0;
                for (which, &input) in node.inputs.iter().enumerate() {
                    let part = lineage.nodes()[input].channels;
                    let (shift, add) = (lineage.shift(place, which), !stack && which > 0);
                    let join = Join { channels: node.channels, part, channel, shift, add };
                    join.change(device, self.change(input, windows)?, (outputs, &mut *to))?;
                    channel += if stack { part } else { 0 };
                }
                Ok(())
            }
            Step::Respond(_) => Ok(()),
        }
    }

    /// The changes of a node.
    fn change<'w>(
        &'w self,
        node: usize,
        windows: &'w [Option<Windows>],
    ) -> Result<Change<'w>, CudaError> {
        let shown = self.waves.slots.shown[node];
        let windows = windows.get(shown).and_then(Option::as_ref).ok_or_else(no_buffer)?;
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
