//! Maps in an array: of another method, or of another program.

use std::path::Path;

use ndarray::{Array3, Axis};

use super::ComparisonError;
use crate::files::npy::Parts;
use crate::files::{Digest, FileError, digest_of};
use crate::report::results::LARGEST;

/// Maps `[units, height, width]`, each of which lies over a whole RF. NaN is not measured; a map of
/// nothing else is not there.
#[derive(Clone, Debug)]
pub struct MapArray {
    name: String,
    values: Source,
}

#[derive(Clone, Debug)]
enum Source {
    File(Parts),
    Memory(Array3<f64>),
}

impl MapArray {
    /// Opens a `.npy` file; one map is read at a time.
    ///
    /// # Errors
    /// A file that cannot be read, or is no array of three axes, none of them empty, in C order.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let parts = Parts::open(path)?;
        if parts.shape().len() != 3 || parts.shape().contains(&0) {
            let shape = parts.shape();
            let problem = format!("its shape is {shape:?}; expected maps, [units, height, width]");
            return Err(FileError::content(path, problem));
        }
        Ok(Self { name: path.display().to_string(), values: Source::File(parts) })
    }

    /// Maps in memory.
    ///
    /// # Errors
    /// An array with an empty axis.
    pub fn new(name: impl Into<String>, values: Array3<f64>) -> Result<Self, ComparisonError> {
        if values.is_empty() {
            let problem =
                format!("an array of shape {:?}; expected at least one map", values.shape());
            return Err(ComparisonError::Selection(problem));
        }
        Ok(Self { name: name.into(), values: Source::Memory(values) })
    }

    /// Its name: that of its file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Units, rows and columns.
    pub fn shape(&self) -> [usize; 3] {
        let shape = match &self.values {
            Source::File(parts) => parts.shape(),
            Source::Memory(values) => values.shape(),
        };
        [shape[0], shape[1], shape[2]]
    }

    /// The SHA-256 of its file; of an array in memory that of the elements in C order, little-endian.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn digest(&self) -> Result<Digest, FileError> {
        match &self.values {
            Source::File(parts) => digest_of(parts.path()),
            Source::Memory(values) => {
                Ok(Digest::of_elements(values.iter().map(|value| value.to_le_bytes())))
            }
        }
    }

    /// The map of a unit, row by row.
    ///
    /// # Errors
    /// A unit that is not there; a file that cannot be read; a value that is infinite or beyond what is computed with.
    pub fn map(&self, unit: usize) -> Result<Vec<f64>, ComparisonError> {
        let values = match &self.values {
            Source::File(parts) => parts.values(&parts.bytes(unit)?)?.to_f64(),
            Source::Memory(values) => values.index_axis(Axis(0), unit).iter().copied().collect(),
        };
        if values.iter().any(|value| value.abs() > LARGEST) {
            let problem = format!(
                "unit {unit} has a value that is infinite or beyond {LARGEST:e}; expected numbers, \
                 or NaN for what is not measured"
            );
            return Err(match &self.values {
                Source::File(parts) => FileError::content(parts.path(), problem).into(),
                Source::Memory(_) => {
                    ComparisonError::Selection(format!("{}: {problem}", self.name))
                }
            });
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Array3};

    use super::*;
    use crate::files::npy;

    #[test]
    fn arrays_of_any_numbers_are_maps() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("maps.npy");
        let values = Array3::from_shape_fn((2, 3, 4), |(u, y, x)| (u * 12 + y * 4 + x) as f64);
        npy::write(&path, &values.mapv(|value| value as f32)).unwrap();
        let file = MapArray::open(&path).unwrap();
        let memory = MapArray::new("maps", values).unwrap();
        assert_eq!((file.shape(), memory.shape()), ([2, 3, 4], [2, 3, 4]));
        assert_eq!(file.map(1).unwrap(), memory.map(1).unwrap());
        assert!(file.map(2).is_err());
        npy::write(&path, &Array2::<f64>::zeros((3, 3))).unwrap();
        let error = MapArray::open(&path).unwrap_err().to_string();
        assert!(error.contains("[3, 3]; expected maps, [units, height, width]"), "{error}");
        npy::write(&path, &Array3::<f64>::zeros((0, 3, 3))).unwrap();
        assert!(MapArray::open(&path).is_err());
        assert!(MapArray::new("maps", Array3::zeros((1, 0, 3))).is_err());
        for value in [f64::INFINITY, -1e200] {
            let large = Array3::from_elem((1, 1, 1), value);
            let error = MapArray::new("maps", large).unwrap().map(0).unwrap_err().to_string();
            assert!(error.contains("infinite or beyond 1e100"), "{error}");
        }
    }
}
