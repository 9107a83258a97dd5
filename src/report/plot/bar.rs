//! The colour scale beside the maps.

use std::sync::Arc;

use image::{Rgb, RgbImage};

use super::{FRAME, LayerMaps, Scale, Style, number, quiet};
use crate::geometry::Deposit;
use crate::report::colours::{SILENT, UNKNOWN};
use crate::report::figure::{Anchor, Area, Figure, FontError, Pixels, width_of};

/// What a map's values are.
pub(super) const fn quantity(deposit: Deposit) -> &'static str {
    match deposit {
        Deposit::Centre => "mean |change of the response| by an occluder, in units of the response",
        Deposit::Area => "summed |change of the response| by occluders, in units of the response",
    }
}

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
    deposit: Deposit,
) -> Result<(), FontError> {
    const WIDTH: f32 = 110.0;
    const SIZE: f32 = 6.5;
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
    let mut place = area.x - 16.0;
    let marks =
        [("silent", SILENT, maps.has_silent()), ("not presented", UNKNOWN, maps.has_unknown())];
    for (name, colour, _) in marks.into_iter().filter(|&(.., shown)| shown) {
        figure.text([place, line], Anchor::End, SIZE, name);
        place -= width_of(name, SIZE)? + 3.0;
        figure.fill(Area { x: place - 7.0, y, width: 7.0, height: 7.0 }, colour);
        place -= 17.0;
    }
    let text = quantity(deposit).to_owned();
    quiet(figure, [x, y + 16.0], Anchor::End, SIZE, text);
    Ok(())
}
