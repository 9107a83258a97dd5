//! The occluders of a layer's positions.

use super::{
    Frame, FrameRule, GeometryError, GridRule, ImageSize, Occluder, PixelBox, Projection,
    ReceptiveField, every_nth,
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
    /// The rule for grids.
    pub rule: GridRule,
    /// Every N-th occluder of the grid is presented; 1 for all.
    pub every: usize,
    /// The rule for frames; [`FrameRule::Field`] by default.
    pub frame: FrameRule,
}

/// The occluders of one map.
#[derive(Clone, Debug)]
pub struct Placement {
    /// The RF's side length.
    pub rf: usize,
    /// The part of the RF inside the image; `None` if the whole RF lies in the padding.
    pub pixels: Option<PixelBox>,
    /// The position of the map on the image.
    pub frame: Frame,
    /// The occluders, in grid order.
    pub occluders: Vec<Occluder>,
}

impl LayerGeometry {
    /// The position `(y, x)` of a flat index `y * width + x`.
    pub const fn position(&self, flat: u32) -> (usize, usize) {
        (flat as usize / self.output.width, flat as usize % self.output.width)
    }

    /// Checks that the output of `layer`, of which this is the geometry, has a position.
    ///
    /// # Errors
    /// [`GeometryError::NoPosition`].
    pub fn check_position(&self, layer: &str, y: usize, x: usize) -> Result<(), GeometryError> {
        let output = self.output;
        if y < output.height && x < output.width {
            return Ok(());
        }
        Err(GeometryError::NoPosition { layer: layer.to_owned(), y, x, output })
    }

    /// The occluders of position `(y, x)`. An RF that lies wholly in the padding has none.
    ///
    /// # Errors
    /// A rule that cannot be satisfied.
    pub fn placement(&self, y: usize, x: usize) -> Result<Placement, GeometryError> {
        let field = self.projection.field(y, x);
        let pixels = field.clip(self.image);
        let frame = match (&pixels, self.frame) {
            (Some(pixels), FrameRule::Reference) => Frame::of_box(pixels, field.size),
            _ => Frame::of_field(field),
        };
        self.placed(frame, pixels)
    }

    /// The placement of a map with this frame. The frame determines the box under either rule: the
    /// rules differ only on an axis that the RF covers from end to end.
    ///
    /// # Errors
    /// As [`placement`](Self::placement).
    pub fn placement_of(&self, frame: Frame) -> Result<Placement, GeometryError> {
        let field = ReceptiveField { y: frame.y, x: frame.x, size: self.projection.size };
        self.placed(frame, field.clip(self.image))
    }

    fn placed(&self, frame: Frame, pixels: Option<PixelBox>) -> Result<Placement, GeometryError> {
        let rf = self.projection.size;
        let occluders = match &pixels {
            Some(pixels) => self.rule.occluders(pixels, rf, self.image)?,
            None => Vec::new(),
        };
        Ok(Placement { rf, pixels, frame, occluders: every_nth(occluders, self.every) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::AxisProjection;

    #[test]
    fn a_frame_tells_the_placement_under_either_rule() {
        // RFs inside the image, cut at every border, and larger than the image.
        for (size, image) in [(9, ImageSize::new(16, 13)), (21, ImageSize::new(16, 30))] {
            for frame in [FrameRule::Field, FrameRule::Reference] {
                let geometry = LayerGeometry {
                    projection: Projection::square(AxisProjection {
                        step: 2,
                        offset: 1 - size as isize,
                        size,
                    }),
                    output: ImageSize::new(19, 19),
                    image,
                    rule: GridRule::REFERENCE,
                    every: 2,
                    frame,
                };
                for (y, x) in (0..19).flat_map(|y| (0..19).map(move |x| (y, x))) {
                    let expected = geometry.placement(y, x).unwrap();
                    let found = geometry.placement_of(expected.frame).unwrap();
                    assert_eq!(found.occluders, expected.occluders, "{frame:?} {y} {x}");
                    assert_eq!(found.pixels, expected.pixels, "{frame:?} {y} {x}");
                }
            }
        }
    }
}
