//! The incremental engine: only what an occluder changes, and only as far as the unit depends on
//! it.
//!
//! A [`program`](crate::program) says which windows and taps those are. The engine computes the original
//! image's activations once for all jobs of an image (`baseline`), then sends *deltas* through
//! the network (`delta`), for all presentations that share a plan together (`batch`).
//!
//! Activations lie with their channels innermost, `[presentation][y][x][channel]`, so that the
//! taps of a kernel row are one run of memory, baseline activations are read where they lie, and
//! a batch may have any size. All convolutions are one matrix product whose rows are (presentation,
//! position) pairs that the same taps meet (`patterns`): of all values (`product`), or behind a ReLU
//! of those that are not zero (`nonzero`, `sparse`). Every value is a chain of operations
//! that depends on the presentation alone, so results are the same bytes for any batch, order and
//! number of threads.
#![allow(
    clippy::inline_always,
    reason = "only what is inlined into `Isa::run` or a tile function gets their instructions"
)]

mod activations;
mod baseline;
mod batch;
mod bf16;
mod chunk;
mod compress;
mod convolve;
mod delta;
mod depthwise;
mod function;
mod gate;
mod nonzero;
mod normalise;
mod occlude;
mod pad;
mod patterns;
mod pointwise;
mod pool;
mod precision;
mod product;
mod program;
mod ready;
mod respond;
mod simd;
mod sparse;
mod step;
mod weights;
mod winograd;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use rayon::prelude::*;

use self::activations::Baseline;
use self::batch::{Group, chunks};
use self::bf16::{Form, Parts};
use self::chunk::{Scratch, present};
use self::delta::SamePlan;
use self::program::{Program, Shared, sparse};
use self::ready::Ready;
use self::simd::Isa;
use self::winograd::Transformed;
use super::order::{Member, OnImage, by_image, in_order_of_plans};
use super::request::{PreparedImages, check_layers, not_prepared};
use super::scratch::ScratchPool;
use super::{Batch, Engine, EngineError, EngineName, JobResult, Presenter, convolutions_before};
use crate::geometry::{Axis, ImageSize};
use crate::network::{LayerId, Model};
use crate::parts::parts;
use crate::program::{PlanKey, Planner};
use crate::progress::Progress;

pub use self::precision::Precision;

/// The incremental engine, on all threads of the current rayon pool.
#[derive(Clone, Copy, Debug)]
pub struct CpuEngine {
    /// How many bytes the original images' activations may take at a time. At least one image's
    /// are held, whatever it needs.
    pub base_bytes: usize,
    /// Whether every convolution is computed tap by tap, also where a form with fewer
    /// multiplications would be faster. Its rounding is smaller: some 1e-6 of a map's largest
    /// difference, against some 3e-6.
    pub direct: bool,
    /// The precision of products.
    pub precision: Precision,
}

impl Default for CpuEngine {
    /// Half a GiB: more than 256 of AlexNet's units need. The faster forms, in fp32.
    fn default() -> Self {
        Self { base_bytes: 1 << 29, direct: false, precision: Precision::Fp32 }
    }
}

impl Engine for CpuEngine {
    fn name(&self) -> EngineName {
        match self.precision {
            Precision::Bf16 => EngineName::CpuIncrementalBf16,
            Precision::Bf16x3 => EngineName::CpuIncrementalBf16x3,
            Precision::Fp32 if self.direct => EngineName::CpuDirect,
            Precision::Fp32 => EngineName::CpuIncremental,
        }
    }

    fn instructions(&self) -> Option<&'static str> {
        Some(self.form().name())
    }

    fn weight_bytes(&self, model: &Model, layers: &[LayerId]) -> usize {
        let network = model.network();
        let leading = network.leading_to(layers);
        let before = convolutions_before(network);
        let bytes = network.all_convolutions().filter(|(id, _)| leading[id.0]).map(|(id, conv)| {
            let weights = model.filters(id).map_or(0, |filters| filters.weight.len());
            // For products, for single units, and for bf16 or for forms with fewer multiplications.
            let channels = weights / (conv.taps() * conv.out_channels).max(1) * conv.groups;
            let more = match self.parts(before[id.0]) {
                Some(parts) if bf16::Weights::suit(conv, channels) => {
                    bf16::Weights::bytes_of(conv, channels, parts)
                }
                _ if self.direct => 0,
                _ => Transformed::bytes_of(conv, weights),
            };
            2 * weights * size_of::<f32>() + more
        });
        bytes.sum()
    }

    fn prepare<'m>(
        &self,
        model: &'m Model,
        layers: &[LayerId],
        image: ImageSize,
    ) -> Result<Box<dyn Presenter + 'm>, EngineError> {
        self.prepare_for(self.form(), model, layers, image)
    }
}

impl CpuEngine {
    /// What multiplies.
    fn form(&self) -> Form {
        match self.precision {
            // Without products in bf16, nobody asks for its instructions.
            Precision::Fp32 => Form::Floats(Isa::detect()),
            Precision::Bf16x3 | Precision::Bf16 => Form::detect(),
        }
    }

    /// The parts of the operands of a convolution that has so many before it; `None` for floats.
    fn parts(&self, convolutions: usize) -> Option<Parts> {
        match self.precision.behind(convolutions) {
            Precision::Fp32 => None,
            Precision::Bf16x3 => Some(Parts::Two),
            Precision::Bf16 => Some(Parts::One),
        }
    }

    /// [`Engine::prepare`], to multiply bf16 by this form.
    fn prepare_for<'m>(
        &self,
        form: Form,
        model: &'m Model,
        layers: &[LayerId],
        image: ImageSize,
    ) -> Result<Box<dyn Presenter + 'm>, EngineError> {
        check_layers(model.network(), layers, image)?;
        let sparse = sparse(model.network());
        let mut shared = Shared { sparse: &sparse, engine: self, form, packed: HashMap::new() };
        let programs = layers
            .iter()
            .map(|&layer| Ok((layer, shared.program(model, layer, image)?)))
            .collect::<Result<_, EngineError>>()?;
        Ok(Box::new(Incremental {
            model,
            image,
            programs,
            isa: Isa::detect(),
            base_bytes: self.base_bytes,
            scratch: ScratchPool::default(),
        }))
    }
}

/// Bytes of plans that jobs behind exact gates are cut by: positions share no plans there, and a plan has
/// windows in many layers. The last job's plans may lie beyond.
pub(crate) const PLAN_BYTES: usize = 32 << 20;

/// A layer, and its program.
#[derive(Clone, Copy)]
struct Target<'a> {
    layer: LayerId,
    program: &'a Program,
}

struct Incremental<'m> {
    model: &'m Model,
    image: ImageSize,
    programs: HashMap<LayerId, Program>,
    isa: Isa,
    base_bytes: usize,
    scratch: ScratchPool<Scratch>,
}

impl Incremental<'_> {
    /// Presents the jobs on some images, whose activations are held meanwhile.
    fn present_on(
        &self,
        Target { layer, program }: Target<'_>,
        images: &[OnImage],
        jobs: &Batch<'_>,
        presented: &mut [JobResult],
        progress: &Progress<'_>,
    ) -> Result<(), EngineError> {
        let compute = |on_image: &OnImage| {
            if progress.is_cancelled() {
                return Err(EngineError::Stopped);
            }
            let image = &jobs.images[on_image.image].values;
            Ok(Baseline::new(program, image, on_image.y, on_image.x, self.isa))
        };
        let baselines: Vec<Baseline> =
            images.par_iter().with_max_len(1).map(compute).collect::<Result<_, _>>()?;
        let held: Vec<(usize, &Baseline)> = images
            .iter()
            .zip(&baselines)
            .flat_map(|(on_image, baseline)| on_image.jobs.iter().map(move |&job| (job, baseline)))
            .collect();
        let ready = |&(job, baseline): &(usize, _)| {
            let ready = Ready::new(job, jobs.job(job), baseline, program);
            ready.job.check_finite(self.model.network(), layer, ready.response).map(|()| ready)
        };
        // Of several errors the first is returned, whichever a thread meets first.
        let ready: Vec<Result<_, EngineError>> = held.par_iter().map(ready).collect();
        let ready: Vec<Ready<'_, '_>> = ready.into_iter().collect::<Result<_, _>>()?;
        let mut rest = &ready[..];
        while !rest.is_empty() {
            let mut planner = Planner::new(&program.subgraph);
            let bytes = if program.subgraph.through_gates() {
                PLAN_BYTES.min(self.base_bytes)
            } else {
                usize::MAX
            };
            let numbers = rest.iter().map(|ready| ready.number);
            let (together, ordered) = in_order_of_plans(bytes, jobs, numbers, &mut planner);
            let (now, later) = rest.split_at(together);
            self.present_ready(Target { layer, program }, now, &ordered, &planner, progress)?;
            rest = later;
        }
        let outcomes: Vec<JobResult> = ready.par_iter().map(Ready::presented).collect();
        for ((job, _), outcome) in held.into_iter().zip(outcomes) {
            presented[job] = outcome;
        }
        Ok(())
    }

    /// Presents some jobs, `ordered` as they are computed.
    fn present_ready(
        &self,
        Target { layer, program }: Target<'_>,
        ready: &[Ready<'_, '_>],
        ordered: &[(PlanKey, Member)],
        planner: &Planner<'_>,
        progress: &Progress<'_>,
    ) -> Result<(), EngineError> {
        let chunks = chunks(ordered, planner, rayon::current_num_threads());
        let compute = |chunk: &Vec<Group<'_>>| {
            if progress.is_cancelled() {
                return Err(EngineError::Stopped);
            }
            let presentation = |&(_, member): &(PlanKey, Member)| {
                ready[member.job as usize].presentation(member.occluder as usize)
            };
            let batch = |group: &Group<'_>| {
                let presentations = group.iter().map(presentation).collect();
                SamePlan { plan: planner.plan(group[0].0), presentations }
            };
            let batches: Vec<SamePlan<'_>> = chunk.iter().map(batch).collect();
            let differences =
                self.scratch.with(|scratch| present(program, &batches, scratch, self.isa));
            progress.advance(differences.len() as u64);
            for (&(_, member), difference) in chunk.iter().copied().flatten().zip(differences) {
                let ready = &ready[member.job as usize];
                ready.job.check_finite(self.model.network(), layer, ready.response + difference)?;
                ready.put(member.occluder as usize, difference);
            }
            Ok(())
        };
        let computed: Vec<Result<(), EngineError>> = chunks.par_iter().map(compute).collect();
        computed.into_iter().collect()
    }
}

impl Presenter for Incremental<'_> {
    fn present(
        &self,
        layer: LayerId,
        batch: &Batch<'_>,
        progress: &Progress<'_>,
    ) -> Result<Vec<JobResult>, EngineError> {
        let Some(program) = self.programs.get(&layer) else {
            return Err(not_prepared(self.model.network(), layer));
        };
        let units = self.model.network().channels(layer);
        let output = program.subgraph.nodes()[program.subgraph.target()].size;
        let channels = self.model.network().image_channels();
        let images = PreparedImages { channels, size: self.image };
        images.check_jobs(batch, units, output)?;
        let images = by_image(batch);
        let costs: Vec<usize> = images
            .iter()
            .map(|on_image| {
                let y = program.subgraph.baseline(Axis::Y, on_image.y);
                let x = program.subgraph.baseline(Axis::X, on_image.x);
                program.kept_floats(&y, &x) * size_of::<f32>()
            })
            .collect();
        let nothing = JobResult { response: 0.0, differences: Vec::new() };
        let mut presented = vec![nothing; batch.jobs.len()];
        for part in parts(&costs, self.base_bytes) {
            self.present_on(
                Target { layer, program },
                &images[part],
                batch,
                &mut presented,
                progress,
            )?;
        }
        Ok(presented)
    }
}
