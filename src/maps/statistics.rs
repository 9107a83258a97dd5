//! Statistics of a unit's maps, from sums over images.

use super::{Coverage, MeanOver, Plane, Sums};
use crate::analysis::{Observation, pearson};

/// The complete sums of one end of a unit's ranking, with their coverage.
#[derive(Clone, Copy, Debug)]
pub struct Statistics<'a> {
    sums: &'a Sums,
    coverage: &'a Coverage,
    over: MeanOver,
}

impl<'a> Statistics<'a> {
    /// The statistics; means are taken `over` these images.
    pub const fn new(sums: &'a Sums, coverage: &'a Coverage, over: MeanOver) -> Self {
        Self { sums, coverage, over }
    }

    /// A plane, `[rf, rf]` row by row; of [`Plane::Counts`] the
    /// [corners](super::Rectangles::corners), which are zero almost everywhere. Nothing of
    /// [`Plane::ReliabilityCurve`], which is made while images are added.
    pub fn plane(&self, plane: Plane) -> Vec<f64> {
        match plane {
            Plane::Mean => self.mean(&self.sums.absolute),
            Plane::StandardError => self.standard_error(),
            Plane::Counts => {
                self.coverage.images.corners().iter().copied().map(f64::from).collect()
            }
            Plane::Signed => self.mean(&self.sums.signed),
            Plane::Squared => self.mean(&self.sums.squared),
            Plane::ReliabilityCurve => Vec::new(),
        }
    }

    fn mean(&self, sums: &[f64]) -> Vec<f64> {
        let images = self.sums.images as f64;
        match self.over {
            MeanOver::Images if self.sums.images == 0 => vec![f64::NAN; sums.len()],
            MeanOver::Images => sums.iter().map(|sum| sum / images).collect(),
            MeanOver::Covering => {
                let mean = |(sum, count)| if count == 0 { 0.0 } else { sum / f64::from(count) };
                sums.iter().zip(self.coverage.images.counts()).map(mean).collect()
            }
        }
    }

    /// The standard error of the mean over `n` images with values `m` at a pixel, `√((Σm² -
    /// (Σm)²/n) / (n - 1) / n)`; NaN for fewer than two images. Images count as independent
    /// samples; repeats on one image do not, they only make its `m` less noisy.
    fn standard_error(&self) -> Vec<f64> {
        let error = |sum: f64, squares: f64, n: f64| {
            if n < 2.0 {
                return f64::NAN;
            }
            let squares = (squares - sum * sum / n).max(0.0);
            (squares / (n - 1.0) / n).sqrt()
        };
        let Sums { images, absolute, absolute_squared, .. } = self.sums;
        let sums = absolute.iter().zip(absolute_squared);
        match self.over {
            MeanOver::Images => {
                sums.map(|(sum, squares)| error(*sum, *squares, *images as f64)).collect()
            }
            MeanOver::Covering => sums
                .zip(self.coverage.images.counts())
                .map(|((sum, squares), count)| error(*sum, *squares, f64::from(count)))
                .collect(),
        }
    }

    /// The split-half reliability: Pearson's `r` between the maps of the odd and of the even
    /// images, extrapolated to all images by the formula of Spearman and Brown, `2r / (1 + |r|)`.
    ///
    /// Taken over the pixels where both halves had occluders. The value of a pixel is the mean over
    /// its occluders, because their number is the same pattern in both halves and would look like
    /// agreement; its weight is their number. NaN without such pixels, or if a half is constant.
    pub fn reliability(&self) -> f64 {
        let [first, second] = [0, 1].map(|half| self.coverage.occluders[half].counts());
        let Sums { absolute, alternate, .. } = self.sums;
        let mut pixels: Vec<Observation> = Vec::new();
        for (index, (&in_first, &in_second)) in first.iter().zip(&second).enumerate() {
            if in_first > 0 && in_second > 0 {
                let (in_first, in_second) = (f64::from(in_first), f64::from(in_second));
                let one = alternate[index] / in_first;
                let other = (absolute[index] - alternate[index]) / in_second;
                pixels.push(Observation { weight: in_first + in_second, one, other });
            }
        }
        let r = pearson(pixels.iter().copied());
        2.0 * r / (1.0 + r.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Deposit, Frame, Occluder, PixelBox, Placement};
    use crate::maps::ImageMap;
    use crate::noise::philox4x32_10;

    /// An image whose RF of `side` pixels has one-pixel occluders on the columns from `first` on;
    /// earlier columns lie outside the image.
    fn placement(side: usize, first: usize) -> Placement {
        let occluder = |(index, cell): (usize, usize)| {
            let (top, left) = (cell / (side - first), cell % (side - first));
            Occluder { index, top, left, size: 1 }
        };
        Placement {
            rf: side,
            pixels: Some(PixelBox { y_min: 0, x_min: 0, y_max: side - 1, x_max: side - first - 1 }),
            frame: Frame { y: 0, x: -(first as isize) },
            occluders: (0..side * (side - first)).enumerate().map(occluder).collect(),
        }
    }

    fn sums(side: usize, images: &[(usize, Vec<f32>)]) -> (Sums, Coverage) {
        let (mut sums, mut coverage) = (Sums::new(side, true), Coverage::new(side));
        let mut map = ImageMap::new(side);
        for (first, differences) in images {
            let placement = placement(side, *first);
            map.set(Deposit::Centre, &placement, &[differences]);
            sums.add(&map);
            coverage.add(Deposit::Centre, &placement);
        }
        (sums, coverage)
    }

    /// Three images of 2 × 2 pixels; the second covers the right column alone.
    fn three() -> (Sums, Coverage) {
        sums(
            2,
            &[(0, vec![1.0, -2.0, 0.0, 4.0]), (1, vec![5.0, 4.0]), (0, vec![3.0, -2.0, 0.0, 1.0])],
        )
    }

    #[test]
    fn means_and_errors_over_all_images_are_those_computed_by_hand() {
        let (sums, coverage) = three();
        let statistics = Statistics::new(&sums, &coverage, MeanOver::Images);
        assert_eq!(statistics.plane(Plane::Mean), [4.0 / 3.0, 3.0, 0.0, 3.0]);
        assert_eq!(statistics.plane(Plane::Signed), [4.0 / 3.0, 1.0 / 3.0, 0.0, 3.0]);
        assert_eq!(statistics.plane(Plane::Squared), [10.0 / 3.0, 11.0, 0.0, 11.0]);
        // Values 1, 0, 3; 2, 5, 2; 0, 0, 0; 4, 4, 1. Variances 7/3, 3, 0, 3, over three images.
        let expected = [7.0_f64 / 9.0, 1.0, 0.0, 1.0].map(f64::sqrt);
        for (found, expected) in statistics.plane(Plane::StandardError).iter().zip(expected) {
            assert!((found - expected).abs() < 1e-15, "{found} {expected}");
        }
    }

    #[test]
    fn means_over_those_that_cover_a_pixel_are_not_diluted() {
        let (sums, coverage) = three();
        let statistics = Statistics::new(&sums, &coverage, MeanOver::Covering);
        assert_eq!(coverage.images.counts(), [2, 3, 2, 3]);
        assert_eq!(statistics.plane(Plane::Mean), [2.0, 3.0, 0.0, 3.0]);
        assert_eq!(statistics.plane(Plane::Signed), [2.0, 1.0 / 3.0, 0.0, 3.0]);
        // Values 1, 3: a variance of 2, over two images.
        assert_eq!(statistics.plane(Plane::StandardError), [1.0, 1.0, 0.0, 1.0]);
        // No image covers the left column.
        let (sums, coverage) = self::sums(2, &[(1, vec![5.0, 4.0]), (1, vec![5.0, 6.0])]);
        let statistics = Statistics::new(&sums, &coverage, MeanOver::Covering);
        assert_eq!(statistics.plane(Plane::Mean), [0.0, 5.0, 0.0, 5.0]);
        let errors = statistics.plane(Plane::StandardError);
        assert!(errors[0].is_nan() && errors[2].is_nan() && errors[1] == 0.0 && errors[3] == 1.0);
    }

    #[test]
    fn one_image_has_no_error_and_none_has_no_mean() {
        for over in [MeanOver::Images, MeanOver::Covering] {
            let (sums, coverage) = sums(2, &[(0, vec![1.0, 2.0, 3.0, 4.0])]);
            let one = Statistics::new(&sums, &coverage, over);
            assert!(one.plane(Plane::StandardError).iter().all(|error| error.is_nan()));
            assert_eq!(one.plane(Plane::Mean), [1.0, 2.0, 3.0, 4.0]);
            assert!(one.reliability().is_nan());
        }
        let (sums, coverage) = sums(2, &[]);
        let none = Statistics::new(&sums, &coverage, MeanOver::Images);
        assert!(none.plane(Plane::Mean).iter().all(|mean| mean.is_nan()));
        assert!(none.reliability().is_nan());
    }

    fn reliability(side: usize, images: &[(usize, Vec<f32>)]) -> f64 {
        let (sums, coverage) = sums(side, images);
        Statistics::new(&sums, &coverage, MeanOver::Images).reliability()
    }

    #[test]
    fn a_reliability_is_the_one_computed_by_hand() {
        // Halves 1, 2, 3, 4 and 1, 3, 2, 4: r = 0.8, and 1.6 / 1.8.
        let found =
            reliability(2, &[(0, vec![1.0, 2.0, 3.0, 4.0]), (0, vec![1.0, -3.0, 2.0, 4.0])]);
        assert!((found - 1.6 / 1.8).abs() < 1e-15, "{found}");
        let found = reliability(2, &[(0, vec![1.0, 2.0, 3.0, 4.0]), (0, vec![4.0, 3.0, 2.0, 1.0])]);
        assert!((found + 1.0).abs() < 1e-15, "{found}");
        for silent in [vec![0.0; 4], vec![0.1; 4]] {
            let images = [(0, silent.clone()), (0, vec![1.0, 2.0, 3.0, 4.0]), (0, silent)];
            assert!(reliability(2, &images).is_nan());
        }
    }

    /// `count` values in [0, 1), different for each `image`.
    fn noise(image: u32, count: usize) -> Vec<f32> {
        let word = |pixel| philox4x32_10([pixel as u32, image, 0, 0], [1, 2])[0];
        (0..count).map(|pixel| word(pixel) as f32 * 2.0_f32.powi(-32)).collect()
    }

    #[test]
    fn noise_is_not_reliable_also_where_fields_are_cut_and_a_repeated_pattern_is() {
        let side = 20;
        let whole: Vec<_> = (0..40).map(|image| (0, noise(image, side * side))).collect();
        let cut = |image| if image % 3 == 0 { (0, 400) } else { (12, 160) };
        let cut: Vec<_> = (0..40)
            .map(|image| {
                let (first, count) = cut(image);
                (first, noise(image, count))
            })
            .collect();
        // 400 pixels: a standard error of 0.05 for r.
        for images in [&whole, &cut] {
            let found = reliability(side, images);
            assert!(found.abs() < 0.25, "{found}");
        }
        let pattern = |image: u32| -> Vec<f32> {
            let noise = noise(image, side * side).into_iter().enumerate();
            noise.map(|(pixel, noise)| (pixel % side) as f32 + noise).collect()
        };
        let repeated: Vec<_> = (0..40).map(|image| (0, pattern(image))).collect();
        let found = reliability(side, &repeated);
        assert!(found > 0.999, "{found}");
    }
}
