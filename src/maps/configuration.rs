//! The configuration of a sweep, and its cut into blocks.

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
use crate::network::{MAX_CHANNELS, MapContext, ModelConfiguration};
use crate::noise::FillRule;

/// The contents of a sweep's folder of blocks, beside the blocks.
pub type StoredSweep = Stored<SweepConfiguration, SweepAbout>;

/// Everything that determines the bytes of a sweep's maps, and the cut into blocks. Threads,
/// memory, batches and shards change nothing and are absent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepConfiguration {
    /// Version of the program: versions may round differently.
    pub program: String,
    /// The engine that presents the images.
    pub engine: EngineName,
    /// The network and its weights.
    pub model: ModelConfiguration,
    /// The images.
    pub images: ImageConfiguration,
    /// SHA-256 of the SHA-256 of all image files.
    pub images_sha256: Digest,
    /// The parameters of the sweep.
    pub settings: SweepParameters,
    /// The layers.
    pub layers: Vec<LayerConfiguration>,
}

/// The parameters of a sweep, equal for all layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepParameters {
    /// Images per unit, at either end of the ranking.
    pub top: usize,
    /// The noise, `philox:SEED`.
    pub noise: String,
    /// Fill of the occluders; absent for noise.
    #[serde(default, skip_serializing_if = "FillRule::is_noise")]
    pub fill: FillRule,
    /// The value of each channel, of a constant fill, to be rounded to 32 bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill_values: Option<Vec<f64>>,
    /// The occluder grid.
    pub grid: GridRule,
    /// Every N-th occluder of the grid is presented.
    pub every: usize,
    /// The rule for the maps' frames.
    pub frame: FrameRule,
    /// The part of a map to which a discrepancy is added.
    pub deposit: Deposit,
    /// Draws of the noise per occluder.
    pub repeats: usize,
    /// The images over which the mean of a pixel is taken.
    pub mean_over: MeanOver,
    /// Whether standard errors and counts are stored.
    pub statistics: bool,
    /// Whether means of signed and of squared differences are stored.
    pub moments: bool,
    /// Treatment of gates during a presentation; absent for networks without gates.
    #[serde(default, skip_serializing_if = "MapContext::is_exact")]
    pub context: MapContext,
    /// Whether reliabilities of the first 2, 4, 8, … images are kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reliability_curve: bool,
    /// The split-half reliability at which a side of a unit stops; absent if all images are presented.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_reliable: Option<f64>,
}

impl SweepParameters {
    /// The planes stored for each map.
    pub fn planes(&self) -> Vec<Plane> {
        Plane::of(self.statistics, self.moments, self.reliability_curve)
    }
}

/// A layer in a [`SweepConfiguration`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerConfiguration {
    /// The layer's short name.
    pub layer: String,
    /// The framework's name of the layer.
    pub name: String,
    /// Number of units.
    #[serde(deserialize_with = "units")]
    pub units: usize,
    /// The swept units, ascending; `null` for all.
    pub swept: Option<Vec<usize>>,
    /// The RF's side length in pixels.
    pub rf: usize,
    /// Side length of an occluder in pixels.
    pub occluder_size: usize,
    /// Pixels between neighbouring occluders.
    pub occluder_stride: usize,
    /// Number of presentations, on all images.
    pub presentations: u64,
    /// SHA-256 of the swept part of the ranking.
    pub ranking_sha256: Digest,
    /// Units per block.
    pub block: usize,
}

/// Facts about a sweep that change no byte, written by the process that started it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepAbout {
    /// Start, in seconds since 1970-01-01 UTC.
    pub started_unix: u64,
    /// The weight file, as given.
    pub weights: String,
    /// Prefix of the tensors' names, if one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_prefix: Option<String>,
    /// The folder of images, as given.
    pub images: String,
    /// Seconds of the ranking, if known.
    pub ranking_seconds: Option<f64>,
}

/// The record of a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockRecord {
    /// Number of presentations.
    pub presentations: u64,
    /// Presentations on images behind those at which units stopped.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub spared: u64,
    /// Maps without any occluder.
    pub maps_without_occluders: u64,
    /// Seconds of computation.
    pub seconds: f64,
    /// Number of threads.
    pub threads: usize,
    /// The device: `cpu`, or number and name of a GPU.
    pub device: String,
    /// Outcome of the verification; `null` without one.
    pub verified: Option<VerificationRecord>,
}

/// Whether a number is zero, and left out.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Units that are computed together and stored in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockUnits {
    /// The block's name: the layer, the first and the last unit, such as `conv3-0-12`.
    pub name: String,
    /// The units, ascending.
    pub units: Vec<usize>,
}

/// Presentations of a block, roughly: some minutes on two cores, a moment on a GPU. A killed
/// process loses its current block; writing a block costs as much as a few thousand presentations.
const PRESENTATIONS: u64 = 2_000_000;
/// Limit of a block's maps, in bytes.
const BYTES: u64 = 64 << 20;

/// Default number of units per block, for units of at most `presentations` each and `planes` planes
/// of `rf` × `rf` pixels.
pub fn units_a_block(presentations: u64, rf: usize, planes: usize) -> usize {
    let bytes = 2 * (planes * rf * rf * size_of::<f64>()) as u64;
    (PRESENTATIONS / presentations.max(1)).min(BYTES / bytes.max(1)).max(1) as usize
}

/// Reads a layer's number of units, limited to what a network can have.
fn units<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let units = usize::deserialize(deserializer)?;
    if units > MAX_CHANNELS {
        let problem = format!("a layer of {units} units; expected at most {MAX_CHANNELS}");
        return Err(D::Error::custom(problem));
    }
    Ok(units)
}

impl LayerConfiguration {
    /// Whether the maps are equal: everything but the cut into blocks.
    pub fn same_maps(&self, other: &Self) -> bool {
        Self { block: self.block, ..other.clone() } == *self
    }

    /// The swept units, ascending.
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
    /// The layer with this short name.
    pub fn layer(&self, name: &str) -> Option<&LayerConfiguration> {
        self.layers.iter().find(|layer| layer.layer == name)
    }

    /// Adds layers of another sweep of the same network, in the network's order.
    pub fn add_layers<'a>(&mut self, more: impl IntoIterator<Item = &'a LayerConfiguration>) {
        self.layers.extend(more.into_iter().cloned());
        let layers = self.model.description["layers"].as_array().cloned().unwrap_or_default();
        let index = |name: &str| layers.iter().position(|layer| layer["name"] == *name);
        self.layers.sort_by_key(|layer| index(&layer.name));
    }

    /// The part of the configuration that must agree between sweeps in one folder: all but the
    /// layers and the ranking.
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
        // The network's digest already covers its layers.
        let model = ModelConfiguration { description: Value::Null, ..model };
        // The fill and the images determine its values.
        let settings = SweepParameters { fill_values: None, ..settings };
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
