//! The maps of a block's units, summed image by image.

use std::collections::BTreeMap;

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
    /// Units with images to come, and their sums for each of [`Side::BOTH`].
    units: BTreeMap<usize, [SideSums; 2]>,
    /// Whether units come again and again.
    rounds: bool,
    payload: Vec<u8>,
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
        let (image, units, payload) = (ImageMap::new(rf), BTreeMap::new(), Vec::new());
        Self { rf, deposit, over, planes, image, units, rounds: false, payload }
    }

    /// The same, for units that come again and again, a few of their images at a time. All are held until
    /// [`finish_units`](Self::finish_units), each in [`bytes_a_unit`](Self::bytes_a_unit).
    #[must_use]
    pub fn in_rounds(self) -> Self {
        Self { rounds: true, ..self }
    }

    /// Bytes of the sums of a unit.
    pub fn bytes_a_unit(&self) -> usize {
        let sums = if self.moments() { 5 } else { 3 };
        2 * self.rf * self.rf * (sums * size_of::<f64>() + 3 * size_of::<i32>())
    }

    /// The split-half reliability of one side of a unit by the images that were added; NaN without
    /// one.
    pub fn reliability(&self, unit: usize, side: Side) -> f64 {
        self.units.get(&unit).map_or(f64::NAN, |sides| {
            let SideSums { sums, coverage, .. } = &sides[side as usize];
            Statistics::new(sums, coverage, self.over).reliability()
        })
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
    /// come one after the other, but [`in_rounds`](Self::in_rounds), and the images of each side in the
    /// order of the ranking.
    pub fn add(&mut self, unit: usize, side: Side, placement: &Placement, draws: &[&[f32]]) {
        self.begin(unit);
        self.image.set(self.deposit, placement, draws);
        let (over, curve) = (self.over, self.needs_images());
        if let Some(sides) = self.units.get_mut(&unit) {
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
        if let Some(sides) = self.units.get_mut(&summed.unit) {
            let side = &mut sides[summed.side as usize];
            side.sums = Sums::of(rf, moments, summed);
            for placement in summed.placements {
                side.add_placement(self.deposit, placement);
            }
        }
    }

    /// Starts a unit, unless it was; finishes the one before.
    fn begin(&mut self, unit: usize) {
        if self.units.contains_key(&unit) {
            return;
        }
        if !self.rounds {
            self.finish_units();
        }
        let none = || SideSums::new(self.rf, self.moments());
        self.units.insert(unit, [none(), none()]);
    }

    /// The payload of all units.
    pub fn finish(mut self) -> Vec<u8> {
        self.finish_units();
        self.payload
    }

    /// Encodes the units that are held, in ascending order. Later units are higher.
    pub fn finish_units(&mut self) {
        let units = std::mem::take(&mut self.units);
        for SideSums { sums, coverage, frames, curve } in units.values().flatten() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Occluder;

    fn placement(image: usize) -> Placement {
        let occluder = |index| Occluder { index, top: 0, left: index, size: 1 };
        Placement {
            rf: 4,
            pixels: None,
            frame: Frame { y: 0, x: -(image as isize % 2) },
            occluders: (0..3).map(occluder).collect(),
        }
    }

    fn differences(unit: usize, side: Side, image: usize) -> [f32; 3] {
        [0, 1, 2].map(|which| {
            let number = 7 * unit + 5 * side as usize + 3 * image * image + which * (image + 2);
            (number % 11) as f32 - 4.0
        })
    }

    #[test]
    fn units_in_rounds_are_those_one_after_the_other() {
        let planes = Plane::of(true, true, true);
        let new = || BlockMaps::new(4, Deposit::Centre, MeanOver::Images, planes.clone());
        let (mut one_by_one, mut rounds) = (new(), new().in_rounds());
        let add = |maps: &mut BlockMaps, unit, side, image| {
            let differences = differences(unit, side, image);
            maps.add(unit, side, &placement(image), &[&differences]);
        };
        for unit in [3, 5, 8] {
            for side in Side::BOTH {
                // The lower side of unit 5 stops after 4 images.
                let last = if (unit, side) == (5, Side::Bottom) { 4 } else { 8 };
                (0..last).for_each(|image| add(&mut one_by_one, unit, side, image));
            }
        }
        for images in [0..2, 2..4, 4..8] {
            for unit in [3, 5] {
                for side in Side::BOTH {
                    if (unit, side) != (5, Side::Bottom) || images.start < 4 {
                        images.clone().for_each(|image| add(&mut rounds, unit, side, image));
                    }
                }
            }
        }
        let reliability = rounds.reliability(3, Side::Top);
        assert!(reliability.abs() <= 1.0 && rounds.reliability(8, Side::Top).is_nan());
        rounds.finish_units();
        assert!(rounds.reliability(3, Side::Top).is_nan(), "no longer held");
        for side in Side::BOTH {
            (0..8).for_each(|image| add(&mut rounds, 8, side, image));
        }
        assert_eq!(rounds.finish(), one_by_one.finish());
    }
}
