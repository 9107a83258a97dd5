//! SHA-256 of files, recorded in manifests.

use std::fmt;
use std::io::{self, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{FileError, open_regular};

/// A SHA-256, written as 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Digest(String);

impl TryFrom<String> for Digest {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("expected a SHA-256, 64 digits from 0 to f")
    }
}

impl Digest {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::finish(Sha256::new_with_prefix(bytes))
    }

    /// The digest of the bytes of some elements, which need not be contiguous in memory.
    pub fn of_elements<const SIZE: usize>(elements: impl Iterator<Item = [u8; SIZE]>) -> Self {
        const PIECE: usize = 1 << 14;
        let (mut hasher, mut piece) = (Sha256::new(), Vec::with_capacity(PIECE + SIZE));
        for element in elements {
            piece.extend(element);
            if piece.len() >= PIECE {
                hasher.update(&piece);
                piece.clear();
            }
        }
        hasher.update(&piece);
        Self::finish(hasher)
    }

    /// Parses 64 hexadecimal digits; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 64 && text.bytes().all(digits)).then(|| Self(text.into()))
    }

    pub(super) fn finish(hasher: Sha256) -> Self {
        let digits =
            |byte: &u8| [byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]);
        Self(hasher.finalize().iter().flat_map(digits).map(char::from).collect())
    }
}

/// A writer that only computes a digest of the bytes.
#[derive(Clone, Debug, Default)]
pub struct DigestWriter(Sha256);

impl DigestWriter {
    /// The digest of the bytes written.
    pub fn finish(self) -> Digest {
        Digest::finish(self.0)
    }
}

impl Write for DigestWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The digest of a file's content, read in pieces.
pub fn digest_of(path: &Path) -> Result<Digest, FileError> {
    let mut hasher = Sha256::new();
    let (mut file, _) = open_regular(path)?;
    let mut piece = vec![0; 1 << 20];
    loop {
        match file.read(&mut piece).map_err(FileError::read(path))? {
            0 => return Ok(Digest::finish(hasher)),
            length => hasher.update(&piece[..length]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_only_from_a_digest() {
        let digest = Digest::of(b"abc");
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(json, format!("\"{digest}\""));
        assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
        assert!(serde_json::from_str::<Digest>(r#""\u001b[2J""#).is_err());
    }

    #[test]
    fn the_published_digest_of_abc() {
        // FIPS 180-4, example of SHA-256.
        assert_eq!(
            Digest::of(b"abc").to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
