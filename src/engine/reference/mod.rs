//! The plain engine: every occluded image goes through the network whole.
//!
//! It is the oracle that faster engines are tested against, so it takes no shortcut: a copy of
//! the image, the noise, then every layer up to the unit's, by the book. Presentations are
//! independent of each other and each is computed by one thread, so neither the number of threads
//! nor the batch can change a bit of the result.

mod convolve;
mod elementwise;
pub(crate) mod forward;
mod pad;
mod pool;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::ArrayView3;
use rayon::prelude::*;

use self::forward::{Forward, Gates, Scratch};
use super::batch::WholeImage;
use super::real::Real;
use super::request::{PreparedImages, check_layers, not_prepared};
use super::scratch::ScratchPool;
use super::{
    Batch, BatchImage, Engine, EngineError, EngineName, Extremes, JobResult, PlacedJob, Presenter,
    Ranker, RankingEngine, check_extremes,
};
use crate::geometry::ImageSize;
use crate::network::{LayerId, MapContext, Model};
use crate::progress::Progress;

/// The plain engine, on all threads of the current rayon pool, in 32-bit arithmetic as PyTorch
/// computes.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReferenceEngine;

/// The plain engine in 64-bit arithmetic: beside the differences that it finds, its own rounding
/// is nothing, so it tells that of the others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Float64Engine;

impl Engine for ReferenceEngine {
    fn name(&self) -> EngineName {
        EngineName::CpuFull
    }

    fn prepare<'m>(
        &self,
        model: &'m Model,
        layers: &[LayerId],
        image: ImageSize,
    ) -> Result<Box<dyn Presenter + 'm>, EngineError> {
        Ok(Box::new(Plain::<f32>::new(model, layers, image)?))
    }
}

impl RankingEngine for ReferenceEngine {
    fn ranker<'m>(
        &self,
        model: &'m Model,
        layers: &[LayerId],
        image: ImageSize,
    ) -> Result<Box<dyn Ranker + 'm>, EngineError> {
        Ok(Box::new(Plain::<f32>::new(model, layers, image)?))
    }
}

impl Engine for Float64Engine {
    fn name(&self) -> EngineName {
        EngineName::CpuFullF64
    }

    fn weight_bytes(&self, model: &Model, _layers: &[LayerId]) -> usize {
        model.weights() * size_of::<f64>()
    }

    fn prepare<'m>(
        &self,
        model: &'m Model,
        layers: &[LayerId],
        image: ImageSize,
    ) -> Result<Box<dyn Presenter + 'm>, EngineError> {
        Ok(Box::new(Plain::<f64>::new(model, layers, image)?))
    }
}

struct Plain<'m, T: Real> {
    forward: Forward<'m, T>,
    layers: Vec<LayerId>,
    scratch: ScratchPool<Scratch<T>>,
}

impl<'m, T: Real> Plain<'m, T> {
    fn new(model: &'m Model, layers: &[LayerId], image: ImageSize) -> Result<Self, EngineError> {
        check_layers(model.network(), layers, image)?;
        let forward = Forward::new(model, layers, image)?;
        Ok(Self { forward, layers: layers.to_vec(), scratch: ScratchPool::default() })
    }

    /// The gates of each original image, where they keep their values; nothing where they do not.
    fn frozen_gates(&self, layer: LayerId, images: &[BatchImage<'_>]) -> Vec<Arc<Gates<T>>> {
        let network = self.forward.network();
        let read = network.gates_before(&[layer]);
        let Some(&last) = read.iter().max() else { return Vec::new() };
        if network.context() == MapContext::Exact {
            return Vec::new();
        }
        let of_image = |image: &BatchImage<'_>| {
            let mut gates = Gates::new();
            self.scratch.with(|scratch| {
                scratch.set_image(&image.values);
                self.forward.run(scratch, last, |id, output| {
                    if read.contains(&id) {
                        gates.insert(id, output.to_vec());
                    }
                });
            });
            Arc::new(gates)
        };
        images.par_iter().with_max_len(1).map(of_image).collect()
    }

    fn images(&self) -> PreparedImages {
        let channels = self.forward.network().image_channels();
        PreparedImages { channels, size: self.forward.image }
    }
}

impl<T: Real> Ranker for Plain<'_, T> {
    fn extremes(
        &self,
        images: &[ArrayView3<'_, f32>],
        first: usize,
        progress: &Progress<'_>,
    ) -> Result<Vec<Vec<Vec<Extremes>>>, EngineError> {
        let Some(&last) = self.layers.iter().max() else { return Ok(Vec::new()) };
        let one = |(index, image): (usize, &ArrayView3<'_, f32>)| {
            if progress.is_cancelled() {
                return Err(EngineError::Stopped);
            }
            self.images().check(image)?;
            // Ordered, so that of several layers always the same one is told to be at fault.
            let mut found: BTreeMap<LayerId, Vec<Extremes>> = BTreeMap::new();
            self.scratch.with(|scratch| {
                scratch.set_image(image);
                self.forward.run(scratch, last, |layer, output| {
                    if self.layers.contains(&layer) {
                        let area = self.forward.size(layer).area();
                        found.insert(layer, output.chunks_exact(area).map(extremes_of).collect());
                    }
                });
            });
            for (&layer, units) in &found {
                check_extremes(self.forward.network(), layer, first + index, units)?;
            }
            progress.advance(1);
            Ok(self.layers.iter().filter_map(|layer| found.get(layer).cloned()).collect())
        };
        let outcomes: Vec<Result<_, _>> =
            images.par_iter().enumerate().with_max_len(1).map(one).collect();
        // Of several faults that of the first image; in parallel, collecting would take any.
        outcomes.into_iter().collect()
    }
}

impl<T: Real> Presenter for Plain<'_, T> {
    fn present(
        &self,
        layer: LayerId,
        batch: &Batch<'_>,
        progress: &Progress<'_>,
    ) -> Result<Vec<JobResult>, EngineError> {
        if !self.layers.contains(&layer) {
            return Err(not_prepared(self.forward.network(), layer));
        }
        let (units, size) = (self.forward.channels(layer), self.forward.size(layer));
        self.images().check_jobs(batch, units, size)?;
        let jobs: Vec<PlacedJob<'_>> = batch.placed().collect();
        let channels = self.images().channels;
        let patches: Vec<_> = jobs
            .iter()
            .map(|job| job.fill.patches(job.image_index, channels, job.occluders))
            .collect();
        let gates = self.frozen_gates(layer, &batch.images);
        let response = |&WholeImage { job: number, occluder }: &WholeImage| {
            if progress.is_cancelled() {
                return Err(EngineError::Stopped);
            }
            let job = &jobs[number];
            let response = self.scratch.with(|scratch| {
                scratch.frozen = gates.get(batch.jobs[number].image).cloned();
                scratch.set_image(&job.image);
                if let Some(occluder) = occluder {
                    patches[number].occlude(occluder, &mut scratch.image, self.forward.image.width);
                }
                let size = self.forward.size(layer);
                let flat = job.unit * size.area() + job.position.0 * size.width + job.position.1;
                let mut response = T::from(f32::NAN);
                self.forward.run(scratch, layer, |id, output| {
                    if id == layer {
                        response = output[flat];
                    }
                });
                scratch.frozen = None;
                response
            });
            job.check_finite(self.forward.network(), layer, response.rounded())?;
            progress.advance(u64::from(occluder.is_some()));
            Ok(response)
        };
        let responses: Vec<T> = WholeImage::all(&jobs)
            .par_iter()
            .with_max_len(1)
            .map(response)
            .collect::<Result<_, EngineError>>()?;
        let mut rest = responses.as_slice();
        let presented = jobs.iter().map(|job| {
            let (of_job, others) = rest.split_at(job.occluders.len() + 1);
            rest = others;
            let response = of_job[0];
            let differences = of_job[1..].iter().map(|&occluded| (occluded - response).rounded());
            JobResult { response: response.rounded(), differences: differences.collect() }
        });
        Ok(presented.collect())
    }
}

/// The extremes of one unit's responses; a NaN anywhere becomes the maximum.
fn extremes_of<T: Real>(responses: &[T]) -> Extremes {
    let mut found = Extremes { max: f32::NEG_INFINITY, max_at: 0, min: f32::INFINITY, min_at: 0 };
    for (position, response) in responses.iter().map(|response| response.rounded()).enumerate() {
        if response > found.max {
            (found.max, found.max_at) = (response, position as u32);
        }
        if response < found.min {
            (found.min, found.min_at) = (response, position as u32);
        }
        if response.is_nan() {
            return Extremes { max: response, max_at: position as u32, ..found };
        }
    }
    found
}
