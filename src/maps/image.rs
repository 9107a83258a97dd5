//! The map of one image.

use ndarray::Array2;

use crate::geometry::{Deposit, Placement};

/// A pixel of one image's map: sums over the occluders that are deposited there.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pixel {
    /// Sum of absolute differences.
    pub absolute: f64,
    /// Sum of differences.
    pub signed: f64,
    /// Sum of squared differences.
    pub squared: f64,
}

/// The discrepancy map `[rf, rf]` of one image. Only the pixels with a deposit are stored and
/// visited: with the centre deposit, one per occluder.
///
/// An occluder that is presented `R` times, with different noise, counts with its mean. Of its
/// differences `d`, draw by draw:
///
/// ```text
/// absolute = (0 + |d_0| + |d_1| + …) / R    signed = (0 + d_0 + …) / R    squared = (0 + d_0² + …) / R
/// ```
///
/// A pixel sums those of its occluders, from 0, in the order of the grid. Everything is in 64 bits,
/// each operation rounded by itself; none is fused.
#[derive(Clone, Debug)]
pub struct ImageMap {
    rf: usize,
    /// Row by row; pixels not in `deposited` are zero.
    pixels: Vec<Pixel>,
    /// The pixels with a deposit, each once.
    deposited: Vec<usize>,
    /// Whether a pixel is in `deposited`.
    there: Vec<bool>,
}

impl ImageMap {
    /// No occluders, on a map of `rf` × `rf` pixels.
    pub fn new(rf: usize) -> Self {
        let area = rf * rf;
        Self {
            rf,
            pixels: vec![Pixel::default(); area],
            deposited: Vec::new(),
            there: vec![false; area],
        }
    }

    /// Replaces the map by that of another image: the differences `draws` (one slice per draw of
    /// the noise) of the occluders of `placement`.
    pub fn set(&mut self, deposit: Deposit, placement: &Placement, draws: &[&[f32]]) {
        for index in self.deposited.drain(..) {
            self.pixels[index] = Pixel::default();
            self.there[index] = false;
        }
        let repeats = draws.len() as f64;
        for (which, occluder) in placement.occluders.iter().enumerate() {
            let mut mean = Pixel::default();
            for draw in draws {
                let difference = f64::from(draw[which]);
                mean.absolute += difference.abs();
                mean.signed += difference;
                mean.squared += difference * difference;
            }
            mean.absolute /= repeats;
            mean.signed /= repeats;
            mean.squared /= repeats;
            let (rows, columns) = deposit.pixels(placement.frame, occluder, self.rf);
            for row in rows {
                for index in row * self.rf + columns.start..row * self.rf + columns.end {
                    let pixel = &mut self.pixels[index];
                    pixel.absolute += mean.absolute;
                    pixel.signed += mean.signed;
                    pixel.squared += mean.squared;
                    if !self.there[index] {
                        self.there[index] = true;
                        self.deposited.push(index);
                    }
                }
            }
        }
    }

    /// The pixels with a deposit, each once, with the index `y * rf + x`.
    pub fn pixels(&self) -> impl Iterator<Item = (usize, Pixel)> {
        self.deposited.iter().map(|&index| (index, self.pixels[index]))
    }

    /// The absolute differences as a dense map `[rf, rf]`.
    pub fn absolute(&self) -> Array2<f64> {
        Array2::from_shape_fn((self.rf, self.rf), |(y, x)| self.pixels[y * self.rf + x].absolute)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::geometry::{Frame, Occluder};

    fn placement(occluders: &[(usize, usize)], size: usize) -> Placement {
        let occluder = |(index, &(top, left))| Occluder { index, top, left, size };
        let occluders = occluders.iter().enumerate().map(occluder).collect();
        Placement { rf: 2, pixels: None, frame: Frame { y: 0, x: 5 }, occluders }
    }

    #[test]
    fn differences_count_by_their_size_and_a_silent_unit_has_a_map_of_zeros() {
        let placed = placement(&[(0, 5), (0, 6), (0, 5)], 1);
        let mut map = ImageMap::new(2);
        map.set(Deposit::Centre, &placed, &[&[0.5, -0.25, -1.0]]);
        assert_eq!(map.absolute(), array![[1.5, 0.25], [0.0, 0.0]]);
        let pixels: Vec<(usize, Pixel)> = map.pixels().collect();
        let expected = [
            (0, Pixel { absolute: 1.5, signed: -0.5, squared: 1.25 }),
            (1, Pixel { absolute: 0.25, signed: -0.25, squared: 0.0625 }),
        ];
        assert_eq!(pixels, expected);
        map.set(Deposit::Centre, &placed, &[&[0.0; 3]]);
        assert_eq!(map.absolute().sum(), 0.0);
        assert_eq!(map.pixels().count(), 2);
    }

    #[test]
    fn an_occluder_counts_by_the_mean_over_its_draws() {
        let placed = placement(&[(0, 5), (1, 6)], 1);
        let mut map = ImageMap::new(2);
        map.set(Deposit::Centre, &placed, &[&[1.0, 0.5], &[-3.0, 0.5]]);
        let pixels: Vec<(usize, Pixel)> = map.pixels().collect();
        let expected = [
            (0, Pixel { absolute: 2.0, signed: -1.0, squared: 5.0 }),
            (3, Pixel { absolute: 0.5, signed: 0.5, squared: 0.25 }),
        ];
        assert_eq!(pixels, expected);
        // Nothing of the previous image is left.
        map.set(Deposit::Centre, &placement(&[(1, 5)], 1), &[&[2.0], &[2.0]]);
        assert_eq!(map.absolute(), array![[0.0, 0.0], [2.0, 0.0]]);
        assert_eq!(map.pixels().count(), 1);
    }

    #[test]
    fn an_area_is_every_pixel_of_the_occluder_inside_the_map() {
        let mut map = ImageMap::new(2);
        map.set(Deposit::Area, &placement(&[(0, 4), (1, 5)], 2), &[&[1.0, -2.0]]);
        assert_eq!(map.absolute(), array![[1.0, 0.0], [3.0, 2.0]]);
        assert_eq!(map.pixels().count(), 3);
    }
}
