//! Computing a block of a sweep.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, anyhow};

use super::Work;
use crate::blocks::Block;
use crate::cli::failure::Failure;
use crate::cli::inputs::Inputs;
use crate::engine::{Engine, EngineError, Float64Engine, Prepared, Watch};
use crate::maps::{BlockMaps, BlockRecord, BlockUnits, LayerConfiguration, VerificationRecord};
use crate::sweep::{Extent, LayerSweep, Sample, SweepError, Verification};

/// A layer of a sweep, cut into blocks.
pub(super) struct Layer<'a> {
    pub name: String,
    pub sweep: LayerSweep<'a>,
    /// The names of the blocks, in order.
    pub names: Vec<String>,
    blocks: BTreeMap<String, Planned>,
}

/// A block that is to be computed.
struct Planned {
    units: Vec<usize>,
    extent: Extent,
    /// Presentations of the layer's blocks before it.
    before: u64,
}

/// A device that computes blocks, one at a time.
pub(super) struct Worker<'a> {
    /// Its name, for the manifest.
    device: String,
    pub engine: Box<dyn Prepared + 'a>,
}

/// Who computes a sweep's blocks.
pub(super) struct Workers<'a> {
    pub devices: Vec<Worker<'a>>,
    /// What verifies, if anything is to be verified.
    pub plain: Option<Box<dyn Prepared + 'a>>,
}

impl<'a> Workers<'a> {
    /// A worker for each of the engines.
    pub fn new(work: &'a Work, engines: &[Box<dyn Engine>]) -> Result<Self, EngineError> {
        let Inputs { model, layers, images } = &work.inputs;
        let prepare = |engine: &dyn Engine| engine.prepare(model, layers, images.size());
        let worker = |engine: &dyn Engine| -> Result<Worker<'a>, EngineError> {
            Ok(Worker { device: engine.device(), engine: prepare(engine)? })
        };
        let verifies = work.settings.verify > 0;
        Ok(Self {
            devices: engines.iter().map(|engine| worker(&**engine)).collect::<Result<_, _>>()?,
            plain: verifies.then(|| prepare(&Float64Engine)).transpose()?,
        })
    }
}

impl<'a> Layer<'a> {
    /// Cuts a layer as its configuration says.
    pub fn new(
        sweep: LayerSweep<'a>,
        configuration: &LayerConfiguration,
    ) -> Result<Self, SweepError> {
        let all = configuration.blocks();
        let extents = sweep.extents(all.iter().map(|block| &block.units[..]))?;
        let (mut names, mut blocks) = (Vec::new(), BTreeMap::new());
        let mut before = 0;
        for (BlockUnits { name, units }, extent) in all.into_iter().zip(extents) {
            names.push(name.clone());
            blocks.insert(name, Planned { units, extent, before });
            before += extent.presentations;
        }
        Ok(Self { name: configuration.layer.clone(), sweep, names, blocks })
    }

    /// Presentations of a block.
    pub fn presentations(&self, block: &str) -> u64 {
        self.blocks.get(block).map_or(0, |planned| planned.extent.presentations)
    }

    /// How much there is to do in all.
    pub fn extent(&self) -> Extent {
        self.blocks.values().map(|planned| planned.extent).sum()
    }
}

impl Work {
    /// Presents all occluders of a block, and verifies a part of them.
    pub(super) fn compute(
        &self,
        worker: &Worker<'_>,
        plain: Option<&dyn Prepared>,
        (layer, block): (&Layer<'_>, &str),
        watch: &Watch<'_>,
    ) -> Result<Block<BlockRecord>, Failure> {
        if watch.stopped() {
            return Err(EngineError::Stopped.into());
        }
        let Some(Planned { units, extent, before }) = layer.blocks.get(block) else {
            return Err(Failure::Failed(anyhow!("{block}: is no block of {}", layer.name)));
        };
        let start = Instant::now();
        let watch = &watch.piece(extent.presentations);
        let sweep = LayerSweep { units, engine: &*worker.engine, ..layer.sweep };
        let rf = sweep.geometry.projection.size;
        let settings = &self.settings;
        let mut maps = BlockMaps::new(rf, settings.deposit, settings.mean_over, settings.planes());
        let all = layer.extent().presentations;
        let mut sample = Sample::new(settings.verify, all, settings.seed)
            .within(*before..before + extent.presentations);
        // What is presented again must be at hand.
        let summed = settings.verify == 0
            && sweep
                .run_summed((settings.deposit, maps.moments()), watch, |summed| {
                    maps.add_summed(&summed);
                    Ok::<(), SweepError>(())
                })
                .with_context(|| layer.name.clone())?;
        if !summed {
            sweep
                .run(watch, |finished| -> Result<(), SweepError> {
                    sample.see(&finished);
                    let draws: Vec<&[f32]> =
                        finished.presented.iter().map(|draw| &draw.differences[..]).collect();
                    maps.add(finished.unit, finished.side, finished.placement, &draws);
                    Ok(())
                })
                .with_context(|| layer.name.clone())?;
        }
        let verified = match plain {
            Some(plain) => {
                let found = Verification::of(&sweep, sample, plain, self.chosen.tolerance(), watch)
                    .with_context(|| layer.name.clone())?;
                self.judge(layer, &found)?;
                Some(VerificationRecord::from(&found))
            }
            None => None,
        };
        let record = BlockRecord {
            presentations: extent.presentations,
            maps_without_occluders: extent.maps_without_occluders,
            seconds: start.elapsed().as_secs_f64(),
            threads: self.threads,
            device: worker.device.clone(),
            verified,
        };
        Ok(Block { record, payload: maps.finish() })
    }

    /// An error where a sample was not found again: the block is not kept.
    fn judge(&self, layer: &Layer<'_>, found: &Verification) -> Result<(), Failure> {
        let Some((sampled, expected)) = &found.beyond else { return Ok(()) };
        let (y, x) = layer.sweep.geometry.position(sampled.entry.position);
        let occluder = sampled.occluder;
        Err(Failure::Failed(anyhow!(
            "{}: unit {}, image {} ({}), position {y},{x}: the occluder of {} pixels at ({}, {}) \
             changes the response by {}, and in whole images by {expected}; that is not rounding \
             (tolerance {:.0e} of the map's largest difference, {}). Maps of this layer are not to \
             be trusted, and none is written; please report this",
            layer.name,
            sampled.unit,
            sampled.entry.image,
            self.inputs.images.names()[sampled.entry.image as usize],
            occluder.size,
            occluder.top,
            occluder.left,
            sampled.difference,
            found.tolerance,
            sampled.largest,
        )))
    }
}
