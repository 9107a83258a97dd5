//! `manifest.json`: the origin of the maps.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{SweepAbout, SweepConfiguration};
use crate::files::{Digest, FileError, read_json_bytes, remove_file, write_json};
use crate::sweep::Verification;

/// The manifest of a folder of maps; `docs/formats.md` explains each field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// `occlumap maps`.
    pub format: String,
    /// Version of the format.
    pub version: u32,
    /// Whether the maps of every layer of the configuration exist.
    pub complete: bool,
    /// SHA-256 of the configuration as compact JSON.
    pub configuration_sha256: Digest,
    /// Everything that determines the maps' bytes.
    pub configuration: SweepConfiguration,
    /// Other facts about the sweep.
    pub about: SweepAbout,
    /// The layers with maps, by short name.
    pub layers: BTreeMap<String, LayerRecord>,
}

/// One layer in a [`Manifest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerRecord {
    /// Number of presentations.
    pub presentations: u64,
    /// Of each side, `max` and `min`, how many units stopped at how many images; absent if all have all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<BTreeMap<String, BTreeMap<usize, usize>>>,
    /// Maps without any occluder, because the image cuts the RF to less than an occluder; they
    /// count as zeros.
    pub maps_without_occluders: u64,
    /// Seconds of all processes together.
    pub seconds: f64,
    /// Numbers of threads of the processes, each once.
    pub threads: BTreeSet<usize>,
    /// The devices, each once: `cpu`, or number and name of a GPU.
    pub devices: BTreeSet<String>,
    /// SHA-256 of each file.
    pub files: BTreeMap<String, Digest>,
    /// Outcome of the verification; `null` without one.
    pub verified: Option<VerificationRecord>,
}

/// A layer's verification in a [`Manifest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerificationRecord {
    /// Presentations repeated with whole images in 64 bits.
    pub presentations: u64,
    /// Largest error of a difference, as a part of the largest difference of its map.
    pub largest_error: f64,
    /// Tolerance of the engine's precision.
    pub tolerance: f64,
    /// Whether all errors are within the tolerance.
    pub passed: bool,
}

impl From<&Verification> for VerificationRecord {
    fn from(found: &Verification) -> Self {
        Self {
            presentations: found.presentations,
            largest_error: found.largest_error,
            tolerance: found.tolerance,
            passed: found.beyond.is_none(),
        }
    }
}

impl VerificationRecord {
    /// Both records as one.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        Self {
            presentations: self.presentations + other.presentations,
            largest_error: self.largest_error.max(other.largest_error),
            tolerance: self.tolerance,
            passed: self.passed && other.passed,
        }
    }
}

impl Manifest {
    /// Value of [`Manifest::format`].
    pub const FORMAT: &'static str = "occlumap maps";
    /// Version written and read by this program.
    pub const VERSION: u32 = 2;
    /// The manifest's file name.
    pub const FILE: &'static str = "manifest.json";

    /// The manifest of a sweep without maps; `digest` is that of the configuration.
    pub fn new(configuration: SweepConfiguration, digest: Digest, about: SweepAbout) -> Self {
        Self {
            format: Self::FORMAT.into(),
            version: Self::VERSION,
            complete: false,
            configuration_sha256: digest,
            configuration,
            about,
            layers: BTreeMap::new(),
        }
    }

    /// The manifest of `folder`; `None` if there is none of this version.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn read(folder: &Path) -> Result<Option<Self>, FileError> {
        let path = folder.join(Self::FILE);
        if !path.exists() {
            return Ok(None);
        }
        let read: Option<Self> = serde_json::from_slice(&read_json_bytes(&path)?).ok();
        let ours = |read: &Self| read.format == Self::FORMAT && read.version == Self::VERSION;
        Ok(read.filter(ours))
    }

    /// Removes the manifest of `folder` if there is one.
    pub fn remove(folder: &Path) -> Result<(), FileError> {
        remove_file(&folder.join(Self::FILE))
    }

    /// Writes the manifest into `folder`.
    pub fn write(&self, folder: &Path) -> Result<(), FileError> {
        write_json(&folder.join(Self::FILE), self)
    }
}
