//! Errors of runs.

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

/// Errors of runs. [`HasKind::kind`] says what a caller can do.
#[derive(Debug, Error)]
pub enum RunError {
    /// An error of a file.
    #[error(transparent)]
    File(#[from] FileError),
    /// An error of a folder of blocks.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// An invalid shard.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// An error of the network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// An error of the weights.
    #[error(transparent)]
    Model(Box<ModelError>),
    /// An error of the occluders.
    #[error(transparent)]
    Geometry(#[from] GeometryError),
    /// An error of the images.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// An error of a ranking.
    #[error(transparent)]
    Ranking(#[from] RankingError),
    /// An error of an engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// An error of a GPU.
    #[error(transparent)]
    Cuda(#[from] CudaError),
    /// An error of a layer's sweep.
    #[error("{layer}: {source}")]
    Layer {
        /// The layer's short name.
        layer: String,
        /// The error.
        source: Box<SweepError>,
    },
    /// An error of a sweep.
    #[error(transparent)]
    Sweep(#[from] SweepError),
    /// A text that cannot be parsed.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// Unusable or contradictory settings: found, expected, and the remedy.
    #[error("{0}")]
    Usage(String),
    /// An unusable output folder.
    #[error("the output folder cannot be used: {0}; choose another --out")]
    Output(#[source] FileError),
    /// A presentation with another result in the verification.
    #[error("{0}")]
    NotVerified(String),
    /// Missing or damaged blocks in a merge.
    #[error("{}", incomplete_message(.folder, .blocks))]
    Incomplete {
        /// The folder of blocks.
        folder: PathBuf,
        /// The blocks.
        blocks: Incomplete,
    },
    /// Incomplete maps without any blocks.
    #[error("{}: its maps are not complete, and there are no blocks; run again", .0.display())]
    NoBlocks(PathBuf),
    /// Threads that cannot be started.
    #[error("cannot start the threads: {0}; use fewer --threads, or raise `ulimit -u`")]
    Threads(#[from] ThreadPoolBuildError),
    /// A command of Slurm that cannot be started, or failed.
    #[error("{0}")]
    Slurm(String),
    /// A violated invariant of the library.
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

    /// Whether an image has changed since the images were ranked.
    pub(super) fn is_changed_image(&self) -> bool {
        match self {
            Self::Image(error) | Self::Sweep(SweepError::Image(error)) => error.is_changed(),
            Self::Layer { source, .. } => {
                matches!(&**source, SweepError::Image(error) if error.is_changed())
            }
            _ => false,
        }
    }

    /// Whether a folder of blocks was removed by the process that merged it.
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
            Self::Threads(_) | Self::Slurm(_) => ErrorKind::Device,
            Self::NotVerified(_) | Self::Internal(_) => ErrorKind::Internal,
        }
    }
}

/// Limit of listed blocks; the rest is counted.
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
