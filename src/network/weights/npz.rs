//! `.npz`: a zip archive of `.npy` files, as `numpy.savez` writes it.

use std::io::Read;

use super::element::{count, finite};
use super::zipped::{Zipped, unreadable};
use super::{Source, Tensor, TensorProblem};
use crate::error::ParseError;
use crate::files::npy::header::{self, Header};
use crate::files::npy::{self, Values};

pub(super) struct Npz {
    zip: Zipped,
    /// The arrays' names, and the indices of their entries.
    arrays: Vec<(String, usize)>,
}

impl Npz {
    pub fn new(zip: Zipped) -> Result<Self, ParseError> {
        let arrays: Vec<_> = zip
            .names()
            .iter()
            .enumerate()
            .filter_map(|(entry, name)| Some((name.strip_suffix(".npy")?.to_owned(), entry)))
            .collect();
        if arrays.is_empty() {
            return Err("a zip archive with neither .npy arrays (numpy.savez) nor a data.pkl \
                        (torch.save) in it"
                .into());
        }
        Ok(Self { zip, arrays })
    }
}

impl Source for Npz {
    fn len(&self) -> usize {
        self.arrays.len()
    }

    fn name(&self, array: usize) -> &str {
        &self.arrays[array].0
    }

    fn tensor(&mut self, array: usize) -> Result<Tensor, TensorProblem> {
        let Some((name, entry)) = self.arrays.get(array) else {
            return Err(TensorProblem::content("not in the archive"));
        };
        let bytes = read_array(&mut self.zip.entry(*entry)?, name)?;
        let values = npy::parse(&bytes)?;
        let shape = values.shape().to_vec();
        count(&shape)?;
        let dtype = values.dtype();
        let data = match values {
            // Rounded here and not by `into_f32`, so that an error shows the number itself.
            Values::F64(array) => finite(array.iter().copied())?,
            other => {
                let array = other.into_f32().ok_or_else(|| {
                    TensorProblem::content(format!(
                        "its dtype is {dtype}; expected float16, float32 or float64"
                    ))
                })?;
                finite(array.iter().map(|&value| f64::from(value)))?
            }
        };
        Ok(Tensor { shape, data })
    }
}

/// The bytes of a `.npy` file: as many as its header claims, and one more if there are more.
fn read_array(content: &mut impl Read, name: &str) -> Result<Vec<u8>, TensorProblem> {
    let mut bytes = Vec::new();
    let mut read_to = |bytes: &mut Vec<u8>, length: usize| {
        let missing = length.saturating_sub(bytes.len()) as u64;
        content
            .take(missing)
            .read_to_end(bytes)
            .map_err(|error| TensorProblem::Content(unreadable(&format!("{name}.npy"), &error)))
    };
    read_to(&mut bytes, header::PREAMBLE)?;
    let values_start = header::length(&bytes)?;
    read_to(&mut bytes, values_start)?;
    let header = Header::parse(&bytes)?;
    count(&header.shape)?;
    read_to(&mut bytes, values_start + header.bytes() + 1)?;
    Ok(bytes)
}
