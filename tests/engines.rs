//! The incremental engine against the plain one, in 64-bit arithmetic.

mod common;

use std::sync::atomic::AtomicBool;

use common::Golden;
use common::networks::{block, model, network};
use ndarray::Array3;
use occlumap::engine::{CpuEngine, Engine, Float64Engine, Job, Presented, Watch};
use occlumap::geometry::{GridRule, ImageSize, Lattice, Occluder, OccluderSize, OccluderStride};
use occlumap::network::{Convolution, LayerId, Model, Network};
use occlumap::noise::{Noise, TorchStream};
use occlumap::sweep::LayerGeometry;
use proptest::prelude::*;

/// Largest error of a difference, as a part of the largest difference of the map.
const OF_LARGEST: f32 = 1e-5;
/// What is allowed beside, as a part of the response: where a ReLU cuts a difference depends on
/// activations of that size, which are rounded to 32 bits.
const OF_RESPONSE: f32 = 2.0 * f32::EPSILON;

fn image(size: ImageSize, seed: u32) -> Array3<f32> {
    let pixels = TorchStream::new(seed).map(|value| 2.0 * value - 1.0).take(3 * size.area());
    Array3::from_shape_vec((3, size.height, size.width), pixels.collect()).expect("so many pixels")
}

fn present(engine: &dyn Engine, model: &Model, layer: LayerId, jobs: &[Job<'_>]) -> Vec<Presented> {
    let shape = jobs[0].image.shape();
    let size = ImageSize::new(shape[1], shape[2]);
    let stop = AtomicBool::new(false);
    let watch = Watch::new(&stop);
    let presented = engine.prepare(model, &[layer], size).expect("room");
    let presented = presented.present(layer, jobs, &watch).expect("finite responses");
    let all: usize = jobs.iter().map(|job| job.occluders.len()).sum();
    assert_eq!(watch.done(), all as u64);
    presented
}

/// The worst error of a map as a share of what is allowed, and where it is.
fn worst(found: &Presented, plain: &Presented, scale: f32) -> (f32, usize) {
    assert_eq!(found.differences.len(), plain.differences.len());
    let size = plain.response.abs().max(scale);
    assert!(
        (found.response - plain.response).abs() <= 1e-5 * size,
        "{} {}",
        found.response,
        plain.response
    );
    let largest = plain.differences.iter().fold(0.0_f32, |largest, d| largest.max(d.abs()));
    let allowed = OF_LARGEST * largest + OF_RESPONSE * size;
    let errors =
        found.differences.iter().zip(&plain.differences).map(|(a, b)| (a - b).abs() / allowed);
    errors.enumerate().fold(
        (0.0, 0),
        |worst, (place, error)| {
            if error > worst.0 { (error, place) } else { worst }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn random_networks_give_the_plain_engines_differences(
        blocks in prop::collection::vec(block(), 0..6),
        (out, kernel, stride, padding) in (1_usize..3, 1_usize..4, 1_usize..3, 0_usize..2),
        (height, width) in (5_usize..40, 5_usize..40),
        (size, step) in (1_usize..9, 1_usize..9),
        places in prop::collection::vec((0.0..1.0, 0.0..1.0, any::<bool>()), 1..6),
        seed in any::<u32>(),
    ) {
        let network = network(&blocks, Convolution::new(out, kernel, stride, padding));
        prop_assume!(network.is_some());
        let network = network.unwrap();
        let (layer, _) = network.convolutions().last().unwrap();
        let image_size = ImageSize::new(height, width);
        // Over the whole image: also occluders that cannot reach the unit.
        let rule = GridRule {
            size: OccluderSize::Pixels(size.min(height).min(width)),
            stride: OccluderStride::Pixels(step),
            lattice: Lattice::Image,
        };
        let geometry = LayerGeometry::new(&network, layer, image_size, rule, 1);
        prop_assume!(geometry.is_ok());
        let geometry = geometry.unwrap();
        let whole = occlumap::geometry::PixelBox {
            y_min: 0, x_min: 0, y_max: height - 1, x_max: width - 1,
        };
        let occluders = rule.occluders(&whole, height.max(width), image_size).unwrap();
        let images = [image(image_size, seed), image(image_size, seed.wrapping_add(1))];
        let at = |share: f64, length: usize| ((share * length as f64) as usize).min(length - 1);
        let jobs: Vec<Job<'_>> = places.iter().enumerate().map(|(place, &(down, right, second))| Job {
            image: images[usize::from(second)].view(),
            image_index: u32::from(second),
            unit: place % out,
            position: (at(down, geometry.output.height), at(right, geometry.output.width)),
            occluders: &occluders,
            noise: Noise::Philox { seed: 3, draw: 0 },
        }).collect();
        let model = model(network, 0.0, seed);
        let found = present(&CpuEngine::default(), &model, layer, &jobs);
        let plain = present(&Float64Engine, &model, layer, &jobs);
        for ((job, found), plain) in jobs.iter().zip(&found).zip(&plain) {
            let (share, place) = worst(found, plain, 0.1);
            prop_assert!(share <= 1.0, "{job:?} occluder {place}: {share} of what is allowed, {} {}",
                found.differences[place], plain.differences[place]);
            let field = geometry.projection.field(job.position.0, job.position.1);
            let reached = field.clip(image_size);
            for (occluder, difference) in occluders.iter().zip(&found.differences) {
                if reached.is_none_or(|pixels| !occluder.pixels().touches(&pixels)) {
                    prop_assert_eq!(difference.to_bits(), 0.0_f32.to_bits());
                }
            }
        }
    }
}

/// Jobs on every corner, edge and the middle of a layer.
fn corners(size: ImageSize) -> impl Iterator<Item = (usize, usize)> {
    let rows = [0, size.height / 2, size.height - 1];
    let columns = [0, size.width / 2, size.width - 1];
    rows.into_iter().flat_map(move |y| columns.into_iter().map(move |x| (y, x)))
}

fn presets_agree(preset: &str, layer: &str, size: ImageSize, every: usize) {
    let network = Network::preset(preset).expect("room");
    let id = network.convolution(layer).expect("room");
    let geometry =
        LayerGeometry::new(&network, id, size, GridRule::REFERENCE, every).expect("room");
    let model = model(network, 0.0, 1);
    let image = image(size, 7);
    let places: Vec<_> = corners(geometry.output).collect();
    let placements: Vec<_> =
        places.iter().map(|&(y, x)| geometry.placement(y, x).expect("room")).collect();
    let jobs: Vec<Job<'_>> = places
        .iter()
        .zip(&placements)
        .enumerate()
        .map(|(unit, (&position, placement))| Job {
            image: image.view(),
            image_index: 0,
            unit: 5 * unit,
            position,
            occluders: &placement.occluders,
            noise: Noise::Philox { seed: 0, draw: 0 },
        })
        .collect();
    let found = present(&CpuEngine::default(), &model, id, &jobs);
    let plain = present(&Float64Engine, &model, id, &jobs);
    for ((job, found), plain) in jobs.iter().zip(&found).zip(&plain) {
        let (share, place) = worst(found, plain, 0.5);
        assert!(
            share <= 1.0,
            "{preset} {layer} {:?}, occluder {place}: {share} of what is allowed",
            job.position
        );
    }
}

#[test]
fn the_presets_agree_at_every_border() {
    presets_agree("alexnet", "conv1", ImageSize::new(63, 75), 5);
    presets_agree("alexnet", "conv3", ImageSize::new(140, 127), 40);
    presets_agree("alexnet", "conv5", ImageSize::square(227), 60);
    presets_agree("vgg11", "conv4", ImageSize::new(70, 64), 60);
    presets_agree("vgg16", "conv7", ImageSize::new(50, 60), 60);
}

/// The bits of every difference and response.
fn bits(presented: &[Presented]) -> Vec<u32> {
    let all = presented.iter().flat_map(|job| job.differences.iter().chain([&job.response]));
    all.map(|value| value.to_bits()).collect()
}

#[test]
fn the_bits_do_not_depend_on_threads_batches_order_or_memory() {
    let golden = Golden::ops();
    let network = Network::named(&golden.model).unwrap();
    for (name, size) in [("conv4", ImageSize::new(42, 33)), ("conv2", ImageSize::new(33, 47))] {
        let layer = network.convolution(name).unwrap();
        let model = model(network.clone(), 0.0, 2);
        let geometry = LayerGeometry::new(&network, layer, size, GridRule::REFERENCE, 1).unwrap();
        let images: Vec<Array3<f32>> = (0..5).map(|seed| image(size, seed)).collect();
        let area = geometry.output.area();
        let placements: Vec<_> = (0..40)
            .map(|job| {
                let flat = job * 7 % area;
                let position = (flat / geometry.output.width, flat % geometry.output.width);
                (position, geometry.placement(position.0, position.1).unwrap())
            })
            .collect();
        let jobs: Vec<Job<'_>> = placements
            .iter()
            .enumerate()
            .map(|(job, (position, placement))| Job {
                image: images[job * job % 5].view(),
                image_index: (job * job % 5) as u32,
                unit: job % network.channels(layer),
                position: *position,
                occluders: &placement.occluders,
                noise: Noise::Philox { seed: 9, draw: 1 },
            })
            .collect();
        let expected = bits(&present(&CpuEngine::default(), &model, layer, &jobs));
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                for batch in [1, 7, 40] {
                    let found: Vec<u32> = jobs
                        .chunks(batch)
                        .flat_map(|jobs| bits(&present(&CpuEngine::default(), &model, layer, jobs)))
                        .collect();
                    assert_eq!(found, expected, "{name}, {threads} threads, batches of {batch}");
                }
            });
        }
        let backwards: Vec<Job<'_>> = jobs.iter().rev().copied().collect();
        let mut found = present(&CpuEngine::default(), &model, layer, &backwards);
        found.reverse();
        assert_eq!(bits(&found), expected, "{name}, in reverse");
        let tight = CpuEngine { base_bytes: 1, ..CpuEngine::default() };
        assert_eq!(
            bits(&present(&tight, &model, layer, &jobs)),
            expected,
            "{name}, one image at a time"
        );
    }
}

/// One occluder's difference does not depend on which others the job presents.
#[test]
fn a_subsampled_grid_gives_the_same_bits() {
    let network = Network::preset("alexnet").unwrap();
    let layer = network.convolution("conv2").unwrap();
    let size = ImageSize::new(91, 83);
    let geometry = LayerGeometry::new(&network, layer, size, GridRule::REFERENCE, 1).unwrap();
    let model = model(network, 0.0, 4);
    let image = image(size, 1);
    let occluders = geometry.placement(5, 0).unwrap().occluders;
    let job = |occluders| Job {
        image: image.view(),
        image_index: 0,
        unit: 100,
        position: (5, 0),
        occluders,
        noise: Noise::Philox { seed: 0, draw: 0 },
    };
    let all = present(&CpuEngine::default(), &model, layer, &[job(&occluders)]).remove(0);
    let some: Vec<Occluder> = occluders.iter().copied().step_by(17).collect();
    let some = present(&CpuEngine::default(), &model, layer, &[job(&some)]).remove(0);
    let expected: Vec<f32> = all.differences.iter().copied().step_by(17).collect();
    assert_eq!(some.differences, expected);
}

/// Forms with fewer multiplications than taps give the differences of the direct form.
fn forms_agree(network: Network, layer: &str, size: ImageSize, every: usize) {
    let id = network.convolution(layer).expect("room");
    let geometry =
        LayerGeometry::new(&network, id, size, GridRule::REFERENCE, every).expect("room");
    let units = network.channels(id);
    let model = model(network, 0.0, 3);
    let image = image(size, 9);
    let at = |(y, x)| ((y, x), geometry.placement(y, x).expect("room"));
    let places: Vec<_> = corners(geometry.output).map(at).collect();
    let jobs = places.iter().enumerate().map(|(unit, (position, placement))| Job {
        image: image.view(),
        image_index: 0,
        unit: 7 * unit % units,
        position: *position,
        occluders: &placement.occluders,
        noise: Noise::Philox { seed: 0, draw: 0 },
    });
    let jobs: Vec<Job<'_>> = jobs.collect();
    let direct = CpuEngine { direct: true, ..CpuEngine::default() };
    let direct = present(&direct, &model, id, &jobs);
    let fewest = present(&CpuEngine::default(), &model, id, &jobs);
    assert_ne!(bits(&direct), bits(&fewest), "{layer}: no other form was taken");
    for ((job, direct), fewest) in jobs.iter().zip(&direct).zip(&fewest) {
        let size = direct.differences.iter().fold(0.0_f32, |size, d| size.max(d.abs()));
        let errors = direct.differences.iter().zip(&fewest.differences).map(|(a, b)| (a - b).abs());
        let worst = errors.fold(0.0_f32, f32::max) / size;
        assert!(worst <= OF_LARGEST, "{layer} at {:?}: {worst:.1e}", job.position);
        let alone = present(&CpuEngine::default(), &model, id, std::slice::from_ref(job));
        assert_eq!(bits(&alone), bits(std::slice::from_ref(fewest)), "{layer}");
    }
}

#[test]
fn forms_with_fewer_multiplications_agree_with_the_direct_one() {
    let preset = |name| Network::preset(name).unwrap();
    forms_agree(preset("alexnet"), "conv3", ImageSize::square(227), 10);
    forms_agree(preset("alexnet"), "conv4", ImageSize::square(227), 10);
    forms_agree(preset("alexnet"), "conv5", ImageSize::square(227), 10);
    forms_agree(preset("vgg16"), "conv7", ImageSize::new(80, 90), 20);
    // Groups, and channels that are no multiple of a vector's.
    let groups = Network::from_description(
        br#"{"name": "groups", "layers": [
            {"name": "a", "op": "conv", "out_channels": 54, "kernel": 3},
            {"name": "relu", "op": "relu"},
            {"name": "b", "op": "conv", "out_channels": 70, "kernel": 5, "padding": 2, "groups": 2},
            {"name": "c", "op": "conv", "out_channels": 44, "kernel": 2, "padding": 1},
            {"name": "relu2", "op": "relu"},
            {"name": "d", "op": "conv", "out_channels": 8, "kernel": 3}
        ]}"#,
    )
    .unwrap();
    forms_agree(groups, "d", ImageSize::new(24, 31), 1);
}
