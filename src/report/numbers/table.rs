//! Numbers as a table: a row a unit and side.

use super::{Estimate, Measured, NoFit};
use crate::ranking::Side;
use crate::report::csv::{Column, MAP, Table, map_fields, number};
use crate::report::results::{LayerResults, ResultsError};

/// The columns after the map's.
const COLUMNS: [Column; 30] = [
    (
        "status",
        "",
        "ok; no_fit: all but the fit is there; cut: the same, since images cut off too much of the Gaussian; silent: the map is zero everywhere; not_covered: no image has an occluder in the receptive field; not_swept: there is no map",
    ),
    ("reason", "", "why there is no fit"),
    (
        "peak",
        "response",
        "largest value of a cell of the occluders' grid: the mean change by an occluder there, over the images that cover it; cells with less than a tenth of the occluders of others are left out",
    ),
    (
        "peak_y",
        "pixels",
        "row of the peak on the map, from 0, downward; an occluder of even size is marked half a pixel up and left of its centre",
    ),
    ("peak_x", "pixels", "column of the peak, from 0, to the right"),
    ("mass", "response", "sum of the map file's values, as they are"),
    ("centre_y", "pixels", "row of the centre of mass of the cells' values"),
    ("centre_x", "pixels", "column of the centre of mass"),
    (
        "radius_10",
        "pixels",
        "radius of the circle around the centre of mass that holds 10 % of the cells' values",
    ),
    ("radius_50", "pixels", "the same for 50 %"),
    ("radius_90", "pixels", "the same for 90 %"),
    (
        "half_maximum_area",
        "pixels^2",
        "covered area where the map, interpolated between occluders, is at least half its peak",
    ),
    ("fit_amplitude", "response", "height of the fitted elliptical Gaussian over its offset"),
    ("fit_amplitude_se", "response", "standard error of fit_amplitude"),
    ("fit_y", "pixels", "row of the Gaussian's centre"),
    ("fit_y_se", "pixels", "standard error of fit_y"),
    ("fit_x", "pixels", "column of the Gaussian's centre"),
    ("fit_x_se", "pixels", "standard error of fit_x"),
    (
        "fit_long",
        "pixels",
        "standard deviation along the long axis; of a map that was blurred, with the blur",
    ),
    ("fit_long_se", "pixels", "standard error of fit_long"),
    ("fit_short", "pixels", "standard deviation along the short axis"),
    ("fit_short_se", "pixels", "standard error of fit_short"),
    (
        "fit_angle",
        "degrees",
        "angle of the long axis, 0 to 180, counter-clockwise from the right as the map is drawn with y downward: 45 points to the upper right; empty where the Gaussian is round",
    ),
    ("fit_angle_se", "degrees", "standard error of fit_angle"),
    ("fit_offset", "response", "what the Gaussian stands on"),
    ("fit_offset_se", "response", "standard error of fit_offset"),
    (
        "fit_explained_variance_1_minus_sse_over_sst",
        "",
        "1 - (sum of squared residuals) / (sum of squared deviations from the mean), over the cells that were fitted, weighted by their occluders",
    ),
    ("covered", "", "part of the receptive field that any of the images covers, 0 to 1"),
    ("reliability", "", "split-half reliability of the map"),
    (
        "images",
        "",
        "images that were presented: those of the ranking, or fewer if the unit was reliable before",
    ),
];

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Short name of the layer.
    pub layer: &'a str,
    /// The unit.
    pub unit: usize,
    /// The side.
    pub side: Side,
    /// The values found.
    pub measured: &'a Measured,
    /// The map's split-half reliability, where it is known.
    pub reliability: Option<f64>,
    /// Images that were presented; 0 if none was.
    pub images: usize,
}

impl Row<'_> {
    /// The row's fields, one for each column; empty where there is no value.
    fn fields(&self) -> Vec<String> {
        let (status, reason) = match self.measured {
            Measured::NotSwept => ("not_swept", String::new()),
            Measured::NotCovered => ("not_covered", String::new()),
            Measured::Silent => ("silent", String::new()),
            Measured::Numbers(numbers) => match &numbers.fit {
                Ok(_) => ("ok", String::new()),
                Err(reason @ NoFit::Cut(_)) => ("cut", reason.to_string()),
                Err(reason) => ("no_fit", reason.to_string()),
            },
        };
        let mut fields = map_fields(self.layer, self.unit, self.side);
        fields.extend([status.to_owned(), reason]);
        if let Measured::Numbers(numbers) = self.measured {
            let ([peak_y, peak_x], [y, x]) = (numbers.peak_at, numbers.centre);
            let plain = [numbers.peak, peak_y, peak_x, numbers.mass, y, x];
            fields.extend(plain.into_iter().chain(numbers.radii).map(number));
            fields.push(number(numbers.half_maximum_area));
            if let Ok(fit) = &numbers.fit {
                let mut estimates =
                    [fit.amplitude, fit.y, fit.x, fit.long, fit.short].map(Some).to_vec();
                estimates.extend([fit.angle, Some(fit.offset)]);
                fields.extend(estimates.into_iter().flat_map(|estimate| {
                    let of = |of: fn(Estimate) -> f64| estimate.map(of).map(number);
                    [of(|e| e.value), of(|e| e.error)].map(Option::unwrap_or_default)
                }));
                fields.push(number(fit.explained_variance));
            }
        }
        fields.resize(MAP.len() + COLUMNS.len() - 3, String::new());
        let covered = match self.measured {
            Measured::Numbers(numbers) => number(numbers.covered),
            _ => String::new(),
        };
        fields.push(covered);
        let known = self.reliability.filter(|reliability| reliability.is_finite());
        fields.push(known.map(number).unwrap_or_default());
        fields.push(if self.images == 0 { String::new() } else { self.images.to_string() });
        fields
    }
}

/// The table of the maps of some units of a layer, in the order of `units`.
///
/// # Errors
/// Reliabilities that cannot be read.
pub fn layer_table(
    layer: &LayerResults,
    units: &[usize],
    found: &[[Measured; 2]],
) -> Result<Table, ResultsError> {
    let reliability = [layer.reliability(Side::Top)?, layer.reliability(Side::Bottom)?];
    let row = |unit: usize, side: Side, measured| Row {
        layer: layer.name(),
        unit,
        side,
        measured,
        reliability: reliability[side as usize].get(unit).copied().flatten(),
        images: layer.images(unit, side),
    };
    let rows = units.iter().zip(found).flat_map(|(&unit, both)| {
        Side::BOTH.into_iter().zip(both).map(move |(side, measured)| row(unit, side, measured))
    });
    Ok(table(rows))
}

/// The table of these rows. Fields without a value are empty.
pub fn table<'a>(rows: impl IntoIterator<Item = Row<'a>>) -> Table {
    Table::of_maps(&COLUMNS, rows.into_iter().map(|row| row.fields()))
}

#[cfg(test)]
mod tests {
    use super::super::phantoms::{Phantom, layer, settings};
    use super::super::{Cells, measure};
    use super::*;
    use crate::report::UnitMap;

    #[test]
    fn every_row_has_every_column_and_nothing_stands_where_there_is_nothing() {
        let cells = Cells::new(&layer(11), &settings());
        let peak =
            Phantom { y: 4.0, x: 6.0, long: 2.0, short: 1.0, degrees: 30.0, ..Phantom::default() };
        let flat = Phantom { amplitude: 0.0, offset: 1.0, ..peak };
        let maps =
            [peak.map(11), flat.map(11), UnitMap::Silent, UnitMap::NotSwept, UnitMap::NotCovered];
        let measured = maps.map(|map| measure(&map, &cells, false));
        let reliability = [Some(0.75), None, Some(f64::NAN), None, None];
        let rows = measured.iter().zip(reliability).enumerate().map(|(unit, (measured, r))| Row {
            layer: "conv1",
            unit,
            side: Side::Bottom,
            measured,
            reliability: r,
            images: [8, 16, 2, 0, 4][unit],
        });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("conv1.csv");
        let table = table(rows);
        let names: Vec<&str> = table.columns.iter().map(|[name, ..]| &name[..]).collect();
        table.write(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!(lines.len(), 6);
        assert!(lines.iter().all(|line| line.len() == names.len()), "{text}");
        let field = |row: usize, name: &str| {
            lines[row + 1][names.iter().position(|column| *column == name).unwrap()]
        };
        assert_eq!(
            [0, 1, 2, 3, 4].map(|row| field(row, "status")),
            ["ok", "no_fit", "silent", "not_swept", "not_covered"]
        );
        assert_eq!((field(0, "fit_y"), field(0, "fit_x"), field(0, "fit_angle")), ("4", "6", "30"));
        assert_eq!((field(0, "peak"), field(0, "peak_y"), field(0, "peak_x")), ("1", "4", "6"));
        assert_eq!((field(0, "reliability"), field(2, "reliability")), ("0.75", ""));
        assert_eq!((field(0, "covered"), field(4, "covered")), ("1", ""));
        assert_eq!([0, 1, 3].map(|row| field(row, "images")), ["8", "16", ""]);
        assert_eq!(
            (field(1, "reason"), field(1, "mass")),
            ("the map is the same everywhere", "121")
        );
        let last = names.len() - 1;
        assert!(lines[3][4..last].iter().chain(&lines[4][4..]).all(|field| field.is_empty()));
        assert!(!text.contains("NaN") && !text.contains("inf"));

        table.legend().write(&path).unwrap();
        let columns = std::fs::read_to_string(&path).unwrap();
        assert_eq!(columns.lines().count(), names.len() + 1);
    }
}
