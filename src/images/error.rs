//! What can be wrong with a folder of images, and with one image.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::error::{ErrorKind, HasKind};
use crate::files::{Digest, FileError};
use crate::geometry::ImageSize;

/// What can be wrong with a folder of images.
#[derive(Debug, Error)]
pub enum ImageError {
    /// A file or the folder cannot be read, or a `.npy` file is damaged.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no image in the folder.
    #[error(
        "{}: no images found; expected 0.npy, 1.npy, … or files that end in .png, .jpg or .jpeg",
        folder.display()
    )]
    NoImages {
        /// The folder.
        folder: PathBuf,
    },
    /// Both arrays and pictures are in the folder, so which of them are the images is unclear.
    #[error(
        "{}: both kinds of images found, {arrays} .npy and {pictures} .png or .jpeg; \
         move one kind to a folder of its own",
        folder.display()
    )]
    Mixed {
        /// The folder.
        folder: PathBuf,
        /// Number of `.npy` files.
        arrays: usize,
        /// Number of pictures.
        pictures: usize,
    },
    /// A file's name is not one that an image can have.
    #[error("{}: the file name `{name}` {problem}; rename the file or move it away", folder.display())]
    Name {
        /// The folder.
        folder: PathBuf,
        /// The name, as far as it can be shown.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The numbers of the `.npy` files have a gap.
    #[error(
        "{}: {missing}.npy is missing: expected the {count} .npy files to be 0.npy to {}.npy, \
         without gaps",
        folder.display(), count - 1
    )]
    Gap {
        /// The folder.
        folder: PathBuf,
        /// The first number that is missing.
        missing: usize,
        /// How many `.npy` files there are.
        count: usize,
    },
    /// The size asked for is none that an image can have.
    #[error("images of {0} asked for; expected sides from 1 to {max}", max = ImageSize::MAX_SIDE)]
    SizeAskedFor(ImageSize),
    /// The constants of [`Preprocessing::Custom`](super::Preprocessing::Custom) cannot be used.
    #[error(
        "preprocessing has {constant} {value} for channel {channel}; expected a finite mean, and \
         a finite standard deviation above 0"
    )]
    Constant {
        /// Which constant: `mean` or `std`.
        constant: &'static str,
        /// Its value.
        value: f32,
        /// The channel, from 0.
        channel: usize,
    },
    /// An image was asked for that is not there.
    #[error("{}: image {index} asked for; the folder has {count}, counted from 0", folder.display())]
    NoSuchImage {
        /// The folder.
        folder: PathBuf,
        /// The index asked for.
        index: usize,
        /// How many images there are.
        count: usize,
    },
    /// One image cannot be used.
    #[error("{}: {fault}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        fault: Fault,
    },
}

impl ImageError {
    /// An [`ImageError::Unfit`] of `path`, for `map_err`.
    pub(super) fn unfit(path: &Path) -> impl FnOnce(Fault) -> Self {
        let path = path.to_owned();
        move |fault| Self::Unfit { path, fault }
    }
}

impl HasKind for ImageError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::SizeAskedFor(_) | Self::Constant { .. } | Self::NoSuchImage { .. } => {
                ErrorKind::Usage
            }
            _ => ErrorKind::Input,
        }
    }
}

/// What can be wrong with one image. The file's name is with the [`ImageError`] around it.
#[derive(Debug, Error)]
pub enum Fault {
    /// The array has no layout of an image.
    #[error(
        "its shape is {0:?}; expected [channels, height, width], [height, width, channels] with \
         1 or 3 channels, or [height, width], each side from 1 to {max}", max = ImageSize::MAX_SIDE
    )]
    Shape(Vec<usize>),
    /// The array's elements have no agreed meaning as pixels.
    #[error(
        "its dtype is {0}; expected float16, float32 or float64, or uint8 for values from 0 to 255 \
         (convert it with numpy's astype)"
    )]
    Dtype(&'static str),
    /// A value is NaN or infinite.
    #[error(
        "its value at channel {channel}, y {y}, x {x} is {value}{when}; expected finite numbers"
    )]
    NotFinite {
        /// The value.
        value: f32,
        /// The channel, from 0.
        channel: usize,
        /// The row.
        y: usize,
        /// The column.
        x: usize,
        /// Empty, or ` after preprocessing`.
        when: &'static str,
    },
    /// The preprocessing expects values in [0, 1].
    #[error(
        "its values range from {lowest} to {highest}; preprocessing `{preprocessing}` expects \
         [0, 1]: rescale them, or use `none` if they already are what the network expects"
    )]
    Range {
        /// The lowest value.
        lowest: f32,
        /// The highest value.
        highest: f32,
        /// The preprocessing's name.
        preprocessing: &'static str,
    },
    /// The image is not of the size that all images have.
    #[error("it has {found} pixels; expected {expected}, {origin}; {advice}")]
    Size {
        /// The size that it has.
        found: ImageSize,
        /// The size that it should have.
        expected: ImageSize,
        /// Where that size comes from.
        origin: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// The file is not what it was when the images were ranked.
    #[error(
        "it has changed since the images were ranked: its SHA-256 was {expected}, and is {found}; \
         put back what it was, or rank again"
    )]
    Changed {
        /// The file's digest.
        found: Digest,
        /// What it was.
        expected: Digest,
    },
    /// The file is empty.
    #[error("the file is empty; expected a PNG or JPEG picture")]
    Empty,
    /// The content is of another format, whatever the file's name says.
    #[error("its content is neither PNG nor JPEG; convert it to one of them")]
    Format,
    /// A JPEG without its end.
    #[error("cut short: the JPEG's end marker is missing; copy the file again")]
    CutShort,
    /// The picture claims to be larger than what is accepted.
    #[error(
        "its header claims a picture too large to read (more than {max} pixels a side, or 512 MiB \
         in all); it is damaged, or should be scaled down first", max = ImageSize::MAX_SIDE
    )]
    TooLarge,
    /// A picture that cannot be decoded.
    #[error("cannot be decoded as a picture: {0}; copy the file again, or save it anew")]
    Decode(#[source] image::ImageError),
}
