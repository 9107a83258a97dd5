//! What can be wrong with a folder of maps that is to be looked at.

use std::path::{Path, PathBuf};

use serde_json::Value;
use thiserror::Error;

use crate::files::{FileError, read_bytes};
use crate::geometry::GeometryError;
use crate::images::ImageError;
use crate::maps::Manifest;
use crate::network::NetworkError;
use crate::ranking::{Provenance, RankingError};

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
    /// A layer whose maps are not there.
    #[error("{}: there are no maps of `{}`; there are those of {known}", folder.display(), asked.escape_debug())]
    UnknownLayer {
        /// The folder.
        folder: PathBuf,
        /// The name asked for.
        asked: String,
        /// The layers that are there.
        known: String,
    },
}

/// Why a folder has no manifest with a finished layer: not made by us, not finished, or a ranking
/// alone.
pub(super) fn not_finished(folder: &Path) -> FileError {
    let expected = "expected the --out of a `run` or `sweep`";
    let shown = folder.display();
    let manifest = folder.join(Manifest::FILE);
    let problem = if !folder.is_dir() {
        format!("there is no such folder; {expected}")
    } else if folder.join("blocks").is_dir() {
        format!(
            "is not finished, and none of its layers is; `occlumap status {shown}` tells how far it \
             is, and the command that began it goes on"
        )
    } else if manifest.is_file() {
        return FileError::content(&manifest, other_manifest(&manifest, expected));
    } else if Provenance::is_there(&folder.join(super::RANKING)) {
        "holds a ranking and no maps; `occlumap sweep` makes them".into()
    } else {
        format!("holds no results of occlumap (there is no {}); {expected}", Manifest::FILE)
    };
    FileError::content(folder, problem)
}

/// What a file is that is no manifest of finished maps.
fn other_manifest(path: &Path, expected: &str) -> String {
    let (format, version) = (Manifest::FORMAT, Manifest::VERSION);
    let read = read_bytes(path).ok();
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

/// What tells the images of a folder from those that the maps were made from, if anything does.
pub(super) fn other_images(found: &[String], expected: &[String]) -> Option<String> {
    if let Some(index) = (0..found.len().min(expected.len())).find(|&i| found[i] != expected[i]) {
        return Some(format!(
            "image {index} is {}; the maps were made from a folder where it is {}",
            found[index].escape_debug(),
            expected[index].escape_debug()
        ));
    }
    (found.len() != expected.len()).then(|| {
        let (found, expected) = (found.len(), expected.len());
        format!("holds {found} images; the maps were made from a folder of {expected}")
    })
}
