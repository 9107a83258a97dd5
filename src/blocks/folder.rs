//! The folder of the blocks of one configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::differences::differences;
use super::lease::LEASE;
use super::{Block, BlockError, Damage, Lease, LeaseTimeouts, Leases};
use crate::files::{
    AtomicFile, Digest, FileError, read_bytes, read_json_bytes, remove_leftovers, write_atomically,
};

const CONFIGURATION: &str = "configuration.json";
const BLOCK: &str = ".block";
/// Suffix of a damaged block, which is kept for inspection until all blocks are done.
const DAMAGED: &str = ".damaged";

/// Separator between the name of a folder that is being removed and the number of the process.
const REMOVED: &str = ".removed-";

/// Name of the lease on merging.
const MERGE: &str = "merge";

/// Contents of the configuration's file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stored<C, A> {
    /// Everything that determines the blocks' bytes, and the cut into blocks.
    pub configuration: C,
    /// Other facts about the job, which may differ from process to process; written by the first.
    pub about: A,
}

/// An existing folder and its configuration.
pub type Found<C, A> = (BlockFolder, Stored<C, A>);

/// The folder of the blocks of one configuration.
#[derive(Debug)]
pub struct BlockFolder {
    path: PathBuf,
    digest: Digest,
    /// Content of the configuration's file.
    text: Vec<u8>,
    leases: Leases,
}

/// State of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockState {
    /// Its file exists.
    Done,
    /// A process has a lease on it; the process may be dead.
    Leased,
}

impl BlockFolder {
    /// Opens the folder for a job; creates it if it does not exist.
    ///
    /// # Errors
    /// [`BlockError::OtherConfiguration`]; files that cannot be read or written.
    pub fn open<C, A>(path: &Path, stored: &Stored<C, A>) -> Result<Self, BlockError>
    where
        C: Serialize,
        A: Serialize,
    {
        let file = path.join(CONFIGURATION);
        let json = |error: serde_json::Error| FileError::content(&file, error.to_string());
        let text = serde_json::to_vec_pretty(stored).map_err(json)?;
        let digest = Self::digest_of(&stored.configuration)?;
        let folder = Self {
            path: path.to_owned(),
            digest,
            text,
            leases: Leases::new(path, LeaseTimeouts::default()),
        };
        let found = folder.settle()?;
        let here = serde_json::to_value(stored).map_err(json)?;
        let part = |of: &serde_json::Value| of.get("configuration").cloned().unwrap_or_default();
        let differences = differences(&part(&found), &part(&here));
        if !differences.is_empty() {
            return Err(BlockError::OtherConfiguration { folder: path.to_owned(), differences });
        }
        Ok(folder)
    }

    /// Opens an existing folder with the configuration in it; `None` if there is no folder.
    ///
    /// # Errors
    /// A configuration that cannot be read.
    pub fn find<C, A>(path: &Path) -> Result<Option<Found<C, A>>, BlockError>
    where
        C: Serialize + DeserializeOwned,
        A: Serialize + DeserializeOwned,
    {
        let file = path.join(CONFIGURATION);
        if !file.exists() {
            return Ok(None);
        }
        let content = |error: serde_json::Error| {
            FileError::content(&file, format!("is no configuration of this version: {error}"))
        };
        let stored: Stored<C, A> = serde_json::from_value(read_json(&file)?).map_err(content)?;
        let folder = Self {
            path: path.to_owned(),
            digest: Self::digest_of(&stored.configuration)?,
            text: serde_json::to_vec_pretty(&stored).map_err(content)?,
            leases: Leases::new(path, LeaseTimeouts::default()),
        };
        Ok(Some((folder, stored)))
    }

    /// Whether a folder of blocks exists at `path`.
    pub fn is_there(path: &Path) -> bool {
        path.join(CONFIGURATION).exists()
    }

    /// The SHA-256 of a configuration, as compact JSON.
    pub fn digest_of(configuration: &impl Serialize) -> Result<Digest, BlockError> {
        let json = |error: serde_json::Error| {
            FileError::content(Path::new(CONFIGURATION), error.to_string())
        };
        Ok(serde_json::to_vec(configuration).map(|bytes| Digest::of(&bytes)).map_err(json)?)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The SHA-256 of the configuration.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The states of all blocks by name, from the folder's list alone.
    pub fn states(&self) -> Result<BTreeMap<String, BlockState>, BlockError> {
        let mut states = BTreeMap::new();
        let entries = match std::fs::read_dir(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(BlockError::Gone { folder: self.path.clone() });
            }
            entries => entries.map_err(FileError::read(&self.path))?,
        };
        for entry in entries {
            let name = entry.map_err(FileError::read(&self.path))?.file_name();
            let name = name.to_string_lossy();
            if let Some(block) = name.strip_suffix(BLOCK) {
                states.insert(block.to_owned(), BlockState::Done);
            } else if let Some((block, _)) = name.split_once(LEASE) {
                states.entry(block.to_owned()).or_insert(BlockState::Leased);
            }
        }
        Ok(states)
    }

    /// The names of finished blocks.
    pub fn done(&self) -> Result<BTreeSet<String>, BlockError> {
        let done = |(name, state)| (state == BlockState::Done).then_some(name);
        Ok(self.states()?.into_iter().filter_map(done).collect())
    }

    /// The blocks of `names` that are neither finished nor leased, in their order.
    pub fn free(&self, names: &[String]) -> Result<Vec<String>, BlockError> {
        let states = self.states()?;
        Ok(names.iter().filter(|name| !states.contains_key(*name)).cloned().collect())
    }

    /// Whether the block's file exists.
    pub fn has(&self, name: &str) -> bool {
        self.block(name).exists()
    }

    /// Acquires a lease on a block or on any other name; `None` if another process has it.
    pub fn lease(&self, name: &str) -> Result<Option<Lease>, BlockError> {
        match self.leases.acquire(name) {
            Err(FileError::Write { source, .. }) if source.kind() == ErrorKind::NotFound => {
                Err(BlockError::Gone { folder: self.path.clone() })
            }
            lease => Ok(lease?),
        }
    }

    /// Whether the owner of a block's lease may be alive.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn is_in_work(&self, name: &str) -> Result<bool, BlockError> {
        Ok(self.leases.is_leased(name)?)
    }

    /// Whether a process that may be alive merges the blocks.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn is_merging(&self) -> Result<bool, BlockError> {
        self.is_in_work(MERGE)
    }

    /// Acquires the lease on merging; `None` if another process has it.
    pub fn lease_merge(&self) -> Result<Option<Lease>, BlockError> {
        self.lease(MERGE)
    }

    /// Writes the file of a block.
    pub fn write<R>(&self, name: &str, block: Block<R>) -> Result<(), BlockError>
    where
        R: Serialize + DeserializeOwned,
    {
        let path = self.block(name);
        let bytes = (block.encode(name, &self.digest))
            .map_err(|error| FileError::content(&path, error.to_string()))?;
        Ok(write_atomically(&path, |file| file.write_all(&bytes))?)
    }

    /// Reads the file of a block; the inner error is its damage.
    pub fn read<R>(&self, name: &str) -> Result<Result<Block<R>, Damage>, BlockError>
    where
        R: Serialize + DeserializeOwned,
    {
        Ok(Block::decode(&read_bytes(&self.block(name))?, name, &self.digest))
    }

    /// Renames the file of a damaged block, so that the block counts as missing.
    pub fn set_aside(&self, name: &str) -> Result<(), BlockError> {
        let path = self.block(name);
        match std::fs::rename(&path, path.with_extension(&DAMAGED[1..])) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(FileError::write(&path)(error).into())
            }
            _ => Ok(()),
        }
    }

    /// Path of a block's file.
    pub fn block(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}{BLOCK}"))
    }

    /// Removes the folder and its contents, and then the parent folder if it is empty.
    pub fn remove(&self) -> Result<(), BlockError> {
        Self::discard(&self.path)
    }

    /// Removes what killed processes left in the parent folder, `blocks`, once all blocks are
    /// merged: folders that they were removing, and temporary files. Then removes `blocks` itself
    /// if it is empty.
    pub fn remove_leftovers(blocks: &Path) {
        let Ok(entries) = std::fs::read_dir(blocks) else { return };
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().contains(REMOVED) {
                // Another process may be removing the same; the next process sees what stays.
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
        let _ = remove_leftovers(blocks);
        let _ = std::fs::remove_dir(blocks);
    }

    /// Checks that no live process works in the folder at `path`. `wait` is called while only a
    /// heartbeat can decide.
    ///
    /// # Errors
    /// [`BlockError::InUse`]; files that cannot be read; errors of `wait`.
    pub fn check_unused<E: From<BlockError> + From<FileError>>(
        path: &Path,
        wait: impl FnMut() -> Result<(), E>,
    ) -> Result<(), E> {
        match Leases::new(path, LeaseTimeouts::default()).live_owner(wait)? {
            Some(owner) => Err(BlockError::InUse { folder: path.to_owned(), owner }.into()),
            None => Ok(()),
        }
    }

    /// Removes the folder at `path`, of any configuration. It is renamed first, atomically: a
    /// process that still works in it finds no folder, rather than a folder with missing blocks.
    pub fn discard(path: &Path) -> Result<(), BlockError> {
        let failed = |error| BlockError::from(FileError::write(path)(error));
        let mut number = 0;
        let aside = loop {
            let process = std::process::id();
            let aside = path.with_extension(format!("{}{process}-{number}", &REMOVED[1..]));
            match std::fs::rename(path, &aside) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                // The name was used by a process with the same number, dead or on another machine.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists
                    ) =>
                {
                    number += 1;
                }
                renamed => break renamed.map(|()| aside).map_err(failed)?,
            }
        };
        match std::fs::remove_dir_all(&aside) {
            // Another process has removed it as a leftover.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            removed => removed.map_err(failed)?,
        }
        if let Some(parent) = path.parent() {
            // Not empty if there are blocks of the other kind.
            let _ = std::fs::remove_dir(parent);
        }
        Ok(())
    }

    /// Removes the folder if it holds no blocks, and parent folders that are then empty. Other
    /// processes that have just started write the configuration once more.
    pub fn remove_if_empty(self) {
        let Self { path, leases, .. } = self;
        drop(leases);
        let names = || -> std::io::Result<Vec<_>> {
            std::fs::read_dir(&path)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
        };
        if names().is_ok_and(|names| names.iter().all(|name| name == CONFIGURATION)) {
            let _ = std::fs::remove_file(path.join(CONFIGURATION));
            // The folder of blocks, its parent and the output folder, as long as they are empty.
            for folder in path.ancestors().take(3) {
                if folder.as_os_str().is_empty() || std::fs::remove_dir(folder).is_err() {
                    break;
                }
            }
        }
    }

    /// Writes the configuration if it is missing, and reads it. Another process may meanwhile
    /// remove the folder as an [empty](Self::remove_if_empty) one.
    fn settle(&self) -> Result<serde_json::Value, BlockError> {
        let file = self.path.join(CONFIGURATION);
        let mut attempts = 16;
        loop {
            attempts -= 1;
            match self.ensure().and_then(|()| Ok(read_json(&file)?)) {
                Err(BlockError::File(error)) if error.is_not_found() && attempts > 0 => {}
                found => return found,
            }
        }
    }

    /// Checks that the folder still has this configuration: another process may have started anew
    /// in it.
    ///
    /// # Errors
    /// [`BlockError::Replaced`].
    pub fn check_configuration(&self) -> Result<(), BlockError> {
        let file = self.path.join(CONFIGURATION);
        let text = match std::fs::read(&file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            text => text.map_err(FileError::read(&file))?,
        };
        // Facts beside the configuration may differ from process to process.
        let configuration = |text: &[u8]| -> Option<serde_json::Value> {
            serde_json::from_slice::<serde_json::Value>(text).ok()?.get("configuration").cloned()
        };
        if text == self.text || configuration(&text) == configuration(&self.text) {
            return Ok(());
        }
        Err(BlockError::Replaced { folder: self.path.clone() })
    }

    /// Writes the configuration if it is missing.
    pub(super) fn ensure(&self) -> Result<(), BlockError> {
        let file = self.path.join(CONFIGURATION);
        if file.exists() {
            return Ok(());
        }
        std::fs::create_dir_all(&self.path).map_err(FileError::write(&self.path))?;
        let mut configuration = AtomicFile::create(&file)?;
        configuration.write_all(&self.text).map_err(FileError::write(&file))?;
        Ok(configuration.finish_unless_there()?)
    }
}

fn read_json(path: &Path) -> Result<serde_json::Value, FileError> {
    serde_json::from_slice(&read_json_bytes(path)?)
        .map_err(|error| FileError::content(path, format!("is damaged: {error}")))
}
