//! The two drawings that explain the method, as the reference has them: an image with one occluder,
//! and all occluders of a box.
//!
//! Both are [`Figure`](super::figure::Figure)s with the image's own coordinates along their edges.

mod axes;
mod boxed;
mod grid;
mod occluder;
mod shown;

pub use boxed::{BoxOccluders, SampledGrid};
pub use grid::draw_grid;
pub use occluder::{PresentedOccluder, draw_occluder};
pub use shown::ShownImage;

use super::figure::{Colour, Line};

/// The longer side of what is drawn, in points: a column of text.
const LONGEST: f32 = 340.0;
/// Around it, for the coordinates.
const LEFT: f32 = 30.0;
const BELOW: f32 = 22.0;
const RIGHT: f32 = 14.0;
/// For the title, and two lines below it.
const ABOVE: f32 = 42.0;
/// Of the occluder that is spoken of.
const ACCENT: Colour = [214, 40, 40];

const fn line(colour: Colour, width: f32) -> Line {
    Line { colour, width }
}
