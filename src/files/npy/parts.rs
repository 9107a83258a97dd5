//! Arrays that are read part by part.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use npyz::{DType, NpyHeader, Order};

use super::header::{self, Header};
use crate::files::FileError;

/// A `.npy` file of little-endian `float64` in C order, as [`super::Writer`] writes it, of
/// which one part along the first axis is read at a time.
///
/// The file is opened anew for each part, so that parts can be read on many threads.
#[derive(Clone, Debug)]
pub struct F64Parts {
    path: PathBuf,
    shape: Vec<usize>,
    /// Where the values begin, in bytes.
    start: u64,
}

impl F64Parts {
    /// Reads the header of a file.
    ///
    /// # Errors
    /// A file that cannot be read, is none of that kind, or whose length is not what its header
    /// claims.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let wrong = |problem| FileError::content(path, problem);
        let mut file = File::open(path).map_err(FileError::read(path))?;
        let mut bytes = Vec::new();
        let mut read_to = |bytes: &mut Vec<u8>, length: usize| {
            let missing = length.saturating_sub(bytes.len()) as u64;
            let read = Read::by_ref(&mut file).take(missing).read_to_end(bytes);
            read.map(drop).map_err(FileError::read(path))
        };
        read_to(&mut bytes, header::PREAMBLE)?;
        let start = header::length(&bytes).map_err(wrong)?;
        read_to(&mut bytes, start)?;
        let Header { shape, element_size } = Header::parse(&bytes).map_err(wrong)?;
        let plain = NpyHeader::from_reader(&bytes[..]).map_err(|error| wrong(error.to_string()))?;
        let dtype = match plain.dtype() {
            DType::Plain(kind) => kind.to_string(),
            _ => "records".into(),
        };
        if dtype != "<f8" || plain.order() != Order::C {
            let order = if plain.order() == Order::C { "C" } else { "Fortran" };
            return Err(wrong(format!(
                "holds {dtype} in {order} order; expected float64 (<f8) in C order"
            )));
        }
        let claimed = (shape.iter().product::<usize>() * element_size + start) as u64;
        let found = file.metadata().map_err(FileError::read(path))?.len();
        if claimed != found {
            return Err(wrong(format!(
                "damaged or cut short: its header (shape {shape:?}) claims {claimed} bytes, and \
                 there are {found}"
            )));
        }
        Ok(Self { path: path.to_owned(), shape, start: start as u64 })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The shape of the whole array.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The values `[index]` along the first axis, in C order.
    ///
    /// # Errors
    /// A file that cannot be read; an index that is not there.
    pub fn read(&self, index: usize) -> Result<Vec<f64>, FileError> {
        let length = self.shape.first().copied().unwrap_or(0);
        if index >= length {
            let problem = format!("has no part {index}; it has {length}");
            return Err(FileError::content(&self.path, problem));
        }
        let values: usize = self.shape[1..].iter().product();
        let mut bytes = vec![0; values * size_of::<f64>()];
        let at = self.start + (index * bytes.len()) as u64;
        let mut read = || {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(&mut bytes)
        };
        read().map_err(FileError::read(&self.path))?;
        let (values, _) = bytes.as_chunks();
        Ok(values.iter().map(|value| f64::from_le_bytes(*value)).collect())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Array3, array};

    use super::*;
    use crate::files::npy;

    #[test]
    fn each_part_is_read_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let array = Array3::from_shape_fn((3, 2, 4), |(i, j, k)| (i * 100 + j * 10 + k) as f64);
        npy::write(&path, &array).unwrap();
        let parts = F64Parts::open(&path).unwrap();
        assert_eq!(parts.shape(), [3, 2, 4]);
        for index in [2, 0, 1] {
            let expected: Vec<f64> =
                array.index_axis(ndarray::Axis(0), index).iter().copied().collect();
            assert_eq!(parts.read(index).unwrap(), expected);
        }
        assert!(parts.read(3).unwrap_err().to_string().contains("has no part 3; it has 3"));
    }

    #[test]
    fn other_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let refused = |part: &str| {
            let error = F64Parts::open(&path).unwrap_err().to_string();
            assert!(error.contains("a.npy") && error.contains(part), "{error}");
        };
        refused("cannot be read");
        std::fs::write(&path, "something else").unwrap();
        refused("not a .npy file");
        npy::write(&path, &Array2::<f32>::zeros((2, 2))).unwrap();
        refused("holds <f4 in C order; expected float64");
        npy::write(&path, &array![[1.0_f64, 2.0], [3.0, 4.0]]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 8]).unwrap();
        refused("cut short");
        std::fs::write(&path, &whole[..60]).unwrap();
        refused("cut short in its .npy header");
    }
}
