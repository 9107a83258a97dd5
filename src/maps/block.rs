//! Adding up the maps of a block's units.

use super::{Coverage, ImageMap, MeanOver, Plane, Statistics, Sums, payload};
use crate::geometry::Deposit;
use crate::ranking::Side;
use crate::sweep::Placement;

/// Takes the differences of some units, one image after the other, and keeps what is told about
/// their maps.
#[derive(Debug)]
pub struct BlockMaps {
    rf: usize,
    deposit: Deposit,
    over: MeanOver,
    planes: Vec<Plane>,
    /// The image in hand.
    image: ImageMap,
    unit: Option<Unit>,
    payload: Vec<u8>,
}

/// The unit in hand, and the sums of each of [`Side::BOTH`].
#[derive(Debug)]
struct Unit {
    unit: usize,
    sides: [(Sums, Coverage); 2],
}

impl BlockMaps {
    /// No maps yet, of units with an RF of `rf` pixels.
    pub fn new(rf: usize, deposit: Deposit, over: MeanOver, planes: Vec<Plane>) -> Self {
        let (image, payload) = (ImageMap::new(rf), Vec::new());
        Self { rf, deposit, over, planes, image, unit: None, payload }
    }

    /// Adds the differences `draws`, each of one draw of the noise, on one of a unit's images.
    /// Units come one after the other, and the images of each side in the order of the ranking.
    pub fn add(&mut self, unit: usize, side: Side, placement: &Placement, draws: &[&[f32]]) {
        if self.unit.as_ref().is_none_or(|current| current.unit != unit) {
            self.finish_unit();
        }
        let moments = self.planes.contains(&Plane::Signed) || self.planes.contains(&Plane::Squared);
        let none = || (Sums::new(self.rf, moments), Coverage::new(self.rf));
        let new = || Unit { unit, sides: [none(), none()] };
        let (sums, coverage) = &mut self.unit.get_or_insert_with(new).sides[side as usize];
        self.image.set(self.deposit, placement, draws);
        sums.add(&self.image);
        coverage.add(self.deposit, placement);
    }

    /// The payload of all units.
    pub fn finish(mut self) -> Vec<u8> {
        self.finish_unit();
        self.payload
    }

    fn finish_unit(&mut self) {
        let Some(Unit { sides, .. }) = self.unit.take() else { return };
        for (sums, coverage) in &sides {
            let statistics = Statistics::new(sums, coverage, self.over);
            for &plane in &self.planes {
                payload::put_plane(&statistics.plane(plane), &mut self.payload);
            }
            payload::put_value(statistics.reliability(), &mut self.payload);
        }
    }
}
