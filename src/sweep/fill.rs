//! The fill of a sweep's occluders.

use ndarray::{Array3, ArrayView3};

use super::SweepError;
use crate::geometry::ImageSize;
use crate::images::ImageFolder;
use crate::noise::{Fill, FillRule, Noise, blurred, other_image};

/// The fill of a sweep's occluders, in every draw.
#[derive(Clone, Debug)]
pub struct SweepFill {
    source: Source,
    /// The noise of each time that an occluder is presented; at least one.
    draws: Vec<Noise>,
}

/// The source of an occluder's pixels.
#[derive(Clone, Debug)]
enum Source {
    Noise,
    Gaussian,
    /// `[channels, height, width]`.
    Constant(Array3<f32>),
    Blur,
    Images,
}

/// An image and a draw whose occluders have the same picture. Draws that share one are 0.
pub(super) type PictureKey = (u32, usize);

/// An original image, and the side of its occluders.
#[derive(Clone, Copy, Debug)]
pub struct Original<'a> {
    /// The values, `[channels, height, width]`.
    pub values: ArrayView3<'a, f32>,
    /// The image's index.
    pub index: u32,
    /// Side length of the occluders in pixels.
    pub occluder: usize,
}

impl From<Vec<Noise>> for SweepFill {
    /// Noise, in these draws.
    fn from(draws: Vec<Noise>) -> Self {
        Self { source: Source::Noise, draws }
    }
}

impl SweepFill {
    /// A fill of images of `size`, in these draws of Philox. `values` are those of each channel, for a
    /// constant fill.
    pub fn new(rule: FillRule, draws: Vec<Noise>, values: &[f32], size: ImageSize) -> Self {
        let source = match rule {
            FillRule::Noise => Source::Noise,
            FillRule::Gaussian => Source::Gaussian,
            FillRule::Mean | FillRule::Zero | FillRule::Grey => {
                let shape = (values.len(), size.height, size.width);
                Source::Constant(Array3::from_shape_fn(shape, |(channel, ..)| values[channel]))
            }
            FillRule::Blur => Source::Blur,
            FillRule::Images => Source::Images,
        };
        Self { source, draws }
    }

    /// The value of each channel, of a constant fill: the number with the fewest digits that is this
    /// value in 32 bits.
    pub fn values(&self) -> Option<Vec<f64>> {
        let Source::Constant(constant) = &self.source else { return None };
        let short = |value: f32| value.to_string().parse().unwrap_or(f64::from(value));
        Some(constant.outer_iter().map(|channel| short(channel[[0, 0]])).collect())
    }

    /// Number of draws.
    pub fn draws(&self) -> usize {
        self.draws.len()
    }

    /// The fill of a draw; `picture` is that of [`picture`](Self::picture).
    ///
    /// # Errors
    /// [`SweepError::NoPicture`].
    pub fn of<'a>(
        &'a self,
        draw: usize,
        picture: Option<&'a Array3<f32>>,
    ) -> Result<Fill<'a>, SweepError> {
        Ok(match (&self.source, self.draws[draw], picture) {
            (Source::Noise, noise, _) => Fill::Noise(noise),
            (Source::Constant(constant), ..) => Fill::Picture(constant),
            (Source::Gaussian, Noise::Philox { seed, draw }, _) => Fill::Gaussian { seed, draw },
            (Source::Blur | Source::Images, _, Some(picture)) => Fill::Picture(picture),
            _ => return Err(SweepError::NoPicture),
        })
    }

    /// The picture whose squares fill the occluders on an image in a draw, where each image has its
    /// own.
    ///
    /// # Errors
    /// Another image that cannot be read.
    pub fn picture(
        &self,
        images: &ImageFolder,
        original: Original<'_>,
        draw: usize,
    ) -> Result<Option<Array3<f32>>, SweepError> {
        if let Some(other) = self.other(original.index, draw, images.len()) {
            return Ok(Some(images.read(other as usize)?));
        }
        Ok(self.blurred(original))
    }

    /// The other image that fills the occluders on an image in a draw.
    pub(super) fn other(&self, image: u32, draw: usize, images: usize) -> Option<u32> {
        match (&self.source, self.draws[draw]) {
            (Source::Images, Noise::Philox { seed, draw }) => {
                other_image(seed, draw, image, images)
            }
            _ => None,
        }
    }

    /// The image behind a blur, where that fills its occluders.
    pub(super) fn blurred(&self, original: Original<'_>) -> Option<Array3<f32>> {
        let Original { values, occluder, .. } = original;
        matches!(self.source, Source::Blur).then(|| blurred(&values, occluder as f64))
    }

    /// Key of the picture of an image in a draw.
    pub(super) fn key(&self, image: u32, draw: usize) -> PictureKey {
        (image, if matches!(self.source, Source::Images) { draw } else { 0 })
    }

    /// Pictures that are held for each image, itself included.
    pub(super) fn pictures(&self) -> usize {
        if matches!(self.source, Source::Blur | Source::Images) { 2 } else { 1 }
    }
}
