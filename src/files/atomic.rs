//! Writing a file so that it is there whole or not at all.

use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::{Digest, FileError};

/// A file that is being written: a temporary one beside `path`, which is renamed to it when it
/// is finished, and deleted if it never is. A reader sees the old file or the new one, never a
/// part; after an error or a crash the old one is still there.
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    writer: BufWriter<NamedTempFile>,
    hasher: Sha256,
}

impl AtomicFile {
    /// Begins to write `path`.
    pub fn create(path: &Path) -> Result<Self, FileError> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".occlumap-").suffix(".tmp");
        // A temporary file is private by default; a result is as readable as the umask says.
        #[cfg(unix)]
        builder.permissions(<Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666));
        let temporary = builder.tempfile_in(folder_of(path)).map_err(FileError::write(path))?;
        let writer = BufWriter::with_capacity(1 << 20, temporary);
        Ok(Self { path: path.to_owned(), writer, hasher: Sha256::new() })
    }

    /// The file's final name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Flushes the file to the disk and gives it its name; returns the digest of its content.
    pub fn finish(self) -> Result<Digest, FileError> {
        let Self { path, writer, hasher } = self;
        let persist = || -> io::Result<()> {
            let temporary = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
            temporary.as_file().sync_all()?;
            temporary.persist(&path).map_err(|error| error.error)?;
            // The rename itself is safe only once the folder is on the disk too. Some file
            // systems refuse to sync a folder; the file is whole all the same.
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

/// Writes `path` through `fill`, as an [`AtomicFile`].
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
}
