//! What can go wrong in a run.

use std::path::PathBuf;

use rayon::ThreadPoolBuildError;
use thiserror::Error;

use crate::blocks::{BlockError, Incomplete, ShardError};
use crate::engine::EngineError;
use crate::engine::cuda::CudaError;
use crate::error::{ErrorKind, HasKind, ParseError};
use crate::files::FileError;
use crate::geometry::GeometryError;
use crate::images::ImageError;
use crate::network::{ModelError, NetworkError};
use crate::ranking::RankingError;
use crate::sweep::SweepError;

/// What can go wrong in a run; [`HasKind::kind`] says what a caller can do about it.
#[derive(Debug, Error)]
pub enum RunError {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A folder of blocks.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// A share of the blocks.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// The network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The weights.
    #[error(transparent)]
    Model(Box<ModelError>),
    /// The occluders.
    #[error(transparent)]
    Geometry(#[from] GeometryError),
    /// The images.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A ranking.
    #[error(transparent)]
    Ranking(#[from] RankingError),
    /// An engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A GPU.
    #[error(transparent)]
    Cuda(#[from] CudaError),
    /// A layer's sweep.
    #[error("{layer}: {source}")]
    Layer {
        /// The layer's short name.
        layer: String,
        /// What went wrong.
        source: Box<SweepError>,
    },
    /// A sweep.
    #[error(transparent)]
    Sweep(#[from] SweepError),
    /// A text that does not say what it should.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// Settings that cannot be used, or not together: what was found, what was expected, and what
    /// to do.
    #[error("{0}")]
    Usage(String),
    /// The output folder cannot be used.
    #[error("the output folder cannot be used: {0}")]
    Output(#[source] FileError),
    /// A presentation that was not found again.
    #[error("{0}")]
    NotVerified(String),
    /// Blocks that should be put together are missing or damaged.
    #[error("{}", incomplete_message(.folder, .blocks))]
    Incomplete {
        /// The folder of blocks.
        folder: PathBuf,
        /// The blocks.
        blocks: Incomplete,
    },
    /// Maps that are not complete, without any blocks.
    #[error("{}: its maps are not complete, and there are no blocks; run again", .0.display())]
    NoBlocks(PathBuf),
    /// Threads cannot be started.
    #[error("cannot start the threads: {0}; use fewer --threads, or raise `ulimit -u`")]
    Threads(#[from] ThreadPoolBuildError),
    /// A rule of the library's own that does not hold.
    #[error("{0}; please report this")]
    Internal(String),
}

impl RunError {
    /// A [`RunError::Usage`].
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    /// A [`RunError::Layer`] of a layer, for `map_err`.
    pub(super) fn layer(name: &str) -> impl FnOnce(SweepError) -> Self {
        let layer = name.to_owned();
        move |source| Self::Layer { layer, source: Box::new(source) }
    }

    /// Whether a folder of blocks was removed meanwhile: by the process that put them together.
    pub(super) const fn is_gone(&self) -> bool {
        matches!(self, Self::Block(BlockError::Gone { .. }))
    }
}

impl From<ModelError> for RunError {
    fn from(error: ModelError) -> Self {
        Self::Model(Box::new(error))
    }
}

impl HasKind for RunError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::File(error) => error.kind(),
            Self::Block(error) => error.kind(),
            Self::Shard(error) => error.kind(),
            Self::Network(error) => error.kind(),
            Self::Model(error) => error.kind(),
            Self::Geometry(error) => error.kind(),
            Self::Image(error) => error.kind(),
            Self::Ranking(error) => error.kind(),
            Self::Engine(error) => error.kind(),
            Self::Cuda(error) => error.kind(),
            Self::Layer { source, .. } => source.kind(),
            Self::Sweep(error) => error.kind(),
            Self::Parse(_) | Self::Usage(_) => ErrorKind::Usage,
            Self::Output(_) => ErrorKind::Output,
            Self::Incomplete { .. } | Self::NoBlocks(_) => ErrorKind::Input,
            Self::Threads(_) => ErrorKind::Device,
            Self::NotVerified(_) | Self::Internal(_) => ErrorKind::Internal,
        }
    }
}

/// Blocks that a message lists; the rest is counted.
const LISTED: usize = 20;

fn incomplete_message(folder: &std::path::Path, blocks: &Incomplete) -> String {
    let missing = blocks.missing.iter().map(|name| format!("  {name}: is missing"));
    let damaged = blocks.damaged.iter().map(|(name, damage)| format!("  {name}: {damage}"));
    let lines: Vec<String> = damaged.chain(missing).collect();
    let more = match lines.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!("\n  and {more} more"),
    };
    format!(
        "{}: {} missing or damaged:\n{}{more}\ngive the shards' command again: it \
         computes what is missing",
        folder.display(),
        match lines.len() {
            1 => "1 block is".into(),
            number => format!("{number} blocks are"),
        },
        lines[..lines.len().min(LISTED)].join("\n"),
    )
}
