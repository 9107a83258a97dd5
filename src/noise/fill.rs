//! Fills of occluders.

use ndarray::Array3;
use serde::{Deserialize, Serialize};

use super::{Noise, Patches, TorchStream};
use crate::geometry::Occluder;

/// The fill of a sweep's occluders. All values are those after preprocessing, as the network sees them
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum FillRule {
    /// Uniform noise from -1 to 1
    #[default]
    Noise,
    /// Gaussian noise with the mean and the standard deviation of the uniform noise, 0 and 0.577
    Gaussian,
    /// Each channel's mean over all images
    Mean,
    /// Zeros; with --preprocess imagenet, its mean colour
    Zero,
    /// Half of the largest pixel value, preprocessed as images are
    Grey,
    /// The image, blurred by a Gaussian whose standard deviation is the side of the occluder
    Blur,
    /// The same square of another image, one for each image and draw
    Images,
}

impl FillRule {
    /// Whether draws differ: otherwise every draw presents the same pixels.
    pub const fn is_drawn(self) -> bool {
        matches!(self, Self::Noise | Self::Gaussian | Self::Images)
    }

    /// Whether the fill is one value for each channel.
    pub const fn is_constant(self) -> bool {
        matches!(self, Self::Mean | Self::Zero | Self::Grey)
    }

    /// Whether the fill is the default.
    pub fn is_noise(&self) -> bool {
        *self == Self::Noise
    }

    /// The name in files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Noise => "noise",
            Self::Gaussian => "gaussian",
            Self::Mean => "mean",
            Self::Zero => "zero",
            Self::Grey => "grey",
            Self::Blur => "blur",
            Self::Images => "images",
        }
    }
}

/// The fill of one map's occluders.
#[derive(Clone, Copy, Debug)]
pub enum Fill<'a> {
    /// Uniform noise on [-1, 1).
    Noise(Noise),
    /// The numbers of [`Noise::Philox`], as quantiles of a Gaussian with mean 0 and variance 1/3.
    Gaussian {
        /// The key.
        seed: u64,
        /// The draw.
        draw: u16,
    },
    /// The occluder's own square of a picture, `[channels, height, width]`, as large as the image.
    Picture(&'a Array3<f32>),
}

impl From<Noise> for Fill<'_> {
    fn from(noise: Noise) -> Self {
        Self::Noise(noise)
    }
}

impl<'a> Fill<'a> {
    /// The pixels of every occluder of one map, one after the other, each `[channels, size,
    /// size]`.
    ///
    /// `image` is the image's index. The torch stream runs over the whole grid, so an occluder's
    /// pixels are found by its [`index`](Occluder::index), also in a subsampled grid.
    pub fn patches(self, image: u32, channels: usize, occluders: &'a [Occluder]) -> Patches<'a> {
        let stream = match self {
            Self::Noise(Noise::Torch { seed }) => {
                let length = occluders
                    .iter()
                    .map(|occluder| (occluder.index + 1) * channels * occluder.size.pow(2))
                    .max();
                TorchStream::new(seed).take(length.unwrap_or(0)).collect()
            }
            _ => Vec::new(),
        };
        Patches { fill: self, image, channels, occluders, stream }
    }
}
