//! A figure as SVG.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::ImageFormat;
use svg::Document;
use svg::node::Value;
use svg::node::element::{Image, Polygon, Polyline, Rectangle, Text};

use super::{Anchor, Area, Colour, Figure, Item, Line, Pixels};

impl Figure {
    /// The figure as the text of an SVG file. Pictures are part of it.
    pub fn to_svg(&self) -> String {
        let Self { width, height, items } = self;
        let mut document = Document::new()
            .set("viewBox", (0, 0, *width, *height))
            .set("width", format!("{width}pt"))
            .set("height", format!("{height}pt"));
        for item in items {
            document = match item {
                Item::Picture { area, pixels } => document.add(picture(*area, pixels)),
                Item::Rectangle { area, fill, line } => {
                    let mut rectangle = Rectangle::new()
                        .set("x", area.x)
                        .set("y", area.y)
                        .set("width", area.width)
                        .set("height", area.height)
                        .set("fill", fill.map_or_else(|| "none".into(), shown));
                    if let Some(line) = line {
                        rectangle = rectangle
                            .set("stroke", shown(line.colour))
                            .set("stroke-width", line.width);
                    }
                    document.add(rectangle)
                }
                Item::Path { points, closed, line } => {
                    let list = points.iter().map(|[x, y]| format!("{x},{y}"));
                    let list = list.collect::<Vec<_>>().join(" ");
                    let Line { colour, width } = *line;
                    if *closed {
                        let path = Polygon::new().set("points", list).set("fill", "none");
                        document.add(path.set("stroke", shown(colour)).set("stroke-width", width))
                    } else {
                        let path = Polyline::new().set("points", list).set("fill", "none");
                        document.add(path.set("stroke", shown(colour)).set("stroke-width", width))
                    }
                }
                Item::Text { at: [x, y], anchor, size, colour, text } => document.add(
                    Text::new(text)
                        .set("x", *x)
                        .set("y", *y)
                        .set("font-family", "Roboto, Helvetica, Arial, sans-serif")
                        .set("font-size", *size)
                        .set("text-anchor", anchor.svg())
                        .set("fill", shown(*colour)),
                ),
            };
        }
        format!("{document}\n")
    }
}

impl Anchor {
    const fn svg(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

fn shown([red, green, blue]: Colour) -> Value {
    format!("#{red:02x}{green:02x}{blue:02x}").into()
}

fn picture(area: Area, pixels: &Pixels) -> Image {
    let (kind, bytes) = match pixels {
        Pixels::Plain(pixels) => {
            let mut bytes = std::io::Cursor::new(Vec::new());
            // Writing to memory cannot fail.
            let _ = pixels.write_to(&mut bytes, ImageFormat::Png);
            ("png", bytes.into_inner())
        }
        Pixels::Jpeg { bytes, .. } => ("jpeg", bytes.to_vec()),
    };
    Image::new()
        .set("x", area.x)
        .set("y", area.y)
        .set("width", area.width)
        .set("height", area.height)
        .set("preserveAspectRatio", "none")
        .set("style", "image-rendering: pixelated")
        .set("href", format!("data:image/{kind};base64,{}", STANDARD.encode(bytes)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use image::RgbImage;

    use super::*;

    #[test]
    fn everything_has_its_element() {
        let mut figure = Figure::new(20.0, 10.0);
        figure.picture(Area::square(1.0, 2.0, 3.0), Pixels::Plain(Arc::new(RgbImage::new(2, 2))));
        figure.fill(Area::square(4.0, 5.0, 6.0), [255, 128, 0]);
        figure.outline(Area::square(4.5, 5.0, 6.0), Line { colour: [0; 3], width: 0.5 });
        figure.text([7.0, 8.0], Anchor::End, 9.0, "a < b");
        let text = figure.to_svg();
        for part in [
            "viewBox=\"0 0 20 10\"",
            "width=\"20pt\"",
            "data:image/png;base64,",
            "fill=\"#ff8000\"",
            "stroke=\"#000000\"",
            "text-anchor=\"end\"",
            "a &lt; b",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
