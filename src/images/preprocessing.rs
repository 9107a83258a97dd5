//! Preprocessing of an image's values.

use std::fmt;
use std::str::FromStr;

use ndarray::Array3;

use super::{Fault, ImageError};
use crate::error::ParseError;

/// Mean of each channel (red, green, blue) of `ImageNet`, for values in [0, 1].
pub const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];

/// Standard deviation of each channel of `ImageNet`, for values in [0, 1].
pub const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// Preprocessing of an image's values.
///
/// Values of 8-bit sources (pictures and `uint8` arrays) always become `v / 255` first.
/// Floating-point values are taken as they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Preprocessing {
    /// No change. The default for `.npy` arrays, which already are the network's input.
    None,
    /// The preprocessing of torchvision's classifiers. The default for pictures.
    ///
    /// - A picture is resized so that its shorter side is `max(256, height, width)` of the target
    ///   size, with Pillow's antialiased bilinear filter, byte for byte; the longer side is `side *
    ///   longer / shorter`, rounded down. The target size, by default 224×224, is cut out of the
    ///   centre (half a pixel rounds to even, as in torchvision's `CenterCrop`).
    /// - Then `(v - mean) / std` per channel, with [`IMAGENET_MEAN`] and [`IMAGENET_STD`].
    ///
    /// A `.npy` array is never resized or cropped: only the second step applies, and a value
    /// outside [0, 1] is an error.
    Imagenet,
    /// Values in [0, 1] become `2v - 1`, in [-1, 1]. A value outside [0, 1] is an error.
    Unit,
    /// Each image minus its mean, over its population standard deviation, both over all pixels and
    /// channels. A constant image becomes zeros.
    Standardize,
    /// `(v - mean) / std` per channel (red, green, blue).
    Custom {
        /// Mean of each channel; finite.
        mean: [f32; 3],
        /// Standard deviation of each channel; finite and above 0.
        std: [f32; 3],
    },
    /// As [`Preprocessing::Imagenet`], with these constants.
    Cropped {
        /// Mean of each channel; finite.
        mean: [f32; 3],
        /// Standard deviation of each channel; finite and above 0.
        std: [f32; 3],
    },
}

/// Mean and standard deviation of each channel (red, green, blue), for values in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChannelConstants {
    /// Means.
    pub mean: [f32; 3],
    /// Standard deviations.
    pub std: [f32; 3],
}

impl Preprocessing {
    /// A named preprocessing with constants of its own: none, or `imagenet` with its resize and crop.
    ///
    /// # Errors
    /// Constants that go with no such preprocessing, or cannot be used.
    pub fn choose(
        named: Option<Self>,
        constants: Option<ChannelConstants>,
    ) -> Result<Option<Self>, ImageError> {
        let Some(ChannelConstants { mean, std }) = constants else { return Ok(named) };
        let chosen = match named {
            None => Self::Custom { mean, std },
            Some(Self::Imagenet) => Self::Cropped { mean, std },
            Some(named) => return Err(ImageError::ConstantsWith { named }),
        };
        chosen.check()?;
        Ok(Some(chosen))
    }

    /// The preprocessings with a name; the others need numbers.
    pub const NAMED: [Self; 4] = [Self::None, Self::Imagenet, Self::Unit, Self::Standardize];

    /// The name: `none`, `imagenet`, `unit`, `standardize`, `custom` or `cropped`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Imagenet => "imagenet",
            Self::Unit => "unit",
            Self::Standardize => "standardize",
            Self::Custom { .. } => "custom",
            Self::Cropped { .. } => "cropped",
        }
    }

    /// Whether pictures are resized and cropped.
    pub const fn resizes(&self) -> bool {
        matches!(self, Self::Imagenet | Self::Cropped { .. })
    }

    /// Whether there is a mean and a standard deviation per channel.
    pub const fn has_constants(&self) -> bool {
        matches!(self, Self::Imagenet | Self::Custom { .. } | Self::Cropped { .. })
    }

    /// The preprocessing's own mean and standard deviation of each channel, if it has them.
    const fn constants(&self) -> Option<([f32; 3], [f32; 3])> {
        match self {
            Self::Custom { mean, std } | Self::Cropped { mean, std } => Some((*mean, *std)),
            _ => None,
        }
    }

    /// Parses a displayed preprocessing ([`Display`](fmt::Display)); `None` for any other text.
    pub fn shown_as(text: &str) -> Option<Self> {
        let Some((name, constants)) = text.split_once(" (mean ") else { return text.parse().ok() };
        let (mean, std) = constants.strip_suffix(')')?.split_once(", std ")?;
        let three = |text| serde_json::from_str::<[f32; 3]>(text).ok();
        let (mean, std) = (three(mean)?, three(std)?);
        match name {
            "custom" => Some(Self::Custom { mean, std }),
            "cropped" => Some(Self::Cropped { mean, std }),
            _ => None,
        }
    }

    /// Checks the preprocessing's own constants, if it has any.
    ///
    /// # Errors
    /// [`ImageError::Constant`].
    pub fn check(&self) -> Result<(), ImageError> {
        let Some((mean, std)) = self.constants() else { return Ok(()) };
        let wrong =
            |constant, value: f32, channel| Err(ImageError::Constant { constant, value, channel });
        for channel in 0..3 {
            if !mean[channel].is_finite() {
                return wrong("mean", mean[channel], channel);
            }
            if !(std[channel].is_finite() && std[channel] > 0.0) {
                return wrong("std", std[channel], channel);
            }
        }
        Ok(())
    }

    /// Checks that own constants are for values from 0 to 1, the range of pictures and of integer
    /// arrays.
    ///
    /// # Errors
    /// [`Fault::Constants`], of constants for values from 0 to 255.
    pub(super) fn check_scale(&self) -> Result<(), Fault> {
        let Some((mean, std)) = self.constants() else { return Ok(()) };
        let (mean, std) = (mean.iter().any(|mean| mean.abs() > 1.0), std.iter().any(|&s| s > 2.0));
        if mean || std { Err(Fault::Constants(*self)) } else { Ok(()) }
    }

    /// Arguments that give the same constants for values from 0 to 1 instead of 0 to 255.
    pub(super) fn divided(&self) -> String {
        let (mean, std) = self.constants().unwrap_or_default();
        let numbers =
            |constants: [f32; 3]| constants.map(|c| format!("{:.6}", c / 255.0)).join(",");
        format!("--mean {} --std {}", numbers(mean), numbers(std))
    }

    /// Half of the largest value of pictures and integer arrays, preprocessed: a value for each channel.
    /// `None` if it differs between images, or if constants are for values from 0 to 255.
    pub(super) fn grey(&self, channels: usize) -> Option<Vec<f32>> {
        if matches!(self, Self::Standardize) || self.check_scale().is_err() {
            return None;
        }
        let mut grey = Array3::from_elem((channels, 1, 1), 0.5);
        self.apply(&mut grey).ok()?;
        Some(grey.into_raw_vec_and_offset().0)
    }

    /// Preprocesses the values of an image `[channels, height, width]`, which is already resized
    /// and cropped.
    pub(super) fn apply(&self, image: &mut Array3<f32>) -> Result<(), Fault> {
        check_finite(image, "")?;
        match self {
            Self::None => {}
            Self::Imagenet => {
                self.check_range(image)?;
                normalize(image, &IMAGENET_MEAN, &IMAGENET_STD);
            }
            Self::Unit => {
                self.check_range(image)?;
                image.mapv_inplace(|v| 2.0 * v - 1.0);
            }
            Self::Standardize => standardize(image),
            Self::Custom { mean, std } | Self::Cropped { mean, std } => {
                normalize(image, mean, std);
                // A large value over a small deviation may overflow.
                check_finite(image, " after preprocessing")?;
            }
        }
        Ok(())
    }

    fn check_range(&self, image: &Array3<f32>) -> Result<(), Fault> {
        let (lowest, highest) = range(image);
        if lowest < 0.0 || highest > 1.0 {
            return Err(Fault::Range { lowest, highest, preprocessing: self.name() });
        }
        Ok(())
    }
}

impl fmt::Display for Preprocessing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Custom { mean, std } | Self::Cropped { mean, std } => {
                write!(f, "{} (mean {mean:?}, std {std:?})", self.name())
            }
            named => f.write_str(named.name()),
        }
    }
}

impl FromStr for Preprocessing {
    type Err = ParseError;

    /// One of the names of [`Preprocessing::NAMED`].
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::NAMED.into_iter().find(|named| named.name() == text).ok_or_else(|| {
            let names = Self::NAMED.map(|named| named.name()).join(", ");
            ParseError(format!("`{text}` is not a preprocessing; expected one of {names}"))
        })
    }
}

fn check_finite(image: &Array3<f32>, when: &'static str) -> Result<(), Fault> {
    let not_finite = |value: &f32| !value.is_finite();
    // The plain scan is fast; the position is searched only if there is a value to report.
    if !image.iter().any(not_finite) {
        return Ok(());
    }
    match image.indexed_iter().find(|(_, value)| not_finite(value)) {
        Some(((channel, y, x), &value)) => Err(Fault::NotFinite { value, channel, y, x, when }),
        None => Ok(()),
    }
}

/// The lowest and the highest value.
fn range(image: &Array3<f32>) -> (f32, f32) {
    image.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(lowest, highest), &value| {
        (lowest.min(value), highest.max(value))
    })
}

fn normalize(image: &mut Array3<f32>, mean: &[f32; 3], std: &[f32; 3]) {
    for ((mut plane, mean), std) in image.outer_iter_mut().zip(mean).zip(std) {
        plane.mapv_inplace(|v| (v - mean) / std);
    }
}

fn standardize(image: &mut Array3<f32>) {
    let (lowest, highest) = range(image);
    if lowest == highest {
        image.fill(0.0);
        return;
    }
    // In f64: neither a sum over many pixels nor the square of a large value loses precision.
    let count = image.len() as f64;
    let mean = image.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
    let variance = image.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / count;
    let deviation = variance.sqrt();
    image.mapv_inplace(|v| ((f64::from(v) - mean) / deviation) as f32);
}

#[cfg(test)]
mod tests;
