//! A figure in pixels.

use image::{ImageFormat, RgbImage};
use tiny_skia::{
    FillRule, Paint, Path, PathBuilder, Pixmap, PremultipliedColorU8, Rect, Stroke, Transform,
};
use ttf_parser::OutlineBuilder;

use super::font::{Font, FontError};
use super::{Anchor, Area, Colour, Figure, Item, Line, Pixels};

impl Figure {
    /// Draws the figure on white, in this many pixels a point.
    ///
    /// # Errors
    /// [`FontError`].
    pub fn to_picture(&self, scale: f32) -> Result<RgbImage, FontError> {
        let font = Font::new()?;
        let side = |points: f32| (points * scale).round().max(1.0) as u32;
        let (width, height) = (side(self.width), side(self.height));
        let Some(mut pixmap) = Pixmap::new(width, height) else {
            return Ok(RgbImage::new(width, height));
        };
        pixmap.fill(tiny_skia::Color::WHITE);
        let mut canvas = Canvas { pixmap, scale, font };
        for item in &self.items {
            canvas.draw(item);
        }
        let pixels = canvas.pixmap.pixels().iter();
        let bytes = pixels.flat_map(|p| [p.red(), p.green(), p.blue()]).collect();
        Ok(RgbImage::from_raw(width, height, bytes).unwrap_or_default())
    }
}

struct Canvas {
    pixmap: Pixmap,
    scale: f32,
    font: Font,
}

impl Canvas {
    fn draw(&mut self, item: &Item) {
        match item {
            Item::Picture { area, pixels } => self.picture(*area, pixels),
            Item::Rectangle { area, fill, line } => {
                let rectangle = Rect::from_xywh(area.x, area.y, area.width, area.height);
                let Some(path) = rectangle.map(PathBuilder::from_rect) else { return };
                if let Some(fill) = fill {
                    self.fill(&path, *fill, Transform::identity());
                }
                if let Some(line) = line {
                    self.stroke(&path, *line);
                }
            }
            Item::Path { points, closed, line } => {
                let mut path = PathBuilder::new();
                for (index, &[x, y]) in points.iter().enumerate() {
                    if index == 0 { path.move_to(x, y) } else { path.line_to(x, y) }
                }
                if *closed {
                    path.close();
                }
                if let Some(path) = path.finish() {
                    self.stroke(&path, *line);
                }
            }
            Item::Text { at, anchor, size, colour, text } => {
                let start = at[0] - anchor.share() * self.font.width(text) * size;
                let units = size / self.font.em();
                let outlines: Vec<(Path, f32)> = self
                    .font
                    .glyphs(text)
                    .filter_map(|(glyph, offset)| {
                        let mut outline = Outline(PathBuilder::new());
                        self.font.face.outline_glyph(glyph, &mut outline)?;
                        Some((outline.0.finish()?, offset))
                    })
                    .collect();
                for (outline, offset) in outlines {
                    // The font's y runs upward.
                    let x = start + offset * size;
                    let transform = Transform::from_row(units, 0.0, 0.0, -units, x, at[1]);
                    self.fill(&outline, *colour, transform);
                }
            }
        }
    }

    fn fill(&mut self, path: &Path, colour: Colour, transform: Transform) {
        let transform = transform.post_scale(self.scale, self.scale);
        self.pixmap.fill_path(path, &paint(colour), FillRule::Winding, transform, None);
    }

    fn stroke(&mut self, path: &Path, line: Line) {
        let stroke = Stroke { width: line.width, ..Stroke::default() };
        let transform = Transform::from_scale(self.scale, self.scale);
        self.pixmap.stroke_path(path, &paint(line.colour), &stroke, transform, None);
    }

    /// Each pixel shows the nearest of the picture's.
    fn picture(&mut self, area: Area, pixels: &Pixels) {
        let decoded;
        let source: &RgbImage = match pixels {
            Pixels::Plain(pixels) => pixels,
            Pixels::Jpeg { bytes, .. } => {
                match image::load_from_memory_with_format(bytes, ImageFormat::Jpeg) {
                    Ok(picture) => decoded = picture.into_rgb8(),
                    Err(_) => return,
                }
                &decoded
            }
        };
        let edge = |points: f32| (points * self.scale).round().max(0.0) as u32;
        let (left, right) = (edge(area.x), edge(area.x + area.width));
        let (top, bottom) = (edge(area.y), edge(area.y + area.height));
        let (across, rows) = (self.pixmap.width(), self.pixmap.height());
        let nearest = |pixel: u32, first: u32, last: u32, length: u32| {
            let part = (f64::from(pixel - first) + 0.5) / f64::from(last - first);
            ((part * f64::from(length)) as u32).min(length - 1)
        };
        for y in top..bottom.min(rows) {
            for x in left..right.min(across) {
                let from = [
                    nearest(x, left, right, source.width()),
                    nearest(y, top, bottom, source.height()),
                ];
                let [red, green, blue] = source.get_pixel(from[0], from[1]).0;
                // Opaque, so it is premultiplied already.
                if let Some(colour) = PremultipliedColorU8::from_rgba(red, green, blue, 255) {
                    self.pixmap.pixels_mut()[(y * across + x) as usize] = colour;
                }
            }
        }
    }
}

impl Anchor {
    /// The part of a text's width that lies before its anchor.
    pub(super) const fn share(self) -> f32 {
        match self {
            Self::Start => 0.0,
            Self::Middle => 0.5,
            Self::End => 1.0,
        }
    }
}

fn paint([red, green, blue]: Colour) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(red, green, blue, 255);
    paint
}

struct Outline(PathBuilder);

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        self.0.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.0.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.0.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.0.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use image::Rgb;

    use super::*;

    #[test]
    fn everything_is_drawn_where_it_should_be() {
        let mut figure = Figure::new(40.0, 30.0);
        let pixels = RgbImage::from_fn(2, 1, |x, _| Rgb([200 * x as u8, 10, 20]));
        figure.picture(Area::square(5.0, 10.0, 10.0), Pixels::Plain(Arc::new(pixels)));
        figure.fill(Area { x: 20.0, y: 0.0, width: 4.0, height: 6.0 }, [1, 2, 3]);
        let line = Line { colour: [9, 9, 9], width: 1.0 };
        figure.items.push(Item::Path {
            points: vec![[20.0, 20.5], [35.0, 20.5]],
            closed: false,
            line,
        });
        let picture = figure.to_picture(2.0).unwrap();
        assert_eq!(picture.dimensions(), (80, 60));
        let at = |x: u32, y: u32| picture.get_pixel(x, y).0;
        assert_eq!((at(10, 20), at(19, 39)), ([0, 10, 20], [0, 10, 20]));
        assert_eq!((at(20, 20), at(29, 39)), ([200, 10, 20], [200, 10, 20]));
        assert_eq!((at(9, 20), at(30, 39), at(20, 40)), ([255; 3], [255; 3], [255; 3]));
        assert_eq!((at(40, 0), at(47, 11), at(48, 11)), ([1, 2, 3], [1, 2, 3], [255; 3]));
        assert_eq!((at(41, 40), at(60, 41)), ([9; 3], [9; 3]));
    }

    #[test]
    fn text_stands_on_its_base_line_at_its_anchor() {
        for (anchor, columns) in
            [(Anchor::Start, 50..70), (Anchor::Middle, 40..60), (Anchor::End, 30..50)]
        {
            let mut figure = Figure::new(100.0, 40.0);
            figure.text([50.0, 30.0], anchor, 36.0, "H");
            let picture = figure.to_picture(1.0).unwrap();
            let dark: Vec<(u32, u32)> = picture
                .enumerate_pixels()
                .filter(|(.., pixel)| pixel.0[0] < 128)
                .map(|(x, y, _)| (x, y))
                .collect();
            assert!(!dark.is_empty());
            assert!(dark.iter().all(|(x, y)| columns.contains(x) || *y < 30), "{dark:?}");
            assert!(dark.iter().all(|&(_, y)| (3..30).contains(&y)));
            let middle = dark.iter().map(|&(x, _)| x).sum::<u32>() / dark.len() as u32;
            assert!(columns.contains(&middle), "{anchor:?}: {middle}");
        }
    }
}
