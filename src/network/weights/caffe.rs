//! `.caffemodel`: Caffe's network with its weights, as protobuf. Only the layers' names and blobs are read.
//!
//! The messages are walked over where they lie, so that what they claim takes no memory of its own.

use std::path::Path;

use prost::bytes::{Buf, Bytes};
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::element::{Element, count, finite};
use super::{Source, Tensor, TensorProblem};
use crate::error::ParseError;

/// The longest file that is read: protobuf allows no longer message.
pub(super) const MAX_BYTES: u64 = 2 << 30;

/// The most blobs of a network.
const MAX_BLOBS: usize = 1 << 16;

/// The longest name of a layer, in bytes: each of its blobs is named after it.
const MAX_NAME: usize = 256;

/// The most axes of a blob.
const MAX_RANK: usize = 8;

/// The most fields that the values of a blob are in: a writer puts all into one.
const MAX_PARTS: usize = 1024;

/// The blobs of a network's layers.
pub(super) struct CaffeModel {
    blobs: Vec<Blob>,
}

/// A blob: a tensor of a layer.
struct Blob {
    /// The layer's name with an ending; empty until the layer's name is read.
    name: String,
    /// Index in the layer.
    index: usize,
    message: Bytes,
}

/// Whether a path is that of such a file, by its ending: protobuf has no first bytes of its own.
pub(super) fn is_caffe_model(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("caffemodel"))
}

/// Where a message of a layer has its name and its blobs.
#[derive(Clone, Copy)]
struct LayerFields {
    name: u32,
    blobs: u32,
    /// A message of the first format within that of the second.
    inner: Option<u32>,
}

/// `LayerParameter`.
const CURRENT: LayerFields = LayerFields { name: 1, blobs: 7, inner: None };

/// `V1LayerParameter`.
const SECOND: LayerFields = LayerFields { name: 4, blobs: 6, inner: Some(1) };

/// `V0LayerParameter`.
const FIRST: LayerFields = LayerFields { name: 1, blobs: 50, inner: None };

impl CaffeModel {
    /// Finds the blobs in a file's bytes.
    pub fn parse(bytes: Bytes) -> Result<Self, ParseError> {
        let mut blobs = Vec::new();
        walk(bytes, |tag, content| match (tag, content) {
            (100, Content::Bytes(layer)) => of_layer(layer, CURRENT, &mut blobs),
            (2, Content::Bytes(layer)) => of_layer(layer, SECOND, &mut blobs),
            _ => Ok(()),
        })?;
        if blobs.is_empty() {
            return Err("no layer of it has weights; expected a .caffemodel".into());
        }
        Ok(Self { blobs })
    }
}

/// Adds the blobs of a layer.
fn of_layer(layer: Bytes, fields: LayerFields, blobs: &mut Vec<Blob>) -> Result<(), ParseError> {
    let (mut name, first) = (String::new(), blobs.len());
    walk(layer, |tag, content| {
        match content {
            Content::Bytes(text) if tag == fields.name => {
                if text.len() > MAX_NAME {
                    return Err(ParseError(format!(
                        "a layer's name has {} bytes; at most {MAX_NAME} are read",
                        text.len()
                    )));
                }
                name = String::from_utf8_lossy(&text).into_owned();
            }
            Content::Bytes(message) if tag == fields.blobs => {
                if blobs.len() == MAX_BLOBS {
                    return Err(ParseError(format!("it has more than {MAX_BLOBS} blobs")));
                }
                let index = blobs.len() - first;
                blobs.push(Blob { name: String::new(), index, message });
            }
            Content::Bytes(inner) if fields.inner == Some(tag) => of_layer(inner, FIRST, blobs)?,
            _ => {}
        }
        Ok(())
    })?;
    for blob in blobs[first..].iter_mut().filter(|blob| blob.name.is_empty()) {
        blob.name = match blob.index {
            0 => format!("{name}.weight"),
            1 => format!("{name}.bias"),
            more => format!("{name}.blob{more}"),
        };
    }
    Ok(())
}

/// The content of a field of a message, as far as it is read.
enum Content {
    Number(u64),
    Bytes(Bytes),
    /// A number of four or eight bytes.
    Fixed(Bytes),
}

/// Looks at each field of a message.
fn walk(
    mut bytes: Bytes,
    mut look: impl FnMut(u32, Content) -> Result<(), ParseError>,
) -> Result<(), ParseError> {
    let damaged = |error: &dyn std::fmt::Display| {
        ParseError(format!("damaged, cut short or no .caffemodel: {error}"))
    };
    while bytes.has_remaining() {
        let (tag, wire_type) = decode_key(&mut bytes).map_err(|error| damaged(&error))?;
        match wire_type {
            WireType::LengthDelimited => {
                let length = decode_varint(&mut bytes).map_err(|error| damaged(&error))?;
                if length > bytes.remaining() as u64 {
                    let found = bytes.remaining();
                    let problem = format!("a field claims {length} bytes, and {found} follow");
                    return Err(damaged(&problem));
                }
                look(tag, Content::Bytes(bytes.split_to(length as usize)))?;
            }
            WireType::Varint => {
                let number = decode_varint(&mut bytes).map_err(|error| damaged(&error))?;
                look(tag, Content::Number(number))?;
            }
            WireType::ThirtyTwoBit | WireType::SixtyFourBit => {
                let size = if wire_type == WireType::ThirtyTwoBit { 4 } else { 8 };
                let found = bytes.remaining();
                if found < size {
                    let problem = format!("a number of {size} bytes, and {found} follow");
                    return Err(damaged(&problem));
                }
                look(tag, Content::Fixed(bytes.split_to(size)))?;
            }
            _ => skip_field(wire_type, tag, &mut bytes, DecodeContext::default())
                .map_err(|error| damaged(&error))?,
        }
    }
    Ok(())
}

/// The lengths of a `BlobShape`: a list in one field, or a field each.
fn shape(bytes: Bytes) -> Result<Vec<usize>, ParseError> {
    let mut shape = Vec::new();
    let mut add = |length: u64| {
        if shape.len() == MAX_RANK {
            return Err(ParseError(format!("it has more than {MAX_RANK} axes")));
        }
        shape.push(usize::try_from(length).unwrap_or(usize::MAX));
        Ok(())
    };
    walk(bytes, |tag, content| match (tag, content) {
        (1, Content::Number(length)) => add(length),
        (1, Content::Bytes(mut lengths)) => {
            while lengths.has_remaining() {
                let length = decode_varint(&mut lengths);
                add(length.map_err(|error| ParseError(format!("damaged: {error}")))?)?;
            }
            Ok(())
        }
        _ => Ok(()),
    })?;
    Ok(shape)
}

/// The values of a blob: lists, or a field each, or both after one another.
#[derive(Default)]
struct BlobValues {
    parts: Vec<(Element, Bytes)>,
    /// Values that have a field each, behind all parts.
    single: Option<(Element, Vec<u8>)>,
}

impl BlobValues {
    /// Adds a list.
    fn add(&mut self, element: Element, bytes: Bytes) -> Result<(), ParseError> {
        if let Some((element, single)) = self.single.take() {
            self.add(element, single.into())?;
        }
        if self.parts.len() == MAX_PARTS {
            return Err(ParseError(format!("its values are in more than {MAX_PARTS} parts")));
        }
        if !bytes.len().is_multiple_of(element.size()) {
            let (length, size) = (bytes.len(), element.size());
            return Err(ParseError(format!(
                "damaged: its values of {size} bytes each take {length} bytes"
            )));
        }
        self.parts.push((element, bytes));
        Ok(())
    }

    /// Adds a value that has a field of its own.
    fn add_single(&mut self, element: Element, bytes: &[u8]) -> Result<(), ParseError> {
        if bytes.len() != element.size() {
            let (length, size) = (bytes.len(), element.size());
            return Err(ParseError(format!(
                "damaged: its value of {size} bytes takes {length} bytes"
            )));
        }
        match &mut self.single {
            Some((kind, single)) if *kind == element => single.extend_from_slice(bytes),
            Some(_) => {
                self.add(element, Bytes::copy_from_slice(bytes))?;
            }
            None => self.single = Some((element, bytes.to_vec())),
        }
        Ok(())
    }

    /// All of them, in their order.
    fn finish(mut self) -> Result<Vec<(Element, Bytes)>, ParseError> {
        if let Some((element, single)) = self.single.take() {
            self.add(element, single.into())?;
        }
        Ok(self.parts)
    }
}

impl Source for CaffeModel {
    fn len(&self) -> usize {
        self.blobs.len()
    }

    fn name(&self, entry: usize) -> &str {
        &self.blobs[entry].name
    }

    /// A bias is one list, whatever axes of length 1 the file gives it.
    fn tensor(&mut self, entry: usize) -> Result<Tensor, TensorProblem> {
        let Blob { index, message, .. } = &self.blobs[entry];
        let (mut stated, mut old, mut data) = (None, [1_usize; 4], BlobValues::default());
        walk(message.clone(), |tag, content| {
            match (tag, content) {
                (1..=4, Content::Number(length)) => {
                    old[tag as usize - 1] = usize::try_from(length).unwrap_or(usize::MAX);
                }
                (5, Content::Bytes(bytes)) => data.add(Element::F32, bytes)?,
                (8, Content::Bytes(bytes)) => data.add(Element::F64, bytes)?,
                (5, Content::Fixed(bytes)) => data.add_single(Element::F32, &bytes)?,
                (8, Content::Fixed(bytes)) => data.add_single(Element::F64, &bytes)?,
                (7, Content::Bytes(bytes)) => stated = Some(shape(bytes)?),
                _ => {}
            }
            Ok(())
        })?;
        let data = data.finish()?;
        let shape = stated.unwrap_or_else(|| old.to_vec());
        let expected = count(&shape)?;
        let found: usize = data.iter().map(|(element, bytes)| bytes.len() / element.size()).sum();
        if found != expected {
            return Err(TensorProblem::content(format!(
                "its shape {shape:?} has {expected} values; {found} are there"
            )));
        }
        let mut values = Vec::with_capacity(expected);
        for (element, bytes) in &data {
            let count = bytes.len() / element.size();
            let of_list = (0..count).map(|at| element.get(bytes, at).unwrap_or(f64::NAN));
            values.extend(finite(of_list).map_err(|problem| match problem {
                TensorProblem::NotFinite { index, value } => {
                    TensorProblem::NotFinite { index: index + values.len(), value }
                }
                other @ TensorProblem::Content(_) => other,
            })?);
        }
        let shape = if *index == 1 { vec![expected] } else { shape };
        Ok(Tensor { shape, data: values })
    }
}
