//! A network whose receptive fields are known, and whether a sweep finds them.
//!
//! The phantom, as in a scanner's: a body whose inside is known because it was made so. Its
//! filters are Gaussian profiles with chosen centres, widths and angles ([`phantom`]), its images
//! are faint noise ([`scenes`]). [`write()`] puts both into ordinary files, a run like any other
//! makes maps from them, and [`judge`] measures the maps and compares. [`find`] compares them with maps of
//! the same weights in another order.
//!
//! Why that works: noise `n` instead of an image's pixels `p` changes a linear unit by
//! `Σ w (n - p)` over the occluder. Where the image is faint beside the noise, the mean size of
//! that is a constant times the root mean square of the weights `w` under the occluder, so the
//! map is the profile of the weights, a little widened by the occluder
//! ([`crate::report::Gaussian::without_occluder`]). A map is what the program measures and `w` is
//! what was chosen: nothing of the one is used to make the other.

mod block;
mod comparison;
mod files;
mod finding;
mod job;
pub mod phantom;
pub mod scenes;

use std::path::Path;

use ndarray::Array3;
use thiserror::Error;

use crate::error::{ErrorKind, HasKind};
use crate::files::FileError;
use crate::files::npy::{self, Values};
use crate::geometry::{GeometryError, GridRule};
use crate::maps::map_path;
use crate::network::{Network, NetworkError};
use crate::ranking::Side;
use crate::report::comparison::ComparisonError;
use crate::runs::RunError;

pub use comparison::{ANGLE_TOLERANCE, CENTRE_TOLERANCE, Comparison, ELONGATED, WIDTH_TOLERANCE};
pub use files::{IMAGES, MODEL, WEIGHTS, image_names, write};
pub use finding::{
    Correlation, Finding, LayerFinding, SHUFFLED, SHUFFLED_LAYERS, find, write_shuffled,
};
pub use job::{DemoReport, DemoSettings, demo};

/// Errors of the demonstration. A finding that differs from what is known is none.
#[derive(Debug, Error)]
pub enum DemoError {
    /// A file that cannot be written, or is not what the run should have written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The phantom is not a network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Its maps cannot be compared.
    #[error(transparent)]
    Comparison(#[from] ComparisonError),
    /// Its occluders cannot be placed.
    #[error(transparent)]
    Geometry(#[from] GeometryError),
}

impl HasKind for DemoError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::File(error) => error.kind(),
            Self::Run(error) => error.kind(),
            Self::Comparison(error) => error.kind(),
            Self::Network(_) | Self::Geometry(_) => ErrorKind::Internal,
        }
    }
}

/// The maps of one of the phantom's layers beside what they should be.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The layer's short name.
    pub layer: String,
    /// The mean of the maps over the top and over the bottom images, `[units, rf, rf]`.
    pub maps: Array3<f64>,
    /// Side length of the occluders.
    pub occluder_size: usize,
    /// Pixels between them.
    pub occluder_stride: usize,
    /// Each unit's verdict.
    pub units: Vec<Comparison>,
}

/// Reads the phantom's maps from `folder`, as a run with the usual occluders wrote them, and
/// compares each with the truth.
///
/// # Errors
/// Map files that cannot be read or have another shape. Maps that disagree are no error here.
pub fn judge(folder: &Path) -> Result<Vec<Judged>, DemoError> {
    let network = Network::from_description(phantom::description().as_bytes())?;
    let mut layers = Vec::new();
    for ((id, _), truths) in network.convolutions().zip(phantom::truths()) {
        let (layer, rf) = (network.short_name(id), network.projection(id).size);
        let (occluder_size, occluder_stride) = GridRule::REFERENCE.size_and_stride(rf)?;
        let shape = [truths.len(), rf, rf];
        let top = read_maps(&map_path(folder, &layer, Side::Top), shape)?;
        let bottom = read_maps(&map_path(folder, &layer, Side::Bottom), shape)?;
        let maps = (top + bottom) / 2.0;
        let compare = |(truth, map)| Comparison::new(truth, &map, occluder_size);
        let units = truths.into_iter().zip(maps.outer_iter()).map(compare).collect();
        layers.push(Judged { layer, maps, occluder_size, occluder_stride, units });
    }
    Ok(layers)
}

fn read_maps(path: &Path, shape: [usize; 3]) -> Result<Array3<f64>, FileError> {
    let values = npy::read(path)?;
    let (dtype, found) = (values.dtype(), values.shape().to_vec());
    let array = match values {
        Values::F64(array) => array.into_dimensionality().ok(),
        _ => None,
    };
    array.filter(|array: &Array3<f64>| array.shape() == shape).ok_or_else(|| {
        let problem =
            format!("holds {dtype} {found:?}; the maps of the phantom are float64 {shape:?}");
        FileError::content(path, problem)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_of_another_shape_or_type_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        npy::write(&path, &Array3::<f64>::zeros((2, 3, 3))).unwrap();
        assert!(read_maps(&path, [2, 3, 3]).is_ok());
        let error = read_maps(&path, [2, 4, 4]).unwrap_err().to_string();
        assert!(error.contains("[2, 3, 3]") && error.contains("[2, 4, 4]"), "{error}");
        npy::write(&path, &Array3::<f32>::zeros((2, 3, 3))).unwrap();
        assert!(read_maps(&path, [2, 3, 3]).unwrap_err().to_string().contains("float32"));
        assert!(judge(folder.path()).unwrap_err().to_string().contains("conv1_max.npy"));
    }
}
