//! Errors of a folder of maps.

use std::path::{Path, PathBuf};

use serde_json::Value;
use thiserror::Error;

use crate::error::{ErrorKind, HasKind};
use crate::files::{FileError, escaped, read_json_bytes, shown};
use crate::geometry::GeometryError;
use crate::images::ImageError;
use crate::maps::Manifest;
use crate::network::NetworkError;
use crate::ranking::{RankingError, RankingManifest};
use crate::runs::{layout, sized_folders};

/// Why maps cannot be looked at.
#[derive(Debug, Error)]
pub enum ResultsError {
    /// The folder, or a file in it, cannot be read or is not what it should be.
    #[error(transparent)]
    File(#[from] FileError),
    /// The ranking.
    #[error(transparent)]
    Ranking(#[from] RankingError),
    /// The images.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The network does not go with the images.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The occluders do not go with the images.
    #[error(transparent)]
    Geometry(#[from] GeometryError),
    /// Images that cannot be shown without rankings.
    #[error(
        "{}: there are no rankings beside the maps; --ranking names them",
        shown(.0)
    )]
    NoRanking(PathBuf),
    /// A layer whose maps are not there.
    #[error(
        "{}: there are no maps of `{}`; there are those of {known}",
        shown(folder),
        escaped(asked)
    )]
    UnknownLayer {
        /// The folder.
        folder: PathBuf,
        /// The name asked for.
        asked: String,
        /// The layers that are there.
        known: String,
    },
}

impl HasKind for ResultsError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::File(error) => error.kind(),
            Self::Ranking(error) => error.kind(),
            Self::Image(error) => error.kind(),
            Self::Network(_) | Self::Geometry(_) => ErrorKind::Input,
            Self::NoRanking(_) | Self::UnknownLayer { .. } => ErrorKind::Usage,
        }
    }
}

/// Why a folder has no manifest with a finished layer: not made by us, not finished, or a ranking
/// alone.
pub(super) fn not_finished(folder: &Path) -> FileError {
    let expected = "expected the --out of a `run` or `sweep`";
    let shown = shown(folder);
    let manifest = folder.join(Manifest::FILE);
    let problem = if !folder.is_dir() {
        format!("there is no such folder; {expected}")
    } else if folder.join(layout::BLOCKS).is_dir() {
        format!(
            "is not finished, and none of its layers is; `occlumap status {shown}` tells how far it \
             is, and the command that began it goes on"
        )
    } else if manifest.is_file() {
        return FileError::content(&manifest, other_manifest(&manifest, expected));
    } else if let Some(first) =
        sized_folders(folder).ok().and_then(|sizes| sizes.into_iter().next())
    {
        format!(
            "holds maps of several sizes of occluders; expected one of them, such as {}",
            self::shown(&first)
        )
    } else if RankingManifest::is_there(&folder.join(layout::RANKING)) {
        "holds a ranking and no maps; `occlumap sweep` makes them".into()
    } else {
        format!("holds no results of occlumap (there is no {}); {expected}", Manifest::FILE)
    };
    FileError::content(folder, problem)
}

/// The problem of a file that is no manifest of finished maps.
fn other_manifest(path: &Path, expected: &str) -> String {
    let (format, version) = (Manifest::FORMAT, Manifest::VERSION);
    let read = read_json_bytes(path).ok();
    let read: Option<Value> = read.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    match read.as_ref().map(|read| (&read["format"], read["version"].as_u64())) {
        Some((Value::String(found), Some(other)))
            if found == format && other != u64::from(version) =>
        {
            format!(
                "is of version {other}, and this program reads version {version}; sweep once more \
                 with --force, or use the program that wrote it"
            )
        }
        _ => format!("not a manifest of finished `{format}` of version {version}; {expected}"),
    }
}
