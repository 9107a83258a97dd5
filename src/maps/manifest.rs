//! `manifest.json`: what the maps were made from, and how.

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
    /// Whether the maps of every layer of the configuration are there.
    pub complete: bool,
    /// SHA-256 of the configuration as compact JSON.
    pub configuration_sha256: Digest,
    /// Everything that the maps' bytes depend on.
    pub configuration: SweepConfiguration,
    /// What else is told about the sweep.
    pub about: SweepAbout,
    /// The layers whose maps are there, by short name.
    pub layers: BTreeMap<String, LayerRecord>,
}

/// One layer in a [`Manifest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerRecord {
    /// Presentations.
    pub presentations: u64,
    /// Maps that no occluder went into, since the image cuts the RF to less than an occluder;
    /// they count as zeros.
    pub maps_without_occluders: u64,
    /// Seconds, of all processes together.
    pub seconds: f64,
    /// Threads of the processes, each number once.
    pub threads: BTreeSet<usize>,
    /// The devices that computed, each once: `cpu`, or a GPU's number and name.
    pub devices: BTreeSet<String>,
    /// SHA-256 of the files.
    pub files: BTreeMap<String, Digest>,
    /// What presenting some of it again showed; `null` where that was not asked for.
    pub verified: Option<VerificationRecord>,
}

/// A layer's verification in a [`Manifest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerificationRecord {
    /// Presentations that were presented again, whole and in 64 bits.
    pub presentations: u64,
    /// The largest error of a difference, as a part of the largest difference of its map.
    pub largest_error: f64,
    /// What the engine's precision allows, up to the rounding of responses.
    pub tolerance: f64,
    /// Whether all were within it.
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
    /// Both in one.
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
    /// What [`Manifest::format`] says.
    pub const FORMAT: &'static str = "occlumap maps";
    /// The version that this program writes.
    pub const VERSION: u32 = 2;
    /// The manifest's file name.
    pub const FILE: &'static str = "manifest.json";

    /// The manifest of a sweep without any maps yet; `digest` is that of the configuration.
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

    /// The manifest of `folder`; `None` where there is none, or none of this version.
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

    /// Removes the manifest of `folder`, where there is one.
    pub fn remove(folder: &Path) -> Result<(), FileError> {
        remove_file(&folder.join(Self::FILE))
    }

    /// Writes the manifest into `folder`.
    pub fn write(&self, folder: &Path) -> Result<(), FileError> {
        write_json(&folder.join(Self::FILE), self)
    }
}
