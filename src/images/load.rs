//! From the bytes of an image to the network's input.

use std::path::Path;

use ndarray::Array3;

use super::listing::Kind;
use super::npy::{self, FromArray};
use super::picture::{self, Picture};
use super::resample::resize_and_crop;
use super::{ImageError, Preprocessing, RawImage};
use crate::files::npy::Values;
use crate::geometry::ImageSize;
use crate::network::RGB;

/// Default size of resized pictures.
const USUAL_CROP: ImageSize = ImageSize::square(224);

/// Minimum of a picture's shorter side before cropping.
const LEAST_SHORTER_SIDE: usize = 256;

/// Preparation of images for a network.
#[derive(Clone, Copy, Debug)]
pub(super) struct Preparation {
    /// Channels of the network.
    pub channels: usize,
    /// Preprocessing of the values.
    pub preprocessing: Preprocessing,
}

impl Preparation {
    /// Checks that the preprocessing suits the channels.
    pub fn check(self) -> Result<(), ImageError> {
        let Self { channels, preprocessing } = self;
        preprocessing.check()?;
        if channels != RGB && preprocessing.has_constants() {
            return Err(ImageError::Channels { channels, preprocessing: preprocessing.name() });
        }
        Ok(())
    }

    fn of(
        self,
        path: &Path,
        FromArray { mut image, scaled }: FromArray,
    ) -> Result<Array3<f32>, ImageError> {
        if scaled {
            self.preprocessing.check_scale().map_err(ImageError::unfit(path))?;
        }
        self.preprocessing.apply(&mut image).map_err(ImageError::unfit(path))?;
        Ok(image)
    }
}

/// Conversion of a file to an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Array,
    Picture,
    /// A picture, resized and cropped to this size.
    CroppedPicture(ImageSize),
}

impl Format {
    /// The format of images of a kind, for a requested size.
    pub fn new(kind: Kind, preprocessing: Preprocessing, size: Option<ImageSize>) -> Self {
        match kind {
            Kind::Arrays => Self::Array,
            Kind::Pictures if preprocessing.resizes() => {
                Self::CroppedPicture(size.unwrap_or(USUAL_CROP))
            }
            Kind::Pictures => Self::Picture,
        }
    }

    /// Decodes and preprocesses the picture in a file.
    pub fn decoded(
        self,
        path: &Path,
        bytes: &[u8],
        preparation: Preparation,
    ) -> Result<Array3<f32>, ImageError> {
        let picture = Picture::decode(bytes, self.most_pixels());
        self.picture(path, &picture.map_err(ImageError::unfit(path))?, preparation)
    }

    /// Preprocesses an image of the calling program.
    pub fn given(
        self,
        path: &Path,
        image: RawImage,
        preparation: Preparation,
    ) -> Result<Array3<f32>, ImageError> {
        match image {
            RawImage::Array(values) => array(path, values, preparation),
            RawImage::Picture { size, rgb } => {
                let picture = Picture::new(size, rgb, self.most_pixels());
                self.picture(path, &picture.map_err(ImageError::unfit(path))?, preparation)
            }
        }
    }

    fn picture(
        self,
        path: &Path,
        picture: &Picture,
        preparation: Preparation,
    ) -> Result<Array3<f32>, ImageError> {
        let image = match self {
            Self::CroppedPicture(crop) => {
                let shorter = LEAST_SHORTER_SIDE.max(crop.height).max(crop.width);
                resize_and_crop(picture, shorter, crop).to_array(preparation.channels)
            }
            Self::Array | Self::Picture => picture.to_array(preparation.channels),
        };
        let image = image.map_err(ImageError::unfit(path))?;
        preparation.of(path, FromArray { image, scaled: true })
    }

    /// Limit of a picture's pixels.
    const fn most_pixels(self) -> usize {
        match self {
            Self::CroppedPicture(_) => picture::MOST_PIXELS,
            Self::Array | Self::Picture => npy::MOST_PIXELS,
        }
    }
}

/// Preprocesses an array.
pub(super) fn array(
    path: &Path,
    values: Values,
    preparation: Preparation,
) -> Result<Array3<f32>, ImageError> {
    let image = npy::image_of(values, preparation.channels).map_err(ImageError::unfit(path))?;
    preparation.of(path, image)
}
