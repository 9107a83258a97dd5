//! The bytes of a pickle, taken from the front; never past the end.

use crate::error::ParseError;
pub(super) struct Bytes<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Bytes<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    /// Number of bytes that were taken.
    pub fn offset(&self) -> usize {
        self.offset
    }

    pub fn take(&mut self, length: usize) -> Result<&'a [u8], ParseError> {
        let rest = &self.bytes[self.offset..];
        let taken = rest.get(..length).ok_or_else(|| {
            format!("cut short or damaged: it needs {length} bytes more and has {}", rest.len())
        })?;
        self.offset += length;
        Ok(taken)
    }

    pub fn byte(&mut self) -> Result<u8, ParseError> {
        Ok(self.take(1)?[0])
    }

    /// An unsigned little-endian number of `width` bytes, at most 8.
    pub fn length(&mut self, width: usize) -> Result<usize, ParseError> {
        let number = self.take(width)?.iter().rev().fold(0_u64, |n, &b| n << 8 | u64::from(b));
        usize::try_from(number).map_err(|_| ParseError(format!("a length of {number}")))
    }

    /// Text up to the end of the line.
    pub fn line(&mut self) -> Result<&'a str, ParseError> {
        let rest = &self.bytes[self.offset..];
        let length = rest.iter().position(|&byte| byte == b'\n').ok_or("a name has no end")?;
        let line = self.take(length + 1)?;
        std::str::from_utf8(&line[..length]).map_err(|_| "a name is not UTF-8".into())
    }
}
