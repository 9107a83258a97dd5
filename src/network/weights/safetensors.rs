//! `.safetensors`: the length of a JSON header in eight bytes, the header, the tensors' bytes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use ::safetensors::Dtype;
use ::safetensors::tensor::{Metadata, TensorInfo};

use super::element::{Element, count, finite};
use super::{Source, Tensor, TensorProblem};
use crate::error::ParseError;

/// The longest header read, in bytes: that of some 60,000 tensors.
const MAX_HEADER: u64 = 8 << 20;

/// The bytes in which the header's length stands.
const LENGTH_BYTES: u64 = 8;

pub(super) struct Safetensors {
    file: File,
    metadata: Metadata,
    names: Vec<String>,
    /// Where in the file the tensors' bytes begin.
    data_start: u64,
}

impl Safetensors {
    /// Reads and checks the header only.
    pub fn open(mut file: File) -> Result<Self, ParseError> {
        let unreadable = |error| format!("cannot be read: {error}");
        let file_length = file.metadata().map_err(unreadable)?.len();
        let mut length = [0; LENGTH_BYTES as usize];
        file.read_exact(&mut length).map_err(unreadable)?;
        let header_length = u64::from_le_bytes(length);
        let room = file_length.saturating_sub(LENGTH_BYTES);
        if header_length > room {
            return Err(ParseError(format!(
                "damaged or cut short: its safetensors header claims {header_length} bytes; at \
                 most {room} are possible"
            )));
        }
        if header_length > MAX_HEADER {
            return Err(ParseError(format!(
                "its safetensors header has {header_length} bytes; at most {MAX_HEADER} are read: \
                 save the network's tensors alone"
            )));
        }
        let mut header = vec![0; header_length as usize];
        file.read_exact(&mut header).map_err(unreadable)?;
        // Parsing checks that the tensors' ranges follow each other without gaps and that each
        // is as long as its shape and type say. The crate's own `read_metadata` does the same,
        // but wants the whole file in memory.
        let metadata: Metadata = serde_json::from_slice(&header)
            .map_err(|error| format!("its safetensors header is not valid: {error}"))?;
        let data_start = LENGTH_BYTES + header_length;
        let (claimed, found) = (metadata.data_len() as u64, file_length - data_start);
        if claimed != found {
            return Err(ParseError(format!(
                "damaged or cut short: its safetensors header claims {claimed} bytes of tensors, \
                 and {found} follow"
            )));
        }
        let names = metadata.offset_keys();
        Ok(Self { file, metadata, names, data_start })
    }
}

impl Source for Safetensors {
    fn len(&self) -> usize {
        self.names.len()
    }

    fn name(&self, entry: usize) -> &str {
        &self.names[entry]
    }

    fn tensor(&mut self, entry: usize) -> Result<Tensor, TensorProblem> {
        let info = self.names.get(entry).and_then(|name| self.metadata.info(name));
        let Some(TensorInfo { dtype, shape, data_offsets: (start, stop) }) = info else {
            return Err(TensorProblem::content("not in the header"));
        };
        let element = element_of(*dtype).ok_or_else(|| {
            let advice = match dtype {
                Dtype::I8 | Dtype::U8 | Dtype::I32 => "; a quantised network is not read",
                Dtype::F8_E4M3 | Dtype::F8_E5M2 => "; float8 is not read: save it in float32",
                _ => "",
            };
            TensorProblem::content(format!(
                "its dtype is {dtype}; expected F16, BF16, F32 or F64{advice}"
            ))
        })?;
        let count = count(shape)?;
        let mut bytes = vec![0; stop - start];
        self.file
            .seek(SeekFrom::Start(self.data_start + *start as u64))
            .and_then(|_| self.file.read_exact(&mut bytes))
            .map_err(|error| TensorProblem::content(format!("cannot be read: {error}")))?;
        let values = (0..count).map(|index| element.get(&bytes, index).unwrap_or(f64::NAN));
        Ok(Tensor { shape: shape.clone(), data: finite(values)? })
    }
}

/// Writes tensors, each of a shape and as many values, as a `.safetensors` file.
///
/// # Errors
/// Files that cannot be written.
pub fn write(
    tensors: &BTreeMap<String, (Vec<usize>, Cow<'_, [f32]>)>,
    file: &mut impl Write,
) -> io::Result<()> {
    let mut start = 0;
    let info = |(name, (shape, values)): (&String, &(Vec<usize>, Cow<'_, [f32]>))| {
        let stop = start + size_of_val(&**values);
        let data_offsets = (std::mem::replace(&mut start, stop), stop);
        (name.clone(), TensorInfo { dtype: Dtype::F32, shape: shape.clone(), data_offsets })
    };
    let metadata =
        Metadata::new(None, tensors.iter().map(info).collect()).map_err(io::Error::other)?;
    let mut header = serde_json::to_vec(&metadata)?;
    header.resize(header.len().next_multiple_of(LENGTH_BYTES as usize), b' ');
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(&header)?;
    for (_, values) in tensors.values() {
        for piece in values.chunks(1 << 12) {
            let bytes: Vec<u8> = piece.iter().flat_map(|value| value.to_le_bytes()).collect();
            file.write_all(&bytes)?;
        }
    }
    Ok(())
}

fn element_of(dtype: Dtype) -> Option<Element> {
    match dtype {
        Dtype::F16 => Some(Element::F16),
        Dtype::BF16 => Some(Element::Bf16),
        Dtype::F32 => Some(Element::F32),
        Dtype::F64 => Some(Element::F64),
        _ => None,
    }
}
