//! A zip archive whose entries are read in part, and whose claims are not believed.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;

use flate2::read::DeflateDecoder;
use rawzip::{CompressionMethod, FileReader, ZipArchive, ZipArchiveEntryWayfinder};

use crate::error::ParseError;
use crate::files::escaped;

/// The most entries that are read: far more than a network has tensors.
const MAX_ENTRIES: usize = 1 << 18;

/// The most bytes that the names of all entries may have.
const MAX_NAMES: usize = 64 << 20;

/// An open zip archive. An entry is known by its index in the archive's directory.
pub(super) struct Zipped {
    archive: ZipArchive<FileReader>,
    names: Vec<String>,
    entries: Vec<Entry>,
    /// Indices of the entries in the order of their names.
    by_name: Vec<usize>,
}

/// An entry of the archive's directory.
struct Entry {
    wayfinder: ZipArchiveEntryWayfinder,
    method: CompressionMethod,
    encrypted: bool,
}

impl Zipped {
    /// Reads the archive's directory only.
    pub fn open(file: File) -> Result<Self, ParseError> {
        let unreadable = |error: rawzip::Error| {
            format!(
                "damaged or cut short: its zip archive cannot be opened: {error}; copy the file again"
            )
        };
        let mut buffer = vec![0; rawzip::MAX_CENTRAL_DIRECTORY_RECORD_SIZE];
        let archive = ZipArchive::from_file(file, &mut buffer).map_err(unreadable)?;
        let (mut names, mut entries) = (Vec::new(), Vec::new());
        let mut name_bytes = 0;
        let mut directory = archive.entries(&mut buffer);
        while let Some(header) = directory.next_entry().map_err(unreadable)? {
            let name = String::from_utf8_lossy(header.file_path().as_ref()).into_owned();
            name_bytes += name.len();
            if names.len() == MAX_ENTRIES || name_bytes > MAX_NAMES {
                return Err(ParseError(format!(
                    "its zip archive has more than {MAX_ENTRIES} entries, or names of more than \
                     {MAX_NAMES} bytes; save the network's tensors alone"
                )));
            }
            names.push(name);
            entries.push(Entry {
                wayfinder: header.wayfinder(),
                method: header.compression_method(),
                encrypted: header.flags().is_encrypted(),
            });
        }
        let mut by_name: Vec<usize> = (0..names.len()).collect();
        by_name.sort_unstable_by_key(|&entry| &names[entry]);
        if by_name.windows(2).any(|pair| names[pair[0]] == names[pair[1]]) {
            return Err(ParseError(
                "damaged: two entries of its zip archive have the same name".into(),
            ));
        }
        Ok(Self { archive, names, entries, by_name })
    }

    /// The entries' names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The index of the entry of that name.
    pub fn find(&self, name: &str) -> Option<usize> {
        let position = self.by_name.binary_search_by_key(&name, |&entry| &self.names[entry]);
        position.ok().map(|position| self.by_name[position])
    }

    /// The content of an entry, decompressed as it is read. Its checksum is compared when a read
    /// meets its end.
    pub fn entry(&self, entry: usize) -> Result<impl Read, ParseError> {
        let name = self.names.get(entry).map_or_else(String::new, |name| named(name));
        let Some(Entry { wayfinder, method, encrypted }) = self.entries.get(entry) else {
            return Err(ParseError(format!("{name} is not in the archive")));
        };
        if *encrypted {
            return Err(ParseError(format!(
                "{name} is encrypted; unpack the archive and zip it without a password"
            )));
        }
        let found = self
            .archive
            .get_entry(*wayfinder)
            .map_err(|error| format!("{name} cannot be unpacked: {error}"))?;
        let stored = found.reader();
        let content: Box<dyn Read + '_> = match *method {
            CompressionMethod::STORE => Box::new(found.verifying_reader(stored)),
            CompressionMethod::DEFLATE => {
                Box::new(found.verifying_reader(DeflateDecoder::new(stored)))
            }
            other => {
                return Err(ParseError(format!(
                    "{name} is compressed by method {}; zip it again with deflate or none",
                    other.as_u16()
                )));
            }
        };
        Ok(content)
    }

    /// The whole of an entry that is to have at most `limit` bytes.
    pub fn whole(&self, entry: usize, limit: u64) -> Result<Vec<u8>, ParseError> {
        let bytes = self.read(entry, |content| {
            let mut bytes = Vec::new();
            content.take(limit + 1).read_to_end(&mut bytes)?;
            Ok(bytes)
        })?;
        if bytes.len() as u64 > limit {
            let name = named(&self.names[entry]);
            return Err(ParseError(format!(
                "{name} has more than the {limit} bytes that are read"
            )));
        }
        Ok(bytes)
    }

    /// The bytes `range` of an entry that is to have `length` bytes in all. The rest is passed
    /// over, so that the length and the checksum are known to be right.
    pub fn part(
        &self,
        entry: usize,
        length: u64,
        range: Range<u64>,
    ) -> Result<Vec<u8>, ParseError> {
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
            return Err(ParseError(format!("{name} has {found} {more}bytes; expected {length}")));
        }
        Ok(bytes)
    }

    fn read<T>(
        &self,
        entry: usize,
        read: impl FnOnce(&mut dyn Read) -> io::Result<T>,
    ) -> Result<T, ParseError> {
        let read = read(&mut self.entry(entry)?);
        read.map_err(|error| ParseError(unreadable(&self.names[entry], &error)))
    }
}

/// An entry's content cannot be read to its end.
pub(super) fn unreadable(name: &str, error: &io::Error) -> String {
    let name = named(name);
    format!("{name} is damaged, or was saved without checksums: {error}; get or save it again")
}

/// An entry, for an error.
fn named(name: &str) -> String {
    format!("its zip entry \"{}\"", escaped(name))
}
