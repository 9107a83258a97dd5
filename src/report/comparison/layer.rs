//! A layer's maps, compared.

use std::collections::BTreeMap;
use std::ops::Range;

use rayon::prelude::*;

use super::maps::Absent;
use super::matching::{MatchedLayer, label, units_of};
use super::{ComparisonError, ComparisonSettings, LeftOut};
use crate::analysis::{Field, MeasureSummary, Pair, PairSet, Raster};
use crate::progress::Progress;

/// Bytes that the maps in hand may take, blurred in all ways.
const BYTES: usize = 256 << 20;

/// A layer's maps of one pair of sides, compared.
#[derive(Clone, Debug)]
pub struct LayerComparison {
    /// The layer's name.
    pub layer: String,
    /// The sides: `max`, `max:min`, …; empty for arrays.
    pub sides: String,
    /// The RF's side length in pixels.
    pub rf: f64,
    /// The cells on which maps were compared.
    pub raster: Raster,
    /// The units, ascending.
    pub units: Vec<UnitComparison>,
    /// Each measure over all units.
    pub summaries: Vec<MeasureSummary>,
    /// Pairs of maps to be shown, from the least alike to the most alike.
    pub examples: Vec<Example>,
}

/// A unit's maps, compared.
#[derive(Clone, Debug)]
pub struct UnitComparison {
    /// The unit.
    pub unit: usize,
    /// How alike its maps are, or the reason why that is unknown: which set has no map, 0 or 1, and why.
    pub pair: Result<Pair, (usize, Absent)>,
    /// The reliability of either map, where it is known.
    pub reliability: [Option<f64>; 2],
}

/// Two maps of a unit.
#[derive(Clone, Debug)]
pub struct Example {
    /// The unit.
    pub unit: usize,
    /// Pearson's `r` after the main blur ([`ComparisonSettings::main_blur`]).
    pub r: f64,
    /// The maps, as they were compared before any blur.
    pub fields: [Field; 2],
}

impl UnitComparison {
    /// The correlation that maps of these reliabilities have at most, but for chance: the root of their
    /// product.
    pub fn ceiling(&self) -> Option<f64> {
        let [one, other] = self.reliability;
        one.zip(other)
            .filter(|(one, other)| *one > 0.0 && *other > 0.0)
            .map(|(a, b)| (a * b).sqrt())
    }
}

impl LayerComparison {
    /// The layer and its sides.
    pub fn label(&self) -> String {
        label(&self.layer, &self.sides)
    }

    /// Units whose maps were compared.
    pub fn compared(&self) -> usize {
        self.units.iter().filter(|unit| unit.pair.is_ok()).count()
    }

    /// Units that were not compared, by reason.
    pub(super) fn left_out(&self) -> Vec<LeftOut> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for (set, absent) in self.units.iter().filter_map(|unit| unit.pair.as_ref().err()) {
            let set = ["A", "B"][*set];
            *counts.entry(format!("{absent} in {set}")).or_default() += 1;
        }
        let left_out = |(reason, count)| LeftOut {
            layer: self.label(),
            reason: format!("{} {reason}", units_of(count)),
        };
        counts.into_iter().map(left_out).collect()
    }
}

/// Compares the maps of a layer.
pub(super) fn compare(
    layer: &MatchedLayer<'_>,
    settings: &ComparisonSettings,
    progress: &Progress<'_>,
) -> Result<LayerComparison, ComparisonError> {
    let raster = layer.raster();
    let [one, other] = &layer.sets;
    let reliability = [one.reliability()?, other.reliability()?];
    let mut set = PairSet::new(&settings.pairs, layer.rf);
    let mut absent = BTreeMap::new();
    for range in chunks(layer.units.len(), &raster, settings) {
        let read = |&unit: &usize| -> Result<_, ComparisonError> {
            if progress.is_cancelled() {
                return Err(ComparisonError::Stopped);
            }
            let fields = [one.field(unit, &raster)?, other.field(unit, &raster)?];
            progress.advance(1);
            Ok((unit, fields))
        };
        let units = &layer.units[range];
        let read: Vec<_> = units.par_iter().map(read).collect::<Result<_, _>>()?;
        let (mut ones, mut others) = (Vec::new(), Vec::new());
        for (unit, fields) in read {
            match fields {
                [Ok(one), Ok(other)] => {
                    ones.push(one);
                    others.push(other);
                }
                [Err(reason), _] => drop(absent.insert(unit, (0, reason))),
                [_, Err(reason)] => drop(absent.insert(unit, (1, reason))),
            }
        }
        set.add(&ones, &others);
    }
    let summaries = set.summaries();
    let mut pairs = set.pairs().iter();
    let unit = |&unit: &usize| UnitComparison {
        unit,
        pair: match absent.get(&unit) {
            Some(&reason) => Err(reason),
            None => pairs.next().cloned().ok_or((0, Absent::NotSwept)),
        },
        reliability: reliability.each_ref().map(|all| all.get(unit).copied().flatten()),
    };
    let units: Vec<UnitComparison> = layer.units.iter().map(unit).collect();
    let examples = examples(layer, &raster, &units, settings)?;
    Ok(LayerComparison {
        layer: layer.name.clone(),
        sides: layer.sides.clone(),
        rf: layer.rf,
        raster,
        units,
        summaries,
        examples,
    })
}

/// Units that are compared at a time: about as many in each chunk.
fn chunks(units: usize, raster: &Raster, settings: &ComparisonSettings) -> Vec<Range<usize>> {
    let cells = raster.y.count * raster.x.count;
    // Of either set the maps, and of each blur the map and its direction.
    let bytes = 2 * size_of::<f64>() * cells * (2 + 2 * settings.pairs.blurs.len());
    let most = (BYTES / bytes.max(1)).max(2);
    let count = units.div_ceil(most).max(1);
    (0..count).map(|chunk| chunk * units / count..(chunk + 1) * units / count).collect()
}

/// The pairs that are the least and the most alike.
fn examples(
    layer: &MatchedLayer<'_>,
    raster: &Raster,
    units: &[UnitComparison],
    settings: &ComparisonSettings,
) -> Result<Vec<Example>, ComparisonError> {
    let main = settings.main_blur();
    let r =
        |unit: &UnitComparison| unit.pair.as_ref().ok().and_then(|pair| pair.r.get(main).copied());
    let known = |unit: &UnitComparison| Some((r(unit).filter(|r| !r.is_nan())?, unit.unit));
    let mut known: Vec<(f64, usize)> = units.iter().filter_map(known).collect();
    known.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (first, last) = (settings.examples, known.len().saturating_sub(settings.examples));
    let chosen = known.iter().enumerate().filter(|(rank, _)| *rank < first || *rank >= last);
    let mut examples = Vec::new();
    for (_, &(r, unit)) in chosen {
        let [one, other] = layer.sets.each_ref().map(|set| set.field(unit, raster));
        if let (Ok(one), Ok(other)) = (one?, other?) {
            examples.push(Example { unit, r, fields: [one, other] });
        }
    }
    Ok(examples)
}
