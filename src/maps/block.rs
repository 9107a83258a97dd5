//! The maps of a block's units, summed image by image.

use super::{CURVE, Coverage, ImageMap, MeanOver, Plane, Statistics, Sums, payload};
use crate::geometry::{Deposit, Frame, Placement};
use crate::ranking::Side;
use crate::sweep::Summed;

/// Adds up the differences of units, one image after the other, and encodes the results of each
/// unit.
#[derive(Debug)]
pub struct BlockMaps {
    rf: usize,
    deposit: Deposit,
    over: MeanOver,
    planes: Vec<Plane>,
    /// Map of the current image.
    image: ImageMap,
    unit: Option<Unit>,
    payload: Vec<u8>,
}

/// The current unit.
#[derive(Debug)]
struct Unit {
    unit: usize,
    /// The sums for each of [`Side::BOTH`].
    sides: [SideSums; 2],
}

#[derive(Debug)]
struct SideSums {
    sums: Sums,
    coverage: Coverage,
    frames: Vec<Frame>,
    /// The reliability of the first 2, 4, 8, … images.
    curve: Vec<f64>,
}

impl SideSums {
    fn new(rf: usize, moments: bool) -> Self {
        let (sums, coverage) = (Sums::new(rf, moments), Coverage::new(rf));
        Self { sums, coverage, frames: Vec::new(), curve: Vec::new() }
    }

    /// Adds an image's placement.
    fn add_placement(&mut self, deposit: Deposit, placement: &Placement) {
        self.coverage.add(deposit, placement);
        self.frames.push(placement.frame);
    }
}

impl BlockMaps {
    /// An empty block of units with an RF of `rf` pixels.
    pub fn new(rf: usize, deposit: Deposit, over: MeanOver, planes: Vec<Plane>) -> Self {
        let (image, payload) = (ImageMap::new(rf), Vec::new());
        Self { rf, deposit, over, planes, image, unit: None, payload }
    }

    /// Whether each image has to be added by itself ([`add`](Self::add)).
    pub fn needs_images(&self) -> bool {
        self.planes.contains(&Plane::ReliabilityCurve)
    }

    /// Whether sums of signed and of squared differences are needed.
    pub fn moments(&self) -> bool {
        self.planes.contains(&Plane::Signed) || self.planes.contains(&Plane::Squared)
    }

    /// Adds the differences `draws` (one slice per draw of the noise) on one image of a unit. Units
    /// come one after the other, and the images of each side in the order of the ranking.
    pub fn add(&mut self, unit: usize, side: Side, placement: &Placement, draws: &[&[f32]]) {
        self.begin(unit);
        self.image.set(self.deposit, placement, draws);
        let (over, curve) = (self.over, self.needs_images());
        if let Some(Unit { sides, .. }) = &mut self.unit {
            let side = &mut sides[side as usize];
            side.sums.add(&self.image);
            side.add_placement(self.deposit, placement);
            let images = side.sums.images;
            if curve && images > 1 && images.is_power_of_two() && side.curve.len() < CURVE {
                let statistics = Statistics::new(&side.sums, &side.coverage, over);
                side.curve.push(statistics.reliability());
            }
        }
    }

    /// Adds all images of one side of a unit, already summed. Units come one after the other.
    pub fn add_summed(&mut self, summed: &Summed<'_>) {
        self.begin(summed.unit);
        let (rf, moments) = (self.rf, self.moments());
        if let Some(Unit { sides, .. }) = &mut self.unit {
            let side = &mut sides[summed.side as usize];
            side.sums = Sums::of(rf, moments, summed);
            for placement in summed.placements {
                side.add_placement(self.deposit, placement);
            }
        }
    }

    /// Finishes the current unit and starts another.
    fn begin(&mut self, unit: usize) {
        if self.unit.as_ref().is_some_and(|current| current.unit == unit) {
            return;
        }
        self.finish_unit();
        let none = || SideSums::new(self.rf, self.moments());
        self.unit = Some(Unit { unit, sides: [none(), none()] });
    }

    /// The payload of all units.
    pub fn finish(mut self) -> Vec<u8> {
        self.finish_unit();
        self.payload
    }

    fn finish_unit(&mut self) {
        let Some(Unit { sides, .. }) = self.unit.take() else { return };
        for SideSums { sums, coverage, frames, curve } in &sides {
            let statistics = Statistics::new(sums, coverage, self.over);
            for &plane in &self.planes {
                let mut values = statistics.plane(plane);
                if plane == Plane::ReliabilityCurve {
                    values.clone_from(curve);
                    values.resize(CURVE, f64::NAN);
                }
                payload::put_plane(&values, &mut self.payload);
            }
            payload::put_value(statistics.reliability(), &mut self.payload);
            payload::put_frames(frames, &mut self.payload);
        }
    }
}
