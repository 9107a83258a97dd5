//! What a sweep's blocks depend on, and how it is cut into them.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::manifest::{Manifest, ModelRecord, SettingsRecord, VerificationRecord, processor};
use crate::VERSION;
use crate::blocks::Stored;
use crate::files::Digest;
use crate::geometry::ImageSize;
use crate::network::MAX_CHANNELS;

/// What a sweep keeps beside its blocks.
pub type StoredSweep = Stored<SweepConfiguration, SweepAbout>;

/// Everything that the bytes of a sweep's maps depend on, and how it is cut into blocks. Not how
/// it is computed: threads, memory, batches and shards change nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepConfiguration {
    /// The program's version: another may round differently.
    pub program: String,
    /// The engine that presents the images.
    pub engine: String,
    /// The network and its weights.
    pub model: ModelConfiguration,
    /// The images.
    pub images: ImageConfiguration,
    /// What was asked for.
    pub settings: SettingsRecord,
    /// Presentations of each layer that are presented again.
    pub verify: u64,
    /// The layers.
    pub layers: Vec<LayerConfiguration>,
}

/// The network in a [`SweepConfiguration`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelConfiguration {
    /// The network's name.
    pub name: String,
    /// SHA-256 of its layers.
    pub network_sha256: Digest,
    /// SHA-256 of the weight file.
    pub weights_sha256: Digest,
    /// Its layers, as a model description.
    pub description: Value,
}

/// The images in a [`SweepConfiguration`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageConfiguration {
    /// Their size.
    pub size: ImageSize,
    /// How they are preprocessed.
    pub preprocessing: String,
    /// SHA-256 of the SHA-256 of all their files.
    pub sha256: Digest,
    /// File names in the order of the images' indices.
    pub names: Vec<String>,
}

/// A layer in a [`SweepConfiguration`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerConfiguration {
    /// The layer's short name.
    pub layer: String,
    /// The framework's name of it.
    pub name: String,
    /// Its units.
    #[serde(deserialize_with = "units")]
    pub units: usize,
    /// The units to sweep, ascending; `null` where it is all.
    pub swept: Option<Vec<usize>>,
    /// The RF's side length in pixels.
    pub rf: usize,
    /// Side length of an occluder in pixels.
    pub occluder_size: usize,
    /// Pixels between neighbouring occluders.
    pub occluder_stride: usize,
    /// Presentations.
    pub presentations: u64,
    /// SHA-256 of what of the ranking is swept.
    pub ranking_sha256: Digest,
    /// Units a block.
    pub block: usize,
}

/// What else is told about a sweep, by the process that began it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepAbout {
    /// When it began, in seconds since 1970-01-01 UTC.
    pub started_unix: u64,
    /// The weight file, as it was named.
    pub weights: String,
    /// The folder of images, as it was named.
    pub images: String,
    /// Seconds that ranking took, where that is known.
    pub ranking_seconds: Option<f64>,
}

/// What is told about a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockRecord {
    /// Presentations.
    pub presentations: u64,
    /// Maps that no occluder went into.
    pub maps_without_occluders: u64,
    /// Seconds that it took.
    pub seconds: f64,
    /// On so many threads.
    pub threads: usize,
    /// On which device: `cpu`, or a GPU's number and name.
    #[serde(default = "processor")]
    pub device: String,
    /// What presenting some of it again showed; `null` where that was not asked for.
    pub verified: Option<VerificationRecord>,
}

/// Units that are computed together and kept in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockUnits {
    /// The block's name: the layer, the first and the last unit, such as `conv3-0-12`.
    pub name: String,
    /// The units, ascending.
    pub units: Vec<usize>,
}

/// Presentations of a block, about: some minutes' work for two cores, a moment's for a GPU. Work
/// in hand when a process is killed is lost; a block's file costs about as much as a few thousand
/// presentations.
const PRESENTATIONS: u64 = 2_000_000;
/// The most that a block's maps may take, in bytes.
const BYTES: u64 = 64 << 20;

/// How many units a block has where nothing else is asked for; by `presentations` of a unit at
/// most, and `planes` of `rf` × `rf` pixels.
pub fn units_a_block(presentations: u64, rf: usize, planes: usize) -> usize {
    let bytes = 2 * (planes * rf * rf * size_of::<f64>()) as u64;
    (PRESENTATIONS / presentations.max(1)).min(BYTES / bytes.max(1)).max(1) as usize
}

/// Reads a layer's number of units: no more than a network can have.
fn units<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let units = usize::deserialize(deserializer)?;
    if units > MAX_CHANNELS {
        let problem = format!("a layer of {units} units; expected at most {MAX_CHANNELS}");
        return Err(D::Error::custom(problem));
    }
    Ok(units)
}

impl LayerConfiguration {
    /// The blocks, in the order of their units.
    pub fn blocks(&self) -> Vec<BlockUnits> {
        let units = self.swept.clone().unwrap_or_else(|| (0..self.units).collect());
        let block = |units: &[usize]| {
            let (first, last) = (units[0], units[units.len() - 1]);
            BlockUnits { name: format!("{}-{first}-{last}", self.layer), units: units.to_vec() }
        };
        units.chunks(self.block.max(1)).map(block).collect()
    }
}

impl SweepConfiguration {
    /// The manifest of the sweep, with no layer in it yet; `digest` is that of the configuration.
    pub fn manifest(&self, digest: &Digest, about: &SweepAbout) -> Manifest {
        Manifest {
            format: Manifest::FORMAT.into(),
            version: Manifest::VERSION,
            program: VERSION.into(),
            complete: false,
            started_unix: about.started_unix,
            configuration_sha256: digest.clone(),
            model: ModelRecord {
                name: self.model.name.clone(),
                network_sha256: self.model.network_sha256.clone(),
                description: self.model.description.clone(),
                weights: about.weights.clone(),
                weights_sha256: self.model.weights_sha256.clone(),
            },
            images: super::ImageRecord {
                folder: about.images.clone(),
                size: self.images.size,
                preprocessing: self.images.preprocessing.clone(),
                names: self.images.names.clone(),
            },
            settings: self.settings.clone(),
            engine: self.engine.clone(),
            ranking_seconds: about.ranking_seconds,
            layers: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_about_as_much_work_and_never_too_large_maps() {
        // AlexNet's conv1 and conv5, with a hundred images at either end.
        assert_eq!(units_a_block(200 * 121, 11, 1), 82);
        assert_eq!(units_a_block(200 * 361, 163, 1), 27);
        assert_eq!(units_a_block(0, 11, 1), (64 << 20) / (2 * 8 * 121));
        assert_eq!(units_a_block(0, 11, 5), (64 << 20) / (5 * 2 * 8 * 121));
        assert_eq!(units_a_block(1, 10_000, 1), 1);
    }

    #[test]
    fn blocks_are_named_by_their_units() {
        let digest = Digest::of(b"");
        let mut layer = LayerConfiguration {
            layer: "conv3".into(),
            name: "features.6".into(),
            units: 10,
            swept: None,
            rf: 99,
            occluder_size: 9,
            occluder_stride: 4,
            presentations: 1,
            ranking_sha256: digest,
            block: 4,
        };
        let names = |layer: &LayerConfiguration| -> Vec<String> {
            layer.blocks().into_iter().map(|block| block.name).collect()
        };
        assert_eq!(names(&layer), ["conv3-0-3", "conv3-4-7", "conv3-8-9"]);
        layer.swept = Some(vec![1, 2, 5, 6, 9]);
        assert_eq!(names(&layer), ["conv3-1-6", "conv3-9-9"]);
        assert_eq!(layer.blocks()[0].units, [1, 2, 5, 6]);
    }
}
