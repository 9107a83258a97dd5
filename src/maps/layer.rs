//! The files that the mean maps of a layer go into.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ndarray::Array2;

use crate::files::npy::F64Writer;
use crate::files::{Digest, FileError};
use crate::ranking::Side;

/// Where a layer's maps of one side lie in `folder`: `conv3_max.npy` or `conv3_min.npy`, as the
/// reference's scripts expect.
pub fn map_path(folder: &Path, layer: &str, side: Side) -> PathBuf {
    folder.join(format!("{layer}_{}.npy", side.name()))
}

/// Writes the mean maps of a layer's units, `float64 [units, rf, rf]` for each of [`Side::BOTH`].
#[derive(Debug)]
pub struct LayerMaps {
    files: [(PathBuf, F64Writer); 2],
    units: usize,
    rf: usize,
    /// The next unit; all before it are written.
    unit: usize,
}

impl LayerMaps {
    /// Begins the files of `layer`, of `units` units with an RF of `rf` pixels, in `folder`.
    /// Until [`finish`](Self::finish) they do not have their names, and files that have them stay.
    pub fn create(folder: &Path, layer: &str, units: usize, rf: usize) -> Result<Self, FileError> {
        let begin = |side| {
            let path = map_path(folder, layer, side);
            F64Writer::create(&path, &[units, rf, rf]).map(|file| (path, file))
        };
        Ok(Self { files: [begin(Side::Top)?, begin(Side::Bottom)?], units, rf, unit: 0 })
    }

    /// Writes the means, `[rf, rf]`, of a unit. Units come in ascending order; those that are left
    /// out are NaN: they were not swept, which is something else than a map of zeros.
    pub fn write(&mut self, unit: usize, means: &[Array2<f64>; 2]) -> Result<(), FileError> {
        debug_assert!((self.unit..self.units).contains(&unit), "units come in ascending order");
        self.leave_out(unit)?;
        for (mean, (_, file)) in means.iter().zip(&mut self.files) {
            file.extend(mean.iter().copied())?;
        }
        self.unit = unit + 1;
        Ok(())
    }

    /// Gives the files their names, and returns the digest of each.
    pub fn finish(mut self) -> Result<BTreeMap<String, Digest>, FileError> {
        self.leave_out(self.units)?;
        self.files
            .into_iter()
            .map(|(path, file)| {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                Ok((name, file.finish()?))
            })
            .collect()
    }

    /// Writes NaN for all units before `unit`.
    fn leave_out(&mut self, unit: usize) -> Result<(), FileError> {
        let values = unit.saturating_sub(self.unit) * self.rf * self.rf;
        for (_, file) in &mut self.files {
            file.extend(std::iter::repeat_n(f64::NAN, values))?;
        }
        self.unit = unit;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, array};

    use super::*;
    use crate::files::npy::{self, Values};

    #[test]
    fn units_that_are_left_out_are_nan() {
        let folder = tempfile::tempdir().unwrap();
        let mut maps = LayerMaps::create(folder.path(), "conv1", 4, 2).unwrap();
        let map = array![[1.0, 2.0], [3.0, 4.0]];
        maps.write(1, &[map.clone(), -&map]).unwrap();
        maps.write(2, &[Array2::zeros((2, 2)), map.clone()]).unwrap();
        assert!(!map_path(folder.path(), "conv1", Side::Top).exists());
        let digests = maps.finish().unwrap();
        assert_eq!(digests.keys().collect::<Vec<_>>(), ["conv1_max.npy", "conv1_min.npy"]);
        let [top, bottom] = Side::BOTH.map(|side| -> Array3<f64> {
            match npy::read(&map_path(folder.path(), "conv1", side)).unwrap() {
                Values::F64(maps) => maps.into_dimensionality().unwrap(),
                other => panic!("{}", other.dtype()),
            }
        });
        let of = |maps: &Array3<f64>, unit| maps.index_axis(ndarray::Axis(0), unit).to_owned();
        assert_eq!((of(&top, 1), of(&bottom, 1)), (map.clone(), -&map));
        assert_eq!((of(&top, 2).sum(), of(&bottom, 2)), (0.0, map));
        for unit in [0, 3] {
            assert!(of(&top, unit).iter().chain(&of(&bottom, unit)).all(|value| value.is_nan()));
        }
    }
}
