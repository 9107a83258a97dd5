//! A folder of images, read one by one or ahead.

use std::path::{Path, PathBuf};

use ndarray::Array3;

use super::listing::{Kind, list};
use super::picture::Picture;
use super::resample::resize_and_crop;
use super::stream::read_ahead;
use super::{Fault, ImageError, Preprocessing, npy};
use crate::files::{Digest, FileError, npy as npy_file, read_bytes};
use crate::geometry::ImageSize;

/// The size of a picture under [`Preprocessing::Imagenet`] where none is asked for.
const USUAL_CROP: ImageSize = ImageSize::square(224);

/// The least length of a picture's shorter side before it is cropped, under
/// [`Preprocessing::Imagenet`].
const LEAST_SHORTER_SIDE: usize = 256;

/// One image as it comes from [`ImageFolder::stream`].
#[derive(Clone, Debug)]
pub struct Image {
    /// Its index.
    pub index: usize,
    /// `[3, height, width]` in C order, preprocessed, every value finite.
    pub values: Array3<f32>,
    /// The SHA-256 of its file.
    pub digest: Digest,
}

/// An image, or what is wrong with it.
pub type ImageRead = Result<Image, ImageError>;

/// A folder whose images are either `0.npy`, `1.npy`, … or PNG and JPEG files.
///
/// - **Arrays**: `float16`, `float32`, `float64` or `uint8`, as `[channels, height, width]`,
///   `[height, width, channels]` (1 or 3 channels; the first axis is tried first) or
///   `[height, width]`, in C or Fortran order. Their number is their index.
/// - **Pictures**: recognized by their content, decoded as Pillow's `convert("RGB")` does, without
///   EXIF rotation. Their index is their place in the bytewise order of file names.
/// - One channel becomes three equal ones. All images have one size, and only finite values.
///
/// Nothing is kept of an image once it was read, so a folder can be shared between threads.
#[derive(Clone, Debug)]
pub struct ImageFolder {
    folder: PathBuf,
    names: Vec<String>,
    format: Format,
    preprocessing: Preprocessing,
    size: ImageSize,
    /// Where `size` comes from, for messages.
    size_origin: &'static str,
    /// What the files must hold, where that is known.
    digests: Option<Vec<Digest>>,
}

/// How a file becomes an array.
#[derive(Clone, Copy, Debug)]
enum Format {
    Array,
    Picture,
    /// A picture that is resized and cropped to this size.
    CroppedPicture(ImageSize),
}

impl ImageFolder {
    /// Lists a folder and reads its first image.
    ///
    /// `preprocessing` is, where none is given, [`Preprocessing::None`] for arrays and
    /// [`Preprocessing::Imagenet`] for pictures. `size` is, where none is given, that of the first
    /// image, and 224×224 for pictures under [`Preprocessing::Imagenet`]. Only those are resized
    /// to `size`; all other images must have it.
    ///
    /// # Errors
    /// If the folder cannot be read, holds no images, both kinds of them, or `.npy` files that
    /// are not numbered from 0 without gaps; if the constants of the preprocessing or the size
    /// are out of range; if the first image cannot be read ([`ImageFolder::read`]).
    pub fn open(
        folder: &Path,
        preprocessing: Option<Preprocessing>,
        size: Option<ImageSize>,
    ) -> Result<Self, ImageError> {
        if let Some(size) = size {
            check_size(size)?;
        }
        if let Some(preprocessing) = preprocessing {
            preprocessing.check()?;
        }
        let (kind, names) = list(folder)?;
        let preprocessing = preprocessing.unwrap_or(match kind {
            Kind::Arrays => Preprocessing::None,
            Kind::Pictures => Preprocessing::Imagenet,
        });
        let format = match (kind, preprocessing) {
            (Kind::Arrays, _) => Format::Array,
            (Kind::Pictures, Preprocessing::Imagenet) => {
                Format::CroppedPicture(size.unwrap_or(USUAL_CROP))
            }
            (Kind::Pictures, _) => Format::Picture,
        };
        let path = folder.join(&names[0]);
        let first = load(&path, &read_bytes(&path)?, format, preprocessing)?;
        let opened = Self {
            folder: folder.to_owned(),
            names,
            format,
            preprocessing,
            size: size.unwrap_or_else(|| size_of(&first)),
            size_origin: if size.is_some() {
                "the size asked for"
            } else {
                "the size of the folder's first image"
            },
            digests: None,
        };
        opened.check_size_of(&first, 0)?;
        Ok(opened)
    }

    /// The same folder, of which every file that is read must have its digest of these, one for
    /// each image.
    #[must_use]
    pub fn with_digests(&self, digests: Vec<Digest>) -> Self {
        debug_assert_eq!(digests.len(), self.len(), "one for each image");
        Self { digests: Some(digests), ..self.clone() }
    }

    /// Number of images; never 0.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Always false: a folder without images cannot be opened.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The folder, as it was given.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The images' file names, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The size of every image.
    pub fn size(&self) -> ImageSize {
        self.size
    }

    /// What is done to the values.
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    /// Reads one image: `[3, height, width]` in C order, preprocessed, every value finite.
    ///
    /// # Errors
    /// If there is no such image, or it is damaged, of another size, or has values that are not
    /// finite or that the preprocessing does not take; if it is not the file that it was.
    pub fn read(&self, index: usize) -> Result<Array3<f32>, ImageError> {
        self.read_image(index).map(|image| image.values)
    }

    /// The SHA-256 of an image's file.
    pub fn digest(&self, index: usize) -> Result<Digest, ImageError> {
        self.bytes(index).map(|(_, _, digest)| digest)
    }

    fn read_image(&self, index: usize) -> ImageRead {
        let (path, bytes, digest) = self.bytes(index)?;
        if let Some(expected) = self.digests.as_ref().map(|digests| &digests[index])
            && digest != *expected
        {
            let fault = Fault::Changed { found: digest, expected: expected.clone() };
            return Err(ImageError::Unfit { path, fault });
        }
        let values = load(&path, &bytes, self.format, self.preprocessing)?;
        self.check_size_of(&values, index)?;
        Ok(Image { index, values, digest })
    }

    fn bytes(&self, index: usize) -> Result<(PathBuf, Vec<u8>, Digest), ImageError> {
        let Some(name) = self.names.get(index) else {
            let (folder, count) = (self.folder.clone(), self.names.len());
            return Err(ImageError::NoSuchImage { folder, index, count });
        };
        let path = self.folder.join(name);
        let bytes = read_bytes(&path)?;
        let digest = Digest::of(&bytes);
        Ok((path, bytes, digest))
    }

    /// Reads the images of `indices`, in that order, ahead on `readers` threads, while `consume`
    /// runs on this one. Each reader holds at most three images; with 0 readers, images are read
    /// as they are taken.
    ///
    /// An error comes at its image's place, and reading goes on behind it. When `consume` returns
    /// early, the readers stop after the image in hand.
    pub fn stream<R>(
        &self,
        indices: &[usize],
        readers: usize,
        consume: impl FnOnce(&mut dyn Iterator<Item = ImageRead>) -> R,
    ) -> R {
        read_ahead(indices.len(), readers, |place| self.read_image(indices[place]), consume)
    }

    fn check_size_of(&self, image: &Array3<f32>, index: usize) -> Result<(), ImageError> {
        let (found, expected) = (size_of(image), self.size);
        if found == expected {
            return Ok(());
        }
        let advice = match self.format {
            Format::Array => "save all arrays in one size, they are never resized",
            Format::Picture | Format::CroppedPicture(_) => {
                "resize the picture, or use preprocessing `imagenet`, which resizes and crops"
            }
        };
        let fault = Fault::Size { found, expected, origin: self.size_origin, advice };
        Err(ImageError::Unfit { path: self.folder.join(&self.names[index]), fault })
    }
}

/// Decodes and preprocesses the content of one file.
fn load(
    path: &Path,
    bytes: &[u8],
    format: Format,
    preprocessing: Preprocessing,
) -> Result<Array3<f32>, ImageError> {
    let mut image = match format {
        Format::Array => {
            let content = |problem| FileError::content(path, problem);
            npy::image_of(npy_file::parse(bytes).map_err(content)?)
        }
        Format::Picture => Picture::decode(bytes).map(|picture| picture.to_array()),
        Format::CroppedPicture(crop) => Picture::decode(bytes).map(|picture| {
            let shorter = LEAST_SHORTER_SIDE.max(crop.height).max(crop.width);
            resize_and_crop(&picture, shorter, crop).to_array()
        }),
    }
    .map_err(ImageError::unfit(path))?;
    preprocessing.apply(&mut image).map_err(ImageError::unfit(path))?;
    Ok(image)
}

fn check_size(size: ImageSize) -> Result<(), ImageError> {
    let accepted = 1..=ImageSize::MAX_SIDE;
    if accepted.contains(&size.height) && accepted.contains(&size.width) {
        Ok(())
    } else {
        Err(ImageError::SizeAskedFor(size))
    }
}

fn size_of(image: &Array3<f32>) -> ImageSize {
    let (_, height, width) = image.dim();
    ImageSize::new(height, width)
}

#[cfg(test)]
mod tests;
