//! Presenting the jobs on some images, wave by wave.

use cudarc::driver::{CudaEvent, CudaSlice};

use super::Incremental;
use super::baselines::{ImageRegion, baselines};
use super::classes::JobClasses;
use super::jobs::UploadedJobs;
use super::program::Program;
use super::runs::{Cursor, Runs};
use super::storage::Storage;
use super::wave::{Buffers, Waves};
use crate::engine::cuda::tables::layout::Baselines;
use crate::engine::cuda::transfer::PendingDownload;
use crate::engine::cuda::{CudaError, Device};
use crate::engine::order::{OnImage, by_image};
use crate::engine::{Batch, EngineError};
use crate::geometry::Axis;
use crate::network::LayerId;
use crate::parts::parts;
use crate::program::Planner;
use crate::progress::Progress;

/// More than this for the deltas of one wave gains nothing: the device has long been full.
const WAVE_BYTES: usize = 1 << 30;

/// Where the outcome goes.
pub(super) struct OutputBuffers<'a> {
    /// The differences, on the device; zeros where an occluder cannot reach its unit.
    pub differences: &'a mut CudaSlice<f32>,
    /// Where those of each job begin.
    pub firsts: &'a [usize],
    /// The response of each job's unit to the original image, on the host.
    pub responses: &'a mut [f32],
}

/// Jobs that are presented to a layer.
#[derive(Clone, Copy)]
pub(super) struct Presenting<'a, 'j> {
    pub engine: &'a Incremental<'a>,
    pub layer: LayerId,
    pub program: &'a Program,
    pub storage: &'a Storage,
    pub batch: &'a Batch<'j>,
    pub progress: &'a Progress<'a>,
}

/// A wave that was started: how many presentations, and what tells that they are done.
type Pending = (usize, CudaEvent);

/// Responses to original images on their way.
type Responses<'d> = Option<PendingDownload<'d, f32>>;

/// Some images, and what was computed of them, or is being computed, before any occluder.
struct InFlight<'a> {
    baselines: Vec<Option<Baselines>>,
    planner: Planner<'a>,
    runs: Runs,
    uploaded: UploadedJobs,
    /// Read when the device has other work.
    responses: Responses<'a>,
}

impl<'a> Presenting<'a, '_> {
    fn device(&self) -> &'a Device {
        &self.engine.engine.device
    }

    /// Presents all jobs.
    pub fn all(&self, outputs: &mut OutputBuffers<'_>) -> Result<(), EngineError> {
        let images = by_image(self.batch);
        let costs: Vec<usize> =
            images.iter().map(|on_image| baseline_bytes(self.program, on_image)).collect();
        // The other half is for deltas.
        for part in parts(&costs, self.engine.memory()? / 2) {
            self.in_parts(&images[part], outputs)?;
        }
        Ok(())
    }

    /// Presents the jobs on some images; where the device's memory is too small for all of them at
    /// a time, in halves.
    fn in_parts(
        &self,
        images: &[OnImage],
        outputs: &mut OutputBuffers<'_>,
    ) -> Result<(), EngineError> {
        let Self { program, batch, .. } = *self;
        let regions: Vec<ImageRegion<'_>> = images
            .iter()
            .map(|on_image| {
                (batch.images[on_image.image].values.reborrow(), on_image.y, on_image.x)
            })
            .collect();
        match self.begin(images, &regions, outputs.firsts) {
            Ok(begun) => self.on(begun, outputs),
            Err(error) if error.is_out_of_memory() && images.len() > 1 => {
                let (some, others) = images.split_at(images.len() / 2);
                self.in_parts(some, outputs)?;
                self.in_parts(others, outputs)
            }
            Err(error) => {
                let wanted = images.iter().map(|on_image| baseline_bytes(program, on_image));
                Err(self.too_large(error, wanted.sum()))
            }
        }
    }

    /// Has the device compute what does not depend on occluders, and sorts presentations meanwhile.
    fn begin(
        &self,
        images: &[OnImage],
        regions: &[ImageRegion<'_>],
        firsts: &[usize],
    ) -> Result<InFlight<'a>, CudaError> {
        let baselines = baselines(self.device(), self.program, regions)?;
        let mut planner = Planner::new(&self.program.subgraph);
        let which = images.iter().flat_map(|on_image| on_image.jobs.iter().copied());
        let mut classes = JobClasses::new(self.batch, which, &mut planner);
        let uploaded = UploadedJobs::new(self.device(), images, self.batch, firsts, &mut classes)?;
        let responses = self.respond(&baselines, &uploaded)?;
        let runs = Runs::new(&classes, &planner);
        Ok(InFlight { baselines, planner, runs, uploaded, responses })
    }

    /// Presents the jobs on some images whose activations are there.
    fn on(&self, begun: InFlight<'_>, outputs: &mut OutputBuffers<'_>) -> Result<(), EngineError> {
        let Self { program, storage, progress, .. } = *self;
        let device = self.device();
        let InFlight { baselines, planner, runs, uploaded, mut responses } = begun;
        progress.advance(runs.without_effect as u64);
        let baselines = &*baselines;
        let waves = Waves { device, program, storage, baselines, stream: &uploaded.stream };

        let mut bytes = self.engine.memory()?.min(WAVE_BYTES);
        let (mut cursor, mut buffers) = (Cursor::default(), Buffers::default());
        let mut pending: Option<Pending> = None;
        while !runs.is_end(cursor) {
            if progress.is_cancelled() {
                return Err(EngineError::Stopped);
            }
            let (wave, end) = runs.wave(&planner, storage, cursor, bytes / size_of::<f32>());
            let (count, floats) = (wave.count, wave.floats.iter().sum::<usize>());
            let started = match waves.start(wave, &uploaded.jobs, &mut buffers, outputs.differences)
            {
                Ok(()) => {
                    cursor = end;
                    Some((count, device.mark()?))
                }
                Err(error) if error.is_out_of_memory() && count > 1 => {
                    buffers.clear();
                    bytes /= 2;
                    None
                }
                Err(error) => return Err(self.too_large(error, floats * size_of::<f32>())),
            };
            self.fill_in(&uploaded.which, responses.take(), outputs)?;
            // The device computes the wave that was just started meanwhile.
            if let Some((count, mark)) = std::mem::replace(&mut pending, started) {
                device.reach(&mark)?;
                progress.advance(count as u64);
            }
        }
        self.fill_in(&uploaded.which, responses, outputs)?;
        // What stays on the device need not be waited for: the next jobs can be prepared.
        progress.advance(pending.map_or(0, |(count, _)| count as u64));
        Ok(())
    }

    /// Has the responses to the original images computed, in the order of the jobs on the device.
    fn respond(
        &self,
        baselines: &[Option<Baselines>],
        uploaded: &UploadedJobs,
    ) -> Result<Responses<'a>, CudaError> {
        let nodes = self.program.subgraph.nodes();
        let input = nodes[self.program.subgraph.target()].inputs[0];
        let Some(baseline) = &baselines[input] else { return Ok(None) };
        let (device, units) = (self.device(), &self.program.units);
        let found =
            units.respond_baseline(device, &uploaded.jobs.jobs, baseline, nodes[input].size)?;
        Ok(Some(device.fetch(&found)?))
    }

    /// Fills in the responses of some jobs to the original images.
    fn fill_in(
        &self,
        which: &[usize],
        responses: Responses<'_>,
        outputs: &mut OutputBuffers<'_>,
    ) -> Result<(), EngineError> {
        let Some(found) = responses else { return Ok(()) };
        for (&job, response) in which.iter().zip(found.wait()?) {
            let network = self.engine.model.network();
            self.batch.job(job).check_finite(network, self.layer, response)?;
            outputs.responses[job] = response;
        }
        Ok(())
    }

    /// What to tell when not even the smallest piece of work fits.
    fn too_large(&self, error: CudaError, wanted: usize) -> EngineError {
        if error.is_out_of_memory() { self.engine.too_large(wanted) } else { error.into() }
    }
}

/// Bytes of the baseline activations for the jobs on an image. Until it is known what is kept,
/// everything is.
fn baseline_bytes(program: &Program, on_image: &OnImage) -> usize {
    let y = program.subgraph.baseline(Axis::Y, on_image.y);
    let x = program.subgraph.baseline(Axis::X, on_image.x);
    let nodes = program.subgraph.nodes().iter().zip(y.iter().zip(&x));
    let floats = nodes.map(|(node, (y, x))| y.len() * x.len() * node.channels);
    floats.sum::<usize>() * size_of::<f32>()
}
