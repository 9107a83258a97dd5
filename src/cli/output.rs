//! Output folders and files: checked before the work, created after all other checks.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::failure::Failure;
use crate::files::FileError;

/// A folder that a command may write into.
#[derive(Debug)]
pub(super) struct OutputFolder(PathBuf);

impl OutputFolder {
    /// Checks that `path` can become, or is, a folder of ours: not there, or empty but for the
    /// entries in `known`, or `force`.
    pub fn check(path: &Path, force: bool, known: &[&str]) -> Result<Self, Failure> {
        if path.exists() && !path.is_dir() {
            let path = path.display();
            return Err(Failure::usage(format!("{path}: is a file; --out needs a folder")));
        }
        if path.is_dir() && !force {
            for entry in std::fs::read_dir(path).map_err(FileError::read(path))? {
                let name = entry.map_err(FileError::read(path))?.file_name();
                if !known.iter().any(|known| name == **known) {
                    return Err(Failure::usage(format!(
                        "{}: is not empty (it holds {}); choose another --out, or give --force to \
                         replace files of the same names",
                        path.display(),
                        name.display()
                    )));
                }
            }
        }
        check_writable(path)?;
        Ok(Self(path.to_owned()))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Creates a folder inside it, and itself.
    pub fn create(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.0.join(name);
        std::fs::create_dir_all(&path).map_err(FileError::write(&path))?;
        Ok(path)
    }
}

/// Checks that a file can be written at `path`: nothing is there, or `force`.
pub(super) fn check_file(path: &Path, force: bool) -> Result<(), Failure> {
    if path.is_dir() {
        return Err(Failure::usage(format!("{}: is a folder; expected a file", path.display())));
    }
    if path.exists() && !force {
        return Err(Failure::usage(format!(
            "{}: exists; choose another name, or give --force to replace it",
            path.display()
        )));
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => {
            if !parent.is_dir() {
                let parent = parent.display();
                return Err(Failure::usage(format!("{parent}: there is no such folder")));
            }
            check_writable(parent)
        }
        _ => check_writable(Path::new(".")),
    }
}

/// Tries to write where `path` is or would be created; leaves nothing behind.
fn check_writable(path: &Path) -> Result<(), Failure> {
    let existing = path.ancestors().find(|ancestor| ancestor.exists());
    let folder = match existing {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    tempfile::tempfile_in(folder)
        .map(drop)
        .map_err(FileError::write(path))
        .context("the output folder cannot be used")?;
    Ok(())
}
