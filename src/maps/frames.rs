//! The frames of the maps of each unit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ndarray::{ArrayD, Axis};

use crate::files::npy::{self, Values, Writer};
use crate::files::{Digest, FileError};
use crate::geometry::Frame;
use crate::ranking::Side;

/// Row and column of an image that was not presented to a unit: a frame outside every image.
const OUTSIDE: i32 = i32::MAX;

/// Path of the frames of a layer's maps in `folder`: `conv3_max_frames.npy`.
pub fn frames_path(folder: &Path, layer: &str, side: Side) -> PathBuf {
    folder.join(format!("{layer}_{}_frames.npy", side.name()))
}

/// The frames of one side's maps: for each unit those of its images, in the order of the ranking.
/// With the grid they determine which pixels are covered by an image, and where occluders were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MapFrames(BTreeMap<usize, Vec<Frame>>);

impl MapFrames {
    /// Sets the frames of a unit.
    pub fn insert(&mut self, unit: usize, frames: Vec<Frame>) {
        self.0.insert(unit, frames);
    }

    /// The frames of a unit, one per image that was presented; empty for a unit that was not swept.
    pub fn of(&self, unit: usize) -> &[Frame] {
        self.0.get(&unit).map_or(&[], Vec::as_slice)
    }

    /// Writes `int32 [units, images, 2]`: row and column of each frame, for as many images as any unit
    /// has. Returns the digest.
    pub fn write(&self, path: &Path, units: usize) -> Result<Digest, FileError> {
        let images = self.0.values().map(Vec::len).max().unwrap_or(0);
        let mut file = Writer::create(path, &[units, images, 2])?;
        for unit in 0..units {
            let frames = self.of(unit);
            file.extend(frames.iter().flat_map(|frame| [frame.y as i32, frame.x as i32]))?;
            file.extend(std::iter::repeat_n(OUTSIDE, 2 * (images - frames.len())))?;
        }
        file.finish()
    }

    /// Reads a file of `units` units, of which those in `swept` have frames.
    ///
    /// # Errors
    /// A file that cannot be read, or has other content.
    pub fn read(path: &Path, units: usize, swept: &[usize]) -> Result<Self, FileError> {
        let values = npy::read(path)?;
        let (dtype, shape) = (values.dtype(), values.shape().to_vec());
        let ([found, _, 2], Values::I32(values)) = (&shape[..], values) else {
            return Err(wrong(path, dtype, &shape, units));
        };
        if *found != units {
            return Err(wrong(path, dtype, &shape, units));
        }
        let frames = |unit: usize| -> Vec<Frame> {
            let frames: ArrayD<i32> = values.index_axis(Axis(0), unit).to_owned();
            let frame = |axes: ndarray::ArrayViewD<'_, i32>| Frame {
                y: axes[[0]] as isize,
                x: axes[[1]] as isize,
            };
            let outside = |frame: &Frame| frame.y == OUTSIDE as isize;
            frames.outer_iter().map(frame).take_while(|frame| !outside(frame)).collect()
        };
        let swept = swept.iter().filter(|&&unit| unit < units);
        Ok(Self(swept.map(|&unit| (unit, frames(unit))).collect()))
    }
}

fn wrong(path: &Path, dtype: &str, shape: &[usize], units: usize) -> FileError {
    FileError::content(path, format!("has {dtype} {shape:?}; expected int32 [{units}, images, 2]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = frames_path(folder.path(), "conv3", Side::Top);
        assert!(path.ends_with("conv3_max_frames.npy"));
        let frame = |y, x| Frame { y, x };
        let mut frames = MapFrames::default();
        frames.insert(1, vec![frame(-30, 4), frame(0, 65_000)]);
        // Its sweep stopped after an image.
        frames.insert(3, vec![frame(7, -8)]);
        frames.write(&path, 5).unwrap();
        assert_eq!(MapFrames::read(&path, 5, &[1, 3]).unwrap(), frames);
        let all = MapFrames::read(&path, 5, &[0, 1]).unwrap();
        assert!(all.of(0).is_empty() && all.of(3).is_empty() && all.of(9).is_empty());
        let error = MapFrames::read(&path, 4, &[1]).unwrap_err().to_string();
        assert!(error.contains("has int32 [5, 2, 2]; expected int32 [4, images, 2]"), "{error}");
    }
}
