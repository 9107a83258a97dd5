//! Where a layer's occluders go, for each of its positions.

use super::{
    Frame, FrameRule, GeometryError, GridRule, ImageSize, Occluder, PixelBox, Projection, every_nth,
};

/// The geometry of a layer's maps, for images of one size.
#[derive(Clone, Copy, Debug)]
pub struct LayerGeometry {
    /// How positions project onto the image.
    pub projection: Projection,
    /// The layer's output size.
    pub output: ImageSize,
    /// The image's size.
    pub image: ImageSize,
    /// How occluders are laid out.
    pub rule: GridRule,
    /// Every so many-th occluder of the grid is presented; 1 for all.
    pub every: usize,
    /// How a map's frame is found; [`FrameRule::Field`] unless it is changed.
    pub frame: FrameRule,
}

/// Where the occluders of one map go.
#[derive(Clone, Debug)]
pub struct Placement {
    /// The RF's side length.
    pub rf: usize,
    /// The part of the RF inside the image; `None` where all of it lies in the padding.
    pub pixels: Option<PixelBox>,
    /// The map's place on the image.
    pub frame: Frame,
    /// The occluders, in grid order.
    pub occluders: Vec<Occluder>,
}

impl LayerGeometry {
    /// The position `(y, x)` of a flat index `y * width + x`.
    pub const fn position(&self, flat: u32) -> (usize, usize) {
        (flat as usize / self.output.width, flat as usize % self.output.width)
    }

    /// Where the occluders of position `(y, x)` go. An RF that lies wholly in the padding has
    /// none.
    ///
    /// # Errors
    /// A rule that cannot be met.
    pub fn placement(&self, y: usize, x: usize) -> Result<Placement, GeometryError> {
        let field = self.projection.field(y, x);
        let pixels = field.clip(self.image);
        let occluders = match &pixels {
            Some(pixels) => self.rule.occluders(pixels, field.size, self.image)?,
            None => Vec::new(),
        };
        let frame = match (&pixels, self.frame) {
            (Some(pixels), FrameRule::Reference) => Frame::of_box(pixels, field.size),
            _ => Frame::of_field(field),
        };
        Ok(Placement { rf: field.size, pixels, frame, occluders: every_nth(occluders, self.every) })
    }
}
