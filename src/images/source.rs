//! Sources of images: files, or the calling program.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::folder::MOST_IMAGES;
use super::listing::{Kind, Listing};
use super::{ImageError, PassedOver};
use crate::files::Digest;
use crate::files::npy::Values;
use crate::geometry::ImageSize;

/// A source of images.
#[derive(Clone, Debug)]
pub enum ImageSource {
    /// A folder, a list or a batch.
    Path(PathBuf),
    /// Files with these paths, in this order: a list in memory.
    Files(Vec<String>),
    /// Images of the calling program.
    Reader(Arc<dyn ImageReader>),
}

/// Images of the calling program, in memory or made on demand.
///
/// Images are read one at a time, by any of several threads, and once per pass; an image must be
/// equal each time. Its SHA-256 is checked like that of a file.
pub trait ImageReader: Debug + Send + Sync {
    /// Common name of the images; image `i` is recorded as `NAME[i]`, like an image of the batch
    /// `NAME`.
    fn name(&self) -> &str;

    /// Number of images.
    fn len(&self) -> usize;

    /// Whether there are no images.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the images are pictures, which a preprocessing may resize, rather than arrays.
    fn has_pictures(&self) -> bool {
        false
    }

    /// The image with an index below [`len`](Self::len).
    ///
    /// # Errors
    /// Why there is no image.
    fn read(&self, index: usize) -> Result<RawImage, String>;
}

/// An image before preprocessing.
#[derive(Clone, Debug, PartialEq)]
pub enum RawImage {
    /// An array, as in a `.npy` file.
    Array(Values),
    /// An 8-bit RGB picture.
    Picture {
        /// Its size.
        size: ImageSize,
        /// Red, green, blue of each pixel, row by row.
        rgb: Vec<u8>,
    },
}

impl ImageSource {
    /// The path, if the source is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            Self::Files(_) | Self::Reader(_) => None,
        }
    }

    /// The source in the manifest: its path, or the common name of the images.
    pub fn label(&self) -> String {
        match self {
            Self::Path(path) => path.display().to_string(),
            Self::Files(_) => "a list of files".into(),
            Self::Reader(reader) => reader.name().into(),
        }
    }
}

impl<P: Into<PathBuf>> From<P> for ImageSource {
    fn from(path: P) -> Self {
        Self::Path(path.into())
    }
}

/// An image as read.
pub(super) enum Read {
    /// The bytes of its file, or of its part of a batch.
    Bytes(Vec<u8>),
    /// As given by the calling program.
    Given(RawImage),
}

impl Read {
    /// The SHA-256 of the bytes that represent the image in a file.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Bytes(bytes) | Self::Given(RawImage::Picture { rgb: bytes, .. }) => {
                Digest::of(bytes)
            }
            Self::Given(RawImage::Array(values)) => values.digest(),
        }
    }
}

/// Lists the images of the calling program.
pub(super) fn list_given(reader: &dyn ImageReader) -> Result<Listing, ImageError> {
    let (name, count) = (reader.name(), reader.len());
    let (folder, passed_over) = (PathBuf::from(name), PassedOver::default());
    if count == 0 {
        return Err(ImageError::NoImages { folder, passed_over });
    }
    if count > MOST_IMAGES {
        return Err(ImageError::TooMany { folder, count, max: MOST_IMAGES });
    }
    let names = (0..count).map(|index| format!("{name}[{index}]")).collect();
    let kind = if reader.has_pictures() { Kind::Pictures } else { Kind::Arrays };
    Ok(Listing { base: PathBuf::new(), kind, names, passed_over })
}
