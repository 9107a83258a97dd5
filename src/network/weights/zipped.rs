//! A zip archive whose entries are read in part, and whose claims are not believed.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::Range;

use zip::ZipArchive;
use zip::result::ZipError;

/// An open zip archive. An entry is known by its place in the archive's directory.
pub(super) struct Zipped {
    archive: ZipArchive<BufReader<File>>,
    names: Vec<String>,
}

impl Zipped {
    /// Reads the archive's directory only.
    pub fn open(file: File) -> Result<Self, String> {
        let archive = ZipArchive::new(BufReader::new(file)).map_err(|error| {
            format!("damaged or cut short: its zip archive cannot be opened: {error}")
        })?;
        if archive.has_duplicate_names() {
            return Err("damaged: two entries of its zip archive have the same name".into());
        }
        let names =
            archive.file_names_raw().map(|raw| String::from_utf8_lossy(raw).into_owned()).collect();
        Ok(Self { archive, names })
    }

    /// The entries' names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The place of the entry of that name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|entry| entry == name)
    }

    /// The content of an entry, decompressed as it is read. Its checksum is compared when a read
    /// meets its end.
    pub fn entry(&mut self, entry: usize) -> Result<impl Read, String> {
        let name = self.names.get(entry).map_or_else(String::new, |name| named(name));
        self.archive.by_index(entry).map_err(|error| match error {
            ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => {
                format!("{name} is encrypted; unpack the archive and zip it without a password")
            }
            ZipError::CompressionMethodNotSupported(_) => {
                format!("{name} cannot be unpacked ({error}); zip it again with deflate or none")
            }
            _ => format!("{name} cannot be unpacked: {error}"),
        })
    }

    /// The whole of an entry that is to have at most `limit` bytes.
    pub fn whole(&mut self, entry: usize, limit: u64) -> Result<Vec<u8>, String> {
        let bytes = self.read(entry, |content| {
            let mut bytes = Vec::new();
            content.take(limit + 1).read_to_end(&mut bytes)?;
            Ok(bytes)
        })?;
        if bytes.len() as u64 > limit {
            let name = named(&self.names[entry]);
            return Err(format!("{name} has more than the {limit} bytes that are read"));
        }
        Ok(bytes)
    }

    /// The bytes `range` of an entry that is to have `length` bytes in all. The rest is passed
    /// over, so that the length and the checksum are known to be right.
    pub fn part(
        &mut self,
        entry: usize,
        length: u64,
        range: Range<u64>,
    ) -> Result<Vec<u8>, String> {
        let (bytes, found) = self.read(entry, |content| {
            let skip = |content: &mut dyn Read, length| {
                io::copy(&mut content.take(length), &mut io::sink())
            };
            let before = skip(content, range.start)?;
            let mut bytes = Vec::new();
            content.take(range.end - range.start).read_to_end(&mut bytes)?;
            let after = skip(content, length.saturating_sub(range.end) + 1)?;
            let found = before + bytes.len() as u64 + after;
            Ok((bytes, found))
        })?;
        if found != length {
            let more = if found > length { "or more " } else { "" };
            let name = named(&self.names[entry]);
            return Err(format!("{name} has {found} {more}bytes; expected {length}"));
        }
        Ok(bytes)
    }

    fn read<T>(
        &mut self,
        entry: usize,
        read: impl FnOnce(&mut dyn Read) -> io::Result<T>,
    ) -> Result<T, String> {
        let read = read(&mut self.entry(entry)?);
        read.map_err(|error| unreadable(&self.names[entry], &error))
    }
}

/// An entry's content cannot be read to its end.
pub(super) fn unreadable(name: &str, error: &io::Error) -> String {
    let name = named(name);
    format!("{name} is damaged, or was saved without checksums: {error}; get or save it again")
}

/// An entry, for an error.
fn named(name: &str) -> String {
    format!("its zip entry \"{}\"", name.escape_debug())
}
