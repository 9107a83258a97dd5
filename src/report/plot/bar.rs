//! The colour scale beside the maps.

use std::sync::Arc;

use image::{Rgb, RgbImage};

use super::{FRAME, LayerMaps, Scale, Style, number, quiet};
use crate::report::colours::{NOT_COVERED, SILENT};
use crate::report::figure::{Anchor, Area, Figure, FontError, Item, Line, Pixels, width_of};

/// The label of a map's values.
const QUANTITY: &str = "mean |change of the response| by an occluder, in units of the response";

/// Size of the labels.
const SIZE: f32 = 6.5;

/// Draws the scale with its right end at `[x, y]`, 20 points high: the colours, their values, the
/// quantity with its unit, and the colours of what has no value.
///
/// # Errors
/// [`FontError`].
pub(super) fn draw_bar(
    figure: &mut Figure,
    [x, y]: [f32; 2],
    maps: &LayerMaps,
    style: Style,
) -> Result<(), FontError> {
    const WIDTH: f32 = 110.0;
    let largest = match style.scale {
        Scale::Map => "peak of each map".to_owned(),
        Scale::Layer => number(maps.peak()),
    };
    let colours = RgbImage::from_fn(256, 1, |x, _| Rgb(style.colours.colour(f64::from(x) / 255.0)));
    let right = x - 3.0 - width_of(&largest, SIZE)?;
    let area = Area { x: right - WIDTH, y, width: WIDTH, height: 7.0 };
    figure.picture(area, Pixels::Plain(Arc::new(colours)));
    figure.outline(area, FRAME);
    let line = y + 6.0;
    figure.text([area.x - 3.0, line], Anchor::End, SIZE, "0");
    figure.text([right + 3.0, line], Anchor::Start, SIZE, largest);
    let mut end = area.x - 16.0;
    if maps.has_silent() {
        let area = mark(figure, &mut end, y, "silent")?;
        figure.fill(area, SILENT);
    }
    if maps.has_not_covered() {
        let area = mark(figure, &mut end, y, "not covered: no occluder there")?;
        stripe(figure, area);
    }
    quiet(figure, [x, y + 16.0], Anchor::End, SIZE, QUANTITY.into());
    Ok(())
}

/// Writes what a colour means, with its right end at `end`, which moves to the left; returns where the
/// colour goes.
fn mark(figure: &mut Figure, end: &mut f32, y: f32, text: &str) -> Result<Area, FontError> {
    figure.text([*end, y + 6.0], Anchor::End, SIZE, text);
    let x = *end - width_of(text, SIZE)? - 10.0;
    *end = x - 10.0;
    Ok(Area { x, y, width: 7.0, height: 7.0 })
}

/// Fills a square as maps are where nothing was measured.
fn stripe(figure: &mut Figure, Area { x, y, width: side, .. }: Area) {
    figure.fill(Area::square(x, y, side), NOT_COVERED[0]);
    let line = Line { colour: NOT_COVERED[1], width: 1.2 };
    // Parallel diagonals: of the upper left half, of the whole and of the lower right half.
    for [from, to] in [[[0.0, 0.5], [0.5, 0.0]], [[0.0, 1.0], [1.0, 0.0]], [[0.5, 1.0], [1.0, 0.5]]]
    {
        let points = [from, to].map(|[right, down]| [x + right * side, y + down * side]).into();
        figure.items.push(Item::Path { points, closed: false, line });
    }
}
