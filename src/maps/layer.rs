//! The mean maps of a layer, and the files that they go into.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ndarray::Array2;

use crate::files::npy::F64Writer;
use crate::files::{Digest, FileError};
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

/// Takes the maps of a layer's units, one image after the other, and writes their means,
/// `float64 [units, rf, rf]` for each of [`Side::BOTH`]. Only one unit's are held at a time.
///
/// Maps are summed in the order in which they are added, so the same order gives the same bytes.
#[derive(Debug)]
pub struct LayerMaps {
    files: [(PathBuf, F64Writer); 2],
    units: usize,
    /// The unit whose maps are being added; all before it are written.
    unit: usize,
    sums: [Array2<f64>; 2],
    counts: [usize; 2],
}

impl LayerMaps {
    /// Begins the files of `layer`, of `units` units with an RF of `rf` pixels, in `folder`.
    /// Until [`finish`](Self::finish) they do not have their names, and files that have them stay.
    pub fn create(folder: &Path, layer: &str, units: usize, rf: usize) -> Result<Self, FileError> {
        let begin = |side| {
            let path = map_path(folder, layer, side);
            F64Writer::create(&path, &[units, rf, rf]).map(|file| (path, file))
        };
        let files = [begin(Side::Top)?, begin(Side::Bottom)?];
        let sums = [(); 2].map(|()| Array2::zeros((rf, rf)));
        Ok(Self { files, units, unit: 0, sums, counts: [0; 2] })
    }

    /// Adds the map, `[rf, rf]`, of one of a unit's images. Units come in ascending order.
    pub fn add(&mut self, unit: usize, side: Side, map: &Array2<f64>) -> Result<(), FileError> {
        debug_assert!((self.unit..self.units).contains(&unit), "units come in ascending order");
        self.write_before(unit)?;
        self.sums[side as usize] += map;
        self.counts[side as usize] += 1;
        Ok(())
    }

    /// Writes what is left, gives the files their names, and returns the digest of each.
    pub fn finish(mut self) -> Result<BTreeMap<String, Digest>, FileError> {
        self.write_before(self.units)?;
        self.files
            .into_iter()
            .map(|(path, file)| {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                Ok((name, file.finish()?))
            })
            .collect()
    }

    /// Writes the means of all units before `unit`. Units without any map are NaN: they were not
    /// swept, which is something else than a map of zeros.
    fn write_before(&mut self, unit: usize) -> Result<(), FileError> {
        while self.unit < unit {
            let means = self.sums.iter_mut().zip(&mut self.counts);
            for ((sum, count), (_, file)) in means.zip(&mut self.files) {
                let images = *count as f64;
                let mean = |sum: &f64| if images == 0.0 { f64::NAN } else { sum / images };
                file.extend(sum.iter().map(mean))?;
                sum.fill(0.0);
                *count = 0;
            }
            self.unit += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, array};

    use super::*;
    use crate::files::npy::{self, Values};

    #[test]
    fn means_are_taken_a_unit_and_a_side() {
        let folder = tempfile::tempdir().unwrap();
        let mut maps = LayerMaps::create(folder.path(), "conv1", 4, 2).unwrap();
        maps.add(1, Side::Top, &array![[1.0, 2.0], [3.0, 4.0]]).unwrap();
        maps.add(1, Side::Top, &array![[3.0, 2.0], [1.0, 0.0]]).unwrap();
        maps.add(1, Side::Bottom, &array![[8.0, 0.0], [0.0, 0.0]]).unwrap();
        maps.add(2, Side::Top, &Array2::zeros((2, 2))).unwrap();
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
        assert_eq!(of(&top, 1), array![[2.0, 2.0], [2.0, 2.0]]);
        assert_eq!(of(&bottom, 1), array![[8.0, 0.0], [0.0, 0.0]]);
        assert_eq!(of(&top, 2).sum(), 0.0);
        for unit in [0, 3] {
            assert!(of(&top, unit).iter().all(|value| value.is_nan()));
        }
        assert!(of(&bottom, 2).iter().all(|value| value.is_nan()));
    }
}
