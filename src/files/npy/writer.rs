//! Arrays written part by part.

use std::io::{self, Write};
use std::marker::PhantomData;
use std::path::Path;

use npyz::{AutoSerialize, WriterBuilder};

use crate::files::{AtomicFile, Digest, FileError};

/// An element type of a [`Writer`].
pub trait Element: AutoSerialize + Copy {
    /// Its bytes, little-endian.
    fn bytes(self) -> impl AsRef<[u8]>;
}

impl Element for f64 {
    fn bytes(self) -> impl AsRef<[u8]> {
        self.to_le_bytes()
    }
}

impl Element for i32 {
    fn bytes(self) -> impl AsRef<[u8]> {
        self.to_le_bytes()
    }
}

/// A `.npy` file of little-endian values in C order, with a known shape; written as an
/// [`AtomicFile`].
#[derive(Debug)]
pub struct Writer<T> {
    file: AtomicFile,
    /// Number of values not yet written.
    missing: usize,
    element: PhantomData<T>,
}

impl<T: Element> Writer<T> {
    /// Starts a file of this shape.
    pub fn create(path: &Path, shape: &[usize]) -> Result<Self, FileError> {
        let lengths: Vec<u64> = shape.iter().map(|&length| length as u64).collect();
        let mut file = AtomicFile::create(path)?;
        npyz::WriteOptions::<T>::new()
            .default_dtype()
            .shape(&lengths)
            .writer(&mut file)
            .write_header_only()
            .map_err(FileError::write(path))?;
        Ok(Self { file, missing: shape.iter().product(), element: PhantomData })
    }

    /// The final path of the file.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Writes the next values.
    ///
    /// # Errors
    /// More values than the shape has; a file that cannot be written.
    pub fn extend(&mut self, values: impl IntoIterator<Item = T>) -> Result<(), FileError> {
        let write = || -> io::Result<()> {
            for value in values {
                self.missing = self.missing.checked_sub(1).ok_or(io::ErrorKind::InvalidInput)?;
                self.file.write_all(value.bytes().as_ref())?;
            }
            Ok(())
        };
        write().map_err(FileError::write(self.file.path()))
    }

    /// Renames the file to its final path and returns the digest of its content.
    ///
    /// # Errors
    /// Missing values; a file that cannot be written.
    pub fn finish(self) -> Result<Digest, FileError> {
        if self.missing > 0 {
            let missing = io::Error::other(format!("{} values are missing", self.missing));
            return Err(FileError::write(self.file.path())(missing));
        }
        self.file.finish()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::files::{digest_of, npy};

    #[test]
    fn parts_make_the_file_that_the_whole_array_makes() {
        let folder = tempfile::tempdir().unwrap();
        let [whole, parts] = ["whole.npy", "parts.npy"].map(|name| folder.path().join(name));
        npy::write(&whole, &array![[1.0_f64, f64::NAN, -3.5], [4.0, 5.0, f64::MAX]]).unwrap();
        let mut writer = Writer::create(&parts, &[2, 3]).unwrap();
        writer.extend([1.0, f64::NAN]).unwrap();
        assert!(!parts.exists());
        writer.extend([-3.5, 4.0, 5.0, f64::MAX]).unwrap();
        let digest = writer.finish().unwrap();
        assert_eq!(std::fs::read(&parts).unwrap(), std::fs::read(&whole).unwrap());
        assert_eq!(digest, digest_of(&parts).unwrap());
    }

    #[test]
    fn too_few_and_too_many_values_leave_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let mut writer = Writer::create(&path, &[2]).unwrap();
        writer.extend([1.0]).unwrap();
        assert!(writer.finish().unwrap_err().to_string().contains("1 values are missing"));
        let mut writer = Writer::create(&path, &[2]).unwrap();
        assert!(writer.extend([1.0, 2.0, 3.0]).is_err());
        drop(writer);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
