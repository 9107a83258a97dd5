//! Projection of a layer's positions back to the pixels that can reach them.

use super::{GeometryError, ImageSize, PerAxis, PixelBox, SlidingWindow};

/// How positions of one axis project onto the image: position `p` sees the pixels
/// `p * step + offset ..= p * step + offset + size - 1`.
///
/// This is the closed form of projecting back through every layer,
/// `[lo * stride - padding, hi * stride - padding + extent - 1]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AxisProjection {
    /// Pixels between the fields of neighbouring positions.
    pub step: usize,
    /// First pixel of position 0's field; negative if it lies in the padding.
    pub offset: isize,
    /// Pixels of the field.
    pub size: usize,
}

impl AxisProjection {
    /// The image itself: each position is one pixel.
    pub const IMAGE: Self = Self { step: 1, offset: 0, size: 1 };

    /// The projection of a layer that slides a window over this one.
    #[must_use]
    pub const fn through(self, window: SlidingWindow) -> Self {
        Self {
            step: self.step * window.stride,
            offset: self.offset - (window.padding * self.step) as isize,
            size: self.size + (window.extent() - 1) * self.step,
        }
    }

    /// The projection of a layer that joins two branches: the bounding box of both fields.
    pub fn join(self, other: Self) -> Result<Self, GeometryError> {
        if self.step != other.step {
            return Err(GeometryError::UnequalSteps(self.step, other.step));
        }
        let offset = self.offset.min(other.offset);
        let end = (self.offset + self.size as isize).max(other.offset + other.size as isize);
        Ok(Self { step: self.step, offset, size: (end - offset) as usize })
    }
}

/// How a layer's positions project onto the image.
///
/// Fields are squares. A field of another shape becomes the square around its middle, as long as
/// its longer side: occluders in the rest change nothing, exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Projection {
    /// Pixels between the fields of neighbouring positions.
    pub step: PerAxis<usize>,
    /// First row and column of position 0's field; negative in the padding.
    pub offset: PerAxis<isize>,
    /// The RF's side length in pixels, `rf`.
    pub size: usize,
}

impl Projection {
    /// The same projection on both axes.
    pub const fn square(axis: AxisProjection) -> Self {
        let AxisProjection { step, offset, size } = axis;
        Self { step: PerAxis::both(step), offset: PerAxis::both(offset), size }
    }

    /// The field of position `(y, x)`.
    pub const fn field(self, y: usize, x: usize) -> ReceptiveField {
        ReceptiveField {
            y: (y * self.step.y) as isize + self.offset.y,
            x: (x * self.step.x) as isize + self.offset.x,
            size: self.size,
        }
    }
}

impl From<PerAxis<AxisProjection>> for Projection {
    fn from(axes: PerAxis<AxisProjection>) -> Self {
        let size = axes.y.size.max(axes.x.size);
        let offset = |axis: AxisProjection| axis.offset - ((size - axis.size) / 2) as isize;
        Self {
            step: PerAxis::new(axes.y.step, axes.x.step),
            offset: PerAxis::new(offset(axes.y), offset(axes.x)),
            size,
        }
    }
}

/// The theoretical RF of one position: a square that may reach past the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceptiveField {
    /// Topmost row; negative above the image.
    pub y: isize,
    /// Leftmost column; negative left of the image.
    pub x: isize,
    /// Side length.
    pub size: usize,
}

impl ReceptiveField {
    /// The part of the field inside the image; `None` if the whole field lies in the padding.
    pub fn clip(self, image: ImageSize) -> Option<PixelBox> {
        let axis = |first: isize, length: usize| {
            let last = (first + self.size as isize - 1).min(length as isize - 1);
            (last >= 0 && first <= last).then(|| (first.max(0) as usize, last as usize))
        };
        let (y_min, y_max) = axis(self.y, image.height)?;
        let (x_min, x_max) = axis(self.x, image.width)?;
        Some(PixelBox { y_min, x_min, y_max, x_max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn window((kernel, stride, padding): (usize, usize, usize)) -> SlidingWindow {
        SlidingWindow { kernel, stride, dilation: 1, padding }
    }

    /// AlexNet's convolutions and poolings as (kernel, stride, padding).
    const ALEXNET: [(usize, usize, usize); 7] =
        [(11, 4, 2), (3, 2, 0), (5, 1, 2), (3, 2, 0), (3, 1, 1), (3, 1, 1), (3, 1, 1)];

    #[test]
    fn alexnet_has_its_known_fields() {
        let mut projection = AxisProjection::IMAGE;
        let sizes: Vec<usize> = ALEXNET
            .iter()
            .map(|&layer| {
                projection = projection.through(window(layer));
                projection.size
            })
            .collect();
        assert_eq!(sizes, [11, 19, 51, 67, 99, 131, 163]);
    }

    #[test]
    fn the_closed_form_equals_projecting_back_layer_by_layer() {
        let closed = ALEXNET
            .iter()
            .fold(AxisProjection::IMAGE, |projection, &layer| projection.through(window(layer)));
        for position in 0..13 {
            let (lo, hi) = ALEXNET.iter().rev().fold(
                (position as isize, position as isize),
                |(lo, hi), &(kernel, stride, padding)| {
                    let (stride, padding) = (stride as isize, padding as isize);
                    (lo * stride - padding, hi * stride - padding + kernel as isize - 1)
                },
            );
            let field = Projection::square(closed).field(position, 0);
            assert_eq!((field.y, field.y + field.size as isize - 1), (lo, hi));
        }
    }

    #[test]
    fn a_field_larger_than_the_image_is_clipped_on_both_sides() {
        let field = ReceptiveField { y: -4, x: 2, size: 20 };
        let image = ImageSize::new(9, 30);
        assert_eq!(field.clip(image), Some(PixelBox { y_min: 0, x_min: 2, y_max: 8, x_max: 21 }));
    }

    #[test]
    fn a_field_in_the_padding_sees_nothing() {
        let image = ImageSize::square(10);
        assert_eq!(ReceptiveField { y: -3, x: 0, size: 3 }.clip(image), None);
        assert_eq!(ReceptiveField { y: 0, x: 10, size: 3 }.clip(image), None);
        assert!(ReceptiveField { y: -2, x: 9, size: 3 }.clip(image).is_some());
    }

    #[test]
    fn joined_branches_see_the_bounding_box() {
        let narrow = AxisProjection::IMAGE.through(window((1, 2, 0)));
        let wide = AxisProjection::IMAGE.through(window((3, 2, 1)));
        assert_eq!(narrow.join(wide), Ok(AxisProjection { step: 2, offset: -1, size: 3 }));
        let other = AxisProjection::IMAGE.through(window((3, 1, 1)));
        assert_eq!(narrow.join(other), Err(GeometryError::UnequalSteps(2, 1)));
    }

    #[test]
    fn a_field_that_is_no_square_lies_in_the_middle_of_one() {
        let tall = AxisProjection::IMAGE.through(window((7, 1, 3)));
        let dilated = SlidingWindow { kernel: 3, stride: 2, dilation: 2, padding: 0 };
        let wide = AxisProjection::IMAGE.through(dilated);
        assert_eq!((tall.size, wide.size), (7, 5));
        let projection = Projection::from(PerAxis::new(tall, wide));
        assert_eq!(projection.field(0, 0), ReceptiveField { y: -3, x: -1, size: 7 });
        assert_eq!(projection.field(2, 3), ReceptiveField { y: -1, x: 5, size: 7 });
    }
}
