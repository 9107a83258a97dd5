//! Sums over the images of one end of a unit's ranking.

use super::ImageMap;
use crate::sweep::Summed;

/// Sums over images, each `[rf, rf]` row by row. With [`Coverage`](super::Coverage), which depends
/// on positions alone, they determine all statistics of a unit's maps.
///
/// Images are added one by one in the order of the ranking, so the same ranking gives the same
/// bytes. Pixels without an occluder are skipped, which equals adding zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Sums {
    /// Number of images added.
    pub images: usize,
    /// Sum of [`absolute`](super::Pixel::absolute).
    pub absolute: Vec<f64>,
    /// Sum of the squares of `absolute`.
    pub absolute_squared: Vec<f64>,
    /// Sum of [`absolute`](super::Pixel::absolute) over the first, third, fifth, … image: one half
    /// of the split.
    pub alternate: Vec<f64>,
    /// Sum of [`signed`](super::Pixel::signed); empty without moments.
    pub signed: Vec<f64>,
    /// Sum of [`squared`](super::Pixel::squared); empty without moments.
    pub squared: Vec<f64>,
}

impl Sums {
    /// No images, for maps of `rf` × `rf` pixels.
    pub fn new(rf: usize, moments: bool) -> Self {
        let zeros = || vec![0.0; rf * rf];
        let moment = || if moments { zeros() } else { Vec::new() };
        Self {
            images: 0,
            absolute: zeros(),
            absolute_squared: zeros(),
            alternate: zeros(),
            signed: moment(),
            squared: moment(),
        }
    }

    /// Sums computed on a device, for maps of `rf` × `rf` pixels: equal, to the bit, to
    /// [`add`](Self::add)ing the images one by one.
    pub fn of(rf: usize, moments: bool, summed: &Summed<'_>) -> Self {
        let mut all = Self::new(rf, moments);
        all.images = summed.placements.len();
        let sums = summed.sums;
        for (pixels, slots) in [
            (&mut all.absolute, &sums.absolute),
            (&mut all.absolute_squared, &sums.absolute_squared),
            (&mut all.alternate, &sums.alternate),
            (&mut all.signed, &sums.signed),
            (&mut all.squared, &sums.squared),
        ] {
            for (&pixel, &sum) in summed.pixels.iter().zip(slots) {
                pixels[pixel] = sum;
            }
        }
        all
    }

    /// Adds the next image of the ranking. Each sum takes one addition per pixel, in 64 bits;
    /// squares are rounded before they are added.
    pub fn add(&mut self, image: &ImageMap) {
        let (alternate, moments) = (self.images.is_multiple_of(2), !self.signed.is_empty());
        for (index, pixel) in image.pixels() {
            self.absolute[index] += pixel.absolute;
            self.absolute_squared[index] += pixel.absolute * pixel.absolute;
            if alternate {
                self.alternate[index] += pixel.absolute;
            }
            if moments {
                self.signed[index] += pixel.signed;
                self.squared[index] += pixel.squared;
            }
        }
        self.images += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Deposit, Frame, Occluder, Placement};

    #[test]
    fn every_second_image_goes_into_the_half_and_moments_are_taken_where_they_are_asked_for() {
        let occluder = |index| Occluder { index, top: 0, left: index, size: 1 };
        let placement = Placement {
            rf: 2,
            pixels: None,
            frame: Frame { y: 0, x: 0 },
            occluders: vec![occluder(0), occluder(1)],
        };
        let mut image = ImageMap::new(2);
        let [mut plain, mut with_moments] = [false, true].map(|moments| Sums::new(2, moments));
        for differences in [[1.0, -2.0], [-4.0, 8.0], [0.5, 0.25]] {
            image.set(Deposit::Centre, &placement, &[&differences]);
            plain.add(&image);
            with_moments.add(&image);
        }
        let expected = Sums {
            images: 3,
            absolute: vec![5.5, 10.25, 0.0, 0.0],
            absolute_squared: vec![17.25, 68.0625, 0.0, 0.0],
            alternate: vec![1.5, 2.25, 0.0, 0.0],
            signed: vec![-2.5, 6.25, 0.0, 0.0],
            squared: vec![17.25, 68.0625, 0.0, 0.0],
        };
        assert_eq!(with_moments, expected);
        assert_eq!(plain, Sums { signed: Vec::new(), squared: Vec::new(), ..expected });
    }
}
