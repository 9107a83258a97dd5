//! The full method on a GPU: every occluded image goes through the network whole, as the reference
//! does it.
//!
//! Occluded copies are made on the device, convolutions are cuDNN's, or cuBLAS' where they are
//! products of matrices as they are; the other layers are our own kernels. Of the unit's own layer
//! only the position that it is asked for is computed, by cuBLAS. It shares nothing with the
//! incremental engine but the extremes of ranking, so each checks the other.

mod cublas;
mod cudnn;
mod pass;

use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::CudaSlice;
use ndarray::ArrayView3;

use self::pass::{Asked, BATCH, Pass, bytes_of_an_image};
use super::kernels::extremes::extremes;
use super::kernels::image::occlude::{Shown, occlude};
use super::transfer::Arriving;
use super::{CudaError, Device};
use crate::engine::request::{check_image, check_jobs, check_layers, not_prepared};
use crate::engine::{Engine, EngineError, Extremes, Job, KernelTime, Prepared, Presented, Watch};
use crate::geometry::ImageSize;
use crate::network::{IMAGE_CHANNELS, LayerId, Model, Op};
use crate::noise::{Noise, Patches};

/// Batches that are ranked at a time.
const BATCHES: usize = 4;

/// The full method on a GPU, in 32-bit arithmetic.
#[derive(Clone, Debug)]
pub struct CudaFullEngine {
    /// The device.
    pub device: Arc<Device>,
}

impl CudaFullEngine {
    /// Its [`name`](Engine::name).
    pub const NAME: &str = "cuda-full";
}

impl Engine for CudaFullEngine {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn device(&self) -> String {
        self.device.info().to_string()
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

    fn weight_bytes(&self, _model: &Model, _layers: &[LayerId]) -> usize {
        0
    }

    fn prepare<'m>(
        &self,
        model: &'m Model,
        layers: &[LayerId],
        image: ImageSize,
    ) -> Result<Box<dyn Prepared + 'm>, EngineError> {
        check_layers(model.network(), layers, image)?;
        let sizes = match layers.iter().max() {
            Some(&last) => model.network().sizes(image, last)?,
            None => Vec::new(),
        };
        let (device, layers) = (Arc::clone(&self.device), layers.to_vec());
        let full = Full { model, image, layers, sizes, device, state: Mutex::new(None) };
        let state = full.largest(BATCH)?;
        Ok(Box::new(Full { state: Mutex::new(Some(state)), ..full }))
    }
}

struct Full<'m> {
    model: &'m Model,
    image: ImageSize,
    layers: Vec<LayerId>,
    sizes: Vec<ImageSize>,
    device: Arc<Device>,
    /// What one batch at a time is computed in; none once there was no memory for it.
    state: Mutex<Option<State>>,
}

struct State {
    pass: Pass,
    /// The images that a batch shows parts of, `[slot][3][height][width]`.
    originals: CudaSlice<f32>,
}

/// One response that is wanted: a job's, of the original image or behind one of its occluders.
type Wanted = (usize, Option<usize>);

impl Full<'_> {
    /// For as large a batch as the device's memory holds, at most so large a one.
    fn largest(&self, mut batch: usize) -> Result<State, CudaError> {
        let Self { device, model, layers, sizes, .. } = self;
        loop {
            let pass = Pass::new(device, model, layers, (self.image, sizes), batch);
            let state = pass.and_then(|pass| {
                let originals = device.allocate(batch * IMAGE_CHANNELS * self.image.area())?;
                Ok(State { pass, originals })
            });
            match state {
                Err(error) if error.is_out_of_memory() && batch > 1 => batch /= 2,
                Err(error) if error.is_out_of_memory() => return Err(self.too_little()),
                state => return state,
            }
        }
    }

    /// What to tell where there is no memory for a batch of one.
    fn too_little(&self) -> CudaError {
        let Self { device, model, layers, sizes, .. } = self;
        let wanted =
            bytes_of_an_image(model.network(), layers, sizes) + model.weights() * size_of::<f32>();
        match device.free_memory() {
            Ok(free) => CudaError::OutOfMemory { wanted, free, total: device.info().memory },
            Err(error) => error,
        }
    }

    /// Has `start` have the device begin with as much as fits into a batch, again and again; `done`
    /// waits for what was begun, while the device works on the batch behind it. Where the device's
    /// memory runs out on the way, since others took it, batches are half as large from then on.
    fn in_batches<T, S>(
        &self,
        work: &[T],
        watch: &Watch<'_>,
        start: impl Fn(&mut State, &[T]) -> Result<S, CudaError>,
        mut done: impl FnMut(&[T], S) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        self.device.bind()?;
        let mut pending: Option<(&[T], S)> = None;
        let mut held = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left = work;
        while !left.is_empty() {
            if watch.stopped() {
                return Err(EngineError::Stopped);
            }
            let state = match held.as_mut() {
                Some(state) => state,
                None => held.insert(self.largest(BATCH)?),
            };
            let batch = state.pass.batch;
            let (some, others) = left.split_at(batch.min(left.len()));
            match start(state, some) {
                Ok(started) => {
                    left = others;
                    if let Some((before, started)) = pending.replace((some, started)) {
                        done(before, started)?;
                    }
                }
                Err(error) if error.is_out_of_memory() && batch > 1 => {
                    // Given back before less is asked for.
                    *held = None;
                    *held = Some(self.largest(batch / 2)?);
                }
                Err(error) if error.is_out_of_memory() => return Err(self.too_little().into()),
                Err(error) => return Err(error.into()),
            }
        }
        pending.map_or(Ok(()), |(last, started)| done(last, started))
    }

    fn not_finite(&self, layer: LayerId, unit: usize, image: usize, value: f32) -> EngineError {
        EngineError::not_finite(self.model.network(), layer, unit, image, value)
    }

    /// Has the device begin with the responses of one batch.
    fn respond(
        &self,
        state: &mut State,
        (layer, jobs): (LayerId, &[Job<'_>]),
        patches: &[Patches<'_>],
        wanted: &[Wanted],
    ) -> Result<Option<Arriving<'_, f32>>, CudaError> {
        let State { pass, originals } = state;
        let pixels = IMAGE_CHANNELS * self.image.area();
        let (mut shown, mut asked, mut noise) = (Vec::new(), Vec::new(), Vec::new());
        let (mut slots, mut values) = (0, Vec::new());
        for (place, &(number, which)) in wanted.iter().enumerate() {
            let job = &jobs[number];
            // A job's responses stand next to each other, and often those of one image.
            let same = place > 0 && {
                let before = &jobs[wanted[place - 1].0];
                before.image.as_ptr() == job.image.as_ptr()
                    && before.image.strides() == job.image.strides()
            };
            if !same {
                let mut slot = originals.slice_mut(slots * pixels..(slots + 1) * pixels);
                self.device.copy_images(&[job.image.view()], &mut slot)?;
                slots += 1;
            }
            let slot = slots - 1;
            shown.push(match which {
                None => Shown::original(slot),
                Some(which) => {
                    let replayed = noise.len();
                    if matches!(job.noise, Noise::Torch { .. }) {
                        patches[number].draw(which, &mut values);
                        noise.extend_from_slice(&values);
                    }
                    let occluder = &job.occluders[which];
                    Shown::occluded(slot, job.image_index, occluder, job.noise, replayed)
                }
            });
            asked.push(Asked { unit: job.unit, position: job.position });
        }
        // The rest of the batch shows anything, which nobody looks at.
        shown.resize(pass.batch, Shown::original(0));
        occlude(&self.device, self.image, &shown, originals, &noise, &mut pass.images)?;
        let Op::Conv(conv) = &self.model.network().layer(layer).op else { return Ok(None) };
        let responses = pass.respond(&self.device, layer, conv, &asked)?;
        Ok(Some(self.device.fetch(&responses)?))
    }

    /// Has the device begin with the extremes of one batch of images: `[image][unit]` of each layer.
    fn look(
        &self,
        state: &mut State,
        images: &[ArrayView3<'_, f32>],
        last: LayerId,
    ) -> Result<Vec<Arriving<'_, Extremes>>, CudaError> {
        let batch = state.pass.batch;
        // The rest of the batch shows the first again, which nobody looks at.
        let shown = |slot| images.get(slot).unwrap_or(&images[0]).view();
        let shown: Vec<_> = (0..batch).map(shown).collect();
        self.device.copy_images(&shown, &mut state.pass.images.slice_mut(..))?;
        let mut arriving: Vec<Option<Arriving<'_, Extremes>>> = Vec::new();
        arriving.resize_with(self.layers.len(), || None);
        state.pass.run(&self.device, last, |id, output| {
            if let Some(place) = self.layers.iter().position(|&layer| layer == id) {
                let planes = batch * self.model.network().channels(id);
                let found = extremes(&self.device, output, planes, self.sizes[id.0].area())?;
                arriving[place] = Some(self.device.fetch(&found)?);
            }
            Ok(())
        })?;
        Ok(arriving.into_iter().flatten().collect())
    }

    /// The extremes of so many images, when they are there: `[image][layer][unit]`.
    fn seen(
        &self,
        images: usize,
        arriving: Vec<Arriving<'_, Extremes>>,
    ) -> Result<Vec<Vec<Vec<Extremes>>>, CudaError> {
        let of_layers: Vec<Vec<Extremes>> =
            arriving.into_iter().map(Arriving::wait).collect::<Result<_, _>>()?;
        let of_image = |image: usize| {
            let layers = self.layers.iter().zip(&of_layers).map(|(&layer, found)| {
                let units = self.model.network().channels(layer);
                found[image * units..(image + 1) * units].to_vec()
            });
            layers.collect()
        };
        Ok((0..images).map(of_image).collect())
    }
}

impl Prepared for Full<'_> {
    fn images_at_a_time(&self, threads: usize) -> usize {
        // Whole batches, enough to read ahead, and several: the device has nothing to do before the
        // first is there and behind the last.
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let batch = state.as_ref().map_or(1, |state| state.pass.batch);
        (4 * threads).max(BATCHES * batch).next_multiple_of(batch)
    }

    fn extremes(
        &self,
        images: &[ArrayView3<'_, f32>],
        first: usize,
        watch: &Watch<'_>,
    ) -> Result<Vec<Vec<Vec<Extremes>>>, EngineError> {
        let Some(&last) = self.layers.iter().max() else { return Ok(Vec::new()) };
        images.iter().try_for_each(|image| check_image(image, self.image))?;
        let mut found = Vec::with_capacity(images.len());
        self.in_batches(
            images,
            watch,
            |state, batch| self.look(state, batch, last),
            |batch, arriving| {
                found.extend(self.seen(batch.len(), arriving)?);
                watch.advance(batch.len() as u64);
                Ok(())
            },
        )?;
        for (image, layers) in found.iter().enumerate() {
            for (&layer, units) in self.layers.iter().zip(layers) {
                for (unit, extremes) in units.iter().enumerate() {
                    // A NaN or an infinity anywhere shows in one of the two.
                    let values = [extremes.max, extremes.min];
                    if let Some(&value) = values.iter().find(|value| !value.is_finite()) {
                        return Err(self.not_finite(layer, unit, first + image, value));
                    }
                }
            }
        }
        Ok(found)
    }

    fn present(
        &self,
        layer: LayerId,
        jobs: &[Job<'_>],
        watch: &Watch<'_>,
    ) -> Result<Vec<Presented>, EngineError> {
        if !self.layers.contains(&layer) {
            return Err(not_prepared(self.model.network(), layer));
        }
        let units = self.model.network().channels(layer);
        check_jobs(jobs, units, self.sizes[layer.0], self.image)?;
        let patches: Vec<Patches<'_>> = jobs
            .iter()
            .map(|job| job.noise.patches(job.image_index, IMAGE_CHANNELS, job.occluders))
            .collect();
        // Each job's original image first, then its occluded copies.
        let wanted: Vec<Wanted> = jobs
            .iter()
            .enumerate()
            .flat_map(|(number, job)| {
                let occluded = (0..job.occluders.len()).map(Some);
                std::iter::once(None).chain(occluded).map(move |which| (number, which))
            })
            .collect();
        let mut presented: Vec<Presented> = Vec::with_capacity(jobs.len());
        let take = |batch: &[Wanted], arriving: Option<Arriving<'_, f32>>| {
            let responses = arriving.map_or(Ok(Vec::new()), Arriving::wait)?;
            for (&(number, which), response) in batch.iter().zip(responses) {
                if !response.is_finite() {
                    let Job { unit, image_index, .. } = jobs[number];
                    return Err(self.not_finite(layer, unit, image_index as usize, response));
                }
                match (which, presented.last_mut()) {
                    (Some(_), Some(job)) => job.differences.push(response - job.response),
                    _ => presented.push(Presented { response, differences: Vec::new() }),
                }
            }
            watch.advance(batch.iter().filter(|(_, which)| which.is_some()).count() as u64);
            Ok(())
        };
        let respond = |state: &mut State, batch: &[Wanted]| {
            self.respond(state, (layer, jobs), &patches, batch)
        };
        self.in_batches(&wanted, watch, respond, take)?;
        Ok(presented)
    }
}
