//! Maps derived from one unit's maps.

use super::{Derivation, DerivedError, DerivedKind, SideSource};
use crate::analysis::{Field, Floor, Sample, discoveries};
use crate::ranking::Side;
use crate::report::numbers::Cells;
use crate::report::results::{LayerResults, UnitMap};

/// Whether a map has a floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FloorStatus {
    /// It has.
    Ok,
    /// No image has an occluder in the receptive field.
    NotCovered,
    /// The map is zero everywhere.
    Silent,
}

/// The floor of a unit's map, and what exceeds it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct UnitFloor {
    /// The unit.
    pub unit: usize,
    /// The side.
    pub side: Side,
    /// Whether there is a floor.
    pub status: FloorStatus,
    /// The floor.
    pub floor: Option<Floor>,
    /// The largest value of a cell.
    pub peak: f64,
    /// The mean size of the responses to the map's images; NaN where that was not asked for.
    pub response: f64,
    /// Cells that were tested.
    pub tested: usize,
    /// Cells that exceed the floor.
    pub exceeding: usize,
    /// Their area in pixels².
    pub area: f64,
}

/// Maps derived from a unit's maps.
#[derive(Debug)]
pub(super) struct UnitMaps {
    pub unit: usize,
    /// For each kind, and each of its files, the pixels of a map.
    pub maps: Vec<Vec<Vec<f64>>>,
    pub floors: [UnitFloor; 2],
}

/// A side of a unit.
struct SideMaps {
    /// The map; of a silent one zeros where it was measured.
    field: Option<Field>,
    /// 1 where it exceeds its floor, 0 where not, NaN where that was not tested.
    exceeds: Vec<f64>,
    floor: UnitFloor,
}

impl UnitMaps {
    pub fn make(
        derivation: &Derivation<'_>,
        layer: &LayerResults,
        cells: &Cells,
        sources: &[SideSource; 2],
        unit: usize,
    ) -> Result<Self, DerivedError> {
        let side = |side: Side| {
            SideMaps::make(layer, cells, &sources[side as usize], derivation.rate, unit, side)
        };
        let sides = [side(Side::Top)?, side(Side::Bottom)?];
        let pixels = |values: &dyn Fn(usize) -> f64| -> Vec<f64> {
            let shown = cells.of_pixels();
            let pixels =
                shown.iter().flat_map(|y| shown.iter().map(move |x| y * cells.count() + x));
            pixels.map(values).collect()
        };
        let missing = || pixels(&|_| f64::NAN);
        let divided = |side: &SideMaps, by: f64| match &side.field {
            Some(field) if by > 0.0 => pixels(&|cell| field.value(cell) / by),
            Some(field) if field.is_silent() => pixels(&|cell| field.value(cell)),
            _ => missing(),
        };
        let level = |side: &SideMaps| side.floor.floor.map_or(f64::NAN, |floor| floor.level);
        let made = |kind: &DerivedKind| -> Vec<Vec<f64>> {
            match kind {
                DerivedKind::Composite => {
                    let fields = sides[0].field.as_ref().zip(sides[1].field.as_ref());
                    let composite = fields.and_then(|(top, bottom)| top.composite(bottom));
                    vec![composite.map_or_else(missing, |field| pixels(&|cell| field.value(cell)))]
                }
                DerivedKind::Relative => {
                    sides.iter().map(|side| divided(side, side.floor.response)).collect()
                }
                DerivedKind::Floor => sides.iter().map(|side| divided(side, level(side))).collect(),
                DerivedKind::Exceeds => {
                    sides.iter().map(|side| pixels(&|cell| side.exceeds[cell])).collect()
                }
            }
        };
        let maps = derivation.kinds.iter().map(made).collect();
        Ok(Self { unit, maps, floors: sides.map(|side| side.floor) })
    }
}

impl SideMaps {
    fn make(
        layer: &LayerResults,
        cells: &Cells,
        source: &SideSource,
        rate: f64,
        unit: usize,
        side: Side,
    ) -> Result<Self, DerivedError> {
        let responses = source.responses.as_ref().and_then(|all| all.get(unit).copied().flatten());
        let mut floor = UnitFloor {
            unit,
            side,
            status: FloorStatus::Ok,
            floor: None,
            peak: 0.0,
            response: responses.unwrap_or(f64::NAN),
            tested: 0,
            exceeding: 0,
            area: 0.0,
        };
        let untested = vec![f64::NAN; cells.count() * cells.count()];
        let (map, coverage) = match layer.map(unit, side)? {
            UnitMap::Values { map, coverage } => (map, coverage),
            UnitMap::Silent => {
                floor.status = FloorStatus::Silent;
                let coverage = layer.coverage(unit, side)?;
                let zeros = ndarray::Array2::zeros((layer.rf(), layer.rf()));
                let field = cells.field(&cells.of(&zeros.view(), &coverage));
                return Ok(Self { field: Some(field), exceeds: untested, floor });
            }
            UnitMap::NotCovered | UnitMap::NotSwept => {
                floor.status = FloorStatus::NotCovered;
                return Ok(Self { field: None, exceeds: untested, floor });
            }
        };
        let field = cells.field(&cells.of(&map.view(), &coverage));
        floor.peak = field.known().fold(0.0, f64::max);
        floor.floor = Floor::of(&field.known().collect::<Vec<_>>());
        let mut exceeds = untested;
        if let (Some(errors), Some(level)) = (&source.errors, &floor.floor) {
            let samples = cells.samples(&map.view(), &errors.read(unit)?, &coverage);
            let p = |(sample, known): (&Option<Sample>, &bool)| match sample {
                Some(sample) if *known => level.probability(sample),
                _ => f64::NAN,
            };
            let p: Vec<f64> = samples.iter().zip(&field.measured).map(p).collect();
            for ((to, p), found) in exceeds.iter_mut().zip(&p).zip(discoveries(&p, rate)) {
                *to = if p.is_nan() { f64::NAN } else { f64::from(found) };
            }
            floor.tested = p.iter().filter(|p| !p.is_nan()).count();
            floor.exceeding = exceeds.iter().filter(|exceeds| **exceeds == 1.0).count();
            floor.area = (floor.exceeding * cells.step() * cells.step()) as f64;
        }
        Ok(Self { field: Some(field), exceeds, floor })
    }
}
