//! Errors of a folder of images, and of one image.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::listing::endings;
use super::npy::MOST_PIXELS as MOST_ARRAY_PIXELS;
use super::picture::MOST_PIXELS;
use super::{PassedOver, Preprocessing};
use crate::error::{ErrorKind, HasKind};
use crate::files::{Digest, FileError, counted, escaped, shown};
use crate::geometry::ImageSize;
use crate::network::RGB;

/// Errors of a folder of images.
#[derive(Debug, Error)]
pub enum ImageError {
    /// A file or the folder cannot be read, or a `.npy` file is damaged.
    #[error(transparent)]
    File(#[from] FileError),
    /// Neither a folder nor a file.
    #[error(
        "{}: there is no such folder; --images takes a folder of pictures or arrays, or a list of them{near}",
        shown(path)
    )]
    NoFolder {
        /// The path.
        path: PathBuf,
        /// The nearest names beside it, as a message goes on with them.
        near: String,
    },
    /// A folder without images.
    #[error(
        "{}: no images found; expected 0.npy, 1.npy, … or pictures, ending in {}{}",
        shown(folder),
        endings(),
        in_brackets(passed_over)
    )]
    NoImages {
        /// The folder.
        folder: PathBuf,
        /// Other contents of the folder.
        passed_over: PassedOver,
    },
    /// A folder with both arrays and pictures: which of them are the images is unclear.
    #[error(
        "{}: both kinds of images found, {} and {}; move one kind to a folder of its own",
        shown(folder), counted(*arrays, ".npy file"), counted(*pictures, "picture")
    )]
    Mixed {
        /// The folder, or the list.
        folder: PathBuf,
        /// Number of `.npy` files.
        arrays: usize,
        /// Number of pictures.
        pictures: usize,
    },
    /// A file name that no image can have.
    #[error(
        "{}: the file name `{}` {problem}; rename the file or move it away",
        shown(folder),
        escaped(name)
    )]
    Name {
        /// The folder.
        folder: PathBuf,
        /// The name.
        name: String,
        /// Fault of the name.
        problem: &'static str,
    },
    /// A gap in the numbers of the `.npy` files.
    #[error(
        "{}: {missing}.npy is missing: expected the {} to be 0.npy to {}.npy, without gaps",
        shown(folder), counted(*count, ".npy file"), count - 1
    )]
    Gap {
        /// The folder.
        folder: PathBuf,
        /// The first missing number.
        missing: usize,
        /// Number of `.npy` files.
        count: usize,
    },
    /// Constants for red, green and blue, for a network with other channels.
    #[error(
        "preprocessing `{preprocessing}` is for red, green and blue, and the network takes images of \
         {channels} channels; use `none`, `unit` or `standardize`"
    )]
    Channels {
        /// Channels of the network.
        channels: usize,
        /// Name of the preprocessing.
        preprocessing: &'static str,
    },
    /// A requested size that no image can have.
    #[error("images of {0} requested; expected sides from 1 to {max}", max = ImageSize::MAX_SIDE)]
    SizeAskedFor(ImageSize),
    /// Unusable constants of [`Preprocessing::Custom`](super::Preprocessing::Custom).
    #[error(
        "preprocessing has {constant} {value} for channel {channel}; expected a finite mean, and \
         a finite standard deviation above 0"
    )]
    Constant {
        /// The constant: `mean` or `std`.
        constant: &'static str,
        /// The value.
        value: f32,
        /// The channel, from 0.
        channel: usize,
    },
    /// Constants beside a preprocessing that has none of its own.
    #[error(
        "--mean and --std go with --preprocess imagenet, or without --preprocess; found --preprocess \
         {named}"
    )]
    ConstantsWith {
        /// The preprocessing.
        named: Preprocessing,
    },
    /// More images than supported.
    #[error("{}: {count} images; at most {max} are supported", shown(folder))]
    TooMany {
        /// The folder or file.
        folder: PathBuf,
        /// Number of images.
        count: usize,
        /// Largest supported number.
        max: usize,
    },
    /// A requested image that does not exist.
    #[error("{}: image {index} requested; the folder has {count}, counted from 0", shown(folder))]
    NoSuchImage {
        /// The folder.
        folder: PathBuf,
        /// The requested index.
        index: usize,
        /// Number of images.
        count: usize,
    },
    /// A requested name that does not exist.
    #[error("{}: there is no image {}", shown(folder), escaped(name))]
    NoSuchName {
        /// The folder.
        folder: PathBuf,
        /// The requested name.
        name: String,
    },
    /// An image that the calling program cannot provide.
    #[error("{}: cannot be read: {}", shown(path), escaped(problem))]
    Source {
        /// Name of the image.
        path: PathBuf,
        /// The program's error.
        problem: String,
    },
    /// An unreadable image among those of a folder that may be read without it.
    #[error("{0}; --skip-unreadable leaves out such images")]
    Unreadable(#[source] Box<Self>),
    /// An unusable image.
    #[error("{}: {fault}", shown(path))]
    Unfit {
        /// The file.
        path: PathBuf,
        /// Fault of the image.
        #[source]
        fault: Fault,
    },
}

impl ImageError {
    /// Whether the file itself is unreadable, rather than unlike the other images.
    pub(super) const fn is_damage(&self) -> bool {
        match self {
            Self::File(_) | Self::Source { .. } | Self::Unreadable(_) => true,
            Self::Unfit { fault, .. } => fault.is_damage(),
            _ => false,
        }
    }

    /// Whether an image has changed since the images were ranked.
    pub const fn is_changed(&self) -> bool {
        matches!(self, Self::Unfit { fault: Fault::Changed { .. }, .. })
    }

    /// An [`ImageError::Unfit`] of `path`, for `map_err`.
    pub(super) fn unfit(path: &Path) -> impl FnOnce(Fault) -> Self {
        let path = path.to_owned();
        move |fault| Self::Unfit { path, fault }
    }
}

impl HasKind for ImageError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::SizeAskedFor(_)
            | Self::Constant { .. }
            | Self::ConstantsWith { .. }
            | Self::Channels { .. }
            | Self::NoSuchImage { .. } => ErrorKind::Usage,
            _ => ErrorKind::Input,
        }
    }
}

/// The accepted layouts of arrays, for messages.
fn expected_channels(channels: usize) -> String {
    match channels {
        RGB => "1 or 3 channels, or [height, width]".into(),
        1 => "1 channel, or [height, width]".into(),
        channels => format!("{channels} channels"),
    }
}

/// Faults of one image. The surrounding [`ImageError`] names the file.
#[derive(Debug, Error)]
pub enum Fault {
    /// An array that has no layout of an image.
    #[error(
        "its shape is {shape:?}; expected [channels, height, width] or [height, width, channels] with \
         {expected}, each side from 1 to {max}",
        expected = expected_channels(*.channels), max = ImageSize::MAX_SIDE
    )]
    Shape {
        /// The shape.
        shape: Vec<usize>,
        /// Channels of the network.
        channels: usize,
    },
    /// A picture for a network with neither three channels nor one.
    #[error(
        "a picture has 3 channels, and the network takes {0}; save images of {0} channels as .npy \
         arrays [{0}, height, width]"
    )]
    PictureChannels(usize),
    /// An array with more pixels than are read.
    #[error("its shape {0:?} has more than the {MOST_ARRAY_PIXELS} pixels that are read")]
    Pixels(Vec<usize>),
    /// A `uint16` array whose values use 8 of its 16 bits.
    #[error(
        "its dtype is uint16, whose values count from 0 to 65535, and its highest is {0}; if they \
         count from 0 to 255, save them with astype(numpy.uint8), else as floats"
    )]
    Depth(i64),
    /// An array of other integers whose values are not from 0 to 255.
    #[error(
        "its dtype is {dtype} and its values range from {lowest} to {highest}; expected 0 to 255; \
         save other values as floats, or as uint16 for 0 to 65535"
    )]
    Integers {
        /// NumPy's name of the type.
        dtype: &'static str,
        /// The lowest value.
        lowest: i64,
        /// The highest value.
        highest: i64,
    },
    /// Constants for values from 0 to 255, for an image with values from 0 to 1.
    #[error(
        "values of pictures and of integer arrays are from 0 to 1, and preprocessing `{}` is for \
         0 to 255; divide its numbers by 255: {}",
        .0, .0.divided()
    )]
    Constants(Preprocessing),
    /// A NaN or infinite value.
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
    /// Values outside [0, 1], for a preprocessing that expects them inside.
    #[error(
        "its values range from {lowest} to {highest}; preprocessing `{preprocessing}` expects \
         [0, 1]: rescale them, or use `none` if they already are what the network expects"
    )]
    Range {
        /// The lowest value.
        lowest: f32,
        /// The highest value.
        highest: f32,
        /// Name of the preprocessing.
        preprocessing: &'static str,
    },
    /// An image of another size than the others.
    #[error("it has {found} pixels; expected {expected}, {origin}; {advice}")]
    Size {
        /// Size of the image.
        found: ImageSize,
        /// Expected size.
        expected: ImageSize,
        /// Origin of the expected size.
        origin: &'static str,
        /// Remedy.
        advice: &'static str,
    },
    /// A file that has changed since the images were ranked.
    #[error(
        "it has changed since the images were ranked: its SHA-256 was {expected}, and is {found}; \
         restore the file, or rank again (`run` or `rank` with --force, or another --out)"
    )]
    Changed {
        /// The file's digest.
        found: Digest,
        /// The digest at the time of the ranking.
        expected: Digest,
    },
    /// An empty file.
    #[error("the file is empty; expected a picture")]
    Empty,
    /// Content of another format, whatever the file's name says.
    #[error("its content is none of PNG, JPEG, WebP, BMP, TIFF and GIF; convert it to one of them")]
    Format,
    /// A picture without width or height.
    #[error("its header claims a picture without pixels; copy the file again, or save it anew")]
    NoPixels,
    /// Samples of an unsupported type.
    #[error(
        "its samples are not of 8 or 16 bits; convert it, to PNG for example, or save an array"
    )]
    Samples,
    /// A JPEG without its end marker.
    #[error("cut short: the JPEG's end marker is missing; copy the file again")]
    CutShort,
    /// A picture that claims to be larger than is accepted.
    #[error(
        "its header claims a picture too large to read (more than {max} pixels a side, \
         {MOST_PIXELS} in all, or 512 MiB); it is damaged, or should be scaled down first",
        max = ImageSize::MAX_SIDE
    )]
    TooLarge,
    /// A picture that cannot be decoded.
    #[error("cannot be decoded as a picture: {}; copy the file again, or save it anew", escaped(&.0.to_string()))]
    Decode(#[source] image::ImageError),
    /// A picture with another number of samples than its size implies.
    #[error("it has {found} samples; expected {expected}, red, green and blue of each pixel")]
    PictureSamples {
        /// Number of samples.
        found: usize,
        /// Expected number.
        expected: usize,
    },
    /// A panic of the decoder.
    #[error("cannot be decoded as a picture: its decoder failed ({}); save it anew", escaped(.0))]
    Decoder(String),
}

impl Fault {
    /// Whether the file is damaged or no image at all, rather than unlike the other images.
    pub(super) const fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Empty
                | Self::Format
                | Self::NoPixels
                | Self::Samples
                | Self::CutShort
                | Self::TooLarge
                | Self::Decode(_)
                | Self::Decoder(_)
                | Self::NotFinite { .. }
        )
    }
}

/// The skipped files in brackets; empty if there are none.
fn in_brackets(passed_over: &PassedOver) -> String {
    if passed_over.is_empty() { String::new() } else { format!(" ({passed_over})") }
}
