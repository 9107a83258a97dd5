//! How alike two sets of maps are, pair by pair, and how alike chance would make them.

mod settings;
mod summary;

use rayon::prelude::*;

use super::{Field, Observation, Region, Shuffles, pearson};

pub use settings::{MOST_SHUFFLES, PairSettings, SettingError};
pub use summary::{Measure, MeasureSummary};

/// The least ratio of the widths of a region that has an orientation.
pub const LEAST_ASPECT: f64 = 1.2;

/// How alike two maps are. NaN stands where a number has no value.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// Pearson's `r` of the maps after each of [`PairSettings::blurs`], over the cells that are
    /// measured in both.
    pub r: Vec<f64>,
    /// The overlap of the maps' regions ([`Region::overlap`]), 0 to 1.
    pub overlap: f64,
    /// The way from the centre of the first map's region to that of the second's, `[y, x]` in pixels.
    pub shift: [f64; 2],
    /// Area of the second map's region over that of the first's.
    pub area_ratio: f64,
    /// Angle of the second map's region minus that of the first's, in degrees, from -90 up to 90;
    /// counter-clockwise. NaN where either is rounder than [`LEAST_ASPECT`].
    pub turn: f64,
}

/// The pairs of two sets of maps of one layer.
#[derive(Clone, Debug)]
pub struct PairSet<'a> {
    settings: &'a PairSettings,
    /// The RF's side length in pixels.
    rf: f64,
    /// Sets of maps that were added.
    added: u32,
    pairs: Vec<Pair>,
    /// The pairs of each shuffle.
    shuffled: Vec<Vec<Pair>>,
    /// Number of different shuffles.
    different: f64,
}

/// A map, ready to be compared.
struct Prepared {
    /// The map after each blur.
    blurred: Vec<Blurred>,
    region: Option<Region>,
}

struct Blurred {
    field: Field,
    /// Of a map that is measured everywhere the values less their mean, of length 1.
    direction: Option<Vec<f64>>,
}

impl<'a> PairSet<'a> {
    /// No pairs yet, of maps with an RF of this many pixels.
    pub const fn new(settings: &'a PairSettings, rf: f64) -> Self {
        Self { settings, rf, added: 0, pairs: Vec::new(), shuffled: Vec::new(), different: 1.0 }
    }

    /// Adds pairs: each map of `one` with the map of `other` with the same index, all on one raster. For
    /// the baseline the maps of `other` are shuffled among themselves.
    pub fn add(&mut self, one: &[Field], other: &[Field]) {
        let prepared = |fields: &[Field]| -> Vec<Prepared> {
            fields.par_iter().map(|field| self.prepare(field)).collect()
        };
        let (one, other) = (prepared(one), prepared(other));
        self.pairs.par_extend(one.par_iter().zip(&other).map(|(one, other)| pair(one, other)));
        if one.len() > 1 {
            // One cycle through all of them: the first is followed by any order of the others.
            self.different *= (1..one.len()).map(|count| count as f64).product::<f64>();
            let shuffles = Shuffles::new(self.settings.seed, self.added);
            self.shuffled.resize(self.settings.shuffles, Vec::new());
            self.shuffled.par_iter_mut().enumerate().for_each(|(number, pairs)| {
                let indices = shuffles.cycle(number as u32, one.len());
                let shuffled = one.iter().zip(indices);
                pairs.extend(shuffled.map(|(one, index)| pair(one, &other[index])));
            });
        }
        self.added += 1;
    }

    /// The pairs, in the order in which they were added.
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// Each measure over all pairs, beside its baseline.
    pub fn summaries(&self) -> Vec<MeasureSummary> {
        let measures = Measure::all(self.settings.blurs.len());
        measures
            .into_par_iter()
            .map(|measure| {
                MeasureSummary::new(measure, &self.pairs, &self.shuffled, self.different)
            })
            .collect()
    }

    fn prepare(&self, field: &Field) -> Prepared {
        let blurred = |part: &f64| {
            let field = field.blurred(part * self.rf);
            let direction = field.measured.iter().all(|known| *known).then(|| direction(&field));
            Blurred { field, direction: direction.flatten() }
        };
        let for_region = field.blurred(self.settings.region_blur * self.rf);
        Prepared {
            blurred: self.settings.blurs.iter().map(blurred).collect(),
            region: Region::of(&for_region, self.settings.extent),
        }
    }
}

/// The values of a field less their mean, of length 1; `None` where they are all the same.
fn direction(field: &Field) -> Option<Vec<f64>> {
    let mean = field.values.iter().sum::<f64>() / field.values.len() as f64;
    let mut values: Vec<f64> = field.values.iter().map(|value| value - mean).collect();
    let squares: f64 = values.iter().map(|value| value * value).sum();
    // As Pearson's r has it: constant but for rounding.
    if squares <= field.values.len() as f64 * (1e-12 * mean).powi(2) {
        return None;
    }
    let length = squares.sqrt();
    for value in &mut values {
        *value /= length;
    }
    Some(values)
}

fn pair(one: &Prepared, other: &Prepared) -> Pair {
    let r = one.blurred.iter().zip(&other.blurred).map(|(one, other)| correlation(one, other));
    let r = r.collect();
    let Some((first, second)) = one.region.as_ref().zip(other.region.as_ref()) else {
        let nan = f64::NAN;
        return Pair { r, overlap: nan, shift: [nan; 2], area_ratio: nan, turn: nan };
    };
    let (from, to) = (&first.profile, &second.profile);
    let elongated = [from, to].iter().all(|profile| {
        let [long, short] = profile.widths();
        long >= LEAST_ASPECT * short
    });
    let turn = (to.angle() - from.angle() + 90.0).rem_euclid(180.0) - 90.0;
    Pair {
        r,
        overlap: first.overlap(second),
        shift: [to.y - from.y, to.x - from.x],
        area_ratio: second.area() / first.area(),
        turn: if elongated { turn } else { f64::NAN },
    }
}

fn correlation(one: &Blurred, other: &Blurred) -> f64 {
    if let (Some(one), Some(other)) = (&one.direction, &other.direction) {
        let product: f64 = one.iter().zip(other).map(|(one, other)| one * other).sum();
        return product.clamp(-1.0, 1.0);
    }
    let (one, other) = (&one.field, &other.field);
    let values = one.values.iter().zip(&other.values);
    let known = one.measured.iter().zip(&other.measured);
    pearson(
        values
            .zip(known)
            .filter(|(_, (one, other))| **one && **other)
            .map(|((&one, &other), _)| Observation { weight: 1.0, one, other }),
    )
}

#[cfg(test)]
mod tests;
