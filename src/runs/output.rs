//! Output folders and files, checked before the work and created after all other checks.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::layout::{self, BLOCKS, MAPS, RANKING};
use super::sized::sized_folders;
use super::{RunError, Share};
use crate::blocks::BlockFolder;
use crate::files::{FileError, remove_leftovers};
use crate::maps::Manifest;
use crate::ranking::RankingManifest;

/// A folder for results.
#[derive(Clone, Debug)]
pub struct OutputFolder(PathBuf);

impl OutputFolder {
    /// Checks that `path` can become, or is, a folder for results: absent, or empty except for the
    /// entries in `known`, or any folder with `force`.
    ///
    /// # Errors
    /// A folder that cannot be written, or has other contents.
    pub fn check(path: &Path, force: bool, known: &[&str]) -> Result<Self, RunError> {
        for folder in [path.to_owned(), path.join(RANKING), path.join(MAPS), path.join(BLOCKS)] {
            // The nearest existing ancestor; a dangling link counts.
            let there = folder.ancestors().find(|ancestor| is_there(ancestor));
            if let Some(there) = there.filter(|there| !there.is_dir()) {
                let problem = if there.exists() { "is a file" } else { "is a link to nowhere" };
                let there = there.display();
                return Err(RunError::usage(format!("{there}: {problem}; --out needs a folder")));
            }
        }
        if path.is_dir() && !force {
            for entry in std::fs::read_dir(path).map_err(FileError::read(path))? {
                let name = entry.map_err(FileError::read(path))?.file_name();
                if !known.iter().any(|known| name == **known) && !is_harmless(path, &name) {
                    return Err(RunError::usage(format!(
                        "{}: is not empty (it holds {}); choose another --out, or \
                         replace files of the same names with --force",
                        path.display(),
                        name.display()
                    )));
                }
            }
        }
        check_writable(path)?;
        Ok(Self(path.to_owned()))
    }

    /// Checks that files of these names can be written into a folder: it may hold others, and these
    /// with `force`.
    ///
    /// # Errors
    /// As [`check`](Self::check); an existing file without `force`.
    pub fn check_files(
        path: &Path,
        names: impl IntoIterator<Item = impl AsRef<Path>>,
        force: bool,
    ) -> Result<Self, RunError> {
        let output = Self::check(path, true, &[])?;
        if path.is_dir() {
            for name in names {
                check_file(&path.join(name), force)?;
            }
        }
        Ok(output)
    }

    /// As [`check`](Self::check), but a folder with results is accepted too. The work itself checks
    /// their configuration.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn check_or_resume(path: &Path, force: bool, known: &[&str]) -> Result<Self, RunError> {
        // Another process may be starting in the folder.
        Self::check(path, force || Self::is_ours(path), &[known, &[BLOCKS]].concat())
    }

    /// A folder with results.
    ///
    /// # Errors
    /// A folder without results.
    pub fn find(path: &Path) -> Result<Self, RunError> {
        if !Self::is_ours(path) {
            return Err(FileError::content(
                path,
                "holds no results of occlumap; expected the --out of a `run`, `rank` or `sweep`",
            )
            .into());
        }
        Ok(Self(path.to_owned()))
    }

    /// The manifest of the existing maps.
    ///
    /// # Errors
    /// An unreadable manifest or one of another version, which must not be overwritten.
    pub(super) fn manifest(&self) -> Result<Option<Manifest>, RunError> {
        let manifest = Manifest::read(&self.0)?;
        let path = self.0.join(Manifest::FILE);
        if manifest.is_none() && is_there(&path) {
            let (format, version) = (Manifest::FORMAT, Manifest::VERSION);
            return Err(RunError::usage(format!(
                "{}: is not a manifest of `{format}`, version {version}; choose another --out; \
                 `run`, `rank` and `sweep` with --force start anew",
                path.display()
            )));
        }
        Ok(manifest)
    }

    /// Whether maps exist, finished or not.
    pub(super) fn has_maps(&self) -> bool {
        self.0.join(Manifest::FILE).is_file() || BlockFolder::is_there(&self.blocks(MAPS))
    }

    /// Checks that maps of one size and folders of several sizes do not meet: `sizes` are the names of the
    /// folders that are to be written, if any.
    ///
    /// # Errors
    /// Maps of the other kind in the folder.
    pub(super) fn check_sizes(&self, sizes: &[String]) -> Result<(), RunError> {
        let out = self.0.display();
        let folders = sized_folders(&self.0)?;
        let there = folders.iter().find(|folder| Self::is_ours(folder));
        let problem = match (sizes.first(), there) {
            (Some(size), _) if self.has_maps() => format!(
                "{out}: holds maps of one size of occluders, beside which {size} would be overlooked; \
                 choose another --out for several sizes, such as {}",
                self.0.join("sizes").display()
            ),
            (None, Some(size)) => format!(
                "{out}: holds folders of several sizes of occluders ({}), beside which maps of one size \
                 would be overlooked; choose another --out, or give two sizes or more",
                size.file_name().unwrap_or_default().display()
            ),
            _ => return Ok(()),
        };
        Err(RunError::usage(problem))
    }

    /// Whether a ranking exists.
    pub(super) fn has_ranking(&self) -> bool {
        RankingManifest::is_there(&self.0.join(RANKING))
    }

    /// Whether the folder has results of a command.
    pub(super) fn is_ours(path: &Path) -> bool {
        [RANKING, MAPS].into_iter().any(|kind| BlockFolder::is_there(&layout::blocks(path, kind)))
            || path.join(Manifest::FILE).is_file()
            || RankingManifest::is_there(&path.join(RANKING))
    }

    /// The folder at `path`, checked before or empty.
    pub(super) const fn of(path: PathBuf) -> Self {
        Self(path)
    }

    /// The folder at `path`, if it has results of a command.
    pub(super) fn ours(path: &Path) -> Option<Self> {
        Self::is_ours(path).then(|| Self(path.to_owned()))
    }

    /// Folder of the blocks of rankings or of maps.
    pub(super) fn blocks(&self, kind: &str) -> PathBuf {
        layout::blocks(&self.0, kind)
    }

    /// Removes what processes left that were killed after a merge: the blocks of `kind`, if there
    /// are none or if they are complete and of this configuration; folders in removal; temporary
    /// files. Requires the results to exist.
    pub(super) fn clear<C: Serialize + DeserializeOwned>(
        &self,
        kind: &str,
        configuration: &C,
        names: &[String],
    ) -> Result<(), RunError> {
        let digest = BlockFolder::digest_of(configuration)?;
        // Unreadable or removed blocks stay as they are.
        let found = BlockFolder::find::<C, serde_json::Value>(&self.blocks(kind)).ok().flatten();
        if let Some((folder, _)) = found.filter(|(folder, _)| *folder.digest() == digest)
            && let Ok(done) = folder.done()
        {
            if !names.iter().all(|name| done.contains(name)) {
                folder.remove_if_empty();
            } else if let Ok(Some(_lease)) = folder.lease_merge() {
                if kind == MAPS {
                    // Of the manifest, which is only written under this lease.
                    remove_leftovers(&self.0)?;
                }
                folder.remove()?;
            }
        }
        BlockFolder::remove_leftovers(&self.0.join(BLOCKS));
        Ok(())
    }

    /// The note of a process that has finished its share and leaves the rest to others.
    pub(super) fn shard_note(&self, share: &Share) -> String {
        let (out, shard) = (self.0.display(), share.shard);
        format!(
            "shard {shard} is done; when all are, `occlumap merge {out}` puts them together \
             (`occlumap status {out}` tells)"
        )
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Creates a folder in it, and the folder itself.
    ///
    /// # Errors
    /// A folder that cannot be made.
    pub fn create(&self, name: &str) -> Result<PathBuf, FileError> {
        let path = self.0.join(name);
        std::fs::create_dir_all(&path).map_err(FileError::write(&path))?;
        Ok(path)
    }
}

/// Whether an entry does not count as content: hidden files of systems and file servers
/// (`.DS_Store`, `.nfs…`), and logs of the command itself.
fn is_harmless(folder: &Path, name: &OsStr) -> bool {
    const LOGS: [&str; 3] = ["log", "out", "err"];
    let path = Path::new(name);
    let is_log = name.as_encoded_bytes().starts_with(b"log")
        || path.extension().is_some_and(|ending| LOGS.iter().any(|log| ending == *log));
    name.as_encoded_bytes().starts_with(b".") || is_log && folder.join(path).is_file()
}

/// Checks that a file can be written at `path`: no file exists, or `force`.
///
/// # Errors
/// An existing file without `force`; a path that cannot be written.
pub fn check_file(path: &Path, force: bool) -> Result<(), RunError> {
    let wrong = |problem| Err(RunError::usage(format!("{}: {problem}", path.display())));
    if path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return wrong("is a folder; expected a file");
    }
    // A pipe or a device would be replaced, not written to.
    if path.exists() && !path.is_file() {
        return wrong("is not a regular file; choose another name");
    }
    if is_there(path) && !force {
        return wrong("exists; choose another name, or give --force to replace it");
    }
    let folder = folder_of(path);
    if !folder.is_dir() {
        let folder = folder.display();
        return Err(RunError::usage(format!("{folder}: there is no such folder")));
    }
    check_writable(folder)
}

/// Whether two paths name the same file, existing or not.
pub(super) fn is_same_file(one: &Path, other: &Path) -> bool {
    let folder = |path: &Path| folder_of(path).canonicalize().ok();
    one == other || (one.file_name() == other.file_name() && folder(one) == folder(other))
}

/// The folder of a file.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Whether the name exists, also as a dangling link.
fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Tries to write where `path` is or would be created, without a trace.
fn check_writable(path: &Path) -> Result<(), RunError> {
    let existing = path.ancestors().find(|ancestor| ancestor.exists());
    let folder = match existing {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    tempfile::tempfile_in(folder)
        .map(drop)
        .map_err(|error| RunError::Output(FileError::write(path)(error)))
}
