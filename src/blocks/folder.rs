//! A folder of blocks of one configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::claim::CLAIM;
use super::differences::differences;
use super::{Block, BlockError, Claim, Claims, Damage, Patience};
use crate::files::{
    AtomicFile, Digest, FileError, read_bytes, read_json_bytes, remove_leftovers, write_atomically,
};

const CONFIGURATION: &str = "configuration.json";
const BLOCK: &str = ".block";
/// A damaged block is kept by this name until all are done, for whoever wants to know what
/// happened to it.
const DAMAGED: &str = ".damaged";

/// What stands between the name of a folder that is being removed and the process that does it.
const REMOVED: &str = ".removed-";

/// The claim on putting the blocks together.
const MERGE: &str = "merge";

/// What a folder of blocks keeps about its job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stored<C, A> {
    /// Everything that the blocks' bytes depend on, and how they are cut.
    pub configuration: C,
    /// What else is told about the job; it may differ from process to process, and the first one
    /// writes it.
    pub about: A,
}

/// A folder that a job has left, and what it keeps about the job.
pub type Found<C, A> = (BlockFolder, Stored<C, A>);

/// A folder of blocks of one configuration.
#[derive(Debug)]
pub struct BlockFolder {
    path: PathBuf,
    digest: Digest,
    /// The content of the configuration's file.
    text: Vec<u8>,
    claims: Claims,
}

/// What there is of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockState {
    /// Its file is there.
    Done,
    /// Claimed by a process, alive or dead.
    Claimed,
}

impl BlockFolder {
    /// Opens the folder for a job, and creates it where it is not there.
    ///
    /// # Errors
    /// [`BlockError::OtherConfiguration`], and files that cannot be read or written.
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
            claims: Claims::new(path, Patience::default()),
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

    /// Opens a folder that a job has left, by what it keeps about it; `None` where there is none.
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
            claims: Claims::new(path, Patience::default()),
        };
        Ok(Some((folder, stored)))
    }

    /// Whether a job has left a folder of blocks at `path`.
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

    /// What there is of which blocks, by name; read from the folder's list alone.
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
            } else if let Some((block, _)) = name.split_once(CLAIM) {
                states.entry(block.to_owned()).or_insert(BlockState::Claimed);
            }
        }
        Ok(states)
    }

    /// The names of the blocks whose files are there.
    pub fn done(&self) -> Result<BTreeSet<String>, BlockError> {
        let done = |(name, state)| (state == BlockState::Done).then_some(name);
        Ok(self.states()?.into_iter().filter_map(done).collect())
    }

    /// Those of `names` that are neither done nor claimed, in their order.
    pub fn free(&self, names: &[String]) -> Result<Vec<String>, BlockError> {
        let states = self.states()?;
        Ok(names.iter().filter(|name| !states.contains_key(*name)).cloned().collect())
    }

    /// Whether a block's file is there.
    pub fn has(&self, name: &str) -> bool {
        self.block(name).exists()
    }

    /// Claims a block, or anything else that one process should do; `None` where another has it.
    pub fn claim(&self, name: &str) -> Result<Option<Claim>, BlockError> {
        match self.claims.claim(name) {
            Err(FileError::Write { source, .. }) if source.kind() == ErrorKind::NotFound => {
                Err(BlockError::Gone { folder: self.path.clone() })
            }
            claimed => Ok(claimed?),
        }
    }

    /// Whether the process that has claimed a block may be alive.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn is_in_work(&self, name: &str) -> Result<bool, BlockError> {
        Ok(self.claims.is_claimed(name)?)
    }

    /// Claims putting the blocks together; `None` where another process does it.
    pub fn claim_merge(&self) -> Result<Option<Claim>, BlockError> {
        self.claim(MERGE)
    }

    /// Writes a block's file.
    pub fn write<R>(&self, name: &str, block: Block<R>) -> Result<(), BlockError>
    where
        R: Serialize + DeserializeOwned,
    {
        let path = self.block(name);
        let bytes = (block.encode(name, &self.digest))
            .map_err(|error| FileError::content(&path, error.to_string()))?;
        Ok(write_atomically(&path, |file| file.write_all(&bytes))?)
    }

    /// Reads a block's file; the inner error is its damage.
    pub fn read<R>(&self, name: &str) -> Result<Result<Block<R>, Damage>, BlockError>
    where
        R: Serialize + DeserializeOwned,
    {
        Ok(Block::decode(&read_bytes(&self.block(name))?, name, &self.digest))
    }

    /// Renames a damaged block's file, so that the block counts as missing.
    pub fn set_aside(&self, name: &str) -> Result<(), BlockError> {
        let path = self.block(name);
        match std::fs::rename(&path, path.with_extension(&DAMAGED[1..])) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(FileError::write(&path)(error).into())
            }
            _ => Ok(()),
        }
    }

    /// The file of a block.
    pub fn block(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}{BLOCK}"))
    }

    /// Removes the folder with all that is in it, and the folder around it if that is then empty.
    pub fn remove(&self) -> Result<(), BlockError> {
        Self::discard(&self.path)
    }

    /// Removes what processes that were killed have left in the folder around those of blocks,
    /// `blocks`, when all blocks in it are put together: folders that they were removing, and
    /// temporary files. Then `blocks` itself, if it is empty.
    pub fn remove_leftovers(blocks: &Path) {
        let Ok(entries) = std::fs::read_dir(blocks) else { return };
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().contains(REMOVED) {
                // Another process may be at it; what stays the next one will see.
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
        let _ = remove_leftovers(blocks);
        let _ = std::fs::remove_dir(blocks);
    }

    /// Checks that no live process works in the folder of blocks at `path`; `wait` is called while
    /// only time can tell.
    ///
    /// # Errors
    /// [`BlockError::InUse`]; files that cannot be read; what `wait` returns.
    pub fn check_unused<E: From<BlockError> + From<FileError>>(
        path: &Path,
        wait: impl FnMut() -> Result<(), E>,
    ) -> Result<(), E> {
        match Claims::new(path, Patience::default()).live_owner(wait)? {
            Some(owner) => Err(BlockError::InUse { folder: path.to_owned(), owner }.into()),
            None => Ok(()),
        }
    }

    /// Removes whatever folder of blocks is at `path`, of any configuration. It loses its name
    /// first, all at once: whoever still works in it finds it gone, and no block missing.
    pub fn discard(path: &Path) -> Result<(), BlockError> {
        let failed = |error| BlockError::from(FileError::write(path)(error));
        let mut number = 0;
        let aside = loop {
            let process = std::process::id();
            let aside = path.with_extension(format!("{}{process}-{number}", &REMOVED[1..]));
            match std::fs::rename(path, &aside) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                // A process of the same number, dead or elsewhere, has used the name.
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
            // Another process has taken it for the leftovers of a dead one.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            removed => removed.map_err(failed)?,
        }
        if let Some(parent) = path.parent() {
            // Not empty where there are blocks of the other kind.
            let _ = std::fs::remove_dir(parent);
        }
        Ok(())
    }

    /// Removes the folder again if nothing was put into it, and the folders around it that are
    /// empty then. Others that have just begun write the configuration once more.
    pub fn remove_if_empty(self) {
        let Self { path, claims, .. } = self;
        drop(claims);
        let names = || -> std::io::Result<Vec<_>> {
            std::fs::read_dir(&path)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
        };
        if names().is_ok_and(|names| names.iter().all(|name| name == CONFIGURATION)) {
            let _ = std::fs::remove_file(path.join(CONFIGURATION));
            // The folder of blocks, the folder of both kinds of them, and the output folder; none
            // goes that is not empty.
            for folder in path.ancestors().take(3) {
                if folder.as_os_str().is_empty() || std::fs::remove_dir(folder).is_err() {
                    break;
                }
            }
        }
    }

    /// Writes the configuration where it is missing, and reads what is there. Meanwhile another
    /// process may remove the folder as an [empty](Self::remove_if_empty) one.
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

    /// Checks that the folder is still of this configuration: another process may have started
    /// anew in it.
    ///
    /// # Errors
    /// [`BlockError::Replaced`].
    pub fn check_configuration(&self) -> Result<(), BlockError> {
        let file = self.path.join(CONFIGURATION);
        let text = match std::fs::read(&file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            text => text.map_err(FileError::read(&file))?,
        };
        // What else is told about the job may differ from process to process.
        let configuration = |text: &[u8]| -> Option<serde_json::Value> {
            serde_json::from_slice::<serde_json::Value>(text).ok()?.get("configuration").cloned()
        };
        if text == self.text || configuration(&text) == configuration(&self.text) {
            return Ok(());
        }
        Err(BlockError::Replaced { folder: self.path.clone() })
    }

    /// Writes the configuration where it is missing.
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
