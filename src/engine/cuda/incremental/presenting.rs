//! Presenting the jobs on some images, wave by wave.

use std::ops::Range;

use cudarc::driver::{CudaEvent, CudaSlice};

use super::Incremental;
use super::originals::{Looked, originals};
use super::presentations::Templates;
use super::slots::Slots;
use super::target::Target;
use super::wave::{Buffers, Group, Waves};
use crate::engine::cuda::kernels::tables::{Originals, Table};
use crate::engine::cuda::transfer::Arriving;
use crate::engine::cuda::{CudaError, Device};
use crate::engine::order::{Member, OnImage, by_image, in_order_of_plans};
use crate::engine::plan::{Axis, PlanKey, Planner};
use crate::engine::{EngineError, Job, Presented, Watch};
use crate::network::LayerId;
use crate::parts::parts;

/// More than this for the changes of one wave gains nothing: the device has long been full.
const WAVE_BYTES: usize = 1 << 30;
/// Presentations in a wave, at most: each has an entry in a table.
const WAVE_PRESENTATIONS: usize = 1 << 20;

/// Where differences go.
pub(super) enum Goal<'a> {
    /// To the host.
    Presented(&'a mut [Presented]),
    /// They stay on the device.
    Kept {
        differences: &'a mut CudaSlice<f32>,
        /// Where those of each job begin.
        firsts: &'a [usize],
        /// Of each job, on the host.
        responses: &'a mut [f32],
    },
}

/// Jobs that are presented to a layer.
#[derive(Clone, Copy)]
pub(super) struct Presenting<'a, 'j> {
    pub engine: &'a Incremental<'a>,
    pub layer: LayerId,
    pub target: &'a Target,
    pub slots: &'a Slots,
    pub jobs: &'a [Job<'j>],
    pub watch: &'a Watch<'a>,
}

/// A wave that was started: which of the ordered presentations.
type Pending<'d> = (Range<usize>, Outcome<'d>);

/// Responses to original images on their way: whose they are.
type Responses<'d> = (Vec<usize>, Arriving<'d, f32>);

/// Some images, and what was computed of them, or is being computed, before any occluder.
struct Begun<'d, 'i> {
    images: &'i [OnImage],
    originals: Vec<Option<Originals>>,
    templates: Templates,
    /// Looked at when there is something for the device to do meanwhile.
    responses: Option<Responses<'d>>,
    /// Replayed noise.
    stream: CudaSlice<f32>,
}

/// What tells that a wave is done.
enum Outcome<'d> {
    /// Its differences.
    Differences(Arriving<'d, f32>),
    /// That the device is so far.
    Mark(CudaEvent),
}

/// The presentations of some images, in the order of their plans.
struct Ordered<'a> {
    planner: &'a Planner<'a>,
    members: &'a [(PlanKey, Member)],
}

impl<'a> Ordered<'a> {
    /// The end of a wave that begins at `first`: as many presentations as take at most so many
    /// floats, at least one.
    fn wave(&self, slots: &Slots, first: usize, floats: usize) -> usize {
        let (mut end, mut left) = (first, floats);
        for group in self.members[first..].chunk_by(|(one, _), (other, _)| one == other) {
            let plan = self.planner.plan(group[0].0);
            let all = |count| slots.floats(&plan, count).iter().sum::<usize>();
            let fits = |count: &usize| all(*count) <= left;
            let (mut low, mut high) = (0, group.len().min(first + WAVE_PRESENTATIONS - end));
            while low < high {
                let middle = (low + high).div_ceil(2);
                if fits(&middle) { low = middle } else { high = middle - 1 }
            }
            end += low;
            left -= all(low).min(left);
            if low < group.len() {
                break;
            }
        }
        end.max(first + 1)
    }

    /// The groups of a wave.
    fn groups(&self, wave: Range<usize>) -> Vec<Group<'a>> {
        let groups = self.members[wave].chunk_by(|(one, _), (other, _)| one == other);
        groups.map(|group| (self.planner.plan(group[0].0), group.len())).collect()
    }
}

impl<'a> Presenting<'a, '_> {
    fn device(&self) -> &'a Device {
        &self.engine.engine.device
    }

    /// Presents all jobs.
    pub fn all(&self, goal: &mut Goal<'_>) -> Result<(), EngineError> {
        let images = by_image(self.jobs);
        let costs: Vec<usize> =
            images.iter().map(|on_image| original_bytes(self.target, on_image)).collect();
        // The other half is for changes.
        for part in parts(&costs, self.engine.memory()? / 2) {
            self.in_parts(&images[part], goal)?;
        }
        Ok(())
    }

    /// Presents the jobs on some images; where the device's memory is too small for all of them at
    /// a time, in halves.
    fn in_parts(&self, images: &[OnImage], goal: &mut Goal<'_>) -> Result<(), EngineError> {
        let Self { target, jobs, .. } = *self;
        let looked: Vec<Looked<'_>> = images
            .iter()
            .map(|on_image| (jobs[on_image.jobs[0]].image.reborrow(), on_image.y, on_image.x))
            .collect();
        match self.begin(images, &looked) {
            Ok(begun) => self.on(begun, goal),
            Err(error) if error.is_out_of_memory() && images.len() > 1 => {
                let (some, others) = images.split_at(images.len() / 2);
                self.in_parts(some, goal)?;
                self.in_parts(others, goal)
            }
            Err(error) => {
                let wanted = images.iter().map(|on_image| original_bytes(target, on_image));
                Err(self.too_large(error, wanted.sum()))
            }
        }
    }

    /// Has the device compute what does not depend on occluders.
    fn begin<'i>(
        &self,
        images: &'i [OnImage],
        looked: &[Looked<'_>],
    ) -> Result<Begun<'a, 'i>, CudaError> {
        let originals = originals(self.device(), self.target, looked)?;
        let templates = Templates::new(images, self.jobs);
        let responses = self.respond(&originals, &templates)?;
        let stream = self.device().upload(templates.stream())?;
        Ok(Begun { images, originals, templates, responses, stream })
    }

    /// Presents the jobs on some images whose activations are there.
    fn on(&self, begun: Begun<'_, '_>, goal: &mut Goal<'_>) -> Result<(), EngineError> {
        let Self { target, slots, jobs, watch, .. } = *self;
        let device = self.device();
        let Begun { images, originals, templates, mut responses, stream } = begun;
        let originals = &originals;

        let mut planner = Planner::new(&target.lineage);
        let which = images.iter().flat_map(|on_image| on_image.jobs.iter().copied());
        let mut members = in_order_of_plans(jobs, which, &mut planner);
        let all = members.len();
        // Those that cannot reach the unit change nothing, exactly.
        members.retain(|(key, _)| !planner.plan(*key).is_empty());
        watch.advance((all - members.len()) as u64);
        let ordered = Ordered { planner: &planner, members: &members };
        let precision = self.engine.engine.precision;
        let waves = Waves { device, precision, target, slots, originals, stream: &stream };

        let mut bytes = self.engine.memory()?.min(WAVE_BYTES);
        let (mut first, mut buffers) = (0, Buffers::default());
        let mut pending: Option<Pending<'_>> = None;
        while first < members.len() || matches!(pending, Some((_, Outcome::Differences(_)))) {
            if watch.stopped() {
                return Err(EngineError::Stopped);
            }
            let mut started = None;
            if first < members.len() {
                let end = ordered.wave(slots, first, bytes / size_of::<f32>());
                let groups = ordered.groups(first..end);
                match self.start(
                    &waves,
                    &groups,
                    &members[first..end],
                    (&templates, goal, &mut buffers),
                ) {
                    Ok(outcome) => {
                        started = Some((first..end, outcome));
                        first = end;
                    }
                    Err(error) if error.is_out_of_memory() && end > first + 1 => {
                        buffers.clear();
                        bytes /= 2;
                    }
                    Err(error) => {
                        let plan = planner.plan(members[first].0);
                        let wanted = slots.floats(&plan, 1).iter().sum::<usize>();
                        return Err(self.too_large(error, wanted * size_of::<f32>()));
                    }
                }
            }
            if let Some(responses) = responses.take() {
                self.fill_in(responses, goal)?;
            }
            // The device computes the wave that was just started meanwhile.
            if let Some((wave, outcome)) = std::mem::replace(&mut pending, started) {
                match outcome {
                    Outcome::Differences(differences) => {
                        self.finish(&members[wave.clone()], &differences.wait()?, goal)?;
                    }
                    Outcome::Mark(mark) => device.reach(&mark)?,
                }
                watch.advance(wave.len() as u64);
            }
        }
        if let Some(responses) = responses {
            self.fill_in(responses, goal)?;
        }
        // What stays on the device need not be waited for: the next jobs can be prepared.
        watch.advance(pending.map_or(0, |(wave, _)| wave.len() as u64));
        Ok(())
    }

    /// Starts a wave.
    fn start(
        &self,
        waves: &Waves<'_>,
        groups: &[Group<'_>],
        members: &[(PlanKey, Member)],
        (templates, goal, buffers): (&Templates, &mut Goal<'_>, &mut Buffers),
    ) -> Result<Outcome<'a>, CudaError> {
        let (device, jobs) = (self.device(), self.jobs);
        match goal {
            Goal::Presented(_) => {
                let presentations = templates.presentations(jobs, members, |number, _| number);
                let mut differences = device.allocate(members.len().max(1))?;
                waves.start(groups, presentations, buffers, &mut differences)?;
                Ok(Outcome::Differences(device.fetch(&differences)?))
            }
            Goal::Kept { differences, firsts, .. } => {
                let presentations = templates
                    .presentations(jobs, members, |_, member| firsts[member.job] + member.occluder);
                waves.start(groups, presentations, buffers, differences)?;
                Ok(Outcome::Mark(device.mark()?))
            }
        }
    }

    /// Has the responses to the original images computed.
    fn respond(
        &self,
        originals: &[Option<Originals>],
        templates: &Templates,
    ) -> Result<Option<Responses<'a>>, CudaError> {
        let target = self.target;
        let nodes = target.lineage.nodes();
        let input = nodes[target.lineage.target()].inputs[0];
        let (Some(units), Some(original)) = (target.unit_filters(), &originals[input]) else {
            return Ok(None);
        };
        let device = self.device();
        let (which, entries) = templates.jobs();
        let table = Table::new(device, entries)?;
        let found = units.respond_original(device, &table, original, nodes[input].size)?;
        Ok(Some((which, device.fetch(&found)?)))
    }

    /// Fills in the responses to the original images.
    fn fill_in(
        &self,
        (which, found): Responses<'_>,
        goal: &mut Goal<'_>,
    ) -> Result<(), EngineError> {
        for (job, response) in which.into_iter().zip(found.wait()?) {
            if !response.is_finite() {
                return Err(self.not_finite(&self.jobs[job], response));
            }
            match goal {
                Goal::Presented(presented) => presented[job].response = response,
                Goal::Kept { responses, .. } => responses[job] = response,
            }
        }
        Ok(())
    }

    /// Fills in the differences of a wave.
    fn finish(
        &self,
        members: &[(PlanKey, Member)],
        differences: &[f32],
        goal: &mut Goal<'_>,
    ) -> Result<(), EngineError> {
        let Goal::Presented(presented) = goal else { return Ok(()) };
        for ((_, member), &difference) in members.iter().zip(differences) {
            let presented = &mut presented[member.job];
            let occluded = presented.response + difference;
            if !occluded.is_finite() {
                return Err(self.not_finite(&self.jobs[member.job], occluded));
            }
            presented.differences[member.occluder] = difference;
        }
        Ok(())
    }

    fn not_finite(&self, job: &Job<'_>, value: f32) -> EngineError {
        let (network, image) = (self.engine.model.network(), job.image_index as usize);
        EngineError::not_finite(network, self.layer, job.unit, image, value)
    }

    /// What to tell when not even the smallest piece of work fits.
    fn too_large(&self, error: CudaError, wanted: usize) -> EngineError {
        if !error.is_out_of_memory() {
            return error.into();
        }
        let total = self.device().info().memory;
        match self.device().free_memory() {
            Ok(free) => CudaError::OutOfMemory { wanted, free, total }.into(),
            Err(error) => error.into(),
        }
    }
}

/// Bytes of the original activations for the jobs on an image. Until it is known what is kept,
/// everything is.
fn original_bytes(target: &Target, on_image: &OnImage) -> usize {
    let y = target.lineage.backward(Axis::Y, on_image.y);
    let x = target.lineage.backward(Axis::X, on_image.x);
    let nodes = target.lineage.nodes().iter().zip(y.iter().zip(&x));
    let floats = nodes.map(|(node, (y, x))| y.len() * x.len() * node.channels);
    floats.sum::<usize>() * size_of::<f32>()
}
