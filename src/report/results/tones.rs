//! Images for the eye: from what a network sees back to red, green and blue.

use image::{Rgb, RgbImage};
use ndarray::ArrayView3;

use crate::geometry::ReceptiveField;
use crate::images::{IMAGENET_MEAN, IMAGENET_STD, ImageError, ImageFolder, Preprocessing};

/// The colour of what lies outside of an image.
pub const OUTSIDE: Rgb<u8> = Rgb([119, 119, 119]);

/// Number of images that are read to find the range of their values.
const LOOKED_AT: usize = 16;

/// How the values of a folder's images become colours: each channel's `value * gain + offset`,
/// cut to [0, 1].
///
/// Where the preprocessing can be undone, it is: `imagenet`, `unit` and own constants. Values that
/// are used as they are (`none`) have a range that only they tell: [0, 1], [-1, 1] or [0, 255],
/// the first that holds those of a few images, or else their own. Of `standardize`, 2.5 standard
/// deviations to either side are shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tones {
    gain: [f32; 3],
    offset: [f32; 3],
}

impl Tones {
    /// The tones of a folder.
    ///
    /// # Errors
    /// Images that cannot be read, where their range must be looked for.
    pub fn of(images: &ImageFolder) -> Result<Self, ImageError> {
        Ok(match *images.preprocessing() {
            Preprocessing::Imagenet => Self { gain: IMAGENET_STD, offset: IMAGENET_MEAN },
            Preprocessing::Custom { mean, std } | Preprocessing::Cropped { mean, std } => {
                Self { gain: std, offset: mean }
            }
            Preprocessing::Unit => Self::range(-1.0, 1.0),
            Preprocessing::Standardize => Self::range(-2.5, 2.5),
            Preprocessing::None => {
                let step = images.len().div_ceil(LOOKED_AT);
                let (mut lowest, mut highest) = (f32::INFINITY, f32::NEG_INFINITY);
                for index in (0..images.len()).step_by(step) {
                    for &value in &images.read(index)? {
                        lowest = lowest.min(value);
                        highest = highest.max(value);
                    }
                }
                Self::holding(lowest, highest)
            }
        })
    }

    /// The tones that show `lowest` as black and `highest` as full colour.
    pub fn range(lowest: f32, highest: f32) -> Self {
        let span = highest - lowest;
        let gain = if span > 0.0 { 1.0 / span } else { 0.0 };
        Self { gain: [gain; 3], offset: [-lowest * gain; 3] }
    }

    /// Those of the usual range that holds these values.
    fn holding(lowest: f32, highest: f32) -> Self {
        let usual = [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)];
        let holds = |&(low, high): &(f32, f32)| low <= lowest && highest <= high;
        let (low, high) = usual.into_iter().find(holds).unwrap_or((lowest, highest));
        Self::range(low, high)
    }

    /// A whole image, `[3, height, width]` as [`ImageFolder::read`] gives it.
    pub fn picture(&self, image: &ArrayView3<'_, f32>) -> RgbImage {
        let (_, height, width) = image.dim();
        RgbImage::from_fn(width as u32, height as u32, |x, y| {
            self.pixel(image, y as usize, x as usize)
        })
    }

    /// The pixels of a receptive field, `rf` by `rf`, of which those outside of the image
    /// are [`OUTSIDE`].
    pub fn crop(&self, image: &ArrayView3<'_, f32>, field: ReceptiveField) -> RgbImage {
        let (_, height, width) = image.dim();
        let pixel = |first: isize, offset: u32, length: usize| {
            usize::try_from(first + offset as isize).ok().filter(|&pixel| pixel < length)
        };
        RgbImage::from_fn(field.size as u32, field.size as u32, |x, y| {
            match (pixel(field.y, y, height), pixel(field.x, x, width)) {
                (Some(y), Some(x)) => self.pixel(image, y, x),
                _ => OUTSIDE,
            }
        })
    }

    fn pixel(&self, image: &ArrayView3<'_, f32>, y: usize, x: usize) -> Rgb<u8> {
        Rgb([0, 1, 2].map(|channel| {
            // Of other channels than red, green and blue the first ones are shown.
            let stored = channel.min(image.dim().0 - 1);
            let shown = image[[stored, y, x]] * self.gain[channel] + self.offset[channel];
            (shown.clamp(0.0, 1.0) * 255.0).round() as u8
        }))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;
    use crate::files::npy;

    fn tones(values: [f32; 2], preprocessing: Preprocessing) -> (Tones, Array3<f32>) {
        let folder = tempfile::tempdir().unwrap();
        let image =
            Array3::from_shape_fn((3, 2, 4), |(c, y, _)| if c == 1 { 0.5 } else { values[y] });
        npy::write(&folder.path().join("0.npy"), &image).unwrap();
        let images = ImageFolder::open(folder.path(), Some(preprocessing), None).unwrap();
        (Tones::of(&images).unwrap(), images.read(0).unwrap())
    }

    #[test]
    fn what_preprocessing_did_is_undone() {
        let custom = Preprocessing::Custom { mean: [0.1, 0.2, 0.3], std: [0.5, 0.25, 2.0] };
        for preprocessing in [Preprocessing::Imagenet, Preprocessing::Unit, custom] {
            let (tones, image) = tones([0.0, 0.8], preprocessing);
            let picture = tones.picture(&image.view());
            assert_eq!((picture.width(), picture.height()), (4, 2));
            assert_eq!(picture.get_pixel(3, 0).0, [0, 128, 0], "{preprocessing}");
            assert_eq!(picture.get_pixel(0, 1).0, [204, 128, 204], "{preprocessing}");
        }
    }

    #[test]
    fn values_as_they_are_are_shown_in_the_usual_range_that_holds_them() {
        for (values, expected) in [
            ([0.0, 0.6], [0, 153]),
            ([-0.6, 0.0], [51, 128]),
            ([51.0, 0.0], [51, 0]),
            ([-3.0, 5.0], [0, 255]),
            ([0.5, 0.5], [128, 128]),
        ] {
            let (tones, image) = tones(values, Preprocessing::None);
            let picture = tones.picture(&image.view());
            assert_eq!([0, 1].map(|y| picture.get_pixel(1, y).0[0]), expected, "{values:?}");
        }
        let constant = Tones::range(2.0, 2.0).picture(&Array3::from_elem((3, 1, 1), 2.0).view());
        assert_eq!(constant.get_pixel(0, 0).0, [0, 0, 0]);
    }

    #[test]
    fn a_crop_is_the_field_and_what_is_outside_of_the_image_is_marked() {
        let image = Array3::from_shape_fn((3, 5, 7), |(_, y, x)| (10 * y + x) as f32 / 255.0);
        let tones = Tones::range(0.0, 1.0);
        let crop = tones.crop(&image.view(), ReceptiveField { y: -1, x: 4, size: 4 });
        assert_eq!((crop.width(), crop.height()), (4, 4));
        for (x, y, expected) in [(0, 1, Some(4)), (2, 3, Some(26)), (0, 0, None), (3, 1, None)] {
            let expected = expected.map_or(OUTSIDE, |value| Rgb([value; 3]));
            assert_eq!(*crop.get_pixel(x, y), expected, "{x} {y}");
        }
    }
}
