//! Grids of occluders.

use serde::{Deserialize, Serialize};

use super::{GeometryError, ImageSize, PixelBox};

/// A square of the image that is replaced by noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Occluder {
    /// Index in the grid, from 0; kept when the grid is subsampled.
    pub index: usize,
    /// Topmost row.
    pub top: usize,
    /// Leftmost column.
    pub left: usize,
    /// Side length in pixels.
    pub size: usize,
}

impl Occluder {
    /// The pixels it covers.
    pub const fn pixels(&self) -> PixelBox {
        PixelBox {
            y_min: self.top,
            x_min: self.left,
            y_max: self.top + self.size - 1,
            x_max: self.left + self.size - 1,
        }
    }
}

/// An occluder's side length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OccluderSize {
    /// The RF's side length divided by this, rounded down, at least 1.
    Divisor(usize),
    /// This many pixels.
    Pixels(usize),
}

/// The distance between neighbouring occluders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OccluderStride {
    /// The occluder's size divided by this, rounded down, at least 1.
    Divisor(usize),
    /// This many pixels.
    Pixels(usize),
}

/// The anchor of the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lattice {
    /// The box: the first occluder is in its corner, and none begins past its end.
    Box,
    /// The image: a dense grid over the whole image. Occluders that touch the box are presented;
    /// the others change nothing, exactly.
    Image,
}

/// How the occluders of a box are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GridRule {
    /// Side length of an occluder.
    pub size: OccluderSize,
    /// Distance between neighbours.
    pub stride: OccluderStride,
    /// The anchor of the grid.
    pub lattice: Lattice,
}

impl GridRule {
    /// The reference's grid (`get_occluder_params`): a tenth of the RF, in steps of half an
    /// occluder, from the box's corner.
    pub const REFERENCE: Self = Self {
        size: OccluderSize::Divisor(10),
        stride: OccluderStride::Divisor(2),
        lattice: Lattice::Box,
    };

    /// The grid of Zhou et al. 2015, section 3.2: 11×11 occluders in steps of 3 over the whole
    /// image.
    pub const ZHOU: Self = Self {
        size: OccluderSize::Pixels(11),
        stride: OccluderStride::Pixels(3),
        lattice: Lattice::Image,
    };

    /// Side length and stride, in pixels, for a receptive field of `rf` pixels.
    ///
    /// # Errors
    /// [`GeometryError::Zero`] where the rule has a zero in it.
    pub fn size_and_stride(&self, rf: usize) -> Result<(usize, usize), GeometryError> {
        let nonzero = |value: usize, what| match value {
            0 => Err(GeometryError::Zero { what }),
            value => Ok(value),
        };
        let size = match self.size {
            OccluderSize::Divisor(divisor) => (rf / nonzero(divisor, "size divisor")?).max(1),
            OccluderSize::Pixels(pixels) => nonzero(pixels, "size")?,
        };
        let stride = match self.stride {
            OccluderStride::Divisor(divisor) => (size / nonzero(divisor, "stride divisor")?).max(1),
            OccluderStride::Pixels(pixels) => nonzero(pixels, "stride")?,
        };
        Ok((size, stride))
    }

    /// The occluders for `pixels`, the box of an RF of side length `rf`, row by row. Each lies
    /// wholly inside the image.
    ///
    /// # Errors
    /// A box larger than its RF, a zero in the rule, an occluder larger than the image.
    pub fn occluders(
        &self,
        pixels: &PixelBox,
        rf: usize,
        image: ImageSize,
    ) -> Result<Vec<Occluder>, GeometryError> {
        if pixels.height() > rf || pixels.width() > rf {
            return Err(GeometryError::BoxLargerThanField { pixels: *pixels, rf });
        }
        let (size, stride) = self.size_and_stride(rf)?;
        if size > image.height.min(image.width) {
            return Err(GeometryError::OccluderLargerThanImage { size, image });
        }
        let axis = |min: usize, max: usize, length: usize| -> Vec<usize> {
            let (first, end) = match self.lattice {
                // The reference's bound, max(max - size + 2, min + 1), without going below zero.
                Lattice::Box => (min, (max + 2).saturating_sub(size).max(min + 1)),
                Lattice::Image => (0, length),
            };
            let inside = |&corner: &usize| match self.lattice {
                Lattice::Box => corner + size <= length,
                Lattice::Image => corner + size <= length && corner <= max && min < corner + size,
            };
            (first..end).step_by(stride).filter(inside).collect()
        };
        let lefts = axis(pixels.x_min, pixels.x_max, image.width);
        let corners = axis(pixels.y_min, pixels.y_max, image.height)
            .into_iter()
            .flat_map(|top| lefts.iter().map(move |&left| (top, left)));
        let occluders =
            corners.enumerate().map(|(index, (top, left))| Occluder { index, top, left, size });
        Ok(occluders.collect())
    }
}

/// Every `nth` occluder of a grid, from the first. Each keeps its index, its position and its
/// noise, so a subsampled map is a part of the full map.
#[must_use]
pub fn every_nth(occluders: Vec<Occluder>, nth: usize) -> Vec<Occluder> {
    occluders.into_iter().step_by(nth.max(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corners(rule: GridRule, pixels: PixelBox, rf: usize, image: ImageSize) -> Vec<[usize; 2]> {
        let occluders = rule.occluders(&pixels, rf, image).unwrap();
        occluders.iter().map(|occluder| [occluder.top, occluder.left]).collect()
    }

    #[test]
    fn alexnet_has_its_known_numbers_of_occluders() {
        let image = ImageSize::square(227);
        for (rf, size, expected) in
            [(11, 1, 121), (51, 5, 576), (99, 9, 529), (131, 13, 400), (163, 16, 361)]
        {
            let pixels = PixelBox { y_min: 20, x_min: 30, y_max: 19 + rf, x_max: 29 + rf };
            let occluders = GridRule::REFERENCE.occluders(&pixels, rf, image).unwrap();
            assert_eq!((occluders[0].size, occluders.len()), (size, expected), "rf {rf}");
        }
    }

    #[test]
    fn zhou_places_about_five_thousand_and_only_those_that_touch_the_box_are_kept() {
        let image = ImageSize::square(227);
        let all = PixelBox { y_min: 0, x_min: 0, y_max: 226, x_max: 226 };
        assert_eq!(corners(GridRule::ZHOU, all, 300, image).len(), 73 * 73);

        let pixels = PixelBox { y_min: 100, x_min: 20, y_max: 120, x_max: 30 };
        let kept = corners(GridRule::ZHOU, pixels, 21, image);
        let expected: Vec<[usize; 2]> = (0..=216)
            .step_by(3)
            .flat_map(|top| (0..=216).step_by(3).map(move |left| [top, left]))
            .filter(|&[top, left]| {
                Occluder { index: 0, top, left, size: 11 }.pixels().touches(&pixels)
            })
            .collect();
        assert_eq!(kept, expected);
        assert_eq!(kept[0], [90, 12]);
    }

    #[test]
    fn a_box_larger_than_its_field_is_an_error_that_names_both() {
        let pixels = PixelBox { y_min: 0, x_min: 0, y_max: 11, x_max: 5 };
        let error = GridRule::REFERENCE.occluders(&pixels, 11, ImageSize::square(50)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the box (0, 0, 11, 5) is 12×6 pixels, larger than its receptive field of 11×11"
        );
    }

    #[test]
    fn rules_that_cannot_be_met_are_errors() {
        let pixels = PixelBox { y_min: 0, x_min: 0, y_max: 9, x_max: 9 };
        let occluders = |size, stride| {
            let rule = GridRule { size, stride, lattice: Lattice::Box };
            rule.occluders(&pixels, 10, ImageSize::square(20))
        };
        let half = OccluderStride::Divisor(2);
        assert!(occluders(OccluderSize::Divisor(0), half).is_err());
        assert!(occluders(OccluderSize::Pixels(0), half).is_err());
        assert!(occluders(OccluderSize::Pixels(4), OccluderStride::Pixels(0)).is_err());
        assert!(occluders(OccluderSize::Pixels(21), half).is_err());
        assert!(occluders(OccluderSize::Pixels(20), half).is_ok());
    }

    #[test]
    fn subsampling_keeps_index_and_place_together() {
        let pixels = PixelBox { y_min: 3, x_min: 4, y_max: 13, x_max: 14 };
        let all = GridRule::REFERENCE.occluders(&pixels, 11, ImageSize::square(30)).unwrap();
        let some = every_nth(all.clone(), 5);
        assert_eq!(some.len(), 25);
        assert!(some.iter().all(|occluder| all[occluder.index] == *occluder));
    }
}
