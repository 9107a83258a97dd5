//! `manifest.json`: what the maps were made from, and how.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{MeanOver, Plane};
use crate::files::{Digest, FileError, read_bytes, write_text};
use crate::geometry::{Deposit, FrameRule, GridRule, ImageSize};
use crate::sweep::Verification;

/// The manifest of a folder of maps; `docs/formats.md` explains each field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// `occlumap maps`.
    pub format: String,
    /// Version of the format.
    pub version: u32,
    /// Version of the program.
    pub program: String,
    /// Whether every layer asked for is there.
    pub complete: bool,
    /// When the run began, in seconds since 1970-01-01 UTC.
    pub started_unix: u64,
    /// SHA-256 of the sweep's configuration: everything that the maps' bytes depend on.
    pub configuration_sha256: Digest,
    /// The network and its weights.
    pub model: ModelRecord,
    /// The images.
    pub images: ImageRecord,
    /// What was asked for.
    pub settings: SettingsRecord,
    /// The engine that presented the images.
    pub engine: String,
    /// Seconds that ranking took; `null` where the ranking was there already.
    pub ranking_seconds: Option<f64>,
    /// The layers whose maps are there, by short name.
    pub layers: BTreeMap<String, LayerRecord>,
}

/// The network in a [`Manifest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelRecord {
    /// The network's name.
    pub name: String,
    /// SHA-256 of its layers.
    pub network_sha256: Digest,
    /// Its layers, as a model description ([`crate::network::Network::description`]); `null` where
    /// an earlier build of the program did not tell.
    #[serde(default)]
    pub description: Value,
    /// The weight file, as it was named.
    pub weights: String,
    /// Its SHA-256.
    pub weights_sha256: Digest,
}

/// The images in a [`Manifest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// The folder, as it was named.
    pub folder: String,
    /// Their size.
    pub size: ImageSize,
    /// How they were preprocessed.
    pub preprocessing: String,
    /// File names in the order of the images' indices.
    pub names: Vec<String>,
}

/// The sweep's settings in a [`Manifest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettingsRecord {
    /// Images a unit, at either end of the ranking.
    pub top: usize,
    /// The noise, `philox:SEED`.
    pub noise: String,
    /// The occluder grid.
    pub grid: GridRule,
    /// Every so many-th occluder was presented.
    pub every: usize,
    /// How the maps' frames were found.
    pub frame: FrameRule,
    /// Where discrepancies were added.
    pub deposit: Deposit,
    /// Draws of the noise for each occluder.
    #[serde(default = "one")]
    pub repeats: usize,
    /// Over which images a pixel's mean was taken.
    #[serde(default)]
    pub mean_over: MeanOver,
    /// Whether standard errors and counts were kept.
    #[serde(default)]
    pub statistics: bool,
    /// Whether means of signed and of squared differences were kept.
    #[serde(default)]
    pub moments: bool,
}

/// What there was before there was a choice.
const fn one() -> usize {
    1
}

/// What there was before there were GPUs.
fn processors() -> BTreeSet<String> {
    BTreeSet::from([processor()])
}

/// As [`processors`].
pub(super) fn processor() -> String {
    "cpu".into()
}

impl SettingsRecord {
    /// What is told about the maps.
    pub fn planes(&self) -> Vec<Plane> {
        Plane::of(self.statistics, self.moments)
    }
}

/// One layer in a [`Manifest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerRecord {
    /// The framework's name of the layer.
    pub name: String,
    /// Units of the layer, the first axis of the maps.
    pub units: usize,
    /// The units that were swept; the others are NaN. `null` where all were.
    pub swept: Option<Vec<usize>>,
    /// The RF's side length in pixels, the other axes of the maps.
    pub rf: usize,
    /// Side length of an occluder in pixels.
    pub occluder_size: usize,
    /// Pixels between neighbouring occluders.
    pub occluder_stride: usize,
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
    #[serde(default = "processors")]
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

    /// What of the manifest tells one configuration from another.
    pub fn comparable(&self) -> impl Serialize + use<> {
        #[derive(Serialize)]
        struct Comparable {
            program: String,
            engine: String,
            model: ModelRecord,
            images: ImageRecord,
            settings: SettingsRecord,
        }
        let Self { program, engine, model, images, settings, .. } = self.clone();
        Comparable {
            program,
            engine,
            // Paths may differ, and the layers' digest tells them already.
            model: ModelRecord { weights: String::new(), description: Value::Null, ..model },
            images: ImageRecord { folder: String::new(), ..images },
            settings,
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
        let read: Option<Self> = serde_json::from_slice(&read_bytes(&path)?).ok();
        let ours = |read: &Self| read.format == Self::FORMAT && read.version == Self::VERSION;
        Ok(read.filter(ours))
    }

    /// Removes the manifest of `folder`, where there is one.
    pub fn remove(folder: &Path) -> Result<(), FileError> {
        let path = folder.join(Self::FILE);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(FileError::write(&path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Writes the manifest into `folder`.
    pub fn write(&self, folder: &Path) -> Result<(), FileError> {
        let path = folder.join(Self::FILE);
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| FileError::content(&path, error.to_string()))?;
        write_text(&path, &(text + "\n"))
    }
}
