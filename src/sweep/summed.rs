//! A sweep whose differences stay where they are computed: only sums over images come back.

use std::collections::HashMap;

use super::layer::Target;
use super::{LayerSweep, SweepError};
use crate::engine::deposit::{Deposits, MapSums, Summation, SummedImage};
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

/// The placements of all positions of a sweep, each once, and how they are deposited.
#[derive(Default)]
struct Placements {
    of: HashMap<u32, usize>,
    all: Vec<Placement>,
    deposits: Vec<Deposits>,
    slots: Slots,
}

/// The pixels of a map that get anything.
#[derive(Default)]
pub(super) struct Slots {
    /// The pixels, `y * rf + x`, and of each its index among them.
    pub pixels: Vec<usize>,
    slots: HashMap<usize, u32>,
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
        let placements = Placements::new(self, &targets, deposit)?;
        let differences = |map: &&[Target]| -> usize {
            let occluders = map.iter().map(|target| placements.of(target).1.occluders.len());
            self.fill.draws() * occluders.sum::<usize>()
        };
        let lengths: Vec<usize> = maps.iter().map(differences).collect();
        let bytes: Vec<usize> = lengths.iter().map(|length| length * size_of::<f32>()).collect();
        let parts = parts(&bytes, self.memory.responses);
        let of_part = |part: &std::ops::Range<usize>| lengths[part.clone()].iter().sum();
        let most = parts.iter().map(of_part).max().unwrap_or(0);
        let kept = self.engine.keep(self.layer, most).map_err(SweepError::from)?;
        let Some(mut kept) = kept else { return Ok(false) };
        for part in parts {
            let maps = &maps[part];
            let targets = &maps.concat();
            let mut firsts = Vec::with_capacity(targets.len() * self.fill.draws());
            let mut summation = Summation {
                slots: placements.slots.pixels.len(),
                draws: self.fill.draws(),
                moments,
                deposits: placements.deposits.clone(),
                maps: Vec::with_capacity(maps.len()),
            };
            let mut next = 0;
            for map in maps {
                let image = |target: &Target| {
                    let (deposits, placement) = placements.of(target);
                    let occluders = placement.occluders.len();
                    let image = SummedImage { deposits, differences: next, occluders };
                    firsts.extend((0..self.fill.draws()).map(|draw| next + draw * occluders));
                    next += self.fill.draws() * occluders;
                    image
                };
                summation.maps.push(map.iter().map(image).collect());
            }
            kept.clear().map_err(SweepError::from)?;
            self.in_batches(targets, |indices, batch| {
                let firsts: Vec<usize> = indices.iter().map(|&index| firsts[index]).collect();
                kept.present(batch, &firsts, progress)
            })?;
            let sums = kept.sum(&summation).map_err(SweepError::from)?;
            for (map, sums) in maps.iter().zip(&sums) {
                let of_images: Vec<&Placement> =
                    map.iter().map(|target| placements.of(target).1).collect();
                finished(Summed {
                    unit: map[0].unit,
                    side: map[0].side,
                    placements: &of_images,
                    sums,
                    pixels: &placements.slots.pixels,
                })?;
            }
        }
        Ok(true)
    }
}

impl Placements {
    fn new(
        sweep: &LayerSweep<'_>,
        targets: &[Target],
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
    fn of(&self, target: &Target) -> (usize, &Placement) {
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
