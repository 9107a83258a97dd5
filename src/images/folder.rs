//! Images of a folder, read singly or as a stream.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ndarray::Array3;

use super::listing::{Kind, Listing, list, list_files};
use super::load::{self, Format, Preparation};
use super::passed_over::PassedOver;
use super::source::{Read, list_given};
use super::stream::read_ahead;
use super::{Fault, ImageError, ImageReader, ImageSource, Preprocessing};
use crate::files::{Digest, FileError, npy as npy_file, read_at_most};
use crate::geometry::ImageSize;
use crate::network::RGB;

mod selection;

/// Limit of an image's file, in bytes.
const MOST_BYTES: u64 = 2 << 30;

/// Limit of the number of images.
pub(super) const MOST_IMAGES: usize = 1 << 24;

/// An image of [`ImageFolder::stream`].
#[derive(Clone, Debug)]
pub struct Image {
    /// Index of the image.
    pub index: usize,
    /// `[channels, height, width]` in C order, preprocessed, every value finite.
    pub values: Array3<f32>,
    /// The SHA-256 of the file.
    pub digest: Digest,
}

/// An image or its error.
pub type ImageRead = Result<Image, ImageError>;

/// Images of one size: of a folder, a list, a batch or the calling program.
///
/// - **Arrays**: floats of 16, 32 or 64 bits, or integers, as `[channels, height, width]`,
///   `[height, width, channels]` (the network's channels, or one; the first axis is tried first) or
///   `[height, width]`, in C or Fortran order. `uint8` values become `v / 255` and `uint16` values
///   `v / 65535`; other integers must be from 0 to 255 and become `v / 255`. The files of a folder
///   are `0.npy`, `1.npy`, …; their number is their index.
/// - **Batches**: arrays `[N, …]` of such images, in C order; each image is `NAME.npy[0]`, …. One
///   is read at a time. Several files are in the bytewise order of their names.
/// - **Pictures**: PNG, JPEG, WebP, BMP, TIFF and GIF (the first frame), recognised by content,
///   decoded like Pillow's `convert("RGB")`, without EXIF rotation. Their index is their position
///   in the bytewise order of their names; if the folder has no pictures, those in its subfolders
///   count, by relative names.
/// - A **list** is a text with the path of an image per line, relative to the list's folder; it
///   keeps its order.
/// - Images **of the calling program** ([`ImageReader`]) are recorded, digests included, as those
///   of a batch.
/// - One channel becomes three equal ones for a network on red, green and blue. Pictures become
///   grey for a network with one channel. All images have one size and finite values.
///
/// Images are not kept after reading, so a folder can be shared between threads.
#[derive(Clone, Debug)]
pub struct ImageFolder {
    folder: PathBuf,
    /// The folder to which `names` are relative.
    base: PathBuf,
    names: Vec<String>,
    /// The files of batches; empty if each image is a file.
    batches: Vec<npy_file::Parts>,
    /// The calling program's reader, if it provides the images.
    reader: Option<Arc<dyn ImageReader>>,
    /// The part of a batch, or of the reader's images, for each image; empty if each image is a
    /// file.
    parts: Vec<Part>,
    passed_over: PassedOver,
    format: Format,
    preparation: Preparation,
    size: ImageSize,
    /// Origin of `size`, for messages.
    size_origin: &'static str,
    /// Expected digests of the files, if known.
    digests: Option<Vec<Digest>>,
    /// Whether unreadable images may be skipped instead: of a folder whose images are not given by name.
    may_skip: bool,
}

/// An image of a batch or of a reader.
#[derive(Clone, Copy, Debug)]
struct Part {
    batch: usize,
    index: usize,
}

/// Options for opening a folder of images.
#[derive(Clone, Copy, Debug, Default)]
pub struct ImageOptions<'a> {
    /// Preprocessing of the values: by default [`Preprocessing::None`] for arrays and
    /// [`Preprocessing::Imagenet`] for pictures.
    pub preprocessing: Option<Preprocessing>,
    /// Size of every image: by default that of the first, or 224×224 for pictures that are resized.
    /// Only those are resized; other images must have the size.
    pub size: Option<ImageSize>,
    /// Channels of the network; 3 by default.
    pub channels: Option<usize>,
    /// Size of resized pictures if `size` is not given: by default 224×224.
    pub crop: Option<ImageSize>,
    /// Skips unreadable images: damaged ones, other formats, values that are not finite. Every
    /// image is read once for that. An image of another size, or with values that the preprocessing
    /// rejects, is still an error.
    pub skip_unreadable: bool,
    /// Selects the images with these names, in this order.
    pub names: Option<&'a [String]>,
}

impl ImageFolder {
    /// Opens a folder, a list or a batch with these options, as [`open_with`](Self::open_with).
    pub fn open(
        folder: &Path,
        preprocessing: Option<Preprocessing>,
        size: Option<ImageSize>,
    ) -> Result<Self, ImageError> {
        Self::open_with(folder, &ImageOptions { preprocessing, size, ..ImageOptions::default() })
    }

    /// Lists the images of a folder, a list or a batch, and reads the first.
    ///
    /// # Errors
    /// A folder that cannot be read, holds no images, both kinds of images, or `.npy` files that
    /// are neither numbered from 0 without gaps nor batches; constants or a size out of range; a
    /// first image that cannot be read ([`ImageFolder::read`]); a requested name that does not
    /// exist.
    pub fn open_with(folder: &Path, options: &ImageOptions<'_>) -> Result<Self, ImageError> {
        Self::open_source(&folder.into(), options)
    }

    /// Lists the images of a source, and reads the first.
    ///
    /// # Errors
    /// As [`open_with`](Self::open_with).
    pub fn open_source(
        source: &ImageSource,
        options: &ImageOptions<'_>,
    ) -> Result<Self, ImageError> {
        let crop = options.size.or(options.crop);
        for size in [options.size, crop].into_iter().flatten() {
            check_size(size)?;
        }
        let channels = options.channels.unwrap_or(RGB);
        if let Some(preprocessing) = options.preprocessing {
            Preparation { channels, preprocessing }.check()?;
        }
        let folder = PathBuf::from(source.label());
        let mut reader = None;
        let Listing { base, kind, names, passed_over } = match source {
            ImageSource::Path(path) => list(path)?,
            ImageSource::Files(files) => list_files(files)?,
            ImageSource::Reader(given) => list_given(&**reader.insert(Arc::clone(given)))?,
        };
        let preprocessing = options.preprocessing.unwrap_or(match kind {
            Kind::Arrays => Preprocessing::None,
            Kind::Pictures => Preprocessing::Imagenet,
        });
        let preparation = Preparation { channels, preprocessing };
        preparation.check()?;
        let mut opened = Self {
            folder,
            base,
            parts: (reader.iter())
                .flat_map(|_| (0..names.len()).map(|index| Part { batch: 0, index }))
                .collect(),
            names,
            batches: Vec::new(),
            reader,
            passed_over,
            format: Format::new(kind, preprocessing, crop),
            preparation,
            // Set when the first image is read, unless it is given.
            size: options.size.unwrap_or(ImageSize::square(0)),
            size_origin: if options.size.is_some() {
                "the requested size"
            } else {
                "the size of the folder's first image"
            },
            digests: None,
            may_skip: !options.skip_unreadable && options.names.is_none(),
        };
        if kind == Kind::Arrays && opened.reader.is_none() {
            opened.split_batches()?;
        }
        if opened.len() > MOST_IMAGES {
            let (folder, count) = (opened.folder, opened.names.len());
            return Err(ImageError::TooMany { folder, count, max: MOST_IMAGES });
        }
        if let Some(names) = options.names {
            opened.select(names)?;
        }
        opened.read_first(options)?;
        if options.skip_unreadable {
            opened.skip_unreadable()?;
        }
        Ok(opened)
    }

    /// The same folder with an expected digest per image: a file with another digest is an error.
    #[must_use]
    pub fn with_digests(&self, digests: Vec<Digest>) -> Self {
        debug_assert_eq!(digests.len(), self.len(), "one for each image");
        Self { digests: Some(digests), ..self.clone() }
    }

    /// Channels of every image.
    pub const fn channels(&self) -> usize {
        self.preparation.channels
    }

    /// Number of images; never 0.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Always false: a folder without images cannot be opened.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The folder, list or batch, as given.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The images' names, in order: relative file names, followed by the index within a batch, such
    /// as `batch.npy[3]`.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Files of the folder that are not images.
    pub fn passed_over(&self) -> &PassedOver {
        &self.passed_over
    }

    /// The size of every image.
    pub fn size(&self) -> ImageSize {
        self.size
    }

    /// The preprocessing of the values.
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.preparation.preprocessing
    }

    /// Mid-grey, as images are preprocessed: a value for each channel. `None` if no value is grey in every
    /// image, or if the scale of arrays is not known.
    pub fn grey(&self) -> Option<Vec<f32>> {
        let Preparation { channels, preprocessing } = self.preparation;
        let unknown = self.format == Format::Array && preprocessing == Preprocessing::None;
        if unknown { None } else { preprocessing.grey(channels) }
    }

    /// Reads one image: `[channels, height, width]` in C order, preprocessed, every value finite.
    ///
    /// # Errors
    /// An index out of range; an image that is damaged, of another size, has values that are not
    /// finite or that the preprocessing rejects, or has changed.
    pub fn read(&self, index: usize) -> Result<Array3<f32>, ImageError> {
        self.read_image(index).map(|image| image.values)
    }

    /// The SHA-256 of an image's file, or of its bytes within a batch.
    pub fn digest(&self, index: usize) -> Result<Digest, ImageError> {
        Ok(self.read_raw(index)?.digest())
    }

    /// Checks that an image's file has the expected digest ([`with_digests`](Self::with_digests)).
    ///
    /// # Errors
    /// A file that cannot be read, or has another digest.
    pub fn check_digest(&self, index: usize) -> Result<(), ImageError> {
        self.read_known(index).map(drop)
    }

    fn read_image(&self, index: usize) -> ImageRead {
        let (values, digest) = self.load(index)?;
        self.check_size_of(&values, index)?;
        Ok(Image { index, values, digest })
    }

    /// Reads an image's file, whose digest is the expected one.
    fn read_known(&self, index: usize) -> Result<(Read, Digest), ImageError> {
        let read = self.read_raw(index)?;
        let digest = read.digest();
        if let Some(expected) = self.digests.as_ref().map(|digests| &digests[index])
            && digest != *expected
        {
            let fault = Fault::Changed { found: digest, expected: expected.clone() };
            return Err(ImageError::Unfit { path: self.path(index), fault });
        }
        Ok((read, digest))
    }

    /// Reads and preprocesses an image, of any size.
    fn load(&self, index: usize) -> Result<(Array3<f32>, Digest), ImageError> {
        self.loaded(index).map_err(|error| {
            // With digests, results are of all images.
            let may_skip = self.may_skip && self.digests.is_none() && error.is_damage();
            if may_skip { ImageError::Unreadable(Box::new(error)) } else { error }
        })
    }

    fn loaded(&self, index: usize) -> Result<(Array3<f32>, Digest), ImageError> {
        let (read, digest) = self.read_known(index)?;
        let path = self.path(index);
        let content = |problem| FileError::content(&path, problem);
        let values = match (read, self.format, self.parts.get(index)) {
            (Read::Given(image), format, _) => format.given(&path, image, self.preparation),
            (Read::Bytes(bytes), Format::Array, Some(part)) => {
                load::array(&path, self.batches[part.batch].values(&bytes)?, self.preparation)
            }
            (Read::Bytes(bytes), Format::Array, None) => {
                let values = npy_file::parse(&bytes).map_err(content)?;
                load::array(&path, values, self.preparation)
            }
            (Read::Bytes(bytes), format, _) => format.decoded(&path, &bytes, self.preparation),
        };
        Ok((values?, digest))
    }

    fn read_raw(&self, index: usize) -> Result<Read, ImageError> {
        if index >= self.len() {
            let (folder, count) = (self.folder.clone(), self.len());
            return Err(ImageError::NoSuchImage { folder, index, count });
        }
        Ok(match (&self.reader, self.parts.get(index)) {
            (Some(reader), Some(part)) => {
                let wrong = |problem| ImageError::Source { path: self.path(index), problem };
                Read::Given(reader.read(part.index).map_err(wrong)?)
            }
            (_, Some(part)) => Read::Bytes(self.batches[part.batch].bytes(part.index)?),
            (_, None) => Read::Bytes(read_at_most(&self.path(index), MOST_BYTES)?),
        })
    }

    /// The file of an image; within a batch, the file and the index.
    pub fn path(&self, index: usize) -> PathBuf {
        self.base.join(&self.names[index])
    }

    /// Reads the images of `indices`, in that order, ahead on `readers` threads, while `consume`
    /// runs on the current thread. Each reader holds at most three images. With 0 readers, images
    /// are read when they are taken.
    ///
    /// An error takes the position of its image, and reading continues behind it. When `consume`
    /// returns early, the readers stop after their current image.
    pub fn stream<R>(
        &self,
        indices: &[usize],
        readers: usize,
        consume: impl FnOnce(&mut dyn Iterator<Item = ImageRead>) -> R,
    ) -> R {
        read_ahead(indices.len(), readers, |item| self.read_image(indices[item]), consume)
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
        Err(ImageError::Unfit { path: self.path(index), fault })
    }
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
