//! Receptive fields, boxes, occluder grids and map frames: integers only, no activations, no I/O.
//!
//! Coordinates are pixels of the image, `(y, x)`, `y` downward, from 0.

mod axis;
mod border;
mod frame;
mod grid;
mod image_size;
mod pixel_box;
mod placement;
mod preset;
mod receptive_field;
mod span;

use crate::error::{ErrorKind, HasKind};
use thiserror::Error;

pub use axis::{Axis, Padding, PerAxis};
pub use border::Border;
pub use frame::{Deposit, Frame, FrameRule};
pub use grid::{GridRule, Lattice, Occluder, OccluderSize, OccluderStride, every_nth};
pub use image_size::ImageSize;
pub use pixel_box::PixelBox;
pub use placement::{LayerGeometry, Placement};
pub use preset::GridPreset;
pub use receptive_field::{AxisProjection, Projection, ReceptiveField};
pub use span::{SlidingWindow, Span};

/// Errors of geometry.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum GeometryError {
    /// The box is not one that an RF of this size can have.
    #[error(
        "the box {pixels} is {}×{} pixels, larger than its receptive field of {rf}×{rf}",
        pixels.height(), pixels.width()
    )]
    BoxLargerThanField {
        /// The box.
        pixels: PixelBox,
        /// The RF's side length.
        rf: usize,
    },
    /// An occluder rule with a zero in it.
    #[error("an occluder's {what} is 0; expected at least 1")]
    Zero {
        /// Which number.
        what: &'static str,
    },
    /// An occluder larger than the image.
    #[error(
        "an occluder of {size}×{size} pixels does not fit into an image of {image}; \
         use a smaller occluder or larger images"
    )]
    OccluderLargerThanImage {
        /// The occluder's side length.
        size: usize,
        /// The image's size.
        image: ImageSize,
    },
    /// A position outside a layer's output.
    #[error(
        "{layer} has no position {y},{x}; its output is {output}, positions 0,0 to {},{}",
        output.height - 1, output.width - 1
    )]
    NoPosition {
        /// The layer.
        layer: String,
        /// Row.
        y: usize,
        /// Column.
        x: usize,
        /// Size of the layer's output.
        output: ImageSize,
    },
    /// Two joined branches do not advance over the image in equal steps.
    #[error(
        "branches that step {0} and {1} pixels over the image are joined; a unit of the result \
         has no one receptive field size"
    )]
    UnequalSteps(usize, usize),
}

impl HasKind for GeometryError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }
}
