//! Where an occluder's discrepancy lands on the map.

use ndarray::{ArrayViewMut2, s};
use serde::{Deserialize, Serialize};

use super::{Occluder, PixelBox, ReceptiveField};

/// The map's place on the image: map pixel `(0, 0)` is image pixel `(y, x)`, and the map is as
/// large as the RF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Image row of the map's first row; negative where the RF begins above the image.
    pub y: isize,
    /// Image column of the map's first column; negative where the RF begins left of the image.
    pub x: isize,
}

impl Frame {
    /// The frame of an RF: its own corner.
    ///
    /// It equals [`Frame::of_box`] of the RF's box, except where an RF larger than the image covers
    /// an axis of it from end to end: there the box no longer tells where the RF began, and the
    /// reference's formula shifts the map.
    pub const fn of_field(field: ReceptiveField) -> Self {
        Self { y: field.y, x: field.x }
    }

    /// The reference's frame for a box (`add_discrepancy_maps`): per axis the box's first pixel,
    /// or `length - rf` where that is 0, as when the RF was cut off at the low side.
    pub fn of_box(pixels: &PixelBox, rf: usize) -> Self {
        let axis = |min: usize, length: usize| match min {
            0 => length as isize - rf as isize,
            min => min as isize,
        };
        Self { y: axis(pixels.y_min, pixels.height()), x: axis(pixels.x_min, pixels.width()) }
    }
}

/// How a map's frame is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FrameRule {
    /// [`Frame::of_field`]: maps of one unit always lie on each other.
    #[default]
    Field,
    /// [`Frame::of_box`]: as the reference does it.
    Reference,
}

/// What part of the map an occluder's discrepancy is added to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deposit {
    /// The occluder's centre, `(first + last) / 2` rounded down.
    #[default]
    Centre,
    /// Every pixel that the occluder covers: the map is blurred by the occluder's shape.
    Area,
}

impl Deposit {
    /// Adds `discrepancy` to the map `[rf, rf]` where `occluder` was. What lies outside the map
    /// (an occluder that only touches the RF's edge) is left out.
    pub fn add(
        self,
        map: &mut ArrayViewMut2<'_, f64>,
        frame: Frame,
        occluder: &Occluder,
        discrepancy: f64,
    ) {
        let (top, left) = (occluder.top as isize - frame.y, occluder.left as isize - frame.x);
        let size = occluder.size as isize;
        match self {
            Self::Centre => {
                let half = (size - 1) / 2;
                let centre = (usize::try_from(top + half), usize::try_from(left + half));
                if let (Ok(y), Ok(x)) = centre
                    && let Some(value) = map.get_mut((y, x))
                {
                    *value += discrepancy;
                }
            }
            Self::Area => {
                let (rows, columns) = map.dim();
                let clip = |first: isize, length: usize| {
                    let length = length as isize;
                    (first.clamp(0, length), (first + size).clamp(0, length))
                };
                let ((y0, y1), (x0, x1)) = (clip(top, rows), clip(left, columns));
                map.slice_mut(s![y0..y1, x0..x1]).mapv_inplace(|value| value + discrepancy);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

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
        let mut map = Array2::zeros((5, 5));
        Deposit::Centre.add(&mut map.view_mut(), frame, &occluder, 2.0);
        assert_eq!(map[[3, 3]], 2.0);
        assert_eq!(map.sum(), 2.0);

        let mut map = Array2::zeros((5, 5));
        Deposit::Area.add(&mut map.view_mut(), frame, &occluder, 2.0);
        assert_eq!(map.slice(s![2.., 2..]).sum(), 18.0);
        assert_eq!(map.sum(), 18.0);
    }

    #[test]
    fn what_lies_outside_the_map_is_left_out() {
        let frame = Frame { y: 10, x: 10 };
        let mut map = Array2::zeros((5, 5));
        for (top, left) in [(2, 12), (12, 2), (15, 12), (12, 15)] {
            let occluder = Occluder { index: 0, top, left, size: 3 };
            Deposit::Centre.add(&mut map.view_mut(), frame, &occluder, 1.0);
            Deposit::Area.add(&mut map.view_mut(), frame, &occluder, 1.0);
        }
        assert_eq!(map.sum(), 0.0);
    }
}
