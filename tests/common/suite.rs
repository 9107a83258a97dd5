//! Problems that every incremental engine has to solve, checked against the plain engine in 64-bit
//! arithmetic.

mod bits;

use occlumap::progress::{CancelToken, Progress};

use ndarray::Array3;
use occlumap::engine::{Engine, Float64Engine, JobResult, PlacedJob};
use occlumap::geometry::{
    GridRule, ImageSize, Lattice, LayerGeometry, OccluderSize, OccluderStride, PixelBox,
};
use occlumap::network::{Convolution, LayerId, MapContext, Model, Network, Op};
use occlumap::noise::{Noise, TorchStream};
use occlumap::program::check_fields;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestCaseResult, TestRunner};

pub use self::bits::*;
use crate::common::networks::{Block, any_block, any_convolution, block, model, network_on};

/// How far an engine may be off.
#[derive(Clone, Copy, Debug)]
pub struct Tolerance {
    /// Largest error of a difference, as a part of the largest difference of the map.
    pub of_largest: f32,
    /// What is allowed beside, as a part of the response, or of [`RESPONSE`] where it is smaller:
    /// where a ReLU cuts a difference depends on activations of that size, which are rounded to 32
    /// bits.
    pub of_response: f32,
}

/// The usual size of a response to [`image`] under the weights of [`model`]. That of one unit may
/// be near 0, but then as the sum of terms that are not.
const RESPONSE: f32 = 0.5;

impl Tolerance {
    /// That of 32-bit arithmetic.
    pub const F32: Self = Self { of_largest: 1e-5, of_response: 2.0 * f32::EPSILON };

    /// That of 32-bit arithmetic where functions are curved and branches are multiplied: each
    /// difference is a slope at an activation that is rounded to 32 bits, and activations may be
    /// several times as large as the response.
    pub const F32_CURVED: Self = Self { of_response: 8.0 * f32::EPSILON, ..Self::F32 };

    /// That of 32-bit arithmetic where a difference is that of two responses, each of which is rounded
    /// layer by layer.
    pub const F32_RESPONSES: Self = Self { of_largest: 1e-5, of_response: 64.0 * f32::EPSILON };

    /// The worst error of a map as a share of what is allowed, and where it is.
    pub fn worst(self, found: &JobResult, plain: &JobResult) -> (f32, usize) {
        assert_eq!(found.differences.len(), plain.differences.len());
        let size = plain.response.abs().max(RESPONSE);
        assert!(
            (found.response - plain.response).abs() <= 1e-5 * size,
            "{} {}",
            found.response,
            plain.response
        );
        let largest = plain.differences.iter().fold(0.0_f32, |largest, d| largest.max(d.abs()));
        let allowed = self.of_largest * largest + self.of_response * size;
        let errors =
            found.differences.iter().zip(&plain.differences).map(|(a, b)| (a - b).abs() / allowed);
        errors.enumerate().fold(
            (0.0, 0),
            |worst, (index, error)| {
                if error > worst.0 { (error, index) } else { worst }
            },
        )
    }
}

/// An image of noise.
pub fn image(size: ImageSize, seed: u32) -> Array3<f32> {
    image_of(3, size, seed)
}

/// An image of noise, of so many channels.
pub fn image_of(channels: usize, ImageSize { height, width }: ImageSize, seed: u32) -> Array3<f32> {
    let pixels = TorchStream::new(seed).map(|value| 2.0 * value - 1.0);
    let pixels = pixels.take(channels * height * width).collect();
    Array3::from_shape_vec((channels, height, width), pixels).expect("so many pixels")
}

/// Presents the jobs, all on images of one size.
pub fn present(
    engine: &dyn Engine,
    model: &Model,
    layer: LayerId,
    jobs: &[PlacedJob<'_>],
) -> Vec<JobResult> {
    let shape = jobs[0].image.shape();
    let size = ImageSize::new(shape[1], shape[2]);
    let cancel = CancelToken::default();
    let progress = Progress::new(&cancel);
    let presented = engine.prepare(model, &[layer], size).expect("room");
    let batch = jobs.iter().copied().collect();
    let presented = presented.present(layer, &batch, &progress).expect("finite responses");
    let all: usize = jobs.iter().map(|job| job.occluders.len()).sum();
    assert_eq!(progress.done(), all as u64);
    presented
}

/// A random network, and what to present to it.
#[derive(Clone, Debug)]
struct Problem {
    channels: usize,
    blocks: Vec<Block>,
    last: Op,
    image: ImageSize,
    /// Side length and stride of the occluders.
    occluders: (usize, usize),
    /// Of each job, where in the layer's output, and whether on the second image.
    positions: Vec<(f64, f64, bool)>,
    noise: Noise,
    seed: u32,
}

/// One that every engine has to solve.
fn problem() -> impl Strategy<Value = Problem> {
    let last = (1_usize..3, 1_usize..4, 1_usize..3, 0_usize..2).prop_map(
        |(out, kernel, stride, padding)| Op::Conv(Convolution::new(out, kernel, stride, padding)),
    );
    problem_of(Just(3), prop::collection::vec(block(), 0..6), last)
}

/// Any operation, any target, any number of channels.
fn any_problem() -> impl Strategy<Value = Problem> {
    let last = any_block().prop_flat_map(|block| match block {
        Block::Plain(op) => Just(op).boxed(),
        _ => any_convolution(4).prop_map(Op::Conv).boxed(),
    });
    problem_of(1_usize..6, prop::collection::vec(any_block(), 0..7), last)
}

/// The same without operations that see the whole map, which no kernel computes.
fn any_local_problem() -> impl Strategy<Value = Problem> {
    any_problem().prop_filter("the whole map", |problem| {
        let is_whole = |block: &Block| matches!(block, Block::Gate { .. } | Block::GroupNorm);
        !problem.blocks.iter().any(is_whole)
    })
}

fn problem_of(
    channels: impl Strategy<Value = usize>,
    blocks: impl Strategy<Value = Vec<Block>>,
    last: impl Strategy<Value = Op>,
) -> impl Strategy<Value = Problem> {
    let noise = prop_oneof![
        Just(Noise::Philox { seed: 3, draw: 0 }),
        Just(Noise::Philox { seed: 1 << 40, draw: 7 }),
        Just(Noise::Torch { seed: 5 }),
    ];
    (
        channels,
        blocks,
        last,
        (5_usize..40, 5_usize..40),
        (1_usize..9, 1_usize..9),
        prop::collection::vec((0.0..1.0, 0.0..1.0, any::<bool>()), 1..6),
        noise,
        any::<u32>(),
    )
        .prop_map(
            |(channels, blocks, last, (height, width), occluders, positions, noise, seed)| {
                Problem {
                    channels,
                    blocks,
                    last,
                    image: ImageSize::new(height, width),
                    occluders,
                    positions,
                    noise,
                    seed,
                }
            },
        )
}

/// So many random networks give the plain engine's differences, and exactly 0 for an occluder that
/// cannot reach the unit.
pub fn random_networks_agree(engine: &dyn Engine, tolerance: Tolerance, cases: u32) {
    agree(&problem(), engine, tolerance, cases);
}

/// As [`random_networks_agree`], with every operation, on images of any number of channels, up to any
/// layer.
pub fn any_random_networks_agree(engine: &dyn Engine, tolerance: Tolerance, cases: u32) {
    agree(&any_problem(), engine, tolerance, cases);
}

/// As [`any_random_networks_agree`], without gates.
pub fn any_local_random_networks_agree(engine: &dyn Engine, tolerance: Tolerance, cases: u32) {
    agree(&any_local_problem(), engine, tolerance, cases);
}

fn agree(
    problem: &impl Strategy<Value = Problem>,
    engine: &dyn Engine,
    tolerance: Tolerance,
    cases: u32,
) {
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        max_global_rejects: 10 * cases.max(100),
        ..ProptestConfig::default()
    };
    let agrees = |problem: Problem| problem.agrees(engine, tolerance);
    TestRunner::new(config).run(problem, agrees).unwrap_or_else(|error| panic!("{error}"));
}

impl Problem {
    fn agrees(&self, engine: &dyn Engine, tolerance: Tolerance) -> TestCaseResult {
        let reject = || TestCaseError::reject("no such network");
        let mut network =
            network_on(self.channels, &self.blocks, self.last.clone()).ok_or_else(reject)?;
        // What becomes of gates, where there are any.
        if self.seed.is_multiple_of(2) {
            network = network.with_context(MapContext::Frozen);
        }
        let last = LayerId(network.layers().len() - 1);
        let layer = network.units_of(last).map_err(|_| reject())?;
        let units = network.channels(layer);
        let ImageSize { height, width } = self.image;
        let (size, step) = self.occluders;
        // Over the whole image: also occluders that cannot reach the unit.
        let rule = GridRule {
            size: OccluderSize::Pixels(size.min(height).min(width)),
            stride: OccluderStride::Pixels(step),
            lattice: Lattice::Image,
        };
        let geometry =
            LayerGeometry::new(&network, layer, self.image, rule, 1).map_err(|_| reject())?;
        let whole = PixelBox { y_min: 0, x_min: 0, y_max: height - 1, x_max: width - 1 };
        let occluders = rule.occluders(&whole, height.max(width), self.image).expect("a grid");
        let images =
            [0, 1].map(|which| image_of(self.channels, self.image, self.seed.wrapping_add(which)));
        let at = |share: f64, length: usize| ((share * length as f64) as usize).min(length - 1);
        let positions = self.positions.iter().enumerate();
        let jobs: Vec<PlacedJob<'_>> = positions
            .map(|(index, &(down, right, second))| PlacedJob {
                image: images[usize::from(second)].view(),
                image_index: u32::from(second),
                unit: index % units,
                position: (at(down, geometry.output.height), at(right, geometry.output.width)),
                occluders: &occluders,
                fill: self.noise.into(),
            })
            .collect();
        let model = model(network, 0.0, self.seed);
        let found = present(engine, &model, layer, &jobs);
        let plain = present(&Float64Engine, &model, layer, &jobs);
        for ((job, found), plain) in jobs.iter().zip(&found).zip(&plain) {
            let (share, index) = tolerance.worst(found, plain);
            prop_assert!(
                share <= 1.0,
                "{:?} occluder {index}: {share} of what is allowed, {} {}, largest {}",
                job.position,
                found.differences[index],
                plain.differences[index],
                plain.differences.iter().fold(0.0_f32, |largest, d| largest.max(d.abs()))
            );
            // A gate that is computed from the occluded image brings any occluder's effect.
            if model.network().has_exact_gates_before(layer) {
                continue;
            }
            // What a padding mirrors may lie outside of a field.
            if check_fields(model.network(), layer, self.image, Some(job.position)).is_err() {
                continue;
            }
            let field = geometry.projection.field(job.position.0, job.position.1);
            let reached = field.clip(self.image);
            for (occluder, difference) in occluders.iter().zip(&found.differences) {
                if reached.is_none_or(|pixels| !occluder.pixels().touches(&pixels)) {
                    prop_assert_eq!(difference.to_bits(), 0.0_f32.to_bits());
                }
            }
        }
        Ok(())
    }
}

/// Jobs on every corner, edge and the middle of a layer.
pub fn corners(size: ImageSize) -> impl Iterator<Item = (usize, usize)> {
    let rows = [0, size.height / 2, size.height - 1];
    let columns = [0, size.width / 2, size.width - 1];
    rows.into_iter().flat_map(move |y| columns.into_iter().map(move |x| (y, x)))
}

/// A preset's layer at every border.
pub fn preset_agrees(
    engine: &dyn Engine,
    tolerance: Tolerance,
    preset: &str,
    layer: &str,
    size: ImageSize,
    every: usize,
) {
    let network = Network::preset(preset).expect("room");
    network_agrees(engine, tolerance, network, layer, size, every);
}

/// As [`preset_agrees`], for any network.
pub fn network_agrees(
    engine: &dyn Engine,
    tolerance: Tolerance,
    network: Network,
    layer: &str,
    size: ImageSize,
    every: usize,
) {
    let name = network.name().to_owned();
    let id = network.convolution(layer).expect("room");
    let geometry =
        LayerGeometry::new(&network, id, size, GridRule::REFERENCE, every).expect("room");
    let model = model(network, 0.0, 1);
    let image = image(size, 7);
    let positions: Vec<_> = corners(geometry.output).collect();
    let placements: Vec<_> =
        positions.iter().map(|&(y, x)| geometry.placement(y, x).expect("room")).collect();
    let jobs: Vec<PlacedJob<'_>> = positions
        .iter()
        .zip(&placements)
        .enumerate()
        .map(|(unit, (&position, placement))| PlacedJob {
            image: image.view(),
            image_index: 0,
            unit: 5 * unit,
            position,
            occluders: &placement.occluders,
            fill: Noise::Philox { seed: 0, draw: 0 }.into(),
        })
        .collect();
    let found = present(engine, &model, id, &jobs);
    let plain = present(&Float64Engine, &model, id, &jobs);
    for ((job, found), plain) in jobs.iter().zip(&found).zip(&plain) {
        let (share, index) = tolerance.worst(found, plain);
        assert!(
            share <= 1.0,
            "{name} {layer} {:?}, occluder {index}: {share} of what is allowed",
            job.position
        );
    }
}
