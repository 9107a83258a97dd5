//! The index of a report, as `assets/` reads it; `docs/formats.md` explains it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use colorous::{Gradient, MAGMA, VIRIDIS};
use serde::Serialize;

use super::findings::{ComparisonIndex, CurveIndex};
use crate::engine::EngineName;
use crate::files::Digest;
use crate::geometry::ImageSize;
use crate::maps::{LayerConfiguration, LayerRecord, Manifest, SweepConfiguration, SweepParameters};

/// The whole of it.
#[derive(Debug, Serialize)]
pub struct Index<'a> {
    pub format: &'static str,
    pub version: u32,
    pub program: &'static str,
    pub run: Run<'a>,
    pub layers: Vec<LayerIndex<'a>>,
    /// How the maps compare with another set, where one was given.
    pub comparison: Option<ComparisonIndex<'a>>,
    /// 256 colours, three bytes each, base64, by name; the first is the default.
    pub palettes: Vec<(&'static str, String)>,
    pub pictures: PictureIndex<'a>,
    pub command_note: Option<&'a str>,
    /// The files of pages that do not lie inside, by the pages' names.
    pub pages: BTreeMap<String, String>,
}

/// The manifest, without the layers and the names of images, which may be many.
#[derive(Debug, Serialize)]
pub struct Run<'a> {
    pub program: &'a str,
    pub complete: bool,
    pub started_unix: u64,
    pub configuration_sha256: &'a Digest,
    pub model: &'a str,
    pub network_sha256: &'a Digest,
    pub weights: &'a str,
    pub weights_sha256: &'a Digest,
    pub image_folder: &'a str,
    pub image_count: usize,
    pub image_size: ImageSize,
    pub preprocessing: &'a str,
    pub settings: &'a SweepParameters,
    pub engine: EngineName,
    pub ranking_seconds: Option<f64>,
}

impl<'a> From<&'a Manifest> for Run<'a> {
    fn from(manifest: &'a Manifest) -> Self {
        let Manifest { configuration, about, .. } = manifest;
        let SweepConfiguration { model, images, .. } = configuration;
        Self {
            program: &configuration.program,
            complete: manifest.complete,
            started_unix: about.started_unix,
            configuration_sha256: &manifest.configuration_sha256,
            model: &model.name,
            network_sha256: &model.network_sha256,
            weights: &about.weights,
            weights_sha256: &model.weights_sha256,
            image_folder: &about.images,
            image_count: images.names.len(),
            image_size: images.size,
            preprocessing: &images.preprocessing,
            settings: &configuration.settings,
            engine: configuration.engine,
            ranking_seconds: about.ranking_seconds,
        }
    }
}

/// A layer.
#[derive(Debug, Serialize)]
pub struct LayerIndex<'a> {
    /// Its short name (`layer`) is also that of its page.
    #[serde(flatten)]
    pub configuration: Configured<'a>,
    #[serde(flatten)]
    pub record: &'a LayerRecord,
    pub cells: Grid,
    /// The command that computes a unit again, around the unit's number.
    pub command: [String; 2],
    /// Reliability by the number of images, where the sweep has kept it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub curve: Option<CurveIndex>,
    pub max: Columns,
    pub min: Columns,
}

/// The part of a layer's configuration that is shown.
#[derive(Debug, Serialize)]
pub struct Configured<'a> {
    pub layer: &'a str,
    pub name: &'a str,
    pub units: usize,
    pub swept: Option<&'a [usize]>,
    pub rf: usize,
    pub occluder_size: usize,
    pub occluder_stride: usize,
}

impl<'a> From<&'a LayerConfiguration> for Configured<'a> {
    fn from(layer: &'a LayerConfiguration) -> Self {
        let LayerConfiguration { units, rf, occluder_size, occluder_stride, .. } = *layer;
        let (name, swept) = (&layer.name, layer.swept.as_deref());
        Self { layer: &layer.layer, name, units, swept, rf, occluder_size, occluder_stride }
    }
}

/// How the layer's maps are cut into cells ([`crate::report::numbers::Cells`]).
#[derive(Clone, Debug, Serialize)]
pub struct Grid {
    /// Cells along an axis.
    pub count: usize,
    /// Side length of a cell in pixels.
    pub step: usize,
    /// The first pixel of the first cell; those before belong to it as well.
    pub first: usize,
    /// Whether any map has cells that are not measured.
    pub uncovered: bool,
    /// Offset from a coordinate of a map to an occluder's true centre.
    pub shift: f64,
}

/// Numbers of the swept units, in their order, to sort and filter by.
#[derive(Debug, Default, Serialize)]
pub struct Columns {
    /// Zero for a silent unit, `None` for one whose map no occluder covers.
    pub peak: Vec<Option<f64>>,
    pub area: Vec<Option<f64>>,
    /// That holds half of the mass.
    pub radius: Vec<Option<f64>>,
    pub explained: Vec<Option<f64>>,
    /// Split-half reliability.
    pub reliability: Vec<Option<f64>>,
    /// Pearson's `r` with the map of the other set, where the maps were compared.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub r: Vec<Option<f64>>,
}

/// The images.
#[derive(Debug, Serialize)]
pub struct PictureIndex<'a> {
    /// Pictures a page.
    pub page: usize,
    pub size: ImageSize,
    /// Why there are none.
    pub note: Option<&'a String>,
}

/// The palettes that a reader can choose from.
pub fn palettes() -> Vec<(&'static str, String)> {
    let sampled = |gradient: Gradient| -> Vec<u8> {
        (0..256).flat_map(|step| gradient.eval_rational(step, 256).into_array()).collect()
    };
    let grey: Vec<u8> = (0..=255).flat_map(|level| [level; 3]).collect();
    [("magma", sampled(MAGMA)), ("viridis", sampled(VIRIDIS)), ("grey", grey)]
        .map(|(name, colours)| (name, STANDARD.encode(colours)))
        .into()
}

/// A number to six figures: what a reader sees, and no more bytes than that takes.
pub fn short(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}
