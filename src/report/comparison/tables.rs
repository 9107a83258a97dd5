//! A comparison as tables: a row a unit, and a row a layer and measure.

use super::{Comparison, LayerComparison, UnitComparison};
use crate::analysis::{Measure, MeasureSummary, is_fraction};
use crate::report::csv::{Column, QUANTILES, Table, number, quantiles, texts};

/// The columns of `units.csv` but for the correlations, which come after `status`.
const COLUMNS: [Column; 12] = [
    ("layer", "", "name of the layer"),
    ("sides", "", "max, min or composite of both sets, or of A and of B; empty for arrays"),
    ("unit", "", "the unit, from 0"),
    ("status", "", "ok; or which set has no map to compare, and why"),
    ("overlap", "", "area that the regions share over the area of both together, 0 to 1"),
    ("centre_distance", "pixels", "distance of the regions' centres of mass"),
    ("shift_y", "pixels", "row of B's centre minus that of A's: above 0 where B lies lower"),
    (
        "shift_x",
        "pixels",
        "column of B's centre minus that of A's: above 0 where B lies to the right",
    ),
    ("area_ratio", "", "area of B's region over that of A's"),
    (
        "turn",
        "degrees",
        "angle of B's region minus that of A's, -90 to 90, counter-clockwise as maps are drawn; empty where either is rounder than 1.2 to 1",
    ),
    ("reliability_a", "", "split-half reliability of A's map"),
    ("reliability_b", "", "of B's map"),
];

/// The last column of `units.csv`.
const CEILING: Column = (
    "r_ceiling",
    "",
    "square root of the product of both reliabilities: the correlation that maps of one field have, but for chance",
);

/// The columns of `layers.csv` before the distribution.
const LAYER_COLUMNS: [Column; 5] = [
    ("layer", "", "name of the layer"),
    ("sides", "", "max, min or composite of both sets, or of A and of B; empty for arrays"),
    ("measure", "", "r, overlap, centre_distance, area_ratio or turn (its size)"),
    ("blur", "RF", "of r: standard deviation of the blur, as a part of the RF"),
    ("pairs", "", "units that have a value"),
];

/// The columns of `layers.csv` after those of the distribution.
const BASELINE_COLUMNS: [Column; 7] = [
    ("baseline_mean", "", "the same where maps of A are paired with B's maps of other units"),
    ("baseline_q05", "", ""),
    ("baseline_q25", "", ""),
    ("baseline_median", "", ""),
    ("baseline_q75", "", ""),
    ("baseline_q95", "", ""),
    (
        "p",
        "",
        "probability that other units are as alike, by the median: (1 + k) / (1 + n), k of n shuffles being as alike",
    ),
];

impl Comparison {
    /// A row a unit: `units.csv`.
    pub fn unit_table(&self) -> Table {
        let columns = columns(&self.settings.pairs.blurs);
        Table { columns, rows: rows(self).collect() }
    }

    /// A row a layer and measure: `layers.csv`.
    pub fn layer_table(&self) -> Table {
        Table::new(&[&LAYER_COLUMNS[..], &QUANTILES, &BASELINE_COLUMNS].concat(), layer_rows(self))
    }
}

/// The columns of `units.csv`.
fn columns(blurs: &[f64]) -> Vec<[String; 3]> {
    let r = |&blur: &f64| {
        let meaning = if blur == 0.0 {
            "Pearson's r of the maps, over the cells that are measured in both".into()
        } else {
            format!("the same after a blur of {} of the receptive field", fraction(blur))
        };
        [column(blur), String::new(), meaning]
    };
    let (front, back) = COLUMNS.split_at(4);
    let [front, back] = [front, back].map(|columns| columns.iter().copied().map(texts));
    front.chain(blurs.iter().map(r)).chain(back).chain([texts(CEILING)]).collect()
}

/// The column of the correlations after a blur: `r_0`, `r_0.03333`.
fn column(blur: f64) -> String {
    let digits: f64 = format!("{blur:.3e}").parse().unwrap_or(blur);
    format!("r_{digits}")
}

/// A blur as it is shown: `0`, `1/30`, or digits.
pub fn fraction(blur: f64) -> String {
    let parts = blur.recip();
    if is_fraction(blur) && (parts - parts.round()).abs() < 1e-6 * parts {
        return format!("1/{}", parts.round());
    }
    let digits: f64 = format!("{blur:.3e}").parse().unwrap_or(blur);
    digits.to_string()
}

/// The rows of `units.csv`.
fn rows(comparison: &Comparison) -> impl Iterator<Item = Vec<String>> + '_ {
    let blurs = comparison.settings.pairs.blurs.len();
    comparison
        .layers
        .iter()
        .flat_map(move |layer| layer.units.iter().map(move |unit| row(layer, unit, blurs)))
}

fn row(layer: &LayerComparison, unit: &UnitComparison, blurs: usize) -> Vec<String> {
    let status = match &unit.pair {
        Ok(_) => "ok".into(),
        Err((set, absent)) => format!("{absent} in {}", ["A", "B"][*set]),
    };
    let mut fields = vec![layer.layer.clone(), layer.sides.clone(), unit.unit.to_string(), status];
    match &unit.pair {
        Ok(pair) => {
            let [y, x] = pair.shift;
            let distance = Measure::Distance.of(pair);
            let shapes = [pair.overlap, distance, y, x, pair.area_ratio, pair.turn];
            fields.extend(pair.r.iter().chain(&shapes).map(|&value| number(value)));
        }
        Err(_) => fields.resize(4 + blurs + 6, String::new()),
    }
    let [a, b] = unit.reliability;
    let known = [a, b, unit.ceiling()];
    fields.extend(known.map(|value| value.map(number).unwrap_or_default()));
    fields
}

/// The rows of `layers.csv`.
fn layer_rows(comparison: &Comparison) -> impl Iterator<Item = Vec<String>> + '_ {
    comparison.layers.iter().flat_map(move |layer| {
        layer.summaries.iter().map(move |summary| layer_row(comparison, layer, summary))
    })
}

fn layer_row(
    comparison: &Comparison,
    layer: &LayerComparison,
    summary: &MeasureSummary,
) -> Vec<String> {
    let (name, blur) = match summary.measure {
        Measure::Correlation(blur) => {
            ("r", comparison.settings.pairs.blurs.get(blur).map(|&blur| number(blur)))
        }
        Measure::Overlap => ("overlap", None),
        Measure::Distance => ("centre_distance", None),
        Measure::AreaRatio => ("area_ratio", None),
        Measure::Turn => ("turn", None),
    };
    let mut fields = vec![layer.layer.clone(), layer.sides.clone(), name.to_owned()];
    fields.push(blur.unwrap_or_default());
    fields.push(summary.observed.map_or(0, |found| found.count).to_string());
    for found in [summary.observed, summary.baseline] {
        fields.extend(quantiles(found));
    }
    fields.push(summary.p.map(number).unwrap_or_default());
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blurs_are_shown_as_the_parts_that_they_are() {
        let shown = [0.0, 1.0 / 120.0, 0.5, 1.0, 0.3].map(fraction);
        assert_eq!(shown, ["0", "1/120", "1/2", "1", "0.3"]);
        assert_eq!([0.0, 1.0 / 30.0, 0.5].map(column), ["r_0", "r_0.03333", "r_0.5"]);
        let columns = columns(&[0.0, 0.5]);
        assert_eq!((columns[4][0].as_str(), columns[5][0].as_str()), ("r_0", "r_0.5"));
        assert_eq!((columns[6][0].as_str(), columns.len()), ("overlap", 15));
    }
}
