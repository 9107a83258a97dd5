//! The map files.

use std::path::{Path, PathBuf};

use ndarray::Array3;

use crate::files::{FileError, npy};
use crate::ranking::Side;

/// Where a layer's maps of one side lie in `folder`: `conv3_max.npy` or `conv3_min.npy`, as the
/// reference's scripts expect.
pub fn map_path(folder: &Path, layer: &str, side: Side) -> PathBuf {
    let side = match side {
        Side::Top => "max",
        Side::Bottom => "min",
    };
    folder.join(format!("{layer}_{side}.npy"))
}

/// Writes a layer's maps, `float64 [units, rf, rf]` for each of [`Side::BOTH`], and returns the
/// paths of the two files.
pub fn write_layer(
    folder: &Path,
    layer: &str,
    maps: &[Array3<f64>; 2],
) -> Result<[PathBuf; 2], FileError> {
    let write = |side| {
        let path = map_path(folder, layer, side);
        npy::write(&path, &maps[side as usize]).map(|()| path)
    };
    Ok([write(Side::Top)?, write(Side::Bottom)?])
}
