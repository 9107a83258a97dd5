//! All occluders of a box.

use std::collections::BTreeSet;
use std::sync::Arc;

use image::RgbImage;

use super::axes::Axes;
use super::{ACCENT, BoxOccluders, line};
use crate::geometry::{ImageSize, Occluder, PixelBox};
use crate::report::figure::{Area, Colour, Figure, Pixels};

const BOX: Colour = [0, 0, 0];
const OCCLUDER: Colour = [60, 110, 190];
/// The same, to be seen on an image, dark or light.
const ON_IMAGE: Colour = [70, 160, 255];
const OUTSIDE: Colour = [232, 232, 236];

/// Draws the box, the edge of every occluder, a dot at the pixel where its effect is marked on the
/// map, and the first occluder once more in red; over an image of this size, if there is one.
pub fn draw_grid(boxed: &BoxOccluders, size: ImageSize, image: Option<&RgbImage>) -> Figure {
    let BoxOccluders { title, rf, pixels, occluders } = boxed;
    let covered = occluders.iter().map(Occluder::pixels).fold(*pixels, |all, one| PixelBox {
        y_min: all.y_min.min(one.y_min),
        x_min: all.x_min.min(one.x_min),
        y_max: all.y_max.max(one.y_max),
        x_max: all.x_max.max(one.x_max),
    });
    // As much around as can be seen well.
    let around = (covered.height().max(covered.width()) / 12).max(3) as isize;
    let range = |min: usize, max: usize| min as isize - around..max as isize + 1 + around;
    let axes = Axes::new(range(covered.y_min, covered.y_max), range(covered.x_min, covered.x_max));
    let about = match occluders.first() {
        Some(first) => format!(
            "{} occluders of {}×{} pixels in a box of {}×{}; RF of {rf} pixels, image of {size}",
            occluders.len(),
            first.size,
            first.size,
            pixels.height(),
            pixels.width()
        ),
        None => format!("no occluder fits into the box; RF of {rf} pixels, image of {size}"),
    };
    let key = "black: the box; red: the first occluder; dots: where effects are marked; grey: beyond \
               the image";
    let mut figure = axes.figure(title, &[&about, key]);
    let all = axes.all();
    figure.fill(all, OUTSIDE);
    // The part of the image in the range of the axes.
    let part = |min: usize, max: usize, length: usize| {
        let around = around as usize;
        min.saturating_sub(around)..(max + 1 + around).min(length)
    };
    let rows = part(covered.y_min, covered.y_max, size.height);
    let columns = part(covered.x_min, covered.x_max, size.width);
    let on_image =
        axes.area(rows.start as isize, columns.start as isize, rows.len(), columns.len());
    match image {
        Some(image) => {
            let [x, y, width, height] =
                [columns.start, rows.start, columns.len(), rows.len()].map(|side| side as u32);
            let cut = image::imageops::crop_imm(image, x, y, width, height).to_image();
            figure.picture(on_image, Pixels::Plain(Arc::new(cut)));
        }
        None => figure.fill(on_image, [255; 3]),
    }
    let square = |occluder: &Occluder| {
        let Occluder { top, left, size, .. } = *occluder;
        axes.area(top as isize, left as isize, size, size)
    };
    let colour = if image.is_some() { ON_IMAGE } else { OCCLUDER };
    for occluder in occluders {
        figure.outline(square(occluder), line(colour, 0.35));
    }
    // Dots that leave most of a step free, and lie in the middle of their pixel.
    let side = (step(occluders) as f32 / 3.0).min(1.0);
    for occluder in occluders {
        let half = (occluder.size - 1) / 2;
        let [y, x] = [occluder.top + half, occluder.left + half].map(|pixel| pixel as isize);
        let pixel = axes.area(y, x, 1, 1);
        let around = 0.5 * (1.0 - side) * pixel.width;
        let (width, height) = (side * pixel.width, side * pixel.height);
        let dot = Area { x: pixel.x + around, y: pixel.y + around, width, height };
        figure.fill(dot, colour);
    }
    let first =
        axes.area(pixels.y_min as isize, pixels.x_min as isize, pixels.height(), pixels.width());
    figure.outline(first, line([255; 3], 2.4));
    figure.outline(first, line(BOX, 1.2));
    if let Some(first) = occluders.first() {
        figure.outline(square(first), line(ACCENT, 1.2));
    }
    axes.draw(&mut figure);
    figure
}

/// The shortest step between occluders, in pixels; 1 of fewer than two.
fn step(occluders: &[Occluder]) -> usize {
    let shortest = |edge: fn(&Occluder) -> usize| {
        let edges: BTreeSet<usize> = occluders.iter().map(edge).collect();
        edges.iter().zip(edges.iter().skip(1)).map(|(one, next)| next - one).min()
    };
    let steps = [shortest(|occluder| occluder.top), shortest(|occluder| occluder.left)];
    steps.into_iter().flatten().min().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::GridRule;
    use crate::report::drawing::SampledGrid;
    use crate::report::figure::Item;

    #[test]
    fn every_occluder_has_its_edge_and_its_mark() {
        // The reference's own example.
        let pixels = PixelBox { y_min: 10, x_min: 19, y_max: 20, x_max: 29 };
        let size = ImageSize::square(227);
        let grid = SampledGrid { rule: GridRule::REFERENCE, every: 1 };
        let boxed = BoxOccluders::of_box(pixels, 20, size, grid).unwrap();
        let occluders = &boxed.occluders;
        let figure = draw_grid(&boxed, size, None);
        let edges: Vec<Area> = figure
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Rectangle { area, line: Some(line), .. } if line.colour == OCCLUDER => {
                    Some(*area)
                }
                _ => None,
            })
            .collect();
        assert_eq!(edges.len(), occluders.len());
        let step = edges[1].x - edges[0].x;
        let expected = (occluders[1].left - occluders[0].left) as f32 / occluders[0].size as f32;
        assert!((step / edges[0].width - expected).abs() < 1e-3);
        assert!(edges.iter().all(|area| area.x >= 0.0 && area.x + area.width <= figure.width));
    }
}
