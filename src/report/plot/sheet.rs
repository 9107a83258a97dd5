//! All maps of a layer on one sheet.

use super::bar::draw_bar;
use super::{LayerMaps, Map, Style, draw_map, number, quiet};
use crate::maps::SweepConfiguration;
use crate::ranking::Side;
use crate::report::LayerResults;
use crate::report::figure::{Anchor, Area, Figure, FontError};

/// The width of a sheet, in points: that of text on a page.
const WIDTH: f32 = 540.0;
const MARGIN: f32 = 12.0;
/// Space for the title and the scale.
const HEADER: f32 = 42.0;
/// Maps in a row, at most: the labels must stay readable.
const MOST_COLUMNS: usize = 20;
const GAP: f32 = 3.0;
/// The side of a map from which there is room for its peak beside the unit's number.
const ROOM: f32 = 46.0;

/// The maps of one side of all units that were swept, with the units' numbers. Maps without a
/// value are marked; units that were not swept are left out.
///
/// # Errors
/// [`FontError`].
pub fn sheet(
    sweep: &SweepConfiguration,
    layer: &LayerResults,
    maps: &LayerMaps,
    side: Side,
    style: Style,
) -> Result<Figure, FontError> {
    let count = maps.units().len().max(1);
    // About as many rows as columns.
    let columns = ((count as f32).sqrt().ceil() as usize).clamp(4, MOST_COLUMNS);
    let across = (WIDTH - 2.0 * MARGIN + GAP) / columns as f32;
    let map = across - GAP;
    let label = (map / 6.0).clamp(5.0, 8.0);
    let down = map + label + GAP + 1.0;
    let rows = count.div_ceil(columns);
    let mut figure = Figure::new(WIDTH, MARGIN + HEADER + rows as f32 * down + MARGIN);
    let top = sweep.settings.top;
    let up_to = if sweep.settings.until_reliable.is_some() { "up to " } else { "" };
    let images = match side {
        Side::Top => format!("{up_to}the {top} images with the largest responses"),
        Side::Bottom => format!("{up_to}the {top} images with the smallest responses"),
    };
    title(&mut figure, [MARGIN, MARGIN], sweep, layer, maps);
    let about = format!("mean where occluders were, over {images}");
    quiet(&mut figure, [MARGIN, MARGIN + 18.0], Anchor::Start, 6.5, about);
    if map >= ROOM {
        let below = "below each map: the unit, and the map's peak".into();
        quiet(&mut figure, [MARGIN, MARGIN + 27.0], Anchor::Start, 6.5, below);
    }
    draw_bar(&mut figure, [WIDTH - MARGIN, MARGIN + 12.0], maps, style)?;
    for (index, unit) in maps.units().iter().enumerate() {
        let x = MARGIN + (index % columns) as f32 * across;
        let y = MARGIN + HEADER + (index / columns) as f32 * down;
        let drawn = maps.map(index, side);
        draw_map(&mut figure, Area::square(x, y, map), drawn, maps, style);
        figure.text([x, y + map + label], Anchor::Start, label, unit.to_string());
        if let Map::Values { peak, .. } = drawn
            && map >= ROOM
        {
            quiet(&mut figure, [x + map, y + map + label], Anchor::End, 6.0, number(*peak));
        }
    }
    Ok(figure)
}

/// The network, the layer and its units.
pub(super) fn title(
    figure: &mut Figure,
    [x, y]: [f32; 2],
    sweep: &SweepConfiguration,
    layer: &LayerResults,
    maps: &LayerMaps,
) {
    let (swept, all) = (maps.units().len(), layer.units());
    let units = match (swept == all, all) {
        (true, 1) => "1 unit".into(),
        (true, _) => format!("{all} units"),
        (false, _) => format!("{swept} of {all} units"),
    };
    let (short, name) = (layer.name(), &layer.configuration().name);
    let name = if short == name { String::new() } else { format!(" ({name})") };
    let text = format!(
        "{} {short}{name}, {units}, receptive field of {} pixels",
        sweep.model.name,
        layer.rf()
    );
    figure.text([x, y + 8.0], Anchor::Start, 9.0, text);
}
