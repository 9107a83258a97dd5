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
    /// The split-half reliability of the first 2, 4, 8, … images: [`CURVE`] numbers a unit, not one a
    /// pixel. Always the last.
    ReliabilityCurve,
}

/// Numbers of a reliability curve: of the first 2, 4, …, 65,536 images; NaN where there are fewer.
pub const CURVE: usize = 16;

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
    pub fn of(statistics: bool, moments: bool, reliability_curve: bool) -> Vec<Self> {
        let mut planes = vec![Self::Mean];
        if statistics {
            planes.extend([Self::StandardError, Self::Counts]);
        }
        if moments {
            planes.extend([Self::Signed, Self::Squared]);
        }
        if reliability_curve {
            planes.push(Self::ReliabilityCurve);
        }
        planes
    }

    /// Bytes of a pixel in the file: `float64`, or `int32` for counts; 0 for a curve.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Counts => size_of::<i32>(),
            Self::ReliabilityCurve => 0,
            Self::Mean | Self::StandardError | Self::Signed | Self::Squared => size_of::<f64>(),
        }
    }

    /// The shape of a unit's numbers, of maps of `rf` × `rf` pixels.
    pub fn shape(self, rf: usize) -> Vec<usize> {
        match self {
            Self::ReliabilityCurve => vec![CURVE],
            Self::Mean | Self::StandardError | Self::Counts | Self::Signed | Self::Squared => {
                vec![rf, rf]
            }
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
            Self::ReliabilityCurve => folder.join(format!("{layer}_{side}_reliability_curve.npy")),
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
