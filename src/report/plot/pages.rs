//! Pages with a row a unit: its maps, and what its images show in the receptive field.

use rayon::prelude::*;

use super::bar::draw_bar;
use super::contour::contours;
use super::ellipse::half_height;
use super::sheet::title;
use super::{Crops, FRAME, LayerMaps, Map, Overlay, Style, draw_map, number, quiet};
use crate::maps::SweepConfiguration;
use crate::ranking::{Entry, LayerRanking, Side};
use crate::report::LayerResults;
use crate::report::figure::{Anchor, Area, Figure, FontError, Item, Line};
use crate::report::numbers::Fit;

/// A4.
const PAGE: [f32; 2] = [595.0, 842.0];
const MARGIN: f32 = 36.0;
/// Space for title, scale and the heads of the columns.
const HEADER: f32 = 66.0;
/// Space for the units' numbers.
const LABELS: f32 = 46.0;
const GAP: f32 = 4.0;
/// The side of a map, at most.
const LARGEST: f32 = 72.0;
/// Of the text below maps and images.
const SMALL: f32 = 6.0;
/// Over images.
const OUTLINE: Line = Line { colour: [255, 209, 51], width: 0.9 };
/// Over maps, whatever their colours: the one below the other.
const ELLIPSE: [Line; 2] =
    [Line { colour: [0; 3], width: 1.1 }, Line { colour: [255; 3], width: 0.5 }];

/// The images beside the maps.
#[derive(Clone, Copy)]
pub struct RankedCrops<'a> {
    /// Their parts inside of the receptive fields.
    pub crops: &'a Crops,
    /// The ranking that they are from.
    pub ranking: &'a LayerRanking,
    /// Images of either side of a unit.
    pub count: usize,
}

/// The pages of a layer: of each unit the maps over its top and over its bottom images, with the
/// Gaussians that fit them, `fits` in the order of the units, and the first images of either side where
/// there are `crops`.
///
/// # Errors
/// [`FontError`].
pub fn pages(
    sweep: &SweepConfiguration,
    layer: &LayerResults,
    maps: &LayerMaps,
    fits: &[[Option<Fit>; 2]],
    crops: Option<RankedCrops<'_>>,
    style: Style,
) -> Result<Vec<Figure>, FontError> {
    let count = crops.map_or(0, |crops| crops.count);
    let across = (PAGE[0] - 2.0 * MARGIN - LABELS) / (2 + 2 * count) as f32;
    let side = (across - GAP).min(LARGEST);
    let row = Row { sweep, layer, maps, fits, crops, style, side };
    let height = side + 2.0 * SMALL + 3.0;
    let rows = ((PAGE[1] - 2.0 * MARGIN - HEADER - 10.0) / height) as usize;
    let units: Vec<usize> = (0..maps.units().len()).collect();
    let total = units.len().div_ceil(rows.max(1));
    let page = |(index, rows): (usize, &[usize])| -> Result<Figure, FontError> {
        let mut figure = Figure::new(PAGE[0], PAGE[1]);
        row.header(&mut figure)?;
        for (offset, &unit) in rows.iter().enumerate() {
            row.draw(&mut figure, unit, MARGIN + HEADER + offset as f32 * height);
        }
        let (first, last) = (maps.units()[rows[0]], maps.units()[rows[rows.len() - 1]]);
        let foot = PAGE[1] - MARGIN + 6.0;
        let left = format!("{} units {first} to {last}", layer.name());
        quiet(&mut figure, [MARGIN, foot], Anchor::Start, 7.0, left);
        let number = format!("{} of {total}", index + 1);
        quiet(&mut figure, [PAGE[0] - MARGIN, foot], Anchor::End, 7.0, number);
        Ok(figure)
    };
    units.par_chunks(rows.max(1)).enumerate().map(page).collect()
}

/// The common data of all rows.
#[derive(Clone, Copy)]
struct Row<'a> {
    sweep: &'a SweepConfiguration,
    layer: &'a LayerResults,
    maps: &'a LayerMaps,
    fits: &'a [[Option<Fit>; 2]],
    crops: Option<RankedCrops<'a>>,
    style: Style,
    /// Of a map or an image.
    side: f32,
}

impl Row<'_> {
    /// The left edge of the map, or of the image, in a column.
    fn column(&self, column: usize) -> f32 {
        MARGIN + LABELS + column as f32 * (self.side + GAP)
    }

    fn header(&self, figure: &mut Figure) -> Result<(), FontError> {
        let (settings, record) = (&self.sweep.settings, self.layer.configuration());
        let size = record.occluder_size;
        title(figure, [MARGIN, MARGIN], self.sweep, self.layer, self.maps);
        let mut about = vec![format!(
            "maps: mean where occluders were, over {}{} images; occluders of {size}×{size} pixels in steps of {}",
            if settings.until_reliable.is_some() { "up to " } else { "" },
            settings.top,
            record.occluder_stride
        )];
        if self.fits.iter().flatten().any(Option::is_some) {
            about.push("maps: ellipse where the Gaussian that fits best is half its height".into());
        }
        if self.crops.is_some() {
            about.push("below each image: its index, and the unit's response to it".into());
            about.push(match self.style.overlay {
                Overlay::Nothing => "images: what the receptive field shows".into(),
                Overlay::Mean => {
                    "images: line where the unit's mean map, blurred, is half its peak".into()
                }
                Overlay::Own => "images: each with its own map over it, up to its own peak".into(),
            });
        }
        for (line, text) in about.into_iter().enumerate() {
            let y = MARGIN + 19.0 + 9.0 * line as f32;
            quiet(figure, [MARGIN, y], Anchor::Start, 6.5, text);
        }
        draw_bar(figure, [PAGE[0] - MARGIN, MARGIN + 30.0], self.maps, self.style)?;
        let count = self.crops.map_or(0, |crops| crops.count);
        let heads = [
            (0, "max map"),
            (1, "min map"),
            (2, "images of the largest responses"),
            (2 + count, "images of the smallest responses"),
        ];
        for (column, head) in heads.into_iter().take(if count == 0 { 2 } else { 4 }) {
            let y = MARGIN + HEADER - 4.0;
            figure.text([self.column(column), y], Anchor::Start, 6.5, head);
        }
        Ok(())
    }

    fn draw(&self, figure: &mut Figure, index: usize, y: f32) {
        let unit = self.maps.units()[index];
        figure.text([MARGIN, y + 9.0], Anchor::Start, 9.0, format!("{unit}"));
        let below = y + self.side + SMALL + 1.0;
        for (column, side) in Side::BOTH.into_iter().enumerate() {
            let map = self.maps.map(index, side);
            let area = Area::square(self.column(column), y, self.side);
            draw_map(figure, area, map, self.maps, self.style);
            if let Some(fit) = self.fits.get(index).and_then(|fits| fits[column].as_ref()) {
                let ellipse = half_height(fit, self.maps.cells());
                for line in ELLIPSE {
                    outline(figure, area, &ellipse, line);
                }
                figure.outline(area, FRAME);
            }
            if let Map::Values { peak, .. } = map {
                let text = format!("peak {}", number(*peak));
                quiet(figure, [area.x, below], Anchor::Start, SMALL, text);
            }
        }
        let Some(RankedCrops { crops, ranking, count }) = self.crops else { return };
        for (group, side) in Side::BOTH.into_iter().enumerate() {
            let lines = self.outlines(index, side);
            for (rank, entry) in ranking[unit].side(side).iter().take(count).enumerate() {
                let Some(pixels) = crops.get(unit, side, rank) else { continue };
                let area = Area::square(self.column(2 + group * count + rank), y, self.side);
                figure.picture(area, pixels.clone());
                for line in &lines {
                    outline(figure, area, line, OUTLINE);
                }
                figure.outline(area, FRAME);
                quiet(figure, [area.x, below], Anchor::Start, SMALL, caption(entry));
            }
        }
    }

    /// The lines that lie over a side's images, in parts of the RF.
    fn outlines(&self, index: usize, side: Side) -> Vec<Vec<[f32; 2]>> {
        let Map::Values { blurred, .. } = self.maps.map(index, side) else { return Vec::new() };
        if self.style.overlay != Overlay::Mean {
            return Vec::new();
        }
        let peak = blurred.iter().copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
        let cells = self.maps.cells();
        let part = |steps: f32| {
            let pixel = cells.middle(0) + f64::from(steps) * cells.step() as f64;
            // The middle of a pixel is half a pixel from its edge.
            (((pixel + 0.5) / cells.rf() as f64) as f32).clamp(0.0, 1.0)
        };
        let mut lines = contours(&blurred.view(), peak / 2.0);
        for point in lines.iter_mut().flatten() {
            *point = point.map(part);
        }
        lines
    }
}

/// Draws a closed line from point to point, in parts of an area.
fn outline(figure: &mut Figure, area: Area, points: &[[f32; 2]], line: Line) {
    let on_page = |[x, y]: &[f32; 2]| [area.x + x * area.width, area.y + y * area.height];
    let points = points.iter().map(on_page).collect();
    figure.items.push(Item::Path { points, closed: true, line });
}

/// An image's index, and the response to it where that is known.
fn caption(entry: &Entry) -> String {
    match entry.response {
        Some(response) => format!("{}: {}", entry.image, number(f64::from(response))),
        None => entry.image.to_string(),
    }
}
