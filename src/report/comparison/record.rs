//! The record of a comparison.

use serde::Serialize;

use super::{Comparison, ComparisonError, LeftOut, MapSet};
use crate::VERSION;
use crate::analysis::Extent;
use crate::files::Digest;

/// A set of maps.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SetRecord {
    /// Its folder or file.
    pub path: String,
    /// Of a folder: the network's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Of a folder: SHA-256 of the weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights_sha256: Option<Digest>,
    /// Of a folder: SHA-256 of all that the maps depend on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration_sha256: Option<Digest>,
    /// Of an array: units, rows and columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shape: Option<[usize; 3]>,
    /// Of an array: its SHA-256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
}

/// A comparison, as `comparison.json` tells it.
#[derive(Clone, Debug, Serialize)]
pub struct ComparisonRecord<'a> {
    format: &'static str,
    version: u32,
    program: &'static str,
    a: &'a SetRecord,
    b: &'a SetRecord,
    blurs: &'a [f64],
    region: Region,
    region_blur: f64,
    shuffles: usize,
    seed: u64,
    layers: Vec<LayerRecord<'a>>,
    left_out: &'a [LeftOut],
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Region {
    HalfMaximum,
    Mass(f64),
}

#[derive(Clone, Debug, Serialize)]
struct LayerRecord<'a> {
    layer: &'a str,
    sides: &'a str,
    rf: f64,
    /// Rows and columns of cells.
    cells: [usize; 2],
    /// Pixels a cell.
    step: [f64; 2],
    units: usize,
    compared: usize,
}

impl SetRecord {
    /// The record of a set.
    ///
    /// # Errors
    /// An array that cannot be read.
    pub(super) fn of(set: &MapSet<'_>) -> Result<Self, ComparisonError> {
        let mut record = Self {
            path: set.name(),
            model: None,
            weights_sha256: None,
            configuration_sha256: None,
            shape: None,
            sha256: None,
        };
        match set {
            MapSet::Results(results) => {
                let manifest = results.manifest();
                record.model = Some(manifest.configuration.model.name.clone());
                record.weights_sha256 = Some(manifest.configuration.model.weights_sha256.clone());
                record.configuration_sha256 = Some(manifest.configuration_sha256.clone());
            }
            MapSet::Array(array) => {
                record.shape = Some(array.shape());
                record.sha256 = Some(array.digest()?);
            }
        }
        Ok(record)
    }

    /// The set in a line.
    pub fn describe(&self) -> String {
        match (&self.model, self.shape) {
            (Some(model), _) => format!("{}: maps of {model}", self.path),
            (None, Some(shape)) => format!("{}: array {shape:?}", self.path),
            (None, None) => self.path.clone(),
        }
    }
}

impl<'a> From<&'a Comparison> for ComparisonRecord<'a> {
    fn from(comparison: &'a Comparison) -> Self {
        let [a, b] = &comparison.sets;
        let pairs = &comparison.settings.pairs;
        let layer = |layer: &'a super::LayerComparison| LayerRecord {
            layer: &layer.layer,
            sides: &layer.sides,
            rf: layer.rf,
            cells: [layer.raster.y.count, layer.raster.x.count],
            step: [layer.raster.y.step, layer.raster.x.step],
            units: layer.units.len(),
            compared: layer.compared(),
        };
        Self {
            format: "occlumap comparison",
            version: 1,
            program: VERSION,
            a,
            b,
            blurs: &pairs.blurs,
            region: match pairs.extent {
                Extent::HalfMaximum => Region::HalfMaximum,
                Extent::Mass(part) => Region::Mass(part),
            },
            region_blur: pairs.region_blur,
            shuffles: pairs.shuffles,
            seed: pairs.seed,
            layers: comparison.layers.iter().map(layer).collect(),
            left_out: &comparison.left_out,
        }
    }
}
