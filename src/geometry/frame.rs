//! The position of a map on its image, and of discrepancies on the map.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{Occluder, PixelBox, ReceptiveField};

/// The position of a map on its image: map pixel `(0, 0)` is image pixel `(y, x)`. The map is as
/// large as the RF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// Image row of the map's first row; negative if the RF begins above the image.
    pub y: isize,
    /// Image column of the map's first column; negative if the RF begins left of the image.
    pub x: isize,
}

impl Frame {
    /// The frame of an RF: its own corner.
    ///
    /// Equal to [`Frame::of_box`] of the RF's box, unless an RF larger than the image covers an
    /// axis from end to end: the box then no longer determines where the RF begins, and the
    /// reference's formula shifts the map.
    pub const fn of_field(field: ReceptiveField) -> Self {
        Self { y: field.y, x: field.x }
    }

    /// The reference's frame for a box (`add_discrepancy_maps`): per axis the box's first pixel,
    /// or `length - rf` if that is 0, as for an RF that is cut at the low side.
    pub fn of_box(pixels: &PixelBox, rf: usize) -> Self {
        let axis = |min: usize, length: usize| match min {
            0 => length as isize - rf as isize,
            min => min as isize,
        };
        Self { y: axis(pixels.y_min, pixels.height()), x: axis(pixels.x_min, pixels.width()) }
    }

    /// Converts rows and columns of the image to rows and columns of a map of `rf` × `rf` pixels,
    /// clipped to the map.
    pub fn onto_map(
        self,
        rows: Range<usize>,
        columns: Range<usize>,
        rf: usize,
    ) -> (Range<usize>, Range<usize>) {
        let cut = |range: Range<usize>, origin: isize| {
            let [start, end] = [range.start, range.end]
                .map(|end| (end as isize - origin).clamp(0, rf as isize) as usize);
            start..end
        };
        (cut(rows, self.y), cut(columns, self.x))
    }
}

/// The rule for a map's frame: [`Frame::of_field`], which aligns all maps of a unit, or
/// [`Frame::of_box`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum FrameRule {
    /// The receptive field's own corner.
    #[default]
    Field,
    /// The corner that the reference script derives from the box; differs if the RF is larger than the
    /// image.
    Reference,
}

/// The part of the map to which an occluder's discrepancy is added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum Deposit {
    /// The occluder's centre, `(first + last) / 2` rounded down.
    #[default]
    Centre,
    /// Every pixel that the occluder covers, which blurs the map by its shape.
    Area,
}

impl Deposit {
    /// The rows and columns of a map of `rf` × `rf` pixels to which the discrepancy of `occluder`
    /// is added. Pixels outside the map (of an occluder that only touches the RF's edge) are left
    /// out; the ranges may be empty.
    pub fn pixels(
        self,
        frame: Frame,
        occluder: &Occluder,
        rf: usize,
    ) -> (Range<usize>, Range<usize>) {
        let (first, length) = match self {
            Self::Centre => ((occluder.size - 1) / 2, 1),
            Self::Area => (0, occluder.size),
        };
        let (top, left) = (occluder.top + first, occluder.left + first);
        frame.onto_map(top..top + length, left..left + length, rf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::ImageSize;

    #[test]
    fn the_two_frames_agree_unless_the_field_covers_an_axis() {
        let image = ImageSize::new(40, 31);
        for size in [1, 7, 30] {
            for y in -(size as isize) + 1..40 {
                for x in -(size as isize) + 1..31 {
                    let field = ReceptiveField { y, x, size };
                    let pixels = field.clip(image).unwrap();
                    let covers = |first: isize, length: usize| {
                        first <= 0 && first + size as isize > length as isize
                    };
                    if covers(y, image.height) || covers(x, image.width) {
                        continue;
                    }
                    assert_eq!(Frame::of_box(&pixels, size), Frame::of_field(field), "{field:?}");
                }
            }
        }
    }

    #[test]
    fn a_centre_is_rounded_down_and_an_area_is_clipped() {
        let frame = Frame { y: -2, x: 10 };
        let occluder = Occluder { index: 0, top: 0, left: 12, size: 4 };
        assert_eq!(Deposit::Centre.pixels(frame, &occluder, 5), (3..4, 3..4));
        assert_eq!(Deposit::Area.pixels(frame, &occluder, 5), (2..5, 2..5));
        assert_eq!(Deposit::Area.pixels(frame, &occluder, 9), (2..6, 2..6));
    }

    #[test]
    fn what_lies_outside_the_map_is_left_out() {
        let frame = Frame { y: 10, x: 10 };
        for (top, left) in [(2, 12), (12, 2), (15, 12), (12, 15)] {
            let occluder = Occluder { index: 0, top, left, size: 3 };
            for deposit in [Deposit::Centre, Deposit::Area] {
                let (rows, columns) = deposit.pixels(frame, &occluder, 5);
                assert!(rows.is_empty() || columns.is_empty(), "{deposit:?} {top} {left}");
            }
        }
    }
}
