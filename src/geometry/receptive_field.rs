//! From a position on a layer's output back to the pixels that can reach it.

use super::{GeometryError, ImageSize, PixelBox};

/// How a layer's positions project onto the image: position `p` of an axis sees the pixels
/// `p * step + offset ..= p * step + offset + size - 1`, the same on both axes.
///
/// This is the closed form of projecting back through every layer,
/// `[lo * stride - padding, hi * stride - padding + kernel - 1]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Projection {
    /// Pixels between the fields of neighbouring positions.
    pub step: usize,
    /// First pixel that position 0 sees; negative where it lies in the padding.
    pub offset: isize,
    /// The RF's side length in pixels, `rf`.
    pub size: usize,
}

impl Projection {
    /// The image itself: each position sees one pixel.
    pub const IMAGE: Self = Self { step: 1, offset: 0, size: 1 };

    /// The projection of a layer that slides a `kernel` with `stride` and `padding` over this one.
    #[must_use]
    pub const fn through(self, kernel: usize, stride: usize, padding: usize) -> Self {
        Self {
            step: self.step * stride,
            offset: self.offset - (padding * self.step) as isize,
            size: self.size + (kernel - 1) * self.step,
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

    /// The field of position `(y, x)`.
    pub const fn field(self, y: usize, x: usize) -> ReceptiveField {
        ReceptiveField {
            y: (y * self.step) as isize + self.offset,
            x: (x * self.step) as isize + self.offset,
            size: self.size,
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
    /// The part of the field inside the image; `None` where the whole of it lies in the padding.
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

    /// AlexNet's convolutions and poolings as (kernel, stride, padding).
    const ALEXNET: [(usize, usize, usize); 7] =
        [(11, 4, 2), (3, 2, 0), (5, 1, 2), (3, 2, 0), (3, 1, 1), (3, 1, 1), (3, 1, 1)];

    #[test]
    fn alexnet_has_its_known_fields() {
        let mut projection = Projection::IMAGE;
        let sizes: Vec<usize> = ALEXNET
            .iter()
            .map(|&(kernel, stride, padding)| {
                projection = projection.through(kernel, stride, padding);
                projection.size
            })
            .collect();
        assert_eq!(sizes, [11, 19, 51, 67, 99, 131, 163]);
    }

    #[test]
    fn the_closed_form_equals_projecting_back_layer_by_layer() {
        let closed = ALEXNET.iter().fold(Projection::IMAGE, |p, &(k, s, pad)| p.through(k, s, pad));
        for position in 0..13 {
            let (lo, hi) = ALEXNET.iter().rev().fold(
                (position as isize, position as isize),
                |(lo, hi), &(kernel, stride, padding)| {
                    let (stride, padding) = (stride as isize, padding as isize);
                    (lo * stride - padding, hi * stride - padding + kernel as isize - 1)
                },
            );
            let field = closed.field(position, 0);
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
        let narrow = Projection::IMAGE.through(1, 2, 0);
        let wide = Projection::IMAGE.through(3, 2, 1);
        assert_eq!(narrow.join(wide), Ok(Projection { step: 2, offset: -1, size: 3 }));
        let other = Projection::IMAGE.through(3, 1, 1);
        assert_eq!(narrow.join(other), Err(GeometryError::UnequalSteps(2, 1)));
    }
}
