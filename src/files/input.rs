//! Reading files of unknown origin: regular files of a bounded size.

use std::fs::{File, Metadata};
use std::io::Read;
use std::path::Path;

use super::FileError;

/// Default limit of files that are read whole, in bytes.
pub const MOST_BYTES: u64 = 4 << 30;

/// Limit of JSON texts, in bytes. A parsed text may take sixteen times as much memory.
const MOST_JSON_BYTES: u64 = 64 << 20;

/// The bytes of a JSON text.
///
/// # Errors
/// Those of [`read_at_most`].
pub fn read_json_bytes(path: &Path) -> Result<Vec<u8>, FileError> {
    read_at_most(path, MOST_JSON_BYTES)
}

/// Opens a file for reading, with its length in bytes.
///
/// # Errors
/// A file that cannot be opened, or is not a regular file: reading a pipe or a device may never
/// end.
pub fn open_regular(path: &Path) -> Result<(File, u64), FileError> {
    // Opening a pipe blocks until it has a writer, so the kind is checked first.
    let metadata = std::fs::metadata(path).map_err(FileError::read(path))?;
    if let Some(kind) = special_kind(&metadata) {
        return Err(FileError::content(path, format!("is {kind}; expected a regular file")));
    }
    let file = File::open(path).map_err(FileError::read(path))?;
    let length = file.metadata().map_err(FileError::read(path))?.len();
    Ok((file, length))
}

/// The whole of a regular file of at most `most` bytes.
///
/// # Errors
/// Those of [`open_regular`]; a file that cannot be read, or is longer.
pub fn read_at_most(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    let (file, length) = open_regular(path)?;
    let too_long = |found: String| {
        FileError::content(path, format!("has {found} bytes; at most {most} are read"))
    };
    if length > most {
        return Err(too_long(length.to_string()));
    }
    let mut bytes = Vec::with_capacity(length as usize);
    // The length is not trusted: files in `/proc` report 0, and files may grow.
    file.take(most + 1).read_to_end(&mut bytes).map_err(FileError::read(path))?;
    if bytes.len() as u64 > most {
        return Err(too_long(format!("more than {most}")));
    }
    Ok(bytes)
}

/// The kind of a file that is not regular, in words.
fn special_kind(metadata: &Metadata) -> Option<&'static str> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        let kind = metadata.file_type();
        if kind.is_fifo() {
            return Some("a named pipe");
        }
        if kind.is_socket() {
            return Some("a socket");
        }
        if kind.is_char_device() || kind.is_block_device() {
            return Some("a device");
        }
    }
    if metadata.is_dir() {
        return Some("a folder");
    }
    (!metadata.is_file()).then_some("of an unknown kind")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, [7; 100]).unwrap();
        assert_eq!(read_at_most(&path, 100).unwrap(), [7; 100]);
        let error = read_at_most(&path, 99).unwrap_err().to_string();
        assert!(error.contains("a: has 100 bytes; at most 99 are read"), "{error}");
        assert!(read_at_most(&folder.path().join("b"), 9).unwrap_err().is_not_found());
        let error = read_at_most(folder.path(), 9).unwrap_err().to_string();
        assert!(error.contains("is a folder; expected a regular file"), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn devices_pipes_and_endless_files_are_refused_at_once() {
        let error = |path: &Path| read_at_most(path, 1 << 20).unwrap_err().to_string();
        assert!(
            error(Path::new("/dev/zero")).contains("/dev/zero: is a device; expected a regular")
        );
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        assert!(error(&pipe).contains("pipe: is a named pipe; expected a regular"));
        let socket = folder.path().join("socket");
        let _listening = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(error(&socket).contains("socket: is a socket; expected a regular"));
        // Its length is 0 by its metadata.
        let error = read_at_most(Path::new("/proc/self/maps"), 10).unwrap_err().to_string();
        assert!(error.contains("more than 10 bytes; at most 10"), "{error}");
        // A sparse file of 2^43 bytes.
        let endless = folder.path().join("endless");
        File::create(&endless).unwrap().set_len(1 << 43).unwrap();
        let error = read_at_most(&endless, MOST_BYTES).unwrap_err().to_string();
        assert!(error.contains("endless: has 8796093022208 bytes"), "{error}");
    }
}
