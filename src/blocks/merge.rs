//! Reading blocks to put them together.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Block, BlockError, BlockFolder, Damage};

/// What has become of blocks that were to be put together.
#[derive(Debug)]
pub enum Merged<T> {
    /// All were there.
    Done(T),
    /// Another process puts them together.
    Taken,
    /// Some are missing or damaged.
    Incomplete(Incomplete),
}

/// Blocks that are not there, and damaged ones.
#[derive(Debug, Default)]
pub struct Incomplete {
    /// The names of those that are not there.
    pub missing: Vec<String>,
    /// The names of those that are damaged, each with its damage.
    pub damaged: Vec<(String, Damage)>,
}

/// A block as `read_whole` found it: the record and the decoded payload, or the damage; `None`
/// where no folder has it.
pub type BlockRead<R, T> = Option<Result<(R, T), Damage>>;

impl Incomplete {
    /// Whether all blocks were there.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.damaged.is_empty()
    }

    /// The names of all.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.missing.iter().chain(self.damaged.iter().map(|(name, _)| name))
    }

    /// Adds those of `other`.
    pub fn extend(&mut self, other: Self) {
        self.missing.extend(other.missing);
        self.damaged.extend(other.damaged);
    }

    /// The content of a block that was read; one without is noted under its name.
    pub(crate) fn take<R, T>(&mut self, name: String, read: BlockRead<R, T>) -> Option<(R, T)> {
        match read {
            None => self.missing.push(name),
            Some(Err(damage)) => self.damaged.push((name, damage)),
            Some(Ok(block)) => return Some(block),
        }
        None
    }
}

/// Reads a block from the first of `sources` that has it whole; `decode` returns `None` for a
/// payload that is not this block's.
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
