//! Occluded images: the response of one unit to each.

use cudarc::driver::CudaSlice;

use super::Full;
use super::batches::{Workspace, Workspaces};
use super::pass::{BATCH, DevicePass, UnitPosition};
use crate::engine::batch::WholeImage;
use crate::engine::cuda::CudaError;
use crate::engine::cuda::kernels::image::occlude::{ImageCopy, occlude};
use crate::engine::cuda::support::noise_of;
use crate::engine::cuda::transfer::PendingDownload;
use crate::engine::request::not_prepared;
use crate::engine::{Batch, EngineError, JobResult, PlacedJob};
use crate::network::LayerId;
use crate::noise::{Noise, Patches};
use crate::progress::Progress;

/// What a batch of presentations is computed in. It has no more than [`BATCH`] images: a batch is
/// computed whole, and a map, or a verification, may ask for few.
pub struct Presenting {
    pass: DevicePass,
    /// The images that a batch shows parts of, `[slot][channel][height][width]`.
    baselines: CudaSlice<f32>,
    /// What it shows, `[image][channel][height][width]`.
    shown: CudaSlice<f32>,
}

impl Workspace for Presenting {
    fn new(full: &Full<'_>, batch: usize) -> Result<Self, CudaError> {
        let images = || full.device.allocate(batch * full.pixels());
        Ok(Self { pass: full.pass(batch)?, baselines: images()?, shown: images()? })
    }

    fn pass(&self) -> &DevicePass {
        &self.pass
    }

    fn most(_: &Full<'_>) -> usize {
        BATCH
    }

    fn held(rooms: &mut Workspaces) -> &mut Option<Self> {
        rooms.ranking = None;
        &mut rooms.presenting
    }
}

impl Full<'_> {
    /// Has the device begin with the responses of one batch.
    fn respond(
        &self,
        room: &mut Presenting,
        (layer, jobs): (LayerId, &Batch<'_>),
        patches: &[Patches<'_>],
        wanted: &[WholeImage],
    ) -> Result<PendingDownload<'_, f32>, CudaError> {
        let Presenting { pass, baselines, shown: copies } = room;
        let pixels = self.pixels();
        let (mut shown, mut asked, mut noise) = (Vec::new(), Vec::new(), Vec::new());
        let (mut slots, mut values) = (0, Vec::new());
        for (index, &WholeImage { job: number, occluder }) in wanted.iter().enumerate() {
            let job = jobs.job(number);
            // A job's responses stand next to each other, and often those of one image.
            let image = |index: usize| jobs.jobs[wanted[index].job].image;
            let same = index > 0 && image(index - 1) == image(index);
            if !same {
                let mut slot = baselines.slice_mut(slots * pixels..(slots + 1) * pixels);
                self.device.staging.copy_images(&[job.image.view()], &mut slot)?;
                slots += 1;
            }
            let slot = slots - 1;
            shown.push(match occluder {
                None => ImageCopy::original(slot),
                Some(occluder) => {
                    let replayed = noise.len();
                    let drawn = noise_of(job.fill)?;
                    if matches!(drawn, Noise::Torch { .. }) {
                        patches[number].draw(occluder, &mut values);
                        noise.extend_from_slice(&values);
                    }
                    let occluder = &job.occluders[occluder];
                    ImageCopy::occluded(slot, job.image_index, occluder, drawn, replayed)
                }
            });
            asked.push(UnitPosition { unit: job.unit, position: job.position });
        }
        // The rest of the batch shows anything, which nobody looks at.
        shown.resize(pass.size.batch, ImageCopy::original(0));
        occlude(&self.device, (self.channels(), self.image), &shown, baselines, &noise, copies)?;
        self.device.fetch(&pass.respond(&self.device, copies, layer, &asked)?)
    }

    /// As [`Presenter::present`](crate::engine::Presenter::present).
    pub fn respond_to_all(
        &self,
        layer: LayerId,
        batch: &Batch<'_>,
        progress: &Progress<'_>,
    ) -> Result<Vec<JobResult>, EngineError> {
        if !self.layers.contains(&layer) {
            return Err(not_prepared(self.model.network(), layer));
        }
        let units = self.model.network().channels(layer);
        self.images().check_jobs(batch, units, self.pass.size(layer))?;
        let jobs: Vec<PlacedJob<'_>> = batch.placed().collect();
        let patches: Vec<Patches<'_>> = jobs
            .iter()
            .map(|job| job.fill.patches(job.image_index, self.channels(), job.occluders))
            .collect();
        let mut presented: Vec<JobResult> = Vec::with_capacity(jobs.len());
        let take = |batch: &[WholeImage], arriving: PendingDownload<'_, f32>| {
            for (&WholeImage { job, occluder }, response) in batch.iter().zip(arriving.wait()?) {
                jobs[job].check_finite(self.model.network(), layer, response)?;
                match (occluder, presented.last_mut()) {
                    (Some(_), Some(job)) => job.differences.push(response - job.response),
                    _ => presented.push(JobResult { response, differences: Vec::new() }),
                }
            }
            progress.advance(
                batch.iter().filter(|presented| presented.occluder.is_some()).count() as u64
            );
            Ok(())
        };
        let respond = |room: &mut Presenting, some: &[WholeImage]| {
            self.respond(room, (layer, batch), &patches, some)
        };
        self.in_batches(&WholeImage::all(&jobs), progress, respond, take)?;
        Ok(presented)
    }
}
