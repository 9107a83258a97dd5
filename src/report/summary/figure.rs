//! The summary of some networks on a page: a chart a measure, layers along it.

use std::collections::BTreeSet;

use super::{BINS, LayerSummary, Summary};
use crate::analysis::Distribution;
use crate::report::chart::{Axis, Chart, Pen, SIZE, dot, label};
use crate::report::colours::ColourMap;
use crate::report::figure::{Anchor, Area, Colour, Figure, FontError, Item, Line, width_of};
use crate::report::reliability::TARGET;

/// The width of the page, in points: that of text.
const WIDTH: f32 = 540.0;
const MARGIN: f32 = 12.0;
const HEADER: f32 = 40.0;
const LEFT: f32 = 40.0;
const CHART_WIDTH: f32 = 220.0;
const CHART_HEIGHT: f32 = 104.0;
/// Between charts: for the labels below, and the title above.
const DOWN: f32 = 44.0;
const ACROSS: f32 = 42.0;
/// Names of layers along a chart, at most.
const NAMES: usize = 10;

/// The part of a layer's units whose bar has full width: three times that of even frequencies.
const FULL_WIDTH: f32 = 3.0 / BINS as f32;

/// Networks, or sides of one: colours that colour-blind eyes tell apart.
const COLOURS: [Colour; 6] =
    [[31, 95, 174], [214, 110, 20], [0, 134, 110], [170, 60, 120], [120, 110, 20], [90, 90, 96]];

/// A row of layers that is drawn in one colour.
struct Series<'a> {
    name: String,
    layers: Vec<&'a LayerSummary>,
    colour: Colour,
}

/// The page: of one network top and bottom images, of several the top images of each.
///
/// # Errors
/// [`FontError`].
pub fn figure(summary: &Summary) -> Result<Figure, FontError> {
    let series = series(summary);
    let height = HEADER + 4.0 * (CHART_HEIGHT + DOWN);
    let mut figure = Figure::new(WIDTH, height);
    figure.fill(Area { x: 0.0, y: 0.0, width: WIDTH, height }, [255; 3]);
    let title =
        "Receptive fields over depth: medians over units (dots), lower to upper quartile (bars)";
    figure.text([MARGIN, MARGIN + 8.0], Anchor::Start, 9.0, title);
    let mut x = MARGIN;
    for series in &series {
        let at = [x + 8.0, MARGIN + 20.0];
        figure.fill(Area { x, y: at[1] - 3.6, width: 6.0, height: 3.0 }, series.colour);
        label(&mut figure, at, Anchor::Start, series.name.clone());
        x += 20.0 + width_of(&series.name, SIZE)?;
    }
    let area = |column: usize, row: usize| Area {
        x: LEFT + column as f32 * (CHART_WIDTH + ACROSS),
        y: HEADER + 14.0 + row as f32 * (CHART_HEIGHT + DOWN),
        width: CHART_WIDTH,
        height: CHART_HEIGHT,
    };
    size(&mut figure, area(0, 0), &series);
    let share = Axis::round(0.0, 1.0, 5);
    medians(
        &mut figure,
        area(1, 0),
        &series,
        "effective_share",
        "effective diameter / theoretical RF",
        |_| share.clone(),
    );
    let up = |largest| Axis::up_to(largest, 4);
    medians(
        &mut figure,
        area(0, 1),
        &series,
        "eccentricity_share",
        "eccentricity: centre's distance from the middle / half the RF",
        up,
    );
    let from_one = |largest: f64| Axis::round(1.0, largest.max(1.5), 5);
    medians(
        &mut figure,
        area(1, 1),
        &series,
        "aspect",
        "aspect: long axis / short axis of the Gaussian",
        from_one,
    );
    orientations(&mut figure, area(0, 2), &series);
    medians(
        &mut figure,
        area(1, 2),
        &series,
        "explained_variance",
        "explained variance of the Gaussian",
        |_| share.clone(),
    );
    reliability(&mut figure, area(0, 3), &series[0])?;
    needed(&mut figure, area(1, 3), &series);
    Ok(figure)
}

fn series(summary: &Summary) -> Vec<Series<'_>> {
    let several = summary.networks.len() > 1;
    let mut series = Vec::new();
    for network in &summary.networks {
        let sides = if several { &[""][..] } else { &[", top images", ", bottom images"] };
        for (side, about) in sides.iter().enumerate() {
            series.push(Series {
                name: format!("{}{about}", network.name),
                layers: network.layers.iter().map(|layer| &layer[side]).collect(),
                colour: COLOURS[series.len() % COLOURS.len()],
            });
        }
    }
    series
}

/// The axis of layers: their names where all networks have the same, else their numbers.
fn depth(series: &[Series<'_>]) -> Axis {
    let longest = series.iter().map(|series| series.layers.len()).max().unwrap_or(0);
    let names: Vec<Vec<&str>> = series
        .iter()
        .map(|series| series.layers.iter().map(|layer| layer.layer.as_str()).collect())
        .collect();
    let same = names.windows(2).all(|two| two[0] == two[1]);
    let widest = names.first().into_iter().flatten().map(|name| name.len()).max().unwrap_or(1);
    // Long names need more room.
    let every = longest.div_ceil(NAMES.min((70 / widest.max(1)).max(2)));
    let name = |index: usize| match names.first() {
        _ if !index.is_multiple_of(every.max(1)) => String::new(),
        Some(names) if same => names[index].to_owned(),
        _ => (index + 1).to_string(),
    };
    Axis::named((0..longest).map(name))
}

/// Keeps several series apart.
fn aside(index: usize, count: usize) -> f32 {
    2.4 * (index as f32 - (count as f32 - 1.0) / 2.0)
}

fn medians(
    figure: &mut Figure,
    area: Area,
    series: &[Series<'_>],
    measure: &str,
    title: &str,
    axis: impl Fn(f64) -> Axis,
) {
    let values: Vec<Vec<Option<Distribution>>> = series
        .iter()
        .map(|series| series.layers.iter().map(|layer| layer.measure(measure)).collect())
        .collect();
    let highest = values.iter().flatten().flatten();
    let highest = highest.fold(0.0, |highest: f64, found| highest.max(found.quantiles[3]));
    let chart = Chart { area, x: depth(series), y: axis(highest) };
    chart.draw(figure);
    label(figure, [area.x, area.y - 5.0], Anchor::Start, title.to_owned());
    let count = series.len();
    for (index, (values, series)) in values.iter().zip(series).enumerate() {
        let aside = aside(index, count);
        chart.medians(figure, values, Pen { colour: series.colour, width: 1.0, aside });
    }
}

/// Effective diameters beside the theoretical RF.
fn size(figure: &mut Figure, area: Area, series: &[Series<'_>]) {
    let layers = series.iter().flat_map(|series| &series.layers);
    let largest = layers.fold(0, |largest, layer| largest.max(layer.rf));
    let chart = Chart { area, x: depth(series), y: Axis::up_to(largest as f64, 4) };
    chart.draw(figure);
    let title = "size in pixels: theoretical RF (line), effective diameter (dots)";
    label(figure, [area.x, area.y - 5.0], Anchor::Start, title.into());
    let count = series.len();
    for (index, series) in series.iter().enumerate() {
        let rf = series.layers.iter().enumerate();
        let points: Vec<[f32; 2]> =
            rf.map(|(at, layer)| chart.at(at as f64, layer.rf as f64)).collect();
        let line = Line { colour: series.colour, width: 0.8 };
        figure.items.push(Item::Path { points, closed: false, line });
        let pen = Pen { colour: series.colour, width: 1.0, aside: aside(index, count) };
        for (at, layer) in series.layers.iter().enumerate() {
            let Some(found) = layer.measure("effective_diameter") else { continue };
            let at = |value: f64| {
                let [x, y] = chart.at(at as f64, value);
                [x + pen.aside, y]
            };
            let [_, low, median, high, _] = found.quantiles;
            let points = vec![at(low), at(high)];
            let line = Line { colour: pen.colour, width: 1.0 };
            figure.items.push(Item::Path { points, closed: false, line });
            dot(figure, at(median), pen);
        }
    }
}

/// Of each layer the part of its units in each bin of orientations, as a strip.
fn orientations(figure: &mut Figure, area: Area, series: &[Series<'_>]) {
    let title = "orientation of the long axis: part of the layer's elongated units (full width: 25 % or more)";
    label(figure, [area.x, area.y - 5.0], Anchor::Start, title.into());
    let angles = ["0°", "", "", "45°", "", "", "90°", "", "", "135°", "", ""];
    let chart = Chart { area, x: depth(series), y: Axis::named(angles.map(String::from)) };
    chart.draw(figure);
    let step = area.width / (chart.x.high - chart.x.low) as f32;
    let lane = 0.84 * step / series.len().max(1) as f32;
    for (index, series) in series.iter().enumerate() {
        for (at, layer) in series.layers.iter().enumerate() {
            let all: usize = layer.orientations.iter().sum();
            for (bin, &count) in layer.orientations.iter().enumerate() {
                if count == 0 {
                    continue;
                }
                let part = (count as f32 / all as f32 / FULL_WIDTH).min(1.0);
                let [x, y] = chart.at(at as f64, bin as f64);
                let x = x - 0.42 * step + index as f32 * lane;
                let height = 0.8 * area.height / BINS as f32;
                let bar = Area { x, y: y - height / 2.0, width: (lane * part).max(0.4), height };
                figure.fill(bar, series.colour);
            }
        }
    }
}

/// Reliability by the number of images, a line a layer: light ones are deep.
fn reliability(figure: &mut Figure, area: Area, series: &Series<'_>) -> Result<(), FontError> {
    let title = format!("split-half reliability by images, a line a layer: {}", series.name);
    label(figure, [area.x, area.y - 5.0], Anchor::Start, title);
    let counts: BTreeSet<usize> =
        series.layers.iter().flat_map(|layer| &layer.reliability.curve).map(|(n, _)| *n).collect();
    let counts: Vec<usize> = counts.into_iter().collect();
    let names = counts.iter().map(ToString::to_string);
    let chart = Chart { area, x: Axis::named(names), y: Axis::round(0.0, 1.0, 5) };
    chart.draw(figure);
    let layers = series.layers.len();
    let mut x = area.x + 4.0;
    for (at, layer) in series.layers.iter().enumerate() {
        let part = 0.85 * at as f64 / (layers.max(2) - 1) as f64;
        let pen = Pen { colour: ColourMap::Viridis.colour(part), width: 1.0, aside: 0.0 };
        let of = |count: &usize| {
            let found = layer.reliability.curve.iter().find(|(images, _)| images == count);
            found.and_then(|(_, found)| *found)
        };
        chart.medians(figure, &counts.iter().map(of).collect::<Vec<_>>(), pen);
        let width = width_of(&layer.layer, SIZE)?;
        if x + 8.0 + width < area.x + area.width {
            let y = area.y + area.height - 4.0;
            figure.fill(Area { x, y: y - 3.6, width: 6.0, height: 3.0 }, pen.colour);
            label(figure, [x + 8.0, y], Anchor::Start, layer.layer.clone());
            x += 16.0 + width;
        }
    }
    Ok(())
}

/// The images that reach the target.
fn needed(figure: &mut Figure, area: Area, series: &[Series<'_>]) {
    let title = format!("images for a reliability of {TARGET}, by Spearman and Brown's formula");
    label(figure, [area.x, area.y - 5.0], Anchor::Start, title);
    let of = |series: &Series<'_>| -> Vec<Option<Distribution>> {
        series.layers.iter().map(|layer| layer.reliability.needed).collect()
    };
    let values: Vec<_> = series.iter().map(of).collect();
    let highest = values.iter().flatten().flatten();
    let highest = highest.fold(0.0, |highest: f64, found| highest.max(found.quantiles[3]));
    let chart = Chart { area, x: depth(series), y: Axis::up_to(highest, 4) };
    chart.draw(figure);
    let count = series.len();
    for (index, (values, series)) in values.iter().zip(series).enumerate() {
        let aside = aside(index, count);
        chart.medians(figure, values, Pen { colour: series.colour, width: 1.0, aside });
    }
}
