//! A sweep whose differences stay where they are computed: only sums over images come back.
//!
//! The memory of the host holds no differences then, but lists of deposits and sums. Both are taken in
//! parts that fit, each into half of the share that responses have otherwise.

mod placements;

use std::ops::Range;

pub(super) use self::placements::Slots;
use self::placements::{Placements, PositionCosts};
use super::layer::Target;
use super::{LayerSweep, SweepError};
use crate::engine::Kept;
use crate::engine::deposit::{MapSums, Summation, SummedImage};
use crate::geometry::{Deposit, Placement};
use crate::parts::parts;
use crate::progress::Progress;
use crate::ranking::Side;

/// Sums over the images of one end of a unit's ranking.
#[derive(Clone, Copy, Debug)]
pub struct Summed<'a> {
    /// The unit.
    pub unit: usize,
    /// The end of the ranking.
    pub side: Side,
    /// Where the occluders of each image were, in the order of the ranking.
    pub placements: &'a [&'a Placement],
    /// The sums, at the pixels where any occluder is deposited.
    pub sums: &'a MapSums,
    /// Those pixels, `y * rf + x`.
    pub pixels: &'a [usize],
}

/// Sums of the differences of a sweep.
#[derive(Clone, Copy)]
struct Summing<'a> {
    sweep: &'a LayerSweep<'a>,
    deposit: Deposit,
    moments: bool,
}

/// A map's images, in the order of the ranking, and where the differences of the first begin.
#[derive(Clone, Copy)]
struct KeptMap<'a> {
    targets: &'a [Target],
    first: usize,
}

/// Planes of sums, without and with moments.
const fn planes(moments: bool) -> usize {
    if moments { 5 } else { 3 }
}

impl LayerSweep<'_> {
    /// As [`run`](Self::run), with differences summed by the engine, in the same order and so to
    /// the same bytes; `finished` gets the sums of a unit's top images, then of its bottom ones,
    /// unit by unit. `moments` are the sums of signed and of squared differences.
    ///
    /// Returns `false` where the engine hands differences over instead: then nothing was done.
    ///
    /// # Errors
    /// As `run`.
    pub fn run_summed<E: From<SweepError>>(
        &self,
        deposit: Deposit,
        moments: bool,
        progress: &Progress<'_>,
        mut finished: impl FnMut(Summed<'_>) -> Result<(), E>,
    ) -> Result<bool, E> {
        let targets: Vec<Target> = self.targets(self.units).collect();
        let maps: Vec<&[Target]> = targets
            .chunk_by(|one, other| (one.unit, one.side) == (other.unit, other.side))
            .collect();
        let costs = PositionCosts::new(self, &targets, deposit)?;
        let draws = self.fill.draws();
        let differences = |target: &Target| draws * costs.of(target).occluders;
        let lengths: Vec<usize> =
            maps.iter().map(|map| map.iter().map(differences).sum()).collect();
        let bytes: Vec<usize> = lengths.iter().map(|length| length * size_of::<f32>()).collect();
        let parts = parts(&bytes, self.memory.responses);
        let of_part = |part: &Range<usize>| lengths[part.clone()].iter().sum();
        let most = parts.iter().map(of_part).max().unwrap_or(0);
        let kept = self.engine.keep(self.layer, most).map_err(SweepError::from)?;
        let Some(mut kept) = kept else { return Ok(false) };
        let summing = Summing { sweep: self, deposit, moments };
        for part in parts {
            let targets = &maps[part.clone()].concat();
            let (mut firsts, mut next) = (Vec::with_capacity(targets.len() * draws), 0);
            for target in targets {
                let occluders = costs.of(target).occluders;
                firsts.extend((0..draws).map(|draw| next + draw * occluders));
                next += differences(target);
            }
            kept.clear().map_err(SweepError::from)?;
            self.in_batches(targets, |indices, batch| {
                let firsts: Vec<usize> = indices.iter().map(|&index| firsts[index]).collect();
                kept.present(batch, &firsts, progress)
            })?;
            let mut next = 0;
            let maps: Vec<KeptMap<'_>> = part
                .map(|which| {
                    let first = next;
                    next += lengths[which];
                    KeptMap { targets: maps[which], first }
                })
                .collect();
            for group in costs.groups(maps.iter().map(|map| map.targets), self.memory.responses / 2)
            {
                summing.sum(&*kept, &maps[group], &mut finished)?;
            }
        }
        Ok(true)
    }
}

impl Summing<'_> {
    /// Sums some maps whose deposits are held at a time.
    fn sum<E: From<SweepError>>(
        &self,
        kept: &dyn Kept,
        maps: &[KeptMap<'_>],
        finished: &mut impl FnMut(Summed<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Self { sweep, moments, .. } = *self;
        let targets = maps.iter().flat_map(|map| map.targets);
        let mut placements = Placements::new(sweep, targets, self.deposit)?;
        let slots = placements.slots.pixels.len();
        // As they come from the device, and plane by plane.
        let of_map = 2 * planes(moments) * slots * size_of::<f64>();
        for part in parts(&vec![of_map; maps.len()], sweep.memory.responses / 2) {
            let maps = &maps[part];
            let summation = Summation {
                slots,
                draws: sweep.fill.draws(),
                moments,
                maps: maps.iter().map(|map| self.images(&placements, map)).collect(),
                deposits: std::mem::take(&mut placements.deposits),
            };
            let sums = kept.sum(&summation).map_err(SweepError::from)?;
            placements.deposits = summation.deposits;
            for (map, sums) in maps.iter().zip(&sums) {
                let of_images: Vec<&Placement> =
                    map.targets.iter().map(|target| placements.of(target).1).collect();
                finished(Summed {
                    unit: map.targets[0].unit,
                    side: map.targets[0].side,
                    placements: &of_images,
                    sums,
                    pixels: &placements.slots.pixels,
                })?;
            }
        }
        Ok(())
    }

    /// The images of a map.
    fn images(&self, placements: &Placements, map: &KeptMap<'_>) -> Vec<SummedImage> {
        let mut next = map.first;
        let image = |target: &Target| {
            let (deposits, placement) = placements.of(target);
            let occluders = placement.occluders.len();
            let image = SummedImage { deposits, differences: next, occluders };
            next += self.sweep.fill.draws() * occluders;
            image
        };
        map.targets.iter().map(image).collect()
    }
}
