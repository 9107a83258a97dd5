//! Drawings: what is on a page, in points, and the three forms it can be written in.
//!
//! A [`Figure`] is plain data. [`Figure::to_picture`] draws it in pixels, [`to_pdf`] writes figures
//! as the pages of a PDF and [`Figure::to_svg`] as an SVG, in which labels and lines stay labels
//! and lines.

mod file;
mod font;
mod pdf;
mod raster;
mod svg;

use std::sync::Arc;

use image::RgbImage;

pub use file::FigureFile;
pub use font::{FontError, width_of};
pub use pdf::to_pdf;

/// Red, green and blue.
pub type Colour = [u8; 3];

/// Points an inch.
pub const INCH: f32 = 72.0;

/// A drawing. Lengths are points, a 72nd of an inch; `y` runs downward from the upper edge.
#[derive(Clone, Debug, Default)]
pub struct Figure {
    /// Its width.
    pub width: f32,
    /// Its height.
    pub height: f32,
    /// Its items; later ones lie over earlier ones.
    pub items: Vec<Item>,
}

/// A thing on a [`Figure`].
#[derive(Clone, Debug)]
pub enum Item {
    /// Pixels, stretched over an area without being smoothed.
    Picture {
        /// Where.
        area: Area,
        /// The pixels.
        pixels: Pixels,
    },
    /// A rectangle.
    Rectangle {
        /// Where.
        area: Area,
        /// Its colour inside.
        fill: Option<Colour>,
        /// Its outline.
        line: Option<Line>,
    },
    /// Straight lines from point `[x, y]` to point.
    Path {
        /// The points.
        points: Vec<[f32; 2]>,
        /// Whether the last is joined with the first.
        closed: bool,
        /// The lines.
        line: Line,
    },
    /// A line of text.
    Text {
        /// Where: `[x, y]` of the end that `anchor` tells, on the base line.
        at: [f32; 2],
        /// Which end that is.
        anchor: Anchor,
        /// The font's size.
        size: f32,
        /// The colour.
        colour: Colour,
        /// The text.
        text: String,
    },
}

/// A rectangle: position and size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Its left edge.
    pub x: f32,
    /// Its upper edge.
    pub y: f32,
    /// Its width.
    pub width: f32,
    /// Its height.
    pub height: f32,
}

/// A line's look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Its colour.
    pub colour: Colour,
    /// Its width.
    pub width: f32,
}

/// The point of a text that lies at its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// Its left end.
    Start,
    /// Its middle.
    Middle,
    /// Its right end.
    End,
}

/// A picture, as it is kept.
#[derive(Clone, Debug)]
pub enum Pixels {
    /// As it is: for maps, whose edges are sharp.
    Plain(Arc<RgbImage>),
    /// As JPEG: for photographs, of which a document has thousands.
    Jpeg {
        /// The file's bytes.
        bytes: Arc<Vec<u8>>,
        /// Columns and rows.
        size: [u32; 2],
    },
}

impl Area {
    /// A square.
    pub const fn square(x: f32, y: f32, side: f32) -> Self {
        Self { x, y, width: side, height: side }
    }
}

impl Figure {
    /// An empty figure.
    pub fn new(width: f32, height: f32) -> Self {
        Self { width, height, items: Vec::new() }
    }

    /// Adds pixels.
    pub fn picture(&mut self, area: Area, pixels: Pixels) {
        self.items.push(Item::Picture { area, pixels });
    }

    /// Adds a filled rectangle.
    pub fn fill(&mut self, area: Area, colour: Colour) {
        self.items.push(Item::Rectangle { area, fill: Some(colour), line: None });
    }

    /// Adds the outline of a rectangle.
    pub fn outline(&mut self, area: Area, line: Line) {
        self.items.push(Item::Rectangle { area, fill: None, line: Some(line) });
    }

    /// Adds a line of text in black.
    pub fn text(&mut self, at: [f32; 2], anchor: Anchor, size: f32, text: impl Into<String>) {
        let colour = [0; 3];
        self.items.push(Item::Text { at, anchor, size, colour, text: text.into() });
    }
}
