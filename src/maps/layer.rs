//! The files of a layer's maps.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{MapFrames, Plane, Rectangles, SideMaps, frames_path, reliability_path};
use crate::files::npy::Writer;
use crate::files::{Digest, FileError};
use crate::ranking::Side;

/// Writes the maps of a layer's units: for each of [`Side::BOTH`] a file `[units, rf, rf]` per
/// plane, `float64` or, for [`Plane::Counts`], `int32`; the reliabilities, `float64 [units]`; and
/// the [frames](MapFrames).
#[derive(Debug)]
pub struct LayerMaps {
    sides: [SideFiles; 2],
    units: usize,
    /// The next unit; all units before it are written.
    unit: usize,
}

/// The files of one side.
#[derive(Debug)]
struct SideFiles {
    rf: usize,
    planes: Vec<PlaneFile>,
    /// Values of a unit in each.
    lengths: Vec<usize>,
    reliability: Writer<f64>,
    /// Written last: the number of images is known only then.
    frames: MapFrames,
    frames_path: PathBuf,
}

#[derive(Debug)]
enum PlaneFile {
    Values(Writer<f64>),
    Counts(Writer<i32>),
}

impl LayerMaps {
    /// Starts the files of `layer`, of `units` units with an RF of `rf` pixels, in `folder`.
    /// Existing files stay until [`finish`](Self::finish).
    pub fn create(
        folder: &Path,
        layer: &str,
        units: usize,
        rf: usize,
        planes: &[Plane],
    ) -> Result<Self, FileError> {
        let side = |side| -> Result<SideFiles, FileError> {
            let plane = |plane: &Plane| {
                let path = plane.path(folder, layer, side);
                let shape = [&[units], &plane.shape(rf)[..]].concat();
                Ok(match plane {
                    Plane::Counts => PlaneFile::Counts(Writer::create(&path, &shape)?),
                    _ => PlaneFile::Values(Writer::create(&path, &shape)?),
                })
            };
            let lengths: Vec<usize> =
                planes.iter().map(|plane| plane.shape(rf).iter().product()).collect();
            let planes = planes.iter().map(plane).collect::<Result<_, FileError>>()?;
            let reliability = Writer::create(&reliability_path(folder, layer, side), &[units])?;
            let frames_path = frames_path(folder, layer, side);
            let frames = MapFrames::default();
            Ok(SideFiles { rf, planes, lengths, reliability, frames, frames_path })
        };
        Ok(Self { sides: [side(Side::Top)?, side(Side::Bottom)?], units, unit: 0 })
    }

    /// Writes a unit's maps. Units come in ascending order. Omitted units are NaN with counts of 0:
    /// a unit that was not swept is not a map of zeros.
    pub fn write(&mut self, unit: usize, maps: &[SideMaps; 2]) -> Result<(), FileError> {
        debug_assert!((self.unit..self.units).contains(&unit), "units come in ascending order");
        self.leave_out(unit)?;
        for (maps, files) in maps.iter().zip(&mut self.sides) {
            files.write(unit, maps)?;
        }
        self.unit = unit + 1;
        Ok(())
    }

    /// Renames the files to their final names, and returns the digest of each.
    pub fn finish(mut self) -> Result<BTreeMap<String, Digest>, FileError> {
        self.leave_out(self.units)?;
        let mut digests = BTreeMap::new();
        for SideFiles { planes, reliability, frames, frames_path, .. } in self.sides {
            for plane in planes {
                digests.extend([match plane {
                    PlaneFile::Values(file) => finish(file)?,
                    PlaneFile::Counts(file) => finish(file)?,
                }]);
            }
            digests.extend([finish(reliability)?]);
            digests.insert(name_of(&frames_path), frames.write(&frames_path, self.units)?);
        }
        Ok(digests)
    }

    /// Writes NaN, and counts of 0, for all units before `unit`.
    fn leave_out(&mut self, unit: usize) -> Result<(), FileError> {
        let units = unit.saturating_sub(self.unit);
        for files in &mut self.sides {
            files.leave_out(units)?;
        }
        self.unit = unit;
        Ok(())
    }
}

impl SideFiles {
    fn write(&mut self, unit: usize, maps: &SideMaps) -> Result<(), FileError> {
        for (plane, file) in maps.planes.iter().zip(&mut self.planes) {
            match file {
                PlaneFile::Values(file) => file.extend(plane.iter().copied())?,
                PlaneFile::Counts(file) => {
                    let corners = plane.iter().map(|&corner| corner as i32).collect();
                    file.extend(Rectangles::from_corners(self.rf, corners).counts())?;
                }
            }
        }
        self.frames.insert(unit, maps.frames.clone());
        self.reliability.extend([maps.reliability])
    }

    fn leave_out(&mut self, units: usize) -> Result<(), FileError> {
        for (file, length) in self.planes.iter_mut().zip(&self.lengths) {
            let pixels = units * length;
            match file {
                PlaneFile::Values(file) => file.extend(std::iter::repeat_n(f64::NAN, pixels))?,
                PlaneFile::Counts(file) => file.extend(std::iter::repeat_n(0, pixels))?,
            }
        }
        self.reliability.extend(std::iter::repeat_n(f64::NAN, units))
    }
}

/// Renames a file to its final name; returns the name and the digest.
fn finish<T: crate::files::npy::Element>(file: Writer<T>) -> Result<(String, Digest), FileError> {
    Ok((name_of(file.path()), file.finish()?))
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array3, ArrayD};

    use super::*;
    use crate::files::npy::{self, Values};
    use crate::geometry::Frame;
    use crate::maps::map_path;

    fn f64s(path: &Path) -> ArrayD<f64> {
        match npy::read(path).unwrap() {
            Values::F64(values) => values,
            other => panic!("{}", other.dtype()),
        }
    }

    #[test]
    fn units_that_are_left_out_are_nan_and_have_no_images() {
        let folder = tempfile::tempdir().unwrap();
        let planes = [Plane::Mean, Plane::Counts];
        let mut maps = LayerMaps::create(folder.path(), "conv1", 4, 2, &planes).unwrap();
        let side = |map: [f64; 4], reliability| SideMaps {
            // The corners of one image that covers the lower row.
            planes: vec![map.to_vec(), vec![0.0, 0.0, 1.0, 0.0]],
            reliability,
            frames: vec![Frame { y: -1, x: 2 }],
        };
        maps.write(1, &[side([1.0, 2.0, 3.0, 4.0], 0.5), side([-1.0; 4], 0.25)]).unwrap();
        maps.write(2, &[side([0.0; 4], f64::NAN), side([5.0; 4], 1.0)]).unwrap();
        assert!(!map_path(folder.path(), "conv1", Side::Top).exists());
        let digests = maps.finish().unwrap();
        let names =
            ["max.npy", "max_counts.npy", "max_frames.npy", "max_reliability.npy", "min.npy"];
        let found: Vec<&str> = digests.keys().map(|name| &name[6..]).take(5).collect();
        assert_eq!((found, digests.len()), (names.to_vec(), 8));
        let frames = frames_path(folder.path(), "conv1", Side::Bottom);
        let frames = MapFrames::read(&frames, 4, &[1, 2]).unwrap();
        assert_eq!(frames.of(2), [Frame { y: -1, x: 2 }]);
        let [top, bottom] = Side::BOTH.map(|side| -> Array3<f64> {
            f64s(&map_path(folder.path(), "conv1", side)).into_dimensionality().unwrap()
        });
        let of = |maps: &Array3<f64>, unit| maps.index_axis(ndarray::Axis(0), unit).to_owned();
        assert_eq!(of(&top, 1), ndarray::array![[1.0, 2.0], [3.0, 4.0]]);
        assert_eq!(
            (of(&bottom, 1).sum(), of(&top, 2).sum(), of(&bottom, 2).sum()),
            (-4.0, 0.0, 20.0)
        );
        for unit in [0, 3] {
            assert!(of(&top, unit).iter().chain(&of(&bottom, unit)).all(|value| value.is_nan()));
        }
        let reliability: Array1<f64> =
            f64s(&reliability_path(folder.path(), "conv1", Side::Bottom))
                .into_dimensionality()
                .unwrap();
        assert_eq!(reliability.slice(ndarray::s![1..3]), ndarray::array![0.25, 1.0]);
        assert!(reliability[0].is_nan() && reliability[3].is_nan());
        match npy::read(&Plane::Counts.path(folder.path(), "conv1", Side::Top)).unwrap() {
            Values::I32(counts) => {
                let counts: Vec<i32> = counts.into_iter().collect();
                assert_eq!(counts, [0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0]);
            }
            other => panic!("{}", other.dtype()),
        }
    }
}
