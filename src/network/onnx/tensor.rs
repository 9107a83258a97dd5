//! Tensors of an ONNX file as numbers.

use std::borrow::Cow;

use super::external::ExternalFiles;
use super::messages::TensorProto;
use crate::network::weights::element::{Element, count, finite};
use crate::network::weights::{Tensor, TensorProblem};

/// The most integers of a tensor: those of shapes and axes.
const MAX_INTEGERS: usize = 1 << 10;

/// The most axes of a tensor.
pub(super) const MAX_RANK: usize = 8;

/// Element types of `onnx.proto`, by number from 0.
const TYPES: [&str; 24] = [
    "undefined",
    "float32",
    "uint8",
    "int8",
    "uint16",
    "int16",
    "int32",
    "int64",
    "string",
    "bool",
    "float16",
    "float64",
    "uint32",
    "uint64",
    "complex64",
    "complex128",
    "bfloat16",
    "float8e4m3fn",
    "float8e4m3fnuz",
    "float8e5m2",
    "float8e5m2fnuz",
    "uint4",
    "int4",
    "float4e2m1",
];

/// The name of an element type.
pub(super) fn type_name(number: i64) -> String {
    let known = usize::try_from(number).ok().and_then(|number| TYPES.get(number));
    known.map_or_else(|| format!("of unknown number {number}"), |&name| name.into())
}

/// Whether an element type is one of the floats that are read.
pub(super) const fn is_float(number: i64) -> bool {
    matches!(number, 1 | 10 | 11 | 16)
}

/// Checks that integers are few enough to be read.
pub(super) fn check_few(count: usize) -> Result<(), TensorProblem> {
    if count > MAX_INTEGERS {
        let problem = format!("it has {count} integers; at most {MAX_INTEGERS} are read");
        return Err(TensorProblem::content(problem));
    }
    Ok(())
}

impl TensorProto {
    /// The length of each axis.
    pub fn shape(&self) -> Result<Vec<usize>, TensorProblem> {
        let rank = self.dims.len();
        if rank > MAX_RANK {
            let problem = format!("it has {rank} axes; at most {MAX_RANK} are read");
            return Err(TensorProblem::content(problem));
        }
        let length = |&length: &i64| {
            usize::try_from(length).map_err(|_| {
                TensorProblem::content(format!("its shape {:?} has a negative length", self.dims))
            })
        };
        self.dims.iter().map(length).collect()
    }

    /// The element type's name.
    pub fn type_name(&self) -> String {
        type_name(self.data_type.into())
    }

    /// Its values, rounded to `f32`; all of them finite.
    ///
    /// # Errors
    /// A type that is none of floats; fewer or more values than the shape says; what cannot be read
    /// of another file.
    pub fn floats(&self, external: &mut ExternalFiles) -> Result<Tensor, TensorProblem> {
        let element = match self.data_type {
            1 => Element::F32,
            10 => Element::F16,
            11 => Element::F64,
            16 => Element::Bf16,
            _ => return Err(self.not_of_floats()),
        };
        let shape = self.shape()?;
        let count = count(&shape)?;
        let length = |found: usize| self.check_length(found, count);
        if let Some(bytes) = self.bytes(external, count * element.size())? {
            let values = (0..count).map(|at| element.get(&bytes, at).unwrap_or(f64::NAN));
            return Ok(Tensor { shape, data: finite(values)? });
        }
        let data = match element {
            Element::F32 => {
                length(self.float_data.len())?;
                finite(self.float_data.iter().map(|&value| f64::from(value)))?
            }
            Element::F64 => {
                length(self.double_data.len())?;
                finite(self.double_data.iter().copied())?
            }
            Element::F16 | Element::Bf16 => {
                length(self.int32_data.len())?;
                let bits = |&bits: &i32| element.get(&(bits as u16).to_le_bytes(), 0);
                finite(self.int32_data.iter().map(|value| bits(value).unwrap_or(f64::NAN)))?
            }
        };
        Ok(Tensor { shape, data })
    }

    /// Its values, where they are few integers.
    ///
    /// # Errors
    /// Another type, too many values, or others than the shape says.
    pub fn integers(&self, external: &mut ExternalFiles) -> Result<Vec<i64>, TensorProblem> {
        let size = match self.data_type {
            6 => 4,
            7 => 8,
            _ => {
                let found = self.type_name();
                let problem = format!("its type is {found}; expected int64");
                return Err(TensorProblem::content(problem));
            }
        };
        let count = count(&self.shape()?)?;
        check_few(count)?;
        if let Some(bytes) = self.bytes(external, count * size)? {
            let value = |bytes: &[u8]| match *bytes {
                [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
                _ => bytes.first_chunk().map_or(0, |bytes| i64::from_le_bytes(*bytes)),
            };
            return Ok(bytes.chunks_exact(size).map(value).collect());
        }
        let found = if size == 4 { self.int32_data.len() } else { self.int64_data.len() };
        self.check_length(found, count)?;
        Ok(match size {
            4 => self.int32_data.iter().map(|&value| i64::from(value)).collect(),
            _ => self.int64_data.clone(),
        })
    }

    /// Its bytes, little-endian and `length` of them; `None` where its values are written otherwise.
    fn bytes(
        &self,
        external: &mut ExternalFiles,
        length: usize,
    ) -> Result<Option<Cow<'_, [u8]>>, TensorProblem> {
        if self.data_location == 1 {
            return external.read(&self.external_data, length).map(|bytes| Some(bytes.into()));
        }
        let Some(bytes) = &self.raw_data else { return Ok(None) };
        if bytes.len() != length {
            return Err(TensorProblem::content(format!(
                "its shape {:?} and type {} take {length} bytes; {} are there",
                self.dims,
                self.type_name(),
                bytes.len()
            )));
        }
        Ok(Some(bytes.as_ref().into()))
    }

    fn check_length(&self, found: usize, expected: usize) -> Result<(), TensorProblem> {
        if found == expected {
            return Ok(());
        }
        Err(TensorProblem::content(format!(
            "its shape {:?} has {expected} values; {found} are there",
            self.dims
        )))
    }

    fn not_of_floats(&self) -> TensorProblem {
        let found = self.type_name();
        let advice = match self.data_type {
            2 | 3 | 6 | 21 | 22 => "; it is quantised: export the network in float32",
            17..=20 | 23 => "; export the network in float32",
            _ => "",
        };
        TensorProblem::content(format!(
            "its type is {found}; expected float16, bfloat16, float32 or float64{advice}"
        ))
    }
}
