//! Small charts: values on two axes, as parts of a figure.

use super::figure::{Anchor, Area, Colour, Figure, Item, Line};
use crate::analysis::Distribution;

/// Letters of a chart, in points.
pub(super) const SIZE: f32 = 5.5;

/// Observed values.
pub(super) const FOUND: Colour = [31, 95, 174];
/// Values of chance.
pub(super) const CHANCE: Colour = [150, 150, 156];
/// Letters and axes that are less important.
pub(super) const QUIET: Colour = [90, 90, 96];
const AXIS: Line = Line { colour: [150, 150, 156], width: 0.4 };
const GRID: Line = Line { colour: [228, 228, 232], width: 0.4 };

/// An axis: values from `low` to `high`, with labels at some.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub low: f64,
    pub high: f64,
    pub ticks: Vec<(f64, String)>,
}

/// A chart's area and its axes.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    pub area: Area,
    pub x: Axis,
    pub y: Axis,
}

/// How values are drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pen {
    pub colour: Colour,
    /// Width of lines, in points.
    pub width: f32,
    /// Horizontal offset in points: to keep two sets apart.
    pub aside: f32,
}

impl Axis {
    /// An axis with round numbers: about this many.
    pub fn round(low: f64, high: f64, about: usize) -> Self {
        let step = round_step((high - low) / about.max(1) as f64);
        let (first, last) =
            ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
        let tick = |count: i64| {
            let value = count as f64 * step;
            (value, short(value, step))
        };
        Self { low, high, ticks: (first..=last).map(tick).collect() }
    }

    /// An axis from 0 that holds a value.
    pub fn up_to(value: f64, about: usize) -> Self {
        let value = if value.is_finite() && value > 0.0 { value } else { 1.0 };
        let step = round_step(value / about.max(1) as f64);
        Self::round(0.0, (value / step - 1e-9).ceil() * step, about)
    }

    /// An axis of positions that have names, `0`, `1`, …, of which some are written.
    pub fn named(names: impl IntoIterator<Item = String>) -> Self {
        let ticks: Vec<(f64, String)> =
            names.into_iter().enumerate().map(|(at, name)| (at as f64, name)).collect();
        Self { low: -0.5, high: ticks.len() as f64 - 0.5, ticks }
    }

    /// Those ends of the axis beyond which values lie, the lowest and the highest of which are given:
    /// each with its direction, -1 or 1.
    fn beyond(&self, [lowest, highest]: [f64; 2]) -> impl Iterator<Item = (f64, f32)> {
        // Rounding is no distance.
        let rounding = 1e-9 * (self.high - self.low);
        let below = (lowest < self.low - rounding).then_some((self.low, -1.0));
        below.into_iter().chain((highest > self.high + rounding).then_some((self.high, 1.0)))
    }

    fn part(&self, value: f64) -> f32 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0) as f32
    }
}

/// 1, 2 or 5 times a power of ten, not below `least`.
fn round_step(least: f64) -> f64 {
    let least = if least.is_finite() && least > 0.0 { least } else { 1.0 };
    let power = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    steps.into_iter().find(|step| *step >= least * (1.0 - 1e-9)).unwrap_or(10.0 * power)
}

/// A tick's number, with the digits that its step needs.
fn short(value: f64, step: f64) -> String {
    let digits = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
    let value = if value == 0.0 { 0.0 } else { value };
    format!("{value:.digits$}")
}

impl Chart {
    /// The position of a value, in points.
    pub fn at(&self, x: f64, y: f64) -> [f32; 2] {
        let Area { x: left, y: top, width, height } = self.area;
        [left + self.x.part(x) * width, top + (1.0 - self.y.part(y)) * height]
    }

    /// Draws the axes and their labels.
    pub fn draw(&self, figure: &mut Figure) {
        let Area { x: left, y: top, width, height } = self.area;
        let bottom = top + height;
        for (value, name) in &self.x.ticks {
            let [x, _] = self.at(*value, self.y.low);
            line(figure, [[x, bottom], [x, bottom + 2.0]], AXIS);
            label(figure, [x, bottom + 3.0 + SIZE], Anchor::Middle, name.clone());
        }
        for (value, name) in &self.y.ticks {
            let [_, y] = self.at(self.x.low, *value);
            line(figure, [[left, y], [left + width, y]], GRID);
            label(figure, [left - 3.0, y + 0.35 * SIZE], Anchor::End, name.clone());
        }
        line(figure, [[left, bottom], [left + width, bottom]], AXIS);
        line(figure, [[left, top], [left, bottom]], AXIS);
    }

    /// Draws medians, joined by a line, each with a bar from its lower to its upper quartile. Positions
    /// without a distribution are left out.
    pub fn medians(&self, figure: &mut Figure, values: &[Option<Distribution>], pen: Pen) {
        let known =
            values.iter().enumerate().filter_map(|(at, found)| Some((at as f64, (*found)?)));
        let point = |x: f64, y: f64| {
            let [x, y] = self.at(x, y);
            [x + pen.aside, y]
        };
        for (x, found) in known.clone() {
            let [_, low, _, high, _] = found.quantiles;
            line(figure, [point(x, low), point(x, high)], pen.line());
            for (value, outwards) in self.y.beyond([low, high]) {
                arrow(figure, point(x, value), [0.0, -outwards], pen);
            }
        }
        let points: Vec<[f32; 2]> = known.map(|(x, found)| point(x, found.median())).collect();
        for [x, y] in &points {
            dot(figure, [*x, *y], pen);
        }
        if points.len() > 1 {
            let line = Line { colour: pen.colour, width: 0.6 * pen.width };
            figure.items.push(Item::Path { points, closed: false, line });
        }
    }

    /// Draws a distribution along the x axis, `y` in points below the chart's upper edge: a line from
    /// the 5 % to the 95 % quantile, a box between the quartiles, and the median; an arrow where the line
    /// goes on beyond the axis.
    pub fn lying(&self, figure: &mut Figure, found: Option<Distribution>, y: f32, pen: Pen) {
        let Some(found) = found else { return };
        let y = self.area.y + y;
        let x = |quantile: usize| self.at(found.quantiles[quantile], self.y.low)[0];
        line(figure, [[x(0), y], [x(4), y]], pen.line());
        for (value, outwards) in self.x.beyond([found.quantiles[0], found.quantiles[4]]) {
            arrow(figure, [self.at(value, self.y.low)[0], y], [outwards, 0.0], pen);
        }
        let (left, right) = (x(1), x(3));
        let bar = Area { x: left, y: y - 2.0, width: (right - left).max(0.6), height: 4.0 };
        figure.fill(bar, lighter(pen.colour));
        figure.outline(bar, Line { colour: pen.colour, width: 0.5 });
        line(figure, [[x(2), y - 3.0], [x(2), y + 3.0]], Line { colour: pen.colour, width: 1.2 });
    }
}

impl Pen {
    /// A pen for what is found.
    pub const FOUND: Self = Self { colour: FOUND, width: 1.0, aside: 0.0 };
    /// A pen for what chance makes.
    pub const CHANCE: Self = Self { colour: CHANCE, width: 1.0, aside: 0.0 };

    const fn line(self) -> Line {
        Line { colour: self.colour, width: self.width }
    }
}

/// Half as far from white.
fn lighter(colour: Colour) -> Colour {
    colour.map(|part| 255 - (255 - part) / 3)
}

/// Draws a dot.
pub(super) fn dot(figure: &mut Figure, [x, y]: [f32; 2], pen: Pen) {
    let side = 1.2 + 1.2 * pen.width;
    figure.fill(Area::square(x - side / 2.0, y - side / 2.0, side), pen.colour);
}

/// Draws the head of an arrow behind the end of an axis; `outwards` is a step of one point.
fn arrow(figure: &mut Figure, [x, y]: [f32; 2], outwards: [f32; 2], pen: Pen) {
    let [dx, dy] = outwards;
    let point =
        |along: f32, across: f32| [x + along * dx - across * dy, y + along * dy + across * dx];
    let points = vec![point(1.2, -2.0), point(3.4, 0.0), point(1.2, 2.0)];
    let line = Line { colour: pen.colour, width: 0.9 };
    figure.items.push(Item::Path { points, closed: false, line });
}

/// Writes a label that is less important.
pub(super) fn label(figure: &mut Figure, at: [f32; 2], anchor: Anchor, text: String) {
    figure.items.push(Item::Text { at, anchor, size: SIZE, colour: QUIET, text });
}

fn line(figure: &mut Figure, points: [[f32; 2]; 2], line: Line) {
    figure.items.push(Item::Path { points: points.into(), closed: false, line });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, name)| name.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_on_the_axis() {
        assert_eq!(names(&Axis::round(0.0, 1.0, 4)), ["0.0", "0.5", "1.0"]);
        assert_eq!(
            names(&Axis::round(-0.3, 1.0, 7)),
            ["-0.2", "0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(names(&Axis::up_to(83.0, 4)), ["0", "50", "100"]);
        assert_eq!(names(&Axis::up_to(0.07, 4)), ["0.00", "0.02", "0.04", "0.06", "0.08"]);
        assert_eq!(names(&Axis::up_to(f64::NAN, 2)), ["0.0", "0.5", "1.0"]);
        assert_eq!(names(&Axis::named(["a".into(), "b".into()])), ["a", "b"]);
    }

    #[test]
    fn values_lie_where_the_axes_say() {
        let area = Area { x: 10.0, y: 20.0, width: 100.0, height: 50.0 };
        let chart = Chart { area, x: Axis::round(0.0, 10.0, 5), y: Axis::round(0.0, 1.0, 4) };
        assert_eq!(chart.at(5.0, 0.0), [60.0, 70.0]);
        assert_eq!(chart.at(0.0, 1.0), [10.0, 20.0]);
        // Values outside are drawn at the edge.
        assert_eq!(chart.at(99.0, -1.0), [110.0, 70.0]);
    }

    #[test]
    fn an_arrow_stands_behind_the_end_that_values_lie_beyond() {
        let area = Area { x: 10.0, y: 20.0, width: 100.0, height: 50.0 };
        let chart = Chart { area, x: Axis::round(0.0, 10.0, 5), y: Axis::round(0.0, 1.0, 4) };
        let arrows = |draw: &dyn Fn(&mut Figure)| -> Vec<[f32; 2]> {
            let mut figure = Figure::new(200.0, 100.0);
            draw(&mut figure);
            let heads = figure.items.iter().filter_map(|item| match item {
                Item::Path { points, .. } if points.len() == 3 => Some(points[1]),
                _ => None,
            });
            heads.collect()
        };
        let found = |quantiles| Some(Distribution { count: 9, mean: 1.0, quantiles });
        let lying =
            |quantiles| arrows(&|figure| chart.lying(figure, found(quantiles), 5.0, Pen::FOUND));
        assert!(lying([0.0, 1.0, 2.0, 3.0, 10.0]).is_empty());
        assert_eq!(lying([0.0, 1.0, 2.0, 3.0, 11.0]), [[113.4, 25.0]]);
        assert_eq!(lying([-1.0, 1.0, 2.0, 3.0, 11.0]), [[6.6, 25.0], [113.4, 25.0]]);
        // Quartiles stand upright: an arrow above the chart.
        let upright = found([0.0, 0.5, 0.9, 1.2, 3.0]);
        let above = arrows(&|figure| chart.medians(figure, &[upright], Pen::FOUND));
        assert_eq!(above, [[10.0, 16.6]]);
    }
}
