//! Where the occluders of the positions of a sweep are deposited.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::super::layer::Target;
use super::super::{LayerSweep, SweepError};
use crate::engine::deposit::Deposits;
use crate::geometry::{Deposit, Occluder, Placement};

/// Bytes of the host's memory that a deposited pixel of an occluder takes, at most: in the lists of
/// [`Deposits`], and in those that the device reads, which grow by doubling.
const DEPOSITED: usize = 64;

/// Cost of a position that is not held yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PositionCost {
    /// Occluders.
    pub occluders: usize,
    /// Pixels at which they are deposited, of each occluder.
    deposited: usize,
}

impl PositionCost {
    /// Bytes of the position's placement and deposits, at most.
    fn bytes(self) -> usize {
        self.occluders * size_of::<Occluder>() + self.deposited * DEPOSITED
    }
}

/// The costs of all positions of a sweep.
pub(super) struct PositionCosts(HashMap<u32, PositionCost>);

impl PositionCosts {
    /// Those of some targets.
    ///
    /// # Errors
    /// Occluders that cannot be placed.
    pub fn new(
        sweep: &LayerSweep<'_>,
        targets: &[Target],
        deposit: Deposit,
    ) -> Result<Self, SweepError> {
        let mut costs = HashMap::new();
        for target in targets {
            if let Entry::Vacant(vacant) = costs.entry(target.entry.position) {
                let Placement { frame, rf, occluders, .. } = sweep.placement(target)?;
                let deposited = |occluder| {
                    let (rows, columns) = deposit.pixels(frame, occluder, rf);
                    rows.len() * columns.len()
                };
                let deposited = occluders.iter().map(deposited).sum();
                let cost = PositionCost { occluders: occluders.len(), deposited };
                vacant.insert(cost);
            }
        }
        Ok(Self(costs))
    }

    /// That of a target's position.
    pub fn of(&self, target: &Target) -> PositionCost {
        self.0.get(&target.entry.position).copied().unwrap_or_default()
    }

    /// Runs of maps whose positions, each once, take at most `limit` bytes; a run has at least one
    /// map.
    pub fn groups<'t>(
        &self,
        maps: impl Iterator<Item = &'t [Target]>,
        limit: usize,
    ) -> Vec<Range<usize>> {
        let mut groups = Vec::new();
        let (mut first, mut end, mut bytes) = (0, 0, 0);
        let mut held: HashSet<u32> = HashSet::new();
        for map in maps {
            let new = |held: &HashSet<u32>| -> HashMap<u32, usize> {
                let missing = map.iter().filter(|target| !held.contains(&target.entry.position));
                missing.map(|target| (target.entry.position, self.of(target).bytes())).collect()
            };
            let mut added = new(&held);
            if end > first && bytes + added.values().sum::<usize>() > limit {
                groups.push(first..end);
                (first, bytes) = (end, 0);
                held.clear();
                added = new(&held);
            }
            bytes += added.values().sum::<usize>();
            held.extend(added.keys());
            end += 1;
        }
        if first < end {
            groups.push(first..end);
        }
        groups
    }
}

/// The placements of some positions, each once, and how they are deposited.
#[derive(Default)]
pub(super) struct Placements {
    of: HashMap<u32, usize>,
    all: Vec<Placement>,
    /// How each is deposited.
    pub deposits: Vec<Deposits>,
    /// The pixels that get anything.
    pub slots: Slots,
}

/// The pixels of a map that get anything.
#[derive(Default)]
pub(in crate::sweep) struct Slots {
    /// The pixels, `y * rf + x`, and the index of each among them.
    pub pixels: Vec<usize>,
    slots: HashMap<usize, u32>,
}

impl Placements {
    /// Those of some targets.
    ///
    /// # Errors
    /// Occluders that cannot be placed.
    pub fn new<'t>(
        sweep: &LayerSweep<'_>,
        targets: impl Iterator<Item = &'t Target>,
        deposit: Deposit,
    ) -> Result<Self, SweepError> {
        let mut placements = Self::default();
        for target in targets {
            let position = target.entry.position;
            if !placements.of.contains_key(&position) {
                placements.of.insert(position, placements.all.len());
                let placement = sweep.placement(target)?;
                let deposits = placements.slots.deposits(&placement, deposit);
                placements.deposits.push(deposits);
                placements.all.push(placement);
            }
        }
        Ok(placements)
    }

    /// The number of a target's placement, and the placement.
    pub fn of(&self, target: &Target) -> (usize, &Placement) {
        let number = self.of[&target.entry.position];
        (number, &self.all[number])
    }
}

impl Slots {
    /// Where the occluders of a placement are added.
    pub fn deposits(&mut self, placement: &Placement, deposit: Deposit) -> Deposits {
        let mut added: Vec<(usize, u32)> = Vec::new();
        for (which, occluder) in placement.occluders.iter().enumerate() {
            let (rows, columns) = deposit.pixels(placement.frame, occluder, placement.rf);
            for row in rows {
                let pixels = columns.clone().map(|column| row * placement.rf + column);
                added.extend(pixels.map(|pixel| (pixel, which as u32)));
            }
        }
        added.sort_unstable();
        let mut deposits = Deposits::default();
        for of_pixel in added.chunk_by(|(one, _), (other, _)| one == other) {
            let pixel = of_pixel[0].0;
            let slot = *self.slots.entry(pixel).or_insert_with(|| {
                self.pixels.push(pixel);
                self.pixels.len() as u32 - 1
            });
            deposits.slots.push((slot, of_pixel.len() as u32));
            deposits.occluders.extend(of_pixel.iter().map(|(_, occluder)| occluder));
        }
        deposits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ranking::{Entry, Side};

    fn target(position: u32) -> Target {
        let entry = Entry { image: 0, position, response: None };
        Target { unit: 0, side: Side::Top, entry }
    }

    #[test]
    fn positions_that_maps_share_are_held_once() {
        // Positions of 100, 200, … bytes.
        let deposited =
            |position: u32| PositionCost { occluders: 0, deposited: 100 * position as usize };
        let costs = PositionCosts((1..6).map(|position| (position, deposited(position))).collect());
        let of = |maps: &[&[u32]], limit: usize| {
            let maps: Vec<Vec<Target>> = maps
                .iter()
                .map(|map| map.iter().map(|&position| target(position)).collect())
                .collect();
            costs.groups(maps.iter().map(Vec::as_slice), limit * 100 * DEPOSITED)
        };
        assert_eq!(of(&[], 5), []);
        // Twice in a map, and in several maps.
        let shared: [&[u32]; 4] = [&[1, 2, 1], &[2], &[1, 2], &[3]];
        assert_eq!(of(&shared, 6), vec![0..4]);
        assert_eq!(of(&shared, 5), [0..3, 3..4]);
        // Held again in a group of its own; a map that is too large is a group.
        assert_eq!(of(&[&[1], &[5, 4], &[1]], 6), [0..1, 1..2, 2..3]);
        assert_eq!(of(&[&[5], &[1], &[5]], 6), vec![0..3]);
    }
}
