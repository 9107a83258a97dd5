//! The planes of a layer's maps, and their files.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::ranking::Side;

/// A quantity per pixel of the maps of one end of a unit's ranking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Plane {
    /// The mean.
    Mean,
    /// The standard error of the mean over images.
    StandardError,
    /// The number of images with the pixel in their box.
    Counts,
    /// The mean of the signed differences.
    Signed,
    /// The mean of the squared differences.
    Squared,
}

/// The images over which the mean of a pixel is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum MeanOver {
    /// All images: a pixel outside an image counts as zero.
    #[default]
    Images,
    /// The images that cover the pixel; 0 if there are none.
    Covering,
}

impl Plane {
    /// The planes of a sweep, in order.
    pub fn of(statistics: bool, moments: bool) -> Vec<Self> {
        let mut planes = vec![Self::Mean];
        if statistics {
            planes.extend([Self::StandardError, Self::Counts]);
        }
        if moments {
            planes.extend([Self::Signed, Self::Squared]);
        }
        planes
    }

    /// Bytes of a pixel in the file: `float64`, or `int32` for counts.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Counts => size_of::<i32>(),
            Self::Mean | Self::StandardError | Self::Signed | Self::Squared => size_of::<f64>(),
        }
    }

    /// The file of a layer's plane in `folder`: `conv3_max.npy`, `conv3_max_sem.npy`, ….
    pub fn path(self, folder: &Path, layer: &str, side: Side) -> PathBuf {
        let side = side.name();
        match self {
            Self::Mean => folder.join(format!("{layer}_{side}.npy")),
            Self::StandardError => folder.join(format!("{layer}_{side}_sem.npy")),
            Self::Counts => folder.join(format!("{layer}_{side}_counts.npy")),
            Self::Signed => folder.join(format!("{layer}_{side}_signed.npy")),
            Self::Squared => folder.join(format!("{layer}_{side}_squared.npy")),
        }
    }
}

/// The file of a layer's mean maps of one side in `folder`: `conv3_max.npy` or `conv3_min.npy`, the
/// names that the reference's scripts expect.
pub fn map_path(folder: &Path, layer: &str, side: Side) -> PathBuf {
    Plane::Mean.path(folder, layer, side)
}

/// The file of the split-half reliabilities of a layer's units in `folder`:
/// `conv3_max_reliability.npy`.
pub fn reliability_path(folder: &Path, layer: &str, side: Side) -> PathBuf {
    folder.join(format!("{layer}_{}_reliability.npy", side.name()))
}
