//! Work that is cut into blocks: each is computed once and kept in a file.
//!
//! The configuration alone determines the names of the blocks, so any process with the same
//! configuration finds the finished blocks and continues with the rest. Processes that share a
//! folder acquire *leases* on blocks, so no two live processes compute the same block. A block that
//! is computed twice, after a lease was wrongly taken over, costs time only: both copies have the
//! same bytes. `docs/cluster.md` explains why this holds on shared file systems.

mod block;
mod differences;
mod folder;
mod lease;
mod merge;
mod owner;
mod shard;
mod work;

pub use block::{Block, Damage};
pub use folder::{BlockFolder, BlockState, Found, Stored};
pub use lease::{Lease, LeaseTimeouts, Leases};
pub(crate) use merge::read_whole;
pub use merge::{BlockRead, Incomplete, Merged};
pub use shard::{Shard, ShardError};
pub use work::Taken;

use std::path::{Path, PathBuf};

use serde::Serialize;

use thiserror::Error;

use crate::error::{ErrorKind, HasKind};
use crate::files::{FileError, escaped, shown};

/// Errors of a folder of blocks.
#[derive(Debug, Error)]
pub enum BlockError {
    /// A file that cannot be read or written, or has wrong content.
    #[error(transparent)]
    File(#[from] FileError),
    /// The folder holds blocks of another job.
    #[error(
        "{}: holds the results of another job, which differs in\n{}\nchoose another --out; `run`, \
         `rank` and `sweep` with --force start anew",
        shown(folder),
        lines(differences)
    )]
    OtherConfiguration {
        /// The folder.
        folder: PathBuf,
        /// A line for each difference: the field, its value there, its value here.
        differences: Vec<String>,
    },
    /// Another process works in the folder.
    #[error(
        "{}: another process is at work here ({}); stop it first, or wait until it is done",
        shown(folder),
        escaped(owner)
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// The process, and the machine that it runs on.
        owner: String,
    },
    /// Another process started anew in the folder, with another configuration.
    #[error(
        "{}: another process has started anew here (--force), with another configuration; choose \
         another --out",
        shown(folder)
    )]
    Replaced {
        /// The folder.
        folder: PathBuf,
    },
    /// A thread cannot be started.
    #[error(
        "{}: no thread can be started to work here: {error}; raise `ulimit -u`, or use fewer \
         --threads",
        shown(folder)
    )]
    Threads {
        /// The folder.
        folder: PathBuf,
        /// The system's error.
        error: std::io::Error,
    },
    /// The folder was removed by another process.
    #[error("{}: was removed by another process during the work; run again", shown(folder))]
    Gone {
        /// The folder.
        folder: PathBuf,
    },
}

fn lines(differences: &[String]) -> String {
    differences.iter().map(|line| escaped(line).to_string()).collect::<Vec<_>>().join("\n")
}

impl BlockError {
    /// [`BlockError::OtherConfiguration`] if what `folder` holds was made from something else.
    pub fn between(folder: &Path, there: &impl Serialize, here: &impl Serialize) -> Option<Self> {
        let value = |of: serde_json::Result<serde_json::Value>| of.unwrap_or_default();
        let (there, here) = (serde_json::to_value(there), serde_json::to_value(here));
        let differences = differences::differences(&value(there), &value(here));
        let folder = folder.to_owned();
        (!differences.is_empty()).then_some(Self::OtherConfiguration { folder, differences })
    }
}

impl HasKind for BlockError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::File(error) => error.kind(),
            Self::OtherConfiguration { .. } | Self::InUse { .. } => ErrorKind::Usage,
            Self::Gone { .. } | Self::Replaced { .. } => ErrorKind::Output,
            Self::Threads { .. } => ErrorKind::Device,
        }
    }
}
