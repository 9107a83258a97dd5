//! The format of a block's file.
//!
//! ```text
//! 16 bytes   "occlumap block\0" and the version of the format, 2
//! 8          length of the header, little-endian
//! 8          length of the payload
// header: JSON with the SHA-256 of the configuration, the block's name, its record
//!            payload
//! 64         SHA-256 of all before, as hexadecimal digits
//! ```
//!
//! The length, the header or the digest reveals any damaged byte.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::files::{Digest, escaped};

const MAGIC: &[u8; 16] = b"occlumap block\0\x02";
/// Bytes of the magic and the two lengths.
const FIXED: usize = 32;
/// Bytes of the digest.
const TRAILER: usize = 64;

/// Damage of a block's file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Damage {
    /// The file does not begin like a block.
    #[error("is not a block of this version's format")]
    NoBlock,
    /// The file is longer or shorter than its header says.
    #[error("is damaged: {found} bytes long; expected {expected}")]
    Length {
        /// Actual length in bytes.
        found: usize,
        /// Length by the header, in bytes.
        expected: usize,
    },
    /// The digest does not match.
    #[error("is damaged: its content has another digest than was written")]
    Digest,
    /// The content cannot be decoded.
    #[error("is damaged: {}", escaped(.0))]
    Content(String),
    /// An intact block of another configuration, or with another name.
    #[error(
        "belongs elsewhere: it is `{}` of configuration {}",
        escaped(name), escaped(&configuration.to_string())
    )]
    Foreign {
        /// The name in the block.
        name: String,
        /// The configuration in the block.
        configuration: Digest,
    },
}

/// A block: a record of the work, and its content.
#[derive(Clone, Debug, PartialEq)]
pub struct Block<R> {
    /// Record of the work.
    pub record: R,
    /// The content.
    pub payload: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Header<R> {
    configuration: Digest,
    name: String,
    record: R,
}

impl<R: Serialize + DeserializeOwned> Block<R> {
    /// Encodes the file.
    ///
    /// # Errors
    /// A record that cannot be serialised.
    pub fn encode(self, name: &str, configuration: &Digest) -> Result<Vec<u8>, serde_json::Error> {
        let Self { record, payload } = self;
        let header = Header { configuration: configuration.clone(), name: name.into(), record };
        let header = serde_json::to_vec(&header)?;
        let lengths = [header.len(), payload.len()].map(|length| (length as u64).to_le_bytes());
        let mut bytes = [&MAGIC[..], &lengths[0], &lengths[1], &header, &payload].concat();
        let digest = Digest::of(&bytes).to_string();
        bytes.extend_from_slice(digest.as_bytes());
        Ok(bytes)
    }

    /// Decodes the file of the block `name`.
    ///
    /// # Errors
    /// Anything but an intact block of that name and configuration.
    pub fn decode(bytes: &[u8], name: &str, configuration: &Digest) -> Result<Self, Damage> {
        let Some((magic, rest)) = bytes.split_first_chunk() else {
            return Err(Damage::Length { found: bytes.len(), expected: FIXED + TRAILER });
        };
        if magic != MAGIC {
            return Err(Damage::NoBlock);
        }
        let lengths: Option<([u8; 8], [u8; 8])> = rest
            .first_chunk::<16>()
            .and_then(|both| Some((*both.first_chunk()?, *both.last_chunk()?)));
        let Some(lengths) = lengths else {
            return Err(Damage::Length { found: bytes.len(), expected: FIXED + TRAILER });
        };
        let length = |bytes| usize::try_from(u64::from_le_bytes(bytes)).unwrap_or(usize::MAX);
        let (header, payload) = (length(lengths.0), length(lengths.1));
        let expected = header.saturating_add(payload).saturating_add(FIXED + TRAILER);
        if bytes.len() != expected {
            return Err(Damage::Length { found: bytes.len(), expected });
        }
        let (content, digest) = bytes.split_at(expected - TRAILER);
        if Digest::of(content).to_string().as_bytes() != digest {
            return Err(Damage::Digest);
        }
        let (header, payload) = content[FIXED..].split_at(header);
        let header: Header<serde_json::Value> =
            serde_json::from_slice(header).map_err(|error| Damage::Content(error.to_string()))?;
        if header.name != name || header.configuration != *configuration {
            let Header { name, configuration, .. } = header;
            return Err(Damage::Foreign { name, configuration });
        }
        let record = serde_json::from_value(header.record)
            .map_err(|error| Damage::Content(error.to_string()))?;
        Ok(Self { record, payload: payload.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> (Vec<u8>, Digest) {
        let configuration = Digest::of(b"configuration");
        let block = Block { record: 42_u32, payload: vec![7, 0, 255, 3] };
        (block.encode("conv1-0-3", &configuration).unwrap(), configuration)
    }

    #[test]
    fn what_is_written_is_read_back() {
        let (bytes, configuration) = file();
        let block = Block::<u32>::decode(&bytes, "conv1-0-3", &configuration).unwrap();
        assert_eq!(block, Block { record: 42, payload: vec![7, 0, 255, 3] });
    }

    #[test]
    fn every_byte_that_is_changed_missing_or_too_many_is_found() {
        let (bytes, configuration) = file();
        let decode = |bytes: &[u8]| Block::<u32>::decode(bytes, "conv1-0-3", &configuration);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                assert!(decode(&damaged).is_err(), "byte {at}, bit {bit}");
            }
            assert!(decode(&bytes[..at]).is_err(), "{at} bytes");
        }
        assert!(matches!(decode(&[&bytes[..], &[0]].concat()), Err(Damage::Length { .. })));
        assert!(matches!(decode(&[]), Err(Damage::Length { .. })));
    }

    #[test]
    fn another_blocks_file_is_told_from_a_damaged_one() {
        let (bytes, configuration) = file();
        let foreign = |found: Result<Block<u32>, Damage>| {
            assert!(matches!(found, Err(Damage::Foreign { .. })), "{found:?}");
        };
        foreign(Block::decode(&bytes, "conv1-4-7", &configuration));
        foreign(Block::decode(&bytes, "conv1-0-3", &Digest::of(b"another")));
    }
}
