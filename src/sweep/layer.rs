//! A sweep of one layer.

use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::iter::Sum;
use std::ops::Range;

use super::{MemoryShares, SweepError, SweepFill};
use crate::engine::{JobResult, Presenter};
use crate::geometry::{GeometryError, LayerGeometry, Placement};
use crate::images::ImageFolder;
use crate::network::LayerId;
use crate::parts::parts;
use crate::progress::Progress;
use crate::ranking::{Entry, LayerRanking, Side};

/// A sweep of one layer's units over their ranked images.
#[derive(Clone, Copy)]
pub struct LayerSweep<'a> {
    /// The engine, prepared for the layer.
    pub engine: &'a dyn Presenter,
    /// The layer.
    pub layer: LayerId,
    /// Where its occluders go.
    pub geometry: LayerGeometry,
    /// Where the images come from.
    pub images: &'a ImageFolder,
    /// The layer's ranking.
    pub ranking: &'a LayerRanking,
    /// The units to sweep, ascending.
    pub units: &'a [usize],
    /// Images per unit, from either end of the ranking.
    pub top: usize,
    /// Fill of the occluders, in each draw.
    pub fill: &'a SweepFill,
    /// Maps, of one draw each, handed to the engine at a time; the result does not depend on it.
    pub batch: usize,
    /// Limits of memory; the result does not depend on them.
    pub memory: MemoryShares,
}

/// One finished map's worth of presentations.
#[derive(Clone, Copy, Debug)]
pub struct Finished<'a> {
    /// The unit.
    pub unit: usize,
    /// The end of the ranking that the image is from.
    pub side: Side,
    /// The image, and the position on the layer's output.
    pub entry: Entry,
    /// Where the occluders were.
    pub placement: &'a Placement,
    /// Their results, for each draw of the noise.
    pub presented: &'a [JobResult],
}

/// Amount of work of a sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Maps: one a unit and ranked image.
    pub maps: u64,
    /// Those that no occluder goes into, since the image cuts the RF to less than an occluder.
    /// They count as maps of zeros.
    pub maps_without_occluders: u64,
    /// Occluders of the map that has most.
    pub most_occluders: u64,
    /// Presentations of all maps, in all draws.
    pub presentations: u64,
}

impl Sum for Extent {
    fn sum<I: Iterator<Item = Self>>(extents: I) -> Self {
        extents.fold(Self::default(), |sum, one| Self {
            maps: sum.maps + one.maps,
            maps_without_occluders: sum.maps_without_occluders + one.maps_without_occluders,
            most_occluders: sum.most_occluders.max(one.most_occluders),
            presentations: sum.presentations + one.presentations,
        })
    }
}

/// A unit and one of its ranked images.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub unit: usize,
    pub side: Side,
    pub entry: Entry,
}

impl LayerSweep<'_> {
    /// Amount of work.
    ///
    /// # Errors
    /// Occluders that cannot be placed.
    pub fn extent(&self) -> Result<Extent, SweepError> {
        Ok(self.extents([self.units])?.into_iter().sum())
    }

    /// Amount of work of each of some blocks of units.
    ///
    /// # Errors
    /// As [`extent`](Self::extent).
    pub fn extents<'u>(
        &self,
        blocks: impl IntoIterator<Item = &'u [usize]>,
    ) -> Result<Vec<Extent>, SweepError> {
        // There are many more maps than positions.
        let mut counts: HashMap<u32, u64> = HashMap::new();
        let mut extents = Vec::new();
        for units in blocks {
            let mut extent = Extent::default();
            for target in self.targets(units) {
                let occluders = match counts.entry(target.entry.position) {
                    Occupied(known) => *known.get(),
                    Vacant(new) => *new.insert(self.placement(&target)?.occluders.len() as u64),
                };
                extent.maps += 1;
                extent.maps_without_occluders += u64::from(occluders == 0);
                extent.most_occluders = extent.most_occluders.max(occluders);
                extent.presentations += occluders * self.fill.draws() as u64;
            }
            extents.push(extent);
        }
        Ok(extents)
    }

    /// Presents everything; `finished` gets each image's outcome, unit by unit, the top images
    /// before the bottom ones, each best first.
    ///
    /// Maps are taken in parts whose responses can be held. Within a part they are computed image
    /// by image: each is read once, ahead of the work, and its activations serve all units and all
    /// draws of the noise.
    ///
    /// # Errors
    /// The first image that cannot be read, the first response that is not finite or not what the
    /// ranking says, [`EngineError::Stopped`](crate::engine::EngineError::Stopped), what
    /// `finished` returns.
    pub fn run<E: From<SweepError>>(
        &self,
        progress: &Progress<'_>,
        finished: impl FnMut(Finished<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let targets: Vec<Target> = self.targets(self.units).collect();
        self.run_targets(&targets, progress, finished)
    }

    /// As [`run`](Self::run), for some targets.
    pub(super) fn run_targets<E: From<SweepError>>(
        &self,
        targets: &[Target],
        progress: &Progress<'_>,
        mut finished: impl FnMut(Finished<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for part in self.parts(targets)? {
            let targets = &targets[part];
            let presented = self.present(targets, progress)?;
            for (target, presented) in
                targets.iter().zip(presented.chunks(self.fill.draws().max(1)))
            {
                let placement = self.placement(target).map_err(SweepError::from)?;
                let Target { unit, side, entry } = *target;
                finished(Finished { unit, side, entry, placement: &placement, presented })?;
            }
        }
        Ok(())
    }

    /// Runs of targets whose responses fit into their share of the memory.
    fn parts(&self, targets: &[Target]) -> Result<Vec<Range<usize>>, SweepError> {
        let bytes = |target: &Target| -> Result<usize, SweepError> {
            let responses = self.placement(target)?.occluders.len();
            Ok(self.fill.draws() * (size_of::<JobResult>() + responses * size_of::<f32>()))
        };
        let bytes: Vec<usize> = targets.iter().map(bytes).collect::<Result<_, _>>()?;
        Ok(parts(&bytes, self.memory.responses))
    }

    /// Presents all occluders of some targets; returns what each target's did in each draw of the
    /// noise.
    fn present(
        &self,
        targets: &[Target],
        progress: &Progress<'_>,
    ) -> Result<Vec<JobResult>, SweepError> {
        let nothing = JobResult { response: 0.0, differences: Vec::new() };
        let mut presented = vec![nothing; targets.len() * self.fill.draws()];
        self.in_batches(targets, |slots, batch| {
            let outcomes = self.engine.present(self.layer, batch, progress)?;
            let responses = outcomes.iter().map(|outcome| outcome.response).collect();
            for (&slot, outcome) in slots.iter().zip(outcomes) {
                presented[slot] = outcome;
            }
            Ok(responses)
        })?;
        Ok(presented)
    }

    /// The ranked images of some units, in the order in which their maps are summed.
    pub(super) fn targets(&self, units: &[usize]) -> impl Iterator<Item = Target> {
        units.iter().flat_map(move |&unit| {
            Side::BOTH.into_iter().flat_map(move |side| {
                let entries = self.ranking[unit].side(side).iter().take(self.top);
                entries.map(move |&entry| Target { unit, side, entry })
            })
        })
    }

    /// Side length of the occluders in pixels.
    pub(super) fn occluder_size(&self) -> Result<usize, GeometryError> {
        let (size, _) = self.geometry.rule.size_and_stride(self.geometry.projection.size)?;
        Ok(size)
    }

    pub(super) fn placement(&self, target: &Target) -> Result<Placement, GeometryError> {
        let (y, x) = self.geometry.position(target.entry.position);
        self.geometry.placement(y, x)
    }

    /// A ranking that tells responses is checked against the engine's: this finds images whose
    /// content changed under the same name. Engines differ in rounding only, far below a
    /// thousandth of the unit's largest response.
    pub(super) fn check_response(&self, target: &Target, found: f32) -> Result<(), SweepError> {
        let Some(ranked) = target.entry.response else { return Ok(()) };
        let unit = &self.ranking[target.unit];
        let largest = [&unit.top, &unit.bottom]
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.response)
            .fold(0.0, |largest: f32, response| largest.max(response.abs()));
        if (found - ranked).abs() <= 1e-3 * largest.max(1e-3) {
            return Ok(());
        }
        let Entry { image, position, .. } = target.entry;
        let (unit, name) = (target.unit, self.images.names()[image as usize].clone());
        Err(SweepError::RankedOtherwise { unit, image, name, position, found, ranked })
    }
}
