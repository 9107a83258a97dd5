//! Arrays that are read part by part.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::header::{self, Header};
use super::{Dtype, Values};
use crate::files::{FileError, open_regular};

/// A `.npy` file in C order, of which one part along the first axis is read at a time.
///
/// The file is opened anew for each part, so that parts can be read on many threads.
#[derive(Clone, Debug)]
pub struct Parts {
    path: PathBuf,
    header: Header,
    /// Offset of the values in bytes.
    start: u64,
}

impl Parts {
    /// Reads the header of a file.
    ///
    /// # Errors
    /// A file that cannot be read, is not an array in C order with at least one axis, or has
    /// another length than its header claims.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let (header, start, found) = read_header(path)?;
        let wrong = |problem| FileError::content(path, problem);
        if header.fortran {
            let problem = "is in Fortran order; expected C order (numpy.ascontiguousarray)";
            return Err(wrong(problem.into()));
        }
        if header.shape.is_empty() {
            return Err(wrong("is a single number; expected an array".into()));
        }
        let (claimed, values) = (header.bytes() as u64, found.saturating_sub(start));
        if claimed != values {
            return Err(wrong(format!(
                "damaged or cut short: its header (shape {:?}) claims {claimed} bytes of values, \
                 and there are {values}",
                header.shape
            )));
        }
        Ok(Self { path: path.to_owned(), header, start })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The shape of the whole array.
    pub fn shape(&self) -> &[usize] {
        &self.header.shape
    }

    /// The bytes of part `[index]` along the first axis.
    ///
    /// # Errors
    /// A file that cannot be read; an index that is not there.
    pub fn bytes(&self, index: usize) -> Result<Vec<u8>, FileError> {
        let (&length, part) = self.header.shape.split_first().unwrap_or((&0, &[]));
        if index >= length {
            let problem = format!("has no part {index}; it has {length}");
            return Err(FileError::content(&self.path, problem));
        }
        let mut bytes = vec![0; part.iter().product::<usize>() * self.header.dtype.size()];
        let at = self.start + (index * bytes.len()) as u64;
        let (mut file, _) = open_regular(&self.path)?;
        file.seek(SeekFrom::Start(at))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(FileError::read(&self.path))?;
        Ok(bytes)
    }

    /// Decodes the [`bytes`](Self::bytes) of a part.
    ///
    /// # Errors
    /// Bytes of another length.
    pub fn values(&self, bytes: &[u8]) -> Result<Values, FileError> {
        let shape = self.header.shape.get(1..).unwrap_or_default().to_vec();
        let header = Header { shape, ..self.header.clone() };
        Values::decode(&header, bytes).map_err(|problem| FileError::content(&self.path, problem))
    }
}

/// The header of a file, the offset of the values, and the file's length.
fn read_header(path: &Path) -> Result<(Header, u64, u64), FileError> {
    let wrong = |problem| FileError::content(path, problem);
    let (mut file, length) = open_regular(path)?;
    let mut bytes = Vec::new();
    let mut read_to = |bytes: &mut Vec<u8>, length: usize| {
        let missing = length.saturating_sub(bytes.len()) as u64;
        let read = Read::by_ref(&mut file).take(missing).read_to_end(bytes);
        read.map(drop).map_err(FileError::read(path))
    };
    read_to(&mut bytes, header::PREAMBLE)?;
    if bytes.is_empty() {
        return Err(wrong("the file is empty".into()));
    }
    let start = header::length(&bytes).map_err(wrong)?;
    read_to(&mut bytes, start)?;
    let header = Header::parse(&bytes).map_err(wrong)?;
    Ok((header, start as u64, length))
}

/// The number of axes of a file, by its header.
///
/// # Errors
/// A file that cannot be read, or is no array of numbers.
pub fn axes(path: &Path) -> Result<usize, FileError> {
    read_header(path).map(|(header, ..)| header.shape.len())
}

/// A `.npy` file of little-endian `float64` in C order, as [`super::Writer`] writes it, of
/// which one part along the first axis is read at a time.
#[derive(Clone, Debug)]
pub struct F64Parts(Parts);

impl F64Parts {
    /// Reads the header of a file.
    ///
    /// # Errors
    /// A file that cannot be read, is not of that kind, or has another length than its header
    /// claims.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let parts = Parts::open(path)?;
        if parts.header.dtype != Dtype::F64 || parts.header.big_endian {
            let order = if parts.header.big_endian { ", big-endian" } else { "" };
            let problem = format!(
                "holds {}{order}; expected float64, little-endian",
                parts.header.dtype.name()
            );
            return Err(FileError::content(path, problem));
        }
        Ok(Self(parts))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The shape of the whole array.
    pub fn shape(&self) -> &[usize] {
        self.0.shape()
    }

    /// The values `[index]` along the first axis, in C order.
    ///
    /// # Errors
    /// A file that cannot be read; an index that is not there.
    pub fn read(&self, index: usize) -> Result<Vec<f64>, FileError> {
        let bytes = self.0.bytes(index)?;
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
        refused("holds float32; expected float64");
        npy::write(&path, &array![[1.0_f64, 2.0], [3.0, 4.0]]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 8]).unwrap();
        refused("cut short");
        std::fs::write(&path, &whole[..60]).unwrap();
        refused("cut short in its .npy header");
    }
}
