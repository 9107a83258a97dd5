//! The map files.

use std::path::{Path, PathBuf};

use super::MeanMaps;
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

/// Writes a layer's two map files, `float64 [units, rf, rf]`, and returns their paths.
pub fn write_layer(folder: &Path, layer: &str, maps: &MeanMaps) -> Result<[PathBuf; 2], FileError> {
    let write = |side| {
        let path = map_path(folder, layer, side);
        npy::write(&path, &maps.side(side)).map(|()| path)
    };
    Ok([write(Side::Top)?, write(Side::Bottom)?])
}
