//! A comparison as a figure: a row a layer.

use super::tables::fraction;
use super::{Comparison, LayerComparison};
use crate::analysis::{Distribution, Extent, Measure, MeasureSummary};
use crate::report::chart::{Axis, CHANCE, Chart, FOUND, Pen, SIZE, label};
use crate::report::figure::{Anchor, Area, Figure, FontError, width_of};

/// The width of a page, in points: that of text.
const WIDTH: f32 = 540.0;
const MARGIN: f32 = 12.0;
/// Space for the title and the names of the columns.
const HEADER: f32 = 74.0;
/// Space for a row, and of its charts.
const ROW: f32 = 84.0;
const CHART: f32 = 58.0;
/// Rows of a page: of A4, so high.
const ROWS: usize = 8;
/// Where the charts begin.
const CURVES: f32 = 74.0;
const CURVE_WIDTH: f32 = 172.0;
const SHAPES: f32 = 262.0;
const SHAPE_WIDTH: f32 = 57.0;
const SHAPE_GAP: f32 = 11.0;
/// Names of blurs, at most.
const NAMES: usize = 9;

/// The pages of a comparison, white below all.
///
/// # Errors
/// [`FontError`].
pub fn figures(comparison: &Comparison) -> Result<Vec<Figure>, FontError> {
    // The largest distance that is drawn, as a part of the RF.
    let distances = comparison.layers.iter().flat_map(|layer| {
        let found = layer.summaries.iter().filter(|found| found.measure == Measure::Distance);
        let found = found.flat_map(|found| [found.observed, found.baseline]).flatten();
        found.map(|found| found.quantiles[4] / layer.rf)
    });
    let distance = distances.fold(0.0, f64::max);
    let pages = comparison.layers.chunks(ROWS).enumerate();
    let page = |(number, layers): (usize, &[LayerComparison])| {
        let height = HEADER + layers.len() as f32 * ROW + MARGIN;
        let mut figure = Figure::new(WIDTH, height);
        figure.fill(Area { x: 0.0, y: 0.0, width: WIDTH, height }, [255; 3]);
        head(&mut figure, comparison, number)?;
        for (row, layer) in layers.iter().enumerate() {
            let y = HEADER + row as f32 * ROW;
            row_head(&mut figure, y, layer, comparison);
            curves(&mut figure, y, layer, comparison);
            shapes(&mut figure, y, layer, distance);
        }
        Ok(figure)
    };
    pages.map(page).collect()
}

fn head(figure: &mut Figure, comparison: &Comparison, page: usize) -> Result<(), FontError> {
    let title = "Maps of A against maps of B, unit by unit";
    let more = if page > 0 { format!("{title} ({})", page + 1) } else { title.into() };
    figure.text([MARGIN, MARGIN + 8.0], Anchor::Start, 9.0, more);
    for (line, (name, set)) in ["A", "B"].iter().zip(comparison.describe_sets()).enumerate() {
        let text = fitting(&format!("{name}  {set}"), WIDTH - 2.0 * MARGIN - 150.0)?;
        let at = [MARGIN, MARGIN + 18.0 + 8.0 * line as f32];
        label(figure, at, Anchor::Start, text);
    }
    // The legend.
    let right = WIDTH - MARGIN;
    for (line, (colour, text)) in
        [(FOUND, "the same unit in A and B"), (CHANCE, "other units: shuffled")]
            .into_iter()
            .enumerate()
    {
        let y = MARGIN + 18.0 + 8.0 * line as f32;
        let width = width_of(text, SIZE)?;
        label(figure, [right, y], Anchor::End, text.into());
        figure.fill(Area { x: right - width - 10.0, y: y - 3.6, width: 6.0, height: 3.0 }, colour);
    }
    let y = HEADER - 12.0;
    let region = match comparison.settings.pairs.extent {
        Extent::HalfMaximum => "half maximum".to_owned(),
        Extent::Mass(part) => format!("{} % of the mass", 100.0 * part),
    };
    let blur = fraction(comparison.settings.pairs.region_blur);
    let curves = "Pearson's r against blur (s.d. as a part of the RF): medians, quartiles";
    label(figure, [CURVES, y], Anchor::Start, curves.into());
    let shapes = format!("regions at {region}, after a blur of {blur} of the RF");
    label(figure, [SHAPES, y - 16.0], Anchor::Start, shapes);
    let marks = "box: quartiles; line: 5 % to 95 % of the units; arrow: values beyond the axis";
    label(figure, [SHAPES, y - 8.0], Anchor::Start, marks.into());
    for (column, name) in
        ["overlap", "centres apart / RF", "area B / A", "turn (°)"].iter().enumerate()
    {
        let x = SHAPES + column as f32 * (SHAPE_WIDTH + SHAPE_GAP);
        label(figure, [x, y], Anchor::Start, (*name).into());
    }
    Ok(())
}

/// As much of a text as there is room for.
fn fitting(text: &str, width: f32) -> Result<String, FontError> {
    let mut shown = text.to_owned();
    let mut left = text.chars().count();
    while width_of(&shown, SIZE)? > width && left > 1 {
        left -= 1 + left / 16;
        shown = text.chars().take(left).chain(['…']).collect();
    }
    Ok(shown)
}

fn row_head(figure: &mut Figure, y: f32, layer: &LayerComparison, comparison: &Comparison) {
    figure.text([MARGIN, y + 8.0], Anchor::Start, 8.0, layer.layer.clone());
    let units = layer.compared();
    let mut lines = vec![layer.sides.clone(), format!("{units} of {} units", layer.units.len())];
    lines.push(format!("RF {} px", layer.rf));
    if let Some(MeasureSummary { observed: Some(found), p, .. }) = comparison.correlation(layer) {
        lines.push(format!("median r {:.2}", found.median()));
        lines.extend(p.map(|p| format!("p = {p:.3}")));
    }
    for (line, text) in lines.into_iter().filter(|line| !line.is_empty()).enumerate() {
        label(figure, [MARGIN, y + 17.0 + 8.0 * line as f32], Anchor::Start, text);
    }
}

fn curves(figure: &mut Figure, y: f32, layer: &LayerComparison, comparison: &Comparison) {
    let blurs = &comparison.settings.pairs.blurs;
    let every = blurs.len().div_ceil(NAMES);
    let name = |(at, blur): (usize, &f64)| {
        if at.is_multiple_of(every) { fraction(*blur) } else { String::new() }
    };
    let of = |of: fn(&MeasureSummary) -> Option<Distribution>| -> Vec<_> {
        layer.summaries.iter().take(blurs.len()).map(of).collect()
    };
    let (found, chance) = (of(|summary| summary.observed), of(|summary| summary.baseline));
    let low = found.iter().chain(&chance).flatten();
    let low = low.fold(0.0, |low: f64, found| low.min(found.quantiles[1]));
    let chart = Chart {
        area: Area { x: CURVES + 14.0, y, width: CURVE_WIDTH - 14.0, height: CHART },
        x: Axis::named(blurs.iter().enumerate().map(name)),
        y: Axis::round(if low < 0.0 { (low * 5.0).floor() / 5.0 } else { 0.0 }, 1.0, 5),
    };
    chart.draw(figure);
    chart.medians(figure, &chance, Pen { aside: 1.2, ..Pen::CHANCE });
    chart.medians(figure, &found, Pen { aside: -1.2, ..Pen::FOUND });
}

fn shapes(figure: &mut Figure, y: f32, layer: &LayerComparison, distance: f64) {
    let measures = [Measure::Overlap, Measure::Distance, Measure::AreaRatio, Measure::Turn];
    for (column, measure) in measures.into_iter().enumerate() {
        let Some(summary) = layer.summaries.iter().find(|found| found.measure == measure) else {
            continue;
        };
        let x = SHAPES + column as f32 * (SHAPE_WIDTH + SHAPE_GAP);
        let axis = match measure {
            Measure::Distance => Axis::up_to(distance, 2),
            Measure::AreaRatio => Axis {
                low: -2.0,
                high: 2.0,
                ticks: [(-2.0, "1/4"), (0.0, "1"), (2.0, "4")]
                    .map(|(at, name)| (at, name.into()))
                    .into(),
            },
            Measure::Turn => Axis {
                low: 0.0,
                high: 90.0,
                ticks: [0.0, 45.0, 90.0].map(|at: f64| (at, at.to_string())).into(),
            },
            Measure::Overlap | Measure::Correlation(_) => Axis {
                low: 0.0,
                high: 1.0,
                ticks: [0.0, 0.5, 1.0].map(|at: f64| (at, at.to_string())).into(),
            },
        };
        let area = Area { x, y, width: SHAPE_WIDTH, height: CHART };
        let chart = Chart { area, x: axis, y: Axis { low: 0.0, high: 1.0, ticks: Vec::new() } };
        chart.draw(figure);
        let scale = |value: f64| match measure {
            Measure::AreaRatio => value.log2(),
            Measure::Distance => value / layer.rf,
            Measure::Overlap | Measure::Turn | Measure::Correlation(_) => value,
        };
        let scaled = |found: Option<Distribution>| {
            found.map(|found| Distribution { quantiles: found.quantiles.map(scale), ..found })
        };
        chart.lying(figure, scaled(summary.observed), CHART * 0.3, Pen::FOUND);
        chart.lying(figure, scaled(summary.baseline), CHART * 0.65, Pen::CHANCE);
    }
}
