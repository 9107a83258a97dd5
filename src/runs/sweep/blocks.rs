//! Computing the blocks of a sweep.

use std::collections::BTreeMap;
use std::time::Instant;

use super::SweepRun;
use crate::blocks::Block;
use crate::engine::{Engine, Float64Engine, Presenter};
use crate::geometry::LayerGeometry;
use crate::maps::{BlockMaps, BlockRecord, BlockUnits, LayerConfiguration, VerificationRecord};
use crate::progress::Progress;
use crate::ranking::Side;
use crate::runs::context::DevicePools;
use crate::runs::{Inputs, RunError};
use crate::sweep::{Extent, Finished, LayerSweep, Sample, SweepError, UnitSide, Verification};

/// A layer of a sweep, cut into blocks.
pub(super) struct Layer<'a> {
    pub name: String,
    pub sweep: LayerSweep<'a>,
    /// The names of the blocks, in order.
    pub names: Vec<String>,
    blocks: BTreeMap<String, Planned>,
}

/// A block to compute.
struct Planned {
    units: Vec<usize>,
    extent: Extent,
    /// Presentations of the layer's earlier blocks.
    before: u64,
}

/// The maps of a block, with what was presented for them and what is verified.
struct PresentedBlock {
    maps: BlockMaps,
    extent: Extent,
    sample: Sample,
}

/// A device that computes blocks, one at a time.
pub(super) struct Worker<'a> {
    /// Number of the device among those of the sweep.
    number: usize,
    /// Name of the device, for the manifest.
    device: String,
    pub engine: Box<dyn Presenter + 'a>,
}

/// The devices that compute a sweep's blocks.
pub(super) struct Workers<'a> {
    pub devices: Vec<Worker<'a>>,
    /// The verifying engine, if anything is verified.
    pub plain: Option<Box<dyn Presenter + 'a>>,
    pools: DevicePools<'a>,
}

impl<'a> Workers<'a> {
    /// A worker per engine.
    pub fn new(run: &'a SweepRun<'_>, engines: &[Box<dyn Engine>]) -> Result<Self, RunError> {
        let Inputs { model, layers, images } = &run.inputs;
        let pools = DevicePools::new(&run.context, engines.len(), run.budget.threads)?;
        let prepare = |number, engine: &dyn Engine| {
            pools.install(number, || engine.prepare(model, layers, images.size()))
        };
        let worker = |(number, engine): (usize, &dyn Engine)| -> Result<Worker<'a>, RunError> {
            let (device, engine) = (engine.device(), prepare(number, engine)?);
            Ok(Worker { number, device, engine })
        };
        let verifies = run.settings.verify > 0;
        Ok(Self {
            devices: engines
                .iter()
                .map(AsRef::as_ref)
                .enumerate()
                .map(worker)
                .collect::<Result<_, _>>()?,
            plain: verifies.then(|| prepare(0, &Float64Engine)).transpose()?,
            pools,
        })
    }

    /// Runs work on the first device's threads.
    pub fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.pools.install(0, work)
    }

    /// Computes a block of a layer.
    pub fn compute(
        &self,
        run: &SweepRun<'_>,
        worker: &Worker<'_>,
        layer: &Layer<'_>,
        block: &str,
        progress: &Progress<'_>,
    ) -> Result<Block<BlockRecord>, RunError> {
        let work = || run.compute_block(worker, self.plain.as_deref(), layer, block, progress);
        self.pools.install(worker.number, work)
    }
}

impl<'a> Layer<'a> {
    /// Cuts a layer according to its configuration.
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

    /// Total work of the layer.
    pub fn extent(&self) -> Extent {
        self.blocks.values().map(|planned| planned.extent).sum()
    }
}

impl SweepRun<'_> {
    /// Presents all occluders of a block, and verifies some of them.
    fn compute_block(
        &self,
        worker: &Worker<'_>,
        plain: Option<&dyn Presenter>,
        layer: &Layer<'_>,
        block: &str,
        progress: &Progress<'_>,
    ) -> Result<Block<BlockRecord>, RunError> {
        self.context.check_cancelled()?;
        let Some(Planned { units, extent, before }) = layer.blocks.get(block) else {
            return Err(RunError::Internal(format!("{block} is no block of {}", layer.name)));
        };
        let start = Instant::now();
        let progress = &progress.piece(extent.presentations);
        let sweep = LayerSweep { units, engine: &*worker.engine, ..layer.sweep };
        let (verify, seed) = (self.settings.verify, self.settings.occlusion.seed);
        let sample = Sample::new(verify, layer.extent().presentations, seed)
            .within(*before..before + extent.presentations);
        let PresentedBlock { maps, extent: presented, sample } = self
            .present(&sweep, *extent, sample, progress)
            .map_err(RunError::layer(&layer.name))?;
        let verified = match plain {
            Some(plain) => {
                let tolerance = self.compute.tolerance(self.inputs.network(), sweep.layer);
                let found = Verification::of(&sweep, sample, plain, tolerance, progress)
                    .map_err(RunError::layer(&layer.name))?;
                self.judge(&layer.name, &sweep.geometry, &found, "None is written")?;
                Some(VerificationRecord::from(&found))
            }
            None => None,
        };
        let record = BlockRecord {
            presentations: presented.presentations,
            spared: extent.presentations - presented.presentations,
            maps_without_occluders: presented.maps_without_occluders,
            seconds: start.elapsed().as_secs_f64(),
            threads: self.budget.threads,
            device: worker.device.clone(),
            verified,
        };
        Ok(Block { record, payload: maps.finish() })
    }

    /// Presents all occluders of a block, as far as its units do not stop.
    fn present(
        &self,
        sweep: &LayerSweep<'_>,
        extent: Extent,
        mut sample: Sample,
        progress: &Progress<'_>,
    ) -> Result<PresentedBlock, SweepError> {
        let occlusion = &self.settings.occlusion;
        let (rf, planes) = (sweep.geometry.projection.size, occlusion.planes());
        let mut maps = BlockMaps::new(rf, occlusion.deposit, occlusion.mean_over, planes);
        if let Some(until) = occlusion.until_reliable {
            let (maps, presented) = present_in_rounds(sweep, until, maps, progress)?;
            // Spared presentations are done too.
            progress.advance(extent.presentations - presented.presentations);
            let sample = sweep.take(sample, progress)?;
            return Ok(PresentedBlock { maps, extent: presented, sample });
        }
        // Verified differences must be on the host.
        let is_summed = self.settings.verify == 0
            && !maps.needs_images()
            && sweep.run_summed(occlusion.deposit, maps.moments(), progress, |summed| {
                maps.add_summed(&summed);
                Ok::<(), SweepError>(())
            })?;
        if !is_summed {
            sweep.run(progress, |finished| -> Result<(), SweepError> {
                sample.see(&finished);
                add(&mut maps, &finished);
                Ok(())
            })?;
        }
        Ok(PresentedBlock { maps, extent, sample })
    }

    /// An error if a sample has another result, with the fate of the maps.
    pub(super) fn judge(
        &self,
        layer: &str,
        geometry: &LayerGeometry,
        found: &Verification,
        outcome: &str,
    ) -> Result<(), RunError> {
        let Some((sampled, expected)) = &found.beyond else { return Ok(()) };
        let (y, x) = geometry.position(sampled.entry.position);
        let occluder = sampled.occluder;
        Err(RunError::NotVerified(format!(
            "{}: unit {}, image {} ({}), position {y},{x}: the occluder of {} pixels at ({}, {}) \
             changes the response by {}, and in whole images by {expected}; that is not rounding \
             (tolerance {:.0e} of the map's largest difference, {}). Maps of this layer are not to \
             be trusted. {outcome}; please report this",
            layer,
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

/// Bytes of the sums of units that are presented in rounds at a time.
pub(super) const SUMS: usize = 64 << 20;

/// Presents the images of each side of each unit in rounds, until the map's split-half reliability is
/// `until` or all are presented; returns the maps, and what was presented. Units that are together share
/// images; each is decided upon by its own maps alone.
fn present_in_rounds(
    sweep: &LayerSweep<'_>,
    until: f64,
    maps: BlockMaps,
    progress: &Progress<'_>,
) -> Result<(BlockMaps, Extent), SweepError> {
    let (mut maps, mut presented) = (maps.in_rounds(), Extent::default());
    for units in sweep.units.chunks((SUMS / maps.bytes_a_unit()).max(1)) {
        let mut sides: Vec<UnitSide> =
            units.iter().flat_map(|&unit| Side::BOTH.map(|side| UnitSide { unit, side })).collect();
        for ranks in sweep.rounds() {
            sweep.run_round(&sides, ranks, progress, |finished| {
                let occluders = finished.placement.occluders.len();
                presented.maps += 1;
                presented.maps_without_occluders += u64::from(occluders == 0);
                presented.presentations += (occluders * finished.presented.len()) as u64;
                add(&mut maps, &finished);
                Ok::<(), SweepError>(())
            })?;
            sides.retain(|&UnitSide { unit, side }| {
                let is_reliable = maps.reliability(unit, side) >= until;
                !is_reliable
            });
        }
        maps.finish_units();
    }
    Ok((maps, presented))
}

/// Adds an image of a unit to its maps.
fn add(maps: &mut BlockMaps, finished: &Finished<'_>) {
    let draws: Vec<&[f32]> = finished.presented.iter().map(|draw| &draw.differences[..]).collect();
    maps.add(finished.unit, finished.side, finished.placement, &draws);
}
