//! What a sweep's blocks depend on, and how it is cut into them.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::manifest::VerificationRecord;
use super::{MeanOver, Plane};
use crate::blocks::Stored;
use crate::engine::EngineName;
use crate::files::Digest;
use crate::geometry::{Deposit, FrameRule, GridRule};
use crate::images::ImageConfiguration;
use crate::network::{MAX_CHANNELS, ModelConfiguration};

/// What a sweep keeps beside its blocks.
pub type StoredSweep = Stored<SweepConfiguration, SweepAbout>;

/// Everything that the bytes of a sweep's maps depend on, and how it is cut into blocks. Not how
/// it is computed: threads, memory, batches and shards change nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepConfiguration {
    /// The program's version: another may round differently.
    pub program: String,
    /// The engine that presents the images.
    pub engine: EngineName,
    /// The network and its weights.
    pub model: ModelConfiguration,
    /// The images.
    pub images: ImageConfiguration,
    /// SHA-256 of the SHA-256 of all their files.
    pub images_sha256: Digest,
    /// What was asked for.
    pub settings: SweepParameters,
    /// The layers.
    pub layers: Vec<LayerConfiguration>,
}

/// The parameters of a sweep: what decides the values of its maps, whatever the layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepParameters {
    /// Images a unit, at either end of the ranking.
    pub top: usize,
    /// The noise, `philox:SEED`.
    pub noise: String,
    /// The occluder grid.
    pub grid: GridRule,
    /// Every so many-th occluder of the grid is presented.
    pub every: usize,
    /// The rule by which the maps' frames are found.
    pub frame: FrameRule,
    /// Where discrepancies are added.
    pub deposit: Deposit,
    /// Draws of the noise for each occluder.
    pub repeats: usize,
    /// Over which images a pixel's mean is taken.
    pub mean_over: MeanOver,
    /// Whether standard errors and counts are kept.
    pub statistics: bool,
    /// Whether means of signed and of squared differences are kept.
    pub moments: bool,
    /// Whether reliabilities of the first 2, 4, 8, … images are kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reliability_curve: bool,
}

impl SweepParameters {
    /// What is kept of each pixel.
    pub fn planes(&self) -> Vec<Plane> {
        Plane::of(self.statistics, self.moments, self.reliability_curve)
    }
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
    /// What the names of its tensors begin with, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_prefix: Option<String>,
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
    /// Whether the maps are the same: all but how they are cut into blocks.
    pub fn same_maps(&self, other: &Self) -> bool {
        Self { block: self.block, ..other.clone() } == *self
    }

    /// The units that are swept, ascending.
    pub fn swept_units(&self) -> Vec<usize> {
        self.swept.clone().unwrap_or_else(|| (0..self.units).collect())
    }

    /// The blocks, in the order of their units.
    pub fn blocks(&self) -> Vec<BlockUnits> {
        let units = self.swept_units();
        let block = |units: &[usize]| {
            let (first, last) = (units[0], units[units.len() - 1]);
            BlockUnits { name: format!("{}-{first}-{last}", self.layer), units: units.to_vec() }
        };
        units.chunks(self.block.max(1)).map(block).collect()
    }
}

impl SweepConfiguration {
    /// The layer of a short name.
    pub fn layer(&self, name: &str) -> Option<&LayerConfiguration> {
        self.layers.iter().find(|layer| layer.layer == name)
    }

    /// Adds layers of another sweep of the same network, in the network's order.
    pub fn add_layers<'a>(&mut self, more: impl IntoIterator<Item = &'a LayerConfiguration>) {
        self.layers.extend(more.into_iter().cloned());
        let layers = self.model.description["layers"].as_array().cloned().unwrap_or_default();
        let place = |name: &str| layers.iter().position(|layer| layer["name"] == *name);
        self.layers.sort_by_key(|layer| place(&layer.name));
    }

    /// What tells one sweep's results from another's, whatever the layers and the ranking.
    pub fn comparable(&self) -> impl Serialize + use<> {
        #[derive(Serialize)]
        struct Comparable {
            program: String,
            engine: EngineName,
            model: ModelConfiguration,
            images: ImageConfiguration,
            settings: SweepParameters,
        }
        let Self { program, engine, model, images, settings, .. } = self.clone();
        // The network's digest tells its layers already.
        let model = ModelConfiguration { description: Value::Null, ..model };
        Comparable { program, engine, model, images, settings }
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
