//! The colour scale beside the maps.

use std::sync::Arc;

use image::{Rgb, RgbImage};

use super::{FRAME, LayerMaps, QUIET, Scale, Style, number};
use crate::geometry::Deposit;
use crate::report::colours::{SILENT, UNKNOWN};
use crate::report::figure::{Anchor, Area, Figure, Item, Pixels};

/// What a map's values are.
pub(super) const fn quantity(deposit: Deposit) -> &'static str {
    match deposit {
        Deposit::Centre => "mean |change of the response| by an occluder, in units of the response",
        Deposit::Area => "summed |change of the response| by occluders, in units of the response",
    }
}

/// Draws the scale with its right end at `[x, y]`, 20 points high: the colours, their values, the
/// quantity with its unit, and the colours of what has no value.
pub(super) fn draw_bar(
    figure: &mut Figure,
    [x, y]: [f32; 2],
    maps: &LayerMaps,
    style: Style,
    deposit: Deposit,
) {
    const WIDTH: f32 = 110.0;
    const SIZE: f32 = 6.5;
    let largest = match style.scale {
        Scale::Map => "peak of each map".into(),
        Scale::Layer => number(maps.peak()),
    };
    let colours = RgbImage::from_fn(256, 1, |x, _| Rgb(style.colours.colour(f64::from(x) / 255.0)));
    // Wide enough for the words at its end.
    let right = match style.scale {
        Scale::Map => x - 54.0,
        Scale::Layer => x - 28.0,
    };
    let area = Area { x: right - WIDTH, y, width: WIDTH, height: 7.0 };
    figure.picture(area, Pixels::Plain(Arc::new(colours)));
    figure.outline(area, FRAME);
    let line = y + 6.0;
    figure.text([area.x - 3.0, line], Anchor::End, SIZE, "0");
    figure.text([right + 3.0, line], Anchor::Start, SIZE, largest);
    let mut place = area.x - 14.0;
    let marks = [("silent", SILENT, true), ("not presented", UNKNOWN, maps.has_unknown())];
    for (name, colour, shown) in marks {
        if shown {
            figure.text([place, line], Anchor::End, SIZE, name);
            place -= 4.2 + 3.2 * name.len() as f32;
            figure.fill(Area { x: place - 7.0, y, width: 7.0, height: 7.0 }, colour);
            place -= 14.0;
        }
    }
    figure.items.push(Item::Text {
        at: [x, y + 16.0],
        anchor: Anchor::End,
        size: SIZE,
        colour: QUIET,
        text: quantity(deposit).into(),
    });
}
