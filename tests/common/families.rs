//! Small networks of the families that people map, from the files of both of `PyTorch`'s exporters
//! (`tests/data/onnx/families/make.py`).

use std::collections::BTreeMap;

use occlumap::engine::{Engine, PlacedJob};
use occlumap::geometry::{GridRule, ImageSize, LayerGeometry};
use occlumap::network::Network;
use occlumap::noise::Noise;
use serde::Deserialize;

use crate::common::json;
use crate::common::suite::present;
use crate::common::units::{folder, image, model};

/// A unit, and what `PyTorch` computes of its responses to occluded images in 64-bit arithmetic.
#[derive(Deserialize)]
struct Job {
    layer: String,
    unit: usize,
    position: [usize; 2],
    /// First and last row and column that it sees, beyond the image too.
    field: [isize; 4],
    size: usize,
    every: usize,
    corners: Vec<[usize; 2]>,
    torch_seed: u32,
    response: f64,
    differences: Vec<f64>,
    /// The largest error of `PyTorch`'s 32-bit arithmetic, as a part of the largest difference.
    pytorch: f64,
}

/// How far an engine may be off.
#[derive(Clone, Copy)]
pub struct Allowed {
    /// As a part of a job's largest difference.
    pub of_largest: f64,
    /// Where that is more, as a multiple of what `PyTorch` itself is off by in 32 bits.
    pub of_pytorch: f64,
}

impl Allowed {
    /// That of an engine that computes deltas in 32 bits.
    pub const DELTAS: Self = Self { of_largest: 1e-5, of_pytorch: 0.0 };
    /// That of an engine that subtracts responses of 32 bits, as `PyTorch` does.
    pub const RESPONSES: Self = Self { of_largest: 1e-5, of_pytorch: 3.0 };
    /// That of the plain engine in 64 bits: exporters round the weights into which they fold batch
    /// normalisations to 32.
    pub const PLAIN: Self = Self { of_largest: 1e-5, of_pytorch: 0.0 };
}

/// Receptive fields and grids are equal, and differences are what `PyTorch` finds. `gates` says whether the
/// engine computes what the whole map makes.
pub fn families_agree(engine: &dyn Engine, allowed: Allowed, gates: bool) {
    let files: BTreeMap<String, Vec<Job>> = json(&folder().join("families/maps.json"));
    assert_eq!(files.len(), 26);
    let mut beyond = Vec::new();
    let has_gates =
        |file: &str| ["efficient", "group", "senet"].iter().any(|name| file.starts_with(name));
    for (file, jobs) in files.iter().filter(|(file, _)| gates || !has_gates(file)) {
        for (index, job) in jobs.iter().enumerate() {
            let of = format!("{file}, job {index} of {}", job.layer);
            let error = job.error(engine, &format!("families/{file}"), &of);
            let allowed = allowed.of_largest.max(allowed.of_pytorch * job.pytorch);
            if error > allowed {
                beyond.push(format!("{of}: {error:.1e}, allowed {allowed:.1e}"));
            }
        }
    }
    assert!(beyond.is_empty(), "{beyond:#?}");
}

impl Job {
    /// The largest error of a difference, as a part of the largest difference.
    fn error(&self, engine: &dyn Engine, file: &str, of: &str) -> f64 {
        let (model, units) = model(file, &[&self.layer]);
        let (image, size) = (image(), ImageSize::new(41, 37));
        let geometry =
            LayerGeometry::new(model.network(), units[0], size, GridRule::REFERENCE, self.every);
        let (geometry, [y, x]) = (geometry.expect("room"), self.position);
        let seen = seen(model.network(), &self.layer, [y, x]);
        assert_eq!(seen, self.field, "{of}: receptive field");
        let placement = geometry.placement(y, x).expect("inside");
        let corners: Vec<[usize; 2]> =
            placement.occluders.iter().map(|occluder| [occluder.top, occluder.left]).collect();
        assert_eq!(corners, self.corners, "{of}: grid");
        assert!(placement.occluders.iter().all(|occluder| occluder.size == self.size), "{of}");
        let job = PlacedJob {
            image: image.view(),
            image_index: 0,
            unit: self.unit,
            position: (y, x),
            occluders: &placement.occluders,
            fill: Noise::Torch { seed: self.torch_seed }.into(),
        };
        let found = present(engine, &model, units[0], &[job]).swap_remove(0);
        let response = f64::from(found.response);
        assert!((response - self.response).abs() <= 1e-5 * self.response.abs().max(1.0), "{of}");
        assert_eq!(found.differences.len(), self.differences.len(), "{of}");
        let largest = self.differences.iter().fold(0.0_f64, |most, d| most.max(d.abs()));
        assert!(largest > 0.0, "{of}: no occluder changed anything");
        let errors = found.differences.iter().zip(&self.differences);
        errors.fold(0.0, |worst: f64, (&found, expected)| {
            worst.max((f64::from(found) - expected).abs() / largest)
        })
    }
}

/// First and last row and column that a position sees.
fn seen(network: &Network, layer: &str, [y, x]: [usize; 2]) -> [isize; 4] {
    let id = network.named_layer(layer).expect("a layer");
    let field = network.projection(id).field(y, x);
    let last = field.size as isize - 1;
    [field.y, field.y + last, field.x, field.x + last]
}
