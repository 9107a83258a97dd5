//! The shapes of maps as a table.

use crate::progress::Progress;
use crate::ranking::Side;
use crate::report::ReportError;
use crate::report::csv::{Column, MAP, Table, map_fields, number, texts};
use crate::report::numbers::{Cells, Estimate, ModelFit, Models, Shape};
use crate::report::of_both_sides;
use crate::report::results::{LayerResults, Results, UnitMap};
use crate::report::units::swept_units;

/// The files.
pub const FILES: [&str; 2] = ["models.csv", "models_columns.csv"];

/// The columns between the map's and the parameters.
const COLUMNS: [Column; 6] = [
    ("status", "", "ok; no_fit: none of the shapes fits; silent; not_covered"),
    (
        "shape",
        "",
        "gaussian, dog (difference of Gaussians) or gabor: the one with the smallest criterion",
    ),
    (
        "bic_gaussian",
        "",
        "Bayesian information criterion of the Gaussian; empty where it does not fit",
    ),
    ("bic_dog", "", "of the difference of Gaussians"),
    ("bic_gabor", "", "of the Gabor"),
    ("explained_variance", "", "explained variance of the shape"),
];

/// The Gaussian's parameters, which all shapes have.
const BASE: [Column; 7] = [
    (
        "amplitude",
        "response",
        "height of the Gaussian: of a difference the first, of a Gabor that under the grating",
    ),
    ("y", "pixels", "row of the centre"),
    ("x", "pixels", "column of the centre"),
    ("long", "pixels", "standard deviation along the long axis"),
    ("short", "pixels", "along the short axis"),
    (
        "angle",
        "degrees",
        "angle of the long axis, 0 to 180, counter-clockwise from the right as the map is drawn",
    ),
    ("offset", "response", "what the shape stands on"),
];

/// Units whose maps are fitted.
pub fn count(layers: &[&LayerResults]) -> u64 {
    swept_units(layers.iter().copied())
}

/// Fits the maps of some layers: a row a unit and side. `progress` counts units.
///
/// # Errors
/// Maps that cannot be read; [`ReportError::Stopped`].
pub fn models(
    results: &Results,
    layers: &[&LayerResults],
    progress: &Progress<'_>,
) -> Result<Table, ReportError> {
    let mut rows = Vec::new();
    for layer in layers {
        let cells = Cells::new(layer.configuration(), &results.configuration().settings);
        let stopped = || ReportError::Stopped;
        let row = |unit, side| row(layer, &cells, unit, side);
        let found = of_both_sides(&layer.swept(), progress, stopped, row)?;
        rows.extend(found.into_iter().flatten());
    }
    Ok(Table { columns: columns(), rows })
}

/// All columns: name, unit and meaning.
fn columns() -> Vec<[String; 3]> {
    let own = Shape::ALL.into_iter().flat_map(|shape| {
        shape.own().iter().map(move |(name, unit, meaning)| {
            (*name, *unit, format!("{meaning} ({})", shape.name()))
        })
    });
    let base = BASE.iter().map(|(name, unit, meaning)| (*name, *unit, (*meaning).to_owned()));
    let estimates = base.chain(own).flat_map(|(name, unit, meaning)| {
        let error = [format!("{name}_se"), unit.to_owned(), "its standard error".to_owned()];
        [[name.to_owned(), unit.to_owned(), meaning], error]
    });
    MAP.into_iter().chain(COLUMNS).map(texts).chain(estimates).collect()
}

fn row(
    layer: &LayerResults,
    cells: &Cells,
    unit: usize,
    side: Side,
) -> Result<Vec<String>, ReportError> {
    let mut fields = map_fields(layer.name(), unit, side);
    let width = columns().len();
    let status = match layer.map(unit, side)? {
        UnitMap::Values { map, coverage } => {
            let models = Models::of(&cells.of(&map.view(), &coverage), cells);
            let criteria = models.fits.iter().map(|fit| {
                fit.as_ref().map_or_else(|_| String::new(), |fit| number(fit.criterion))
            });
            match models.best() {
                Some(best) => {
                    fields.extend(["ok", best.shape.name()].map(String::from));
                    fields.extend(criteria);
                    fields.push(number(best.fit.explained_variance));
                    fields.extend(parameters(best));
                    return Ok(fields);
                }
                None => "no_fit",
            }
        }
        UnitMap::Silent => "silent",
        UnitMap::NotCovered | UnitMap::NotSwept => "not_covered",
    };
    fields.push(status.to_owned());
    fields.resize(width, String::new());
    Ok(fields)
}

fn parameters(best: &ModelFit) -> Vec<String> {
    let fit = &best.fit;
    let base = [fit.amplitude, fit.y, fit.x, fit.long, fit.short].map(Some);
    let base = base.into_iter().chain([fit.angle, Some(fit.offset)]);
    let own = Shape::ALL.into_iter().flat_map(|shape| {
        let found = if shape == best.shape { &best.own[..] } else { &[] };
        (0..shape.own().len()).map(move |index| found.get(index).copied())
    });
    let both = |estimate: Option<Estimate>| {
        estimate.map_or_else(Default::default, |found| [number(found.value), number(found.error)])
    };
    base.chain(own).flat_map(both).collect()
}
