//! The incremental engine on a GPU: only what an occluder changes, and only as far as the unit
//! depends on it.
//!
//! It is the CPU's incremental engine with other hands: the same plans ([`plan`](super::super::plan)),
//! the same steps, the same layout with channels innermost. The original images' activations are
//! computed once for all jobs on an image and stay on the device (`originals`); the presentations
//! of all jobs are sorted by plan and cut into waves that fit into its memory (`wave`); of each
//! only the difference of one response comes back. Each value is a chain of operations that
//! depends on the presentation alone, so results are the same bytes for any batch and wave.
//!
//! It needs the driver and nothing else: every kernel is our own.

mod originals;
mod presentations;
mod slots;
mod target;
mod wave;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use cudarc::driver::CudaSlice;
use ndarray::ArrayView3;

use self::originals::{Looked, originals};
use self::presentations::Templates;
use self::slots::Slots;
use self::target::{Target, target};
use self::wave::{Buffers, Group, Waves};
use super::kernels::tables::{Originals, Table};
use super::kernels::tap_product::DeviceFilters;
use super::{CudaError, Device, Precision};
use crate::engine::order::{Member, OnImage, by_image, in_order_of_plans};
use crate::engine::plan::{Axis, PlanKey, Planner};
use crate::engine::request::{check_image, check_job};
use crate::engine::{
    Engine, EngineError, Extremes, Job, KernelTime, Prepared, Presented, ReferenceEngine, Watch,
};
use crate::geometry::ImageSize;
use crate::network::{LayerId, Model};
use crate::parts::parts;

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

/// More than this for the changes of one wave gains nothing: the device has long been full.
const WAVE_BYTES: usize = 1 << 30;
/// Presentations in a wave, at most: each has an entry in a table.
const WAVE_PRESENTATIONS: usize = 1 << 20;

impl CudaEngine {
    /// An engine on a device, with all the memory that is useful.
    pub fn new(device: Arc<Device>, precision: Precision) -> Self {
        Self { device, precision, memory: None }
    }
}

impl Engine for CudaEngine {
    fn name(&self) -> &'static str {
        match self.precision {
            Precision::Fp32 => "cuda-incremental",
            Precision::Tf32 => "cuda-incremental-tf32",
            Precision::Bf16 => "cuda-incremental-bf16",
        }
    }

    fn has_kernels(&self) -> bool {
        true
    }

    fn time_kernels(
        &self,
        work: &mut dyn FnMut() -> Result<(), EngineError>,
    ) -> Result<Vec<KernelTime>, EngineError> {
        self.device.time_kernels(work)
    }

    /// None: they are on the device.
    fn weight_bytes(&self, _: &Model, _: &[LayerId]) -> usize {
        0
    }

    fn prepare<'m>(
        &self,
        model: &'m Model,
        layers: &[LayerId],
        image: ImageSize,
    ) -> Result<Box<dyn Prepared + 'm>, EngineError> {
        // It also checks the layers.
        let plain = ReferenceEngine.prepare(model, layers, image)?;
        let info = self.device.info();
        if self.precision != Precision::Fp32 && info.capability.0 < 8 {
            let (major, minor) = info.capability;
            return Err(EngineError::Request(format!(
                "{info} has compute capability {major}.{minor}; tf32 and bf16 need 8.0 (Ampere) or \
                 newer; use fp32"
            )));
        }
        let mut filters: HashMap<LayerId, Arc<DeviceFilters>> = HashMap::new();
        let mut targets = HashMap::new();
        for &layer in layers {
            let target = target(&self.device, model, layer, image, &mut filters)?;
            let slots = Slots::new(&target);
            targets.insert(layer, (target, slots));
        }
        Ok(Box::new(Incremental { model, image, plain, targets, engine: self.clone() }))
    }
}

struct Incremental<'m> {
    model: &'m Model,
    image: ImageSize,
    /// Ranking looks at every position of every unit: there is nothing to leave out.
    plain: Box<dyn Prepared + 'm>,
    targets: HashMap<LayerId, (Target, Slots)>,
    engine: CudaEngine,
}

/// A wave that was started: which of the ordered presentations, and their differences.
type Pending = (Range<usize>, CudaSlice<f32>);

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

impl Incremental<'_> {
    fn not_finite(&self, layer: LayerId, job: &Job<'_>, value: f32) -> EngineError {
        let image = job.image_index as usize;
        EngineError::not_finite(self.model.network(), layer, job.unit, image, value)
    }

    /// Bytes of the device's memory that may be taken now.
    fn memory(&self) -> Result<usize, CudaError> {
        // A tenth is left to the driver and to tables.
        let free = self.engine.device.free_memory()? / 10 * 9;
        Ok(self.engine.memory.map_or(free, |memory| memory.min(free)))
    }

    /// Presents the jobs on some images; where the device's memory is too small for all of them at
    /// a time, in halves.
    fn present_in_parts(
        &self,
        layer: LayerId,
        images: &[OnImage],
        jobs: &[Job<'_>],
        presented: &mut [Presented],
        watch: &Watch<'_>,
    ) -> Result<(), EngineError> {
        let (target, slots) = self.target(layer)?;
        let device = &self.engine.device;
        let looked: Vec<Looked<'_>> = images
            .iter()
            .map(|on_image| (jobs[on_image.jobs[0]].image.reborrow(), on_image.y, on_image.x))
            .collect();
        match originals(device, target, &looked) {
            Ok(originals) => {
                let originals = &originals[..];
                self.present_on((layer, target, slots), originals, images, jobs, presented, watch)
            }
            Err(error) if error.is_out_of_memory() && images.len() > 1 => {
                let (some, others) = images.split_at(images.len() / 2);
                self.present_in_parts(layer, some, jobs, presented, watch)?;
                self.present_in_parts(layer, others, jobs, presented, watch)
            }
            Err(error) => {
                let wanted = images.iter().map(|on_image| original_bytes(target, on_image));
                Err(self.too_large(error, wanted.sum()))
            }
        }
    }

    /// Presents the jobs on some images whose activations are there.
    fn present_on(
        &self,
        (layer, target, slots): (LayerId, &Target, &Slots),
        originals: &[Option<Originals>],
        images: &[OnImage],
        jobs: &[Job<'_>],
        presented: &mut [Presented],
        watch: &Watch<'_>,
    ) -> Result<(), EngineError> {
        let device = &self.engine.device;
        let templates = Templates::new(images, jobs);
        self.respond(layer, target, originals, &templates, jobs, presented)?;

        let mut planner = Planner::new(&target.lineage);
        let which = images.iter().flat_map(|on_image| on_image.jobs.iter().copied());
        let mut members = in_order_of_plans(jobs, which, &mut planner);
        let all = members.len();
        // Those that cannot reach the unit change nothing, exactly.
        members.retain(|(key, _)| !planner.plan(*key).is_empty());
        watch.advance((all - members.len()) as u64);
        let ordered = Ordered { planner: &planner, members: &members };
        let stream = device.upload(templates.stream())?;
        let waves = Waves {
            device,
            precision: self.engine.precision,
            target,
            slots,
            originals,
            stream: &stream,
        };

        let mut bytes = self.memory()?.min(WAVE_BYTES);
        let (mut first, mut buffers) = (0, Buffers::default());
        let mut pending: Option<Pending> = None;
        while first < members.len() || pending.is_some() {
            if watch.stopped() {
                return Err(EngineError::Stopped);
            }
            let mut started = None;
            if first < members.len() {
                let end = ordered.wave(slots, first, bytes / size_of::<f32>());
                let presentations = templates.presentations(jobs, &members[first..end]);
                match waves.start(&ordered.groups(first..end), presentations, &mut buffers) {
                    Ok(differences) => {
                        started = Some((first..end, differences));
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
            // The device computes the wave that was just started meanwhile.
            if let Some((wave, differences)) = std::mem::replace(&mut pending, started) {
                let differences = device.download(&differences)?;
                watch.advance(wave.len() as u64);
                self.finish(layer, &members[wave], &differences, jobs, presented)?;
            }
        }
        Ok(())
    }

    /// Fills in the responses to the original images.
    fn respond(
        &self,
        layer: LayerId,
        target: &Target,
        originals: &[Option<Originals>],
        templates: &Templates,
        jobs: &[Job<'_>],
        presented: &mut [Presented],
    ) -> Result<(), EngineError> {
        let nodes = target.lineage.nodes();
        let input = nodes[target.lineage.target()].inputs[0];
        let (Some(units), Some(original)) = (target.unit_filters(), &originals[input]) else {
            return Ok(());
        };
        let device = &self.engine.device;
        let (which, entries) = templates.jobs();
        let table = Table::new(device, entries)?;
        let responses = units.respond_original(device, &table, original, nodes[input].size)?;
        for (job, response) in which.into_iter().zip(device.download(&responses)?) {
            if !response.is_finite() {
                return Err(self.not_finite(layer, &jobs[job], response));
            }
            presented[job].response = response;
        }
        Ok(())
    }

    /// Fills in the differences of a wave.
    fn finish(
        &self,
        layer: LayerId,
        members: &[(PlanKey, Member)],
        differences: &[f32],
        jobs: &[Job<'_>],
        presented: &mut [Presented],
    ) -> Result<(), EngineError> {
        for ((_, member), &difference) in members.iter().zip(differences) {
            let presented = &mut presented[member.job];
            let occluded = presented.response + difference;
            if !occluded.is_finite() {
                return Err(self.not_finite(layer, &jobs[member.job], occluded));
            }
            presented.differences[member.occluder] = difference;
        }
        Ok(())
    }

    /// What to tell when not even the smallest piece of work fits.
    fn too_large(&self, error: CudaError, wanted: usize) -> EngineError {
        if !error.is_out_of_memory() {
            return error.into();
        }
        let device = &self.engine.device;
        let total = device.info().memory;
        match device.free_memory() {
            Ok(free) => CudaError::OutOfMemory { wanted, free, total }.into(),
            Err(error) => error.into(),
        }
    }

    fn target(&self, layer: LayerId) -> Result<(&Target, &Slots), EngineError> {
        let found = self.targets.get(&layer).map(|(target, slots)| (target, slots));
        found.ok_or_else(|| {
            let name = self.model.network().short_name(layer);
            EngineError::Request(format!("layer `{name}` was not prepared"))
        })
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

impl Prepared for Incremental<'_> {
    fn extremes(
        &self,
        images: &[ArrayView3<'_, f32>],
        first: usize,
        watch: &Watch<'_>,
    ) -> Result<Vec<Vec<Vec<Extremes>>>, EngineError> {
        self.plain.extremes(images, first, watch)
    }

    fn present(
        &self,
        layer: LayerId,
        jobs: &[Job<'_>],
        watch: &Watch<'_>,
    ) -> Result<Vec<Presented>, EngineError> {
        let (target, _) = self.target(layer)?;
        let units = self.model.network().channels(layer);
        let nodes = target.lineage.nodes();
        let output = nodes[target.lineage.target()].size;
        for job in jobs {
            check_image(&job.image, self.image)?;
            check_job(job, units, output, self.image)?;
        }
        let images = by_image(jobs);
        let costs: Vec<usize> =
            images.iter().map(|on_image| original_bytes(target, on_image)).collect();
        let mut presented: Vec<Presented> = jobs
            .iter()
            .map(|job| Presented { response: 0.0, differences: vec![0.0; job.occluders.len()] })
            .collect();
        // The other half is for changes.
        for part in parts(&costs, self.memory()? / 2) {
            self.present_in_parts(layer, &images[part], jobs, &mut presented, watch)?;
        }
        Ok(presented)
    }
}
