//! Bounds of a file, checked on its bytes before anything of it is decoded: two bytes can stand for
//! a message that takes two hundred in memory.

use prost::bytes::{Buf, Bytes};
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::tensor::is_float;
use crate::error::ParseError;

/// The most nodes of a graph: several times those of the largest networks.
pub(super) const MAX_NODES: usize = 1 << 16;

/// The most fields and numbers of nodes, shapes and names, all together.
const MAX_FIELDS: usize = 1 << 21;

/// The messages whose fields are counted, as `messages` nests them.
#[derive(Clone, Copy)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    /// Names and types of inputs.
    Input,
    Entry,
}

impl Message {
    /// The message in field `tag`, where it is one.
    fn field(self, tag: u32) -> Option<Self> {
        match (self, tag) {
            (Self::Model, 7) => Some(Self::Graph),
            (Self::Graph, 1) => Some(Self::Node),
            (Self::Graph | Self::Attribute, 5) => Some(Self::Tensor),
            (Self::Graph, 11) => Some(Self::Input),
            (Self::Node, 5) => Some(Self::Attribute),
            (Self::Node, 9) | (Self::Tensor, 13) => Some(Self::Entry),
            _ => None,
        }
    }

    /// Whether the bytes of field `tag` may be a list of numbers of one byte each, or nested
    /// messages that are not counted one by one.
    const fn is_list(self, tag: u32) -> bool {
        matches!((self, tag), (Self::Attribute, 8) | (Self::Tensor, 1 | 7) | (Self::Input, _))
    }
}

/// The counted amount.
#[derive(Default)]
struct Counted {
    nodes: usize,
    fields: usize,
}

/// Checks that decoding `file` takes a bounded amount of memory beside that of its tensors.
///
/// # Errors
/// More nodes or fields than any network has; bytes that are no protobuf message.
pub(super) fn check(file: &Bytes) -> Result<(), ParseError> {
    count(Message::Model, file.clone(), &mut Counted::default())
}

fn count(message: Message, mut bytes: Bytes, counted: &mut Counted) -> Result<(), ParseError> {
    let damaged = |error: &dyn std::fmt::Display| {
        ParseError(format!("damaged, cut short or no ONNX file: {error}"))
    };
    // The type of a tensor, and the bytes of its list of small integers.
    let (mut data_type, mut small) = (0, 0);
    while bytes.has_remaining() {
        let (tag, wire_type) = decode_key(&mut bytes).map_err(|error| damaged(&error))?;
        counted.fields += 1;
        if wire_type == WireType::LengthDelimited {
            let length = decode_varint(&mut bytes).map_err(|error| damaged(&error))?;
            if length > bytes.remaining() as u64 {
                let found = bytes.remaining();
                let problem = format!("a field claims {length} bytes, and {found} follow");
                return Err(damaged(&problem));
            }
            let content = bytes.split_to(length as usize);
            if message.is_list(tag) {
                counted.fields += content.len();
            }
            counted.nodes += usize::from(matches!((message, tag), (Message::Graph, 1)));
            if matches!((message, tag), (Message::Tensor, 5)) {
                small += content.len();
            }
            if let Some(inner) = message.field(tag) {
                count(inner, content, counted)?;
            }
        } else if matches!((message, tag, wire_type), (Message::Tensor, 2, WireType::Varint)) {
            data_type = decode_varint(&mut bytes).map_err(|error| damaged(&error))?;
        } else {
            skip_field(wire_type, tag, &mut bytes, DecodeContext::default())
                .map_err(|error| damaged(&error))?;
        }
        if !bytes.has_remaining() && !is_float(data_type as i64) {
            counted.fields += small;
        }
        if counted.nodes > MAX_NODES {
            return Err(ParseError(format!(
                "its graph has more than the {MAX_NODES} nodes that are read"
            )));
        }
        if counted.fields > MAX_FIELDS {
            return Err(ParseError(format!(
                "its nodes, shapes and names have more than the {MAX_FIELDS} fields that are read"
            )));
        }
    }
    Ok(())
}
