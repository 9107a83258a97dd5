//! The two halves of the main job: rank the images for every unit, then sweep the units.

mod placement;
mod rank;
mod units;

use ndarray::Array3;
use rayon::prelude::*;
use thiserror::Error;

use crate::engine::{EngineError, Job, Prepared, Presented, Watch};
use crate::geometry::GeometryError;
use crate::images::{ImageError, ImageFolder};
use crate::network::LayerId;
use crate::noise::Noise;
use crate::ranking::{Entry, LayerRanking, Side};

pub use placement::{LayerGeometry, Placement};
pub use rank::rank;
pub use units::UnitSelection;

/// What can go wrong in a sweep.
#[derive(Debug, Error)]
pub enum SweepError {
    /// An image cannot be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The engine cannot compute.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The occluders cannot be placed.
    #[error(transparent)]
    Geometry(#[from] GeometryError),
    /// The ranking tells of another response than the engine finds.
    #[error(
        "unit {unit} responds to image {image} ({name}) at position {position} with {found}, and \
         the ranking says {ranked}: it was made with other weights or images; rank again"
    )]
    RankedOtherwise {
        /// The unit.
        unit: usize,
        /// The image's index.
        image: u32,
        /// The image's file name.
        name: String,
        /// The flat position.
        position: u32,
        /// The engine's response.
        found: f32,
        /// The ranking's.
        ranked: f32,
    },
}

/// A sweep of one layer's units over their ranked images.
pub struct LayerSweep<'a> {
    /// The engine, prepared for the layer.
    pub engine: &'a dyn Prepared,
    /// The layer.
    pub layer: LayerId,
    /// Where its occluders go.
    pub geometry: LayerGeometry,
    /// Where the images come from.
    pub images: &'a ImageFolder,
    /// The layer's ranking.
    pub ranking: &'a LayerRanking,
    /// The units to sweep, in this order.
    pub units: &'a [usize],
    /// How many images a unit, from either end of the ranking.
    pub top: usize,
    /// What occluders are filled with.
    pub noise: Noise,
    /// Jobs handed to the engine at a time; the result does not depend on it.
    pub batch: usize,
}

/// One finished map's worth of presentations.
#[derive(Clone, Copy, Debug)]
pub struct Finished<'a> {
    /// The unit.
    pub unit: usize,
    /// The end of the ranking that the image is from.
    pub side: Side,
    /// Where the occluders were.
    pub placement: &'a Placement,
    /// What they did.
    pub presented: &'a Presented,
}

/// How much a sweep has to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Maps: one a unit and ranked image.
    pub maps: u64,
    /// Those that no occluder goes into, since the image cuts the RF to less than an occluder.
    /// They count as maps of zeros.
    pub maps_without_occluders: u64,
    /// Presentations of all maps.
    pub presentations: u64,
}

/// A unit and one of its ranked images.
#[derive(Clone, Copy)]
struct Target {
    unit: usize,
    side: Side,
    entry: Entry,
}

impl LayerSweep<'_> {
    /// How much there is to do.
    ///
    /// # Errors
    /// Occluders that cannot be placed.
    pub fn extent(&self) -> Result<Extent, SweepError> {
        let mut extent = Extent::default();
        for target in self.targets() {
            let (y, x) = self.geometry.position(target.entry.position);
            let occluders = self.geometry.placement(y, x)?.occluders.len() as u64;
            extent.maps += 1;
            extent.maps_without_occluders += u64::from(occluders == 0);
            extent.presentations += occluders;
        }
        Ok(extent)
    }

    /// Presents everything; `finished` gets each image's outcome, unit by unit, the top images
    /// before the bottom ones, each best first.
    ///
    /// # Errors
    /// The first image that cannot be read, the first response that is not finite or not what the
    /// ranking says, [`EngineError::Stopped`].
    pub fn run(
        &self,
        watch: &Watch<'_>,
        mut finished: impl FnMut(Finished<'_>),
    ) -> Result<(), SweepError> {
        let targets: Vec<Target> = self.targets().collect();
        for batch in targets.chunks(self.batch.max(1)) {
            let mut wanted: Vec<u32> = batch.iter().map(|target| target.entry.image).collect();
            wanted.sort_unstable();
            wanted.dedup();
            let read: Vec<Result<_, _>> =
                wanted.par_iter().map(|&image| self.images.read(image as usize)).collect();
            // Of several faults that of the first image; in parallel, collecting would take any.
            let images: Vec<Array3<f32>> = read.into_iter().collect::<Result<_, _>>()?;
            let placements: Vec<Placement> = batch
                .iter()
                .map(|target| {
                    let (y, x) = self.geometry.position(target.entry.position);
                    self.geometry.placement(y, x)
                })
                .collect::<Result<_, _>>()?;
            let jobs: Vec<Job<'_>> = batch
                .iter()
                .zip(&placements)
                .map(|(target, placement)| {
                    let place = wanted.partition_point(|&image| image < target.entry.image);
                    Job {
                        image: images[place].view(),
                        image_index: target.entry.image,
                        unit: target.unit,
                        position: self.geometry.position(target.entry.position),
                        occluders: &placement.occluders,
                        noise: self.noise,
                    }
                })
                .collect();
            let presented = self.engine.present(self.layer, &jobs, watch)?;
            for ((target, placement), presented) in batch.iter().zip(&placements).zip(&presented) {
                self.check_response(target, presented.response)?;
                let Target { unit, side, .. } = *target;
                finished(Finished { unit, side, placement, presented });
            }
        }
        Ok(())
    }

    fn targets(&self) -> impl Iterator<Item = Target> {
        self.units.iter().flat_map(move |&unit| {
            Side::BOTH.into_iter().flat_map(move |side| {
                let entries = self.ranking[unit].side(side).iter().take(self.top);
                entries.map(move |&entry| Target { unit, side, entry })
            })
        })
    }

    /// A ranking that tells responses is checked against the engine's: this finds images whose
    /// content changed under the same name. Engines differ in rounding only, far below a
    /// thousandth of the unit's largest response.
    fn check_response(&self, target: &Target, found: f32) -> Result<(), SweepError> {
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
