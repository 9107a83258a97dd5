//! Reading blocks in order to merge them.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Block, BlockError, BlockFolder, Damage};

/// Outcome of a merge.
#[derive(Debug)]
pub enum Merged<T> {
    /// All blocks were there.
    Done(T),
    /// Another process is merging.
    Taken,
    /// Blocks are missing or damaged.
    Incomplete(Incomplete),
}

/// Missing and damaged blocks.
#[derive(Debug, Default)]
pub struct Incomplete {
    /// The names of missing blocks.
    pub missing: Vec<String>,
    /// The names of damaged blocks, each with its damage.
    pub damaged: Vec<(String, Damage)>,
}

/// The result of `read_whole`: the record and the decoded payload, or the damage; `None` if no
/// folder has the block.
pub type BlockRead<R, T> = Option<Result<(R, T), Damage>>;

impl Incomplete {
    /// Whether no block is missing or damaged.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.damaged.is_empty()
    }

    /// The names of all missing and damaged blocks.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.missing.iter().chain(self.damaged.iter().map(|(name, _)| name))
    }

    /// Adds the blocks of `other`.
    pub fn extend(&mut self, other: Self) {
        self.missing.extend(other.missing);
        self.damaged.extend(other.damaged);
    }

    /// The content of a block; notes the name of a missing or damaged one.
    pub(crate) fn take<R, T>(&mut self, name: String, read: BlockRead<R, T>) -> Option<(R, T)> {
        match read {
            None => self.missing.push(name),
            Some(Err(damage)) => self.damaged.push((name, damage)),
            Some(Ok(block)) => return Some(block),
        }
        None
    }
}

/// Reads a block from the first of `sources` that has it intact. `decode` returns `None` for the
/// payload of another block.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn read_whole<R, T>(
    sources: &[&BlockFolder],
    name: &str,
    decode: impl Fn(&R, Vec<u8>) -> Option<T>,
) -> Result<BlockRead<R, T>, BlockError>
where
    R: Serialize + DeserializeOwned,
{
    let mut found = None;
    for source in sources.iter().filter(|source| source.has(name)) {
        let read = source.read::<R>(name)?.and_then(|Block { record, payload }| {
            match decode(&record, payload) {
                Some(content) => Ok((record, content)),
                None => Err(Damage::Content("it holds the results of another block".into())),
            }
        });
        if read.is_ok() {
            return Ok(Some(read));
        }
        found = Some(read);
    }
    Ok(found)
}
