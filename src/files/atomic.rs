//! Atomic writing: a file is complete or absent.

use std::fs::{File, Permissions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tempfile::{NamedTempFile, PersistError};

use super::{Digest, FileError};

/// Prefix and suffix of the names of temporary files.
const TEMPORARY: [&str; 2] = [".occlumap-", ".tmp"];

/// A new temporary file in `folder`, deleted unless it is renamed.
pub fn temporary_in(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY[0]).suffix(TEMPORARY[1]);
    // Temporary files are private by default; results are as readable as the umask allows.
    #[cfg(unix)]
    builder.permissions(<Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// A file in the making: a temporary file beside `path`, renamed to `path` when it is finished and
/// deleted otherwise. A reader sees the old file or the new one, never a part; after an error or a
/// crash the old file is still there.
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    writer: BufWriter<NamedTempFile>,
    hasher: Sha256,
}

impl AtomicFile {
    /// Starts writing `path`.
    pub fn create(path: &Path) -> Result<Self, FileError> {
        let temporary = temporary_in(folder_of(path)).map_err(FileError::write(path))?;
        let writer = BufWriter::with_capacity(1 << 20, temporary);
        Ok(Self { path: path.to_owned(), writer, hasher: Sha256::new() })
    }

    /// The file's final name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Flushes the file to the disk and renames it; returns the digest of the content.
    pub fn finish(self) -> Result<Digest, FileError> {
        self.persist(|temporary, path| temporary.persist(path).map(drop))
    }

    /// As [`finish`](Self::finish), unless `path` exists by now: the existing file stays, and the
    /// new one is deleted.
    pub fn finish_unless_there(self) -> Result<(), FileError> {
        let rename = |temporary: NamedTempFile, path: &Path| match temporary.persist_noclobber(path)
        {
            Err(failed) if failed.error.kind() == ErrorKind::AlreadyExists => Ok(()),
            outcome => outcome.map(drop),
        };
        self.persist(rename).map(drop)
    }

    fn persist(
        self,
        rename: impl FnOnce(NamedTempFile, &Path) -> Result<(), PersistError>,
    ) -> Result<Digest, FileError> {
        let Self { path, writer, hasher } = self;
        let persist = || -> io::Result<()> {
            let temporary = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
            temporary.as_file().sync_all()?;
            rename(temporary, &path).map_err(|failed| failed.error)?;
            // A rename is durable only once the folder is flushed too. Some file systems cannot
            // flush a folder; the file is complete all the same.
            if let Ok(folder) = File::open(folder_of(&path)) {
                let _ = folder.sync_all();
            }
            Ok(())
        };
        persist().map_err(FileError::write(&path))?;
        Ok(Digest::finish(hasher))
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.writer.write(bytes)?;
        self.hasher.update(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Deletes the temporary files that killed writers left in a folder. No other process may be
/// writing there.
pub fn remove_leftovers(folder: &Path) -> Result<(), FileError> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(FileError::read(folder))?,
    };
    for entry in entries {
        let entry = entry.map_err(FileError::read(folder))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(TEMPORARY[0]) && name.ends_with(TEMPORARY[1]) {
            std::fs::remove_file(entry.path()).map_err(FileError::write(&entry.path()))?;
        }
    }
    Ok(())
}

/// Writes `path` atomically through `fill`.
pub fn write_atomically(
    path: &Path,
    fill: impl FnOnce(&mut AtomicFile) -> io::Result<()>,
) -> Result<(), FileError> {
    let mut file = AtomicFile::create(path)?;
    fill(&mut file).map_err(FileError::write(path))?;
    file.finish().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write_atomically(&path, |w| w.write_all(b"old")).unwrap();
        let failed = write_atomically(&path, |w| {
            w.write_all(b"new")?;
            Err(io::Error::other("disk full"))
        });
        assert!(failed.unwrap_err().to_string().contains("disk full"));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_there_stays_where_it_should() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        for text in ["first", "second"] {
            let mut file = AtomicFile::create(&path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file.finish_unless_there().unwrap();
        }
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn leftovers_and_nothing_else_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".occlumap-a1.tmp", ".occlumap-a1", "a.tmp"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        remove_leftovers(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
        remove_leftovers(&folder.path().join("absent")).unwrap();
    }
}
