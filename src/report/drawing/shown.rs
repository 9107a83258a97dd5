//! An image of a folder, to be shown.

use image::RgbImage;
use ndarray::Array3;

use crate::images::ImageFolder;
use crate::report::Tones;
use crate::runs::{ImageChoice, RunError};

/// An image and its colours.
#[derive(Clone, Debug)]
pub struct ShownImage {
    /// Values `[channels, height, width]`, preprocessed.
    pub values: Array3<f32>,
    /// Index in the folder, on which the noise depends.
    pub index: usize,
    /// File name.
    pub name: String,
    /// Colours before preprocessing.
    pub tones: Tones,
}

impl ShownImage {
    /// Reads an image.
    ///
    /// # Errors
    /// An image that does not exist or cannot be read.
    pub fn read(images: &ImageFolder, choice: &ImageChoice) -> Result<Self, RunError> {
        let index = choice.index_in(images)?;
        let (values, tones) = (images.read(index)?, Tones::of(images)?);
        Ok(Self { values, index, name: images.names()[index].clone(), tones })
    }

    /// The picture.
    pub fn picture(&self) -> RgbImage {
        self.tones.picture(&self.values.view())
    }
}
