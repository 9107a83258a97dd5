//! Findings of a set of maps, as the page shows them: reliability by the number of images, and the comparison
//! with another set.

use serde::Serialize;

use super::index::short;
use crate::analysis::{Distribution, Extent, Measure, MeasureSummary};
use crate::ranking::Side;
use crate::report::comparison::{
    Comparison, LayerComparison, LeftOut, SetRecord, UnitComparison, fraction,
};
use crate::report::reliability::ReliabilityCurve;

/// The quartiles of a number over the units of a layer.
type Quartiles = Option<[f64; 3]>;

/// The reliability of a layer's maps by the number of images.
#[derive(Debug, Serialize)]
pub struct CurveIndex {
    pub images: Vec<usize>,
    pub max: CurveSide,
    pub min: CurveSide,
}

/// One side of it.
#[derive(Debug, Serialize)]
pub struct CurveSide {
    /// For each number of images.
    pub quartiles: Vec<Quartiles>,
    /// The images that would reach a reliability of 0.95: the median over units.
    pub needed: Option<f64>,
}

/// A comparison.
#[derive(Debug, Serialize)]
pub struct ComparisonIndex<'a> {
    /// The sets, in words.
    pub a: String,
    pub b: String,
    /// The blurs before correlations, as parts of the receptive field.
    pub blurs: Vec<String>,
    /// The blur by which units are sorted.
    pub main_blur: usize,
    /// Rule for the pixels of a region, in words.
    pub region: String,
    pub shuffles: usize,
    pub layers: Vec<ComparedLayer<'a>>,
    pub left_out: &'a [LeftOut],
}

/// A layer and pair of sides.
#[derive(Debug, Serialize)]
pub struct ComparedLayer<'a> {
    pub layer: &'a str,
    pub sides: &'a str,
    /// Units whose maps were compared.
    pub compared: usize,
    /// After each blur.
    pub r: Vec<Compared>,
    pub overlap: Compared,
    pub distance: Compared,
    pub area_ratio: Compared,
    pub turn: Compared,
}

/// A measure, over the same units in both sets and over shuffled ones.
#[derive(Debug, Default, Serialize)]
pub struct Compared {
    pub found: Quartiles,
    pub baseline: Quartiles,
    pub p: Option<f64>,
}

/// A unit's maps, compared.
#[derive(Clone, Debug, Serialize)]
pub struct ComparedFacts {
    /// Why they were not.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    r: Vec<Option<f64>>,
    overlap: Option<f64>,
    shift: Option<[f64; 2]>,
    area_ratio: Option<f64>,
    turn: Option<f64>,
    ceiling: Option<f64>,
}

impl CurveIndex {
    /// The curves of both sides; `None` of one number of images, which the reliability is known of anyway.
    pub fn of([max, min]: &[ReliabilityCurve; 2]) -> Option<Self> {
        if max.images.len() < 2 {
            return None;
        }
        let side = |curve: &ReliabilityCurve| {
            let over_units = curve.over_units();
            CurveSide {
                quartiles: over_units.curve.iter().map(|(_, found)| quartiles(*found)).collect(),
                needed: over_units.needed.map(|found| short(found.median())),
            }
        };
        Some(Self { images: max.images.clone(), max: side(max), min: side(min) })
    }
}

impl<'a> From<&'a Comparison> for ComparisonIndex<'a> {
    fn from(comparison: &'a Comparison) -> Self {
        let pairs = &comparison.settings.pairs;
        let extent = match pairs.extent {
            Extent::HalfMaximum => "points of at least half the largest value".to_owned(),
            Extent::Mass(part) => {
                format!("the highest points that hold {} % of the sum", 100.0 * part)
            }
        };
        let blur = fraction(pairs.region_blur);
        let [a, b] = comparison.sets.each_ref().map(SetRecord::describe);
        Self {
            a,
            b,
            blurs: pairs.blurs.iter().map(|&blur| fraction(blur)).collect(),
            main_blur: comparison.settings.main_blur(),
            region: format!("{extent}, after a blur of {blur} of the receptive field"),
            shuffles: pairs.shuffles,
            layers: comparison.layers.iter().map(ComparedLayer::from).collect(),
            left_out: &comparison.left_out,
        }
    }
}

impl<'a> From<&'a LayerComparison> for ComparedLayer<'a> {
    fn from(layer: &'a LayerComparison) -> Self {
        let of = |measure: Measure| {
            let found = layer.summaries.iter().find(|found| found.measure == measure);
            found.map_or_else(Compared::default, Compared::from)
        };
        let blurs = layer.summaries.iter();
        let blurs = blurs.filter(|found| matches!(found.measure, Measure::Correlation(_)));
        Self {
            layer: &layer.layer,
            sides: &layer.sides,
            compared: layer.compared(),
            r: blurs.map(Compared::from).collect(),
            overlap: of(Measure::Overlap),
            distance: of(Measure::Distance),
            area_ratio: of(Measure::AreaRatio),
            turn: of(Measure::Turn),
        }
    }
}

impl From<&MeasureSummary> for Compared {
    fn from(summary: &MeasureSummary) -> Self {
        Self {
            found: quartiles(summary.observed),
            baseline: quartiles(summary.baseline),
            p: summary.p.map(short),
        }
    }
}

impl From<&UnitComparison> for ComparedFacts {
    fn from(unit: &UnitComparison) -> Self {
        let pair = unit.pair.as_ref();
        let of = |value: f64| Some(short(value)).filter(|value| value.is_finite());
        let known = pair.ok();
        Self {
            reason: pair.err().map(|(set, absent)| format!("{absent} in {}", ["A", "B"][*set])),
            r: known.map_or_else(Vec::new, |pair| pair.r.iter().map(|&r| of(r)).collect()),
            overlap: known.and_then(|pair| of(pair.overlap)),
            shift: known.map(|pair| pair.shift.map(short)).filter(|[y, x]| (y + x).is_finite()),
            area_ratio: known.and_then(|pair| of(pair.area_ratio)),
            turn: known.and_then(|pair| of(pair.turn)),
            ceiling: unit.ceiling().and_then(of),
        }
    }
}

impl ComparedFacts {
    /// Facts of a unit of one of [`Side::BOTH`].
    pub fn of(comparison: &Comparison, layer: &str, side: Side, unit: usize) -> Option<Self> {
        let found = comparison
            .layers
            .iter()
            .find(|found| found.layer == layer && found.sides == side.name())?;
        let index = found.units.binary_search_by_key(&unit, |unit| unit.unit).ok()?;
        found.units.get(index).map(Self::from)
    }

    /// Pearson's `r` after a blur.
    pub fn r(&self, blur: usize) -> Option<f64> {
        self.r.get(blur).copied().flatten()
    }
}

fn quartiles(found: Option<Distribution>) -> Quartiles {
    found.map(|Distribution { quantiles: [_, low, median, high, _], .. }| {
        [low, median, high].map(short)
    })
}
