//! A layer's page: its maps in bytes, and all numbers of its units.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::Report;
use super::findings::ComparedFacts;
use super::index::{Columns, Grid, short};
use super::pictures::{Gallery, Shown};
use crate::progress::Progress;
use crate::ranking::{LayerRanking, Side};
use crate::report::numbers::{Cells, Estimate, Fit, Measured, Numbers, measure};
use crate::report::reliability::ReliabilityCurve;
use crate::report::results::{LayerResults, UnitMap};
use crate::report::{ReportError, of_both_sides};

/// Measurements of a layer's maps.
pub struct Measures {
    cells: Cells,
    /// Of each unit that was swept, both of [`Side::BOTH`].
    units: Vec<[Measure; 2]>,
    /// Split-half reliability of each, of either side, by the number of images.
    curves: [ReliabilityCurve; 2],
    /// The blur by whose correlations units are sorted, where maps were compared.
    main_blur: Option<usize>,
}

/// A map.
struct Measure {
    found: Measured,
    /// A byte a cell: 0 where nothing was measured, else from 1 for 0 to 255 for the peak.
    bytes: Vec<u8>,
    /// How it compares with another set.
    compared: Option<ComparedFacts>,
}

/// The page.
#[derive(Debug, Serialize)]
pub struct Page {
    /// Maps `[units, count, count]` of the units that were swept, a byte a cell, base64.
    max: String,
    min: String,
    units: Vec<Sides>,
}

#[derive(Debug, Serialize)]
struct Sides {
    max: Facts,
    min: Facts,
}

/// Facts of a map. Lengths are pixels, coordinates `[y, x]`.
#[derive(Debug, Default, Serialize)]
struct Facts {
    /// Why there is no fit.
    reason: Option<String>,
    /// `None` for a silent unit, as all other numbers.
    at: Option<[f64; 2]>,
    mass: Option<[f64; 2]>,
    radii: Option<[f64; 3]>,
    /// The part of the receptive field that images cover.
    covered: Option<f64>,
    fit: Option<FitFacts>,
    /// Reliability by the number of images, where the sweep has kept it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    curve: Vec<Option<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compared: Option<ComparedFacts>,
    images: Vec<Shown>,
    /// Images that were presented, if units stop before the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<usize>,
}

/// A fitted Gaussian: values with their standard errors.
#[derive(Debug, Serialize)]
struct FitFacts {
    amplitude: [f64; 2],
    y: [f64; 2],
    x: [f64; 2],
    long: [f64; 2],
    short: [f64; 2],
    /// In degrees; `None` for one that is round.
    angle: Option<[f64; 2]>,
    offset: [f64; 2],
}

impl Measures {
    /// Reads and measures all maps of a layer.
    pub fn of(
        report: &Report<'_>,
        layer: &LayerResults,
        progress: &Progress<'_>,
    ) -> Result<Self, ReportError> {
        let Report { results, blurred, comparison, .. } = *report;
        let cells = Cells::new(layer.configuration(), &results.configuration().settings);
        let measured = |unit, side| -> Result<Measure, ReportError> {
            let compared = |found| ComparedFacts::of(found, layer.name(), side, unit);
            let compared = comparison.and_then(compared);
            Ok(Measure { compared, ..Measure::of(&layer.map(unit, side)?, &cells, blurred) })
        };
        let stopped = || ReportError::Stopped;
        let units = of_both_sides(&layer.swept(), progress, stopped, measured)?;
        let curve = |side| ReliabilityCurve::of(results, layer, side);
        let curves = [curve(Side::Top)?, curve(Side::Bottom)?];
        let main_blur = comparison.map(|comparison| comparison.settings.main_blur());
        Ok(Self { cells, units, curves, main_blur })
    }

    /// Its reliability by the number of images, of both of [`Side::BOTH`].
    pub const fn curves(&self) -> &[ReliabilityCurve; 2] {
        &self.curves
    }

    /// How its maps are cut.
    pub fn grid(&self) -> Grid {
        let maps = self.units.iter().flatten();
        Grid {
            count: self.cells.count(),
            step: self.cells.step(),
            first: self.cells.first(),
            uncovered: maps.filter(|map| map.numbers().is_some()).any(|map| map.bytes.contains(&0)),
            shift: self.cells.shift(),
        }
    }

    /// Numbers to sort and filter by, of the maps of one of [`Side::BOTH`].
    pub fn columns(&self, side: usize) -> Columns {
        let mut columns = Columns::default();
        for (unit, curve) in self.units.iter().zip(&self.curves[side].units) {
            columns.reliability.push(known(curve.last));
            if let Some(blur) = self.main_blur {
                let compared = unit[side].compared.as_ref();
                columns.r.push(compared.and_then(|compared| compared.r(blur)));
            }
            let numbers = unit[side].numbers();
            let of = |of: fn(&Numbers) -> f64| numbers.map(of).map(short);
            let fit = numbers.and_then(|numbers| numbers.fit.as_ref().ok());
            columns.peak.push(match unit[side].found {
                Measured::Silent => Some(0.0),
                _ => of(|numbers| numbers.peak),
            });
            columns.area.push(of(|numbers| numbers.half_maximum_area));
            columns.radius.push(of(|numbers| numbers.radii[1]));
            columns.explained.push(fit.map(|fit| short(fit.explained_variance)));
        }
        columns
    }

    /// The page of the layer. The images that it shows are entered into the gallery.
    pub fn page(
        &self,
        layer: &LayerResults,
        ranking: Option<&LayerRanking>,
        gallery: &mut Gallery,
    ) -> Result<Page, ReportError> {
        let maps = |side: usize| {
            let bytes: Vec<u8> =
                self.units.iter().flat_map(|unit| &unit[side].bytes).copied().collect();
            debug_assert_eq!(bytes.len(), self.units.len() * self.cells.count().pow(2));
            STANDARD.encode(bytes)
        };
        let sides = |(row, measures): (usize, &[Measure; 2])| -> Result<Sides, ReportError> {
            let unit = self.curves[0].units[row].unit;
            let facts = |side: Side| -> Result<Facts, ReportError> {
                let entries = ranking.map_or(&[][..], |all| all[unit].side(side));
                let images = gallery.show(layer, entries)?;
                let curve = match &self.curves[side as usize].units[row].values[..] {
                    [_] => Vec::new(),
                    values => values.iter().map(|&value| known(value)).collect(),
                };
                let count = layer.stopped(unit, side);
                Ok(Facts { curve, images, count, ..measures[side as usize].facts() })
            };
            let [max, min] = Side::BOTH.map(facts);
            Ok(Sides { max: max?, min: min? })
        };
        let units = self.units.iter().enumerate().map(sides).collect::<Result<_, _>>();
        Ok(Page { max: maps(0), min: maps(1), units: units? })
    }
}

impl Measure {
    fn of(map: &UnitMap, cells: &Cells, blurred: bool) -> Self {
        let found = measure(map, cells, blurred);
        let mut bytes = vec![0; cells.count().pow(2)];
        if let (UnitMap::Values { map, coverage }, Measured::Numbers(numbers)) = (map, &found) {
            for cell in cells.of(&map.view(), coverage).cells {
                let level = 1.0 + 254.0 * cell.value / numbers.peak;
                bytes[cell.index[0] * cells.count() + cell.index[1]] = level.round() as u8;
            }
        }
        Self { found, bytes, compared: None }
    }

    fn numbers(&self) -> Option<&Numbers> {
        match &self.found {
            Measured::Numbers(numbers) => Some(numbers),
            Measured::NotSwept | Measured::NotCovered | Measured::Silent => None,
        }
    }

    /// All but the images.
    fn facts(&self) -> Facts {
        let compared = self.compared.clone();
        let Some(numbers) = self.numbers() else { return Facts { compared, ..Facts::default() } };
        Facts {
            compared,
            reason: numbers.fit.as_ref().err().map(ToString::to_string),
            at: Some(numbers.peak_at.map(short)),
            mass: Some(numbers.centre.map(short)),
            radii: Some(numbers.radii.map(short)),
            covered: Some(short(numbers.covered)),
            fit: numbers.fit.as_ref().ok().map(FitFacts::from),
            curve: Vec::new(),
            images: Vec::new(),
            count: None,
        }
    }
}

/// A number as it is shown; `None` of one that is not there.
fn known(value: f64) -> Option<f64> {
    value.is_finite().then(|| short(value))
}

impl From<&Fit> for FitFacts {
    fn from(fit: &Fit) -> Self {
        let of = |estimate: Estimate| [estimate.value, estimate.error].map(short);
        Self {
            amplitude: of(fit.amplitude),
            y: of(fit.y),
            x: of(fit.x),
            long: of(fit.long),
            short: of(fit.short),
            angle: fit.angle.map(of),
            offset: of(fit.offset),
        }
    }
}
