//! Pixels of an image on a figure, with their coordinates.

use std::ops::Range;

use super::{ABOVE, BELOW, LEFT, LONGEST, RIGHT, line};
use crate::report::figure::{Anchor, Area, Colour, Figure, Item};

const GREY: Colour = [90, 90, 96];
const SIZE: f32 = 7.0;
/// Coordinates along an edge, about.
const TICKS: f64 = 6.0;

/// A part of an image's plane, whole pixels, and where it lies on a figure.
pub(super) struct Axes {
    rows: Range<isize>,
    columns: Range<isize>,
    /// Points a pixel.
    scale: f32,
}

impl Axes {
    /// Axes over these rows and columns, neither of which may be empty.
    pub fn new(rows: Range<isize>, columns: Range<isize>) -> Self {
        let longest = (rows.end - rows.start).max(columns.end - columns.start).max(1);
        Self { rows, columns, scale: LONGEST / longest as f32 }
    }

    /// A figure with a title, lines below it, and room for the axes.
    pub fn figure(&self, title: &str, about: &[&str]) -> Figure {
        let area = self.all();
        // However narrow the axes are, there is room for the text.
        let width = LONGEST + LEFT + RIGHT;
        let mut figure = Figure::new(width, area.height + ABOVE + BELOW);
        figure.fill(Area { x: 0.0, y: 0.0, width, height: figure.height }, [255; 3]);
        figure.text([LEFT, 13.0], Anchor::Start, 9.0, title);
        for (line, &about) in about.iter().enumerate() {
            let y = 25.0 + 10.0 * line as f32;
            grey(&mut figure, [LEFT, y], Anchor::Start, about.to_owned());
        }
        figure
    }

    /// All that is drawn.
    pub fn all(&self) -> Area {
        self.area(
            self.rows.start,
            self.columns.start,
            self.rows.clone().count(),
            self.columns.clone().count(),
        )
    }

    /// So many rows and columns of pixels from row `top` and column `left`.
    pub fn area(&self, top: isize, left: isize, rows: usize, columns: usize) -> Area {
        Area {
            x: LEFT + (left - self.columns.start) as f32 * self.scale,
            y: ABOVE + (top - self.rows.start) as f32 * self.scale,
            width: columns as f32 * self.scale,
            height: rows as f32 * self.scale,
        }
    }

    /// Draws the edge and the coordinates of pixels, `y` downward, each at the pixel's middle.
    pub fn draw(&self, figure: &mut Figure) {
        let all = self.all();
        figure.outline(all, line(GREY, 0.6));
        let (left, bottom) = (all.x, all.y + all.height);
        for x in ticks(&self.columns) {
            let middle = left + ((x - self.columns.start) as f32 + 0.5) * self.scale;
            tick(figure, [[middle, bottom], [middle, bottom + 3.0]]);
            grey(figure, [middle, bottom + 3.0 + SIZE], Anchor::Middle, x.to_string());
        }
        for y in ticks(&self.rows) {
            let middle = all.y + ((y - self.rows.start) as f32 + 0.5) * self.scale;
            tick(figure, [[left - 3.0, middle], [left, middle]]);
            grey(figure, [left - 5.0, middle + 0.35 * SIZE], Anchor::End, y.to_string());
        }
        let right = left + all.width;
        grey(figure, [right, bottom + 6.0 + 2.0 * SIZE], Anchor::End, "x, y in pixels".into());
    }
}

/// Round numbers of a range: steps of 1, 2 or 5 times a power of ten.
fn ticks(range: &Range<isize>) -> impl Iterator<Item = isize> + use<> {
    let about = (range.end - range.start) as f64 / TICKS;
    let power = 10_f64.powf(about.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].map(|step| step * power).into_iter().find(|&step| step >= about);
    let step = (step.unwrap_or(about) as isize).max(1);
    let first = range.start + (-range.start).rem_euclid(step);
    (first..range.end).step_by(step as usize)
}

fn tick(figure: &mut Figure, points: [[f32; 2]; 2]) {
    figure.items.push(Item::Path { points: points.into(), closed: false, line: line(GREY, 0.6) });
}

fn grey(figure: &mut Figure, at: [f32; 2], anchor: Anchor, text: String) {
    figure.items.push(Item::Text { at, anchor, size: SIZE, colour: GREY, text });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_round_and_inside() {
        let found = |range: Range<isize>| ticks(&range).collect::<Vec<_>>();
        assert_eq!(found(0..227), [0, 50, 100, 150, 200]);
        assert_eq!(found(-7..14), [-5, 0, 5, 10]);
        assert_eq!(found(3..6), [3, 4, 5]);
    }

    #[test]
    fn pixels_lie_where_their_coordinates_say() {
        let axes = Axes::new(-10..10, 5..39);
        assert_eq!(axes.area(-10, 5, 20, 34), axes.all());
        let pixel = axes.area(0, 22, 1, 1);
        assert!((pixel.x - LEFT - 17.0 * 10.0).abs() < 1e-3);
        assert!((pixel.y - ABOVE - 10.0 * 10.0).abs() < 1e-3);
        assert!((pixel.width - 10.0).abs() < 1e-3);
    }
}
