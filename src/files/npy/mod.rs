//! Arrays in NumPy's `.npy` format: read here, written through the crate `npyz`.

pub(crate) mod header;
mod parts;
mod values;
mod writer;

use std::path::Path;

use ndarray::{ArrayBase, Data, Dimension};
use npyz::{AutoSerialize, WriterBuilder};

use self::header::Header;
pub use self::parts::{F64Parts, Parts, axes};
pub use self::values::{Dtype, Values};
pub use self::writer::{Element, Writer};
use super::{FileError, read_bytes, write_atomically};
use crate::error::ParseError;

/// Reads a `.npy` file.
pub fn read(path: &Path) -> Result<Values, FileError> {
    parse(&read_bytes(path)?).map_err(|problem| FileError::content(path, problem))
}

/// Reads an array from the bytes of a `.npy` file.
///
/// The header is checked against the number of bytes before memory is allocated.
pub fn parse(bytes: &[u8]) -> Result<Values, ParseError> {
    if bytes.is_empty() {
        return Err(ParseError("the file is empty".into()));
    }
    let values_start = header::length(bytes)?;
    let header = Header::parse(bytes)?;
    let values = bytes.get(values_start..).unwrap_or_default();
    if header.bytes() != values.len() {
        return Err(ParseError(format!(
            "damaged or cut short: its header (shape {:?}) claims {} bytes of values, and {} \
             follow",
            header.shape,
            header.bytes(),
            values.len()
        )));
    }
    Values::decode(&header, values)
}

/// Writes an array as a `.npy` file of format 1.0 in C order, atomically.
pub fn write<T, S, D>(path: &Path, array: &ArrayBase<S, D>) -> Result<(), FileError>
where
    T: AutoSerialize + Copy,
    S: Data<Elem = T>,
    D: Dimension,
{
    let shape: Vec<u64> = array.shape().iter().map(|&length| length as u64).collect();
    write_atomically(path, |file| {
        let mut writer =
            npyz::WriteOptions::new().default_dtype().shape(&shape).writer(file).begin_nd()?;
        writer.extend(array.iter().copied())?;
        writer.finish()
    })
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    fn written<T: AutoSerialize + Copy>(array: &Array2<T>) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        write(&path, array).unwrap();
        std::fs::read(path).unwrap()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let array = array![[1.5_f64, -2.0, 3.0], [4.0, 5.0, f64::MAX]];
        assert_eq!(parse(&written(&array)), Ok(Values::F64(array.into_dyn())));
        let transposed = array![[1_i64, 2], [3, -4], [5, 6]].reversed_axes();
        assert_eq!(parse(&written(&transposed)), Ok(Values::I64(transposed.into_dyn())));
    }

    #[test]
    fn fortran_order_is_read_in_its_order() {
        let mut bytes = written(&array![[1_i32, 2, 3], [4, 5, 6]]);
        let at = bytes.windows(5).position(|w| w == b"False").unwrap();
        bytes[at..at + 5].copy_from_slice(b"True ");
        let Values::I32(read) = parse(&bytes).unwrap() else { panic!("int32") };
        assert_eq!(read, array![[1, 3, 5], [2, 4, 6]].into_dyn());
    }

    #[test]
    fn bytes_that_are_no_whole_array_are_refused_and_nothing_is_allocated_for_them() {
        let bytes = written(&array![[1.0_f32, 2.0], [3.0, 4.0]]);
        let refused = |bytes: &[u8], part: &str| {
            let problem = parse(bytes).unwrap_err();
            assert!(problem.0.contains(part), "{problem}");
        };
        refused(b"", "empty");
        refused(b"PK\x03\x04 something else", "not a .npy file");
        refused(&bytes[..bytes.len() - 1], "damaged or cut short");
        refused(&[&bytes[..], &[0]].concat(), "damaged or cut short");
        for length in 0..128 {
            assert!(parse(&bytes[..length]).is_err(), "{length}");
        }

        let shape = |text: &[u8]| {
            let mut bytes = bytes.clone();
            let at = bytes.windows(6).position(|w| w.starts_with(b"(2")).unwrap();
            let end = bytes.iter().position(|&b| b == b'\n').unwrap();
            bytes[at..end].fill(b' ');
            bytes[at..at + text.len()].copy_from_slice(text);
            bytes
        };
        refused(&shape(b"(4000000000, 1), }"), "claims 16000000000 bytes");
        refused(&shape(b"(4000000000, 4000000000), }"), "more values than any file");
        refused(&shape(b"(18446744073709551615,), }"), "more values than any file");
        refused(&shape(b"((((((((((((((((((("), "not one of plain numbers");

        let mut long_header = bytes.clone();
        long_header[6] = 2;
        long_header[8..12].fill(0xff);
        refused(&long_header, ".npy header claims");
    }
}
