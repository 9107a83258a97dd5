//! The full method on a GPU, or on the emulator, against the plain engine.
#![allow(clippy::panic, reason = "a test may fail by panicking")]

mod common;
#[path = "common/emulator.rs"]
mod emulator;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use common::Golden;
use common::networks::model;
use emulator::on_device;
use ndarray::Array3;
use occlumap::engine::cuda::Device;
use occlumap::engine::{CudaFullEngine, Engine, Extremes, Job, Presented, ReferenceEngine, Watch};
use occlumap::geometry::{ImageSize, Occluder};
use occlumap::network::{LayerId, Model, Network};
use occlumap::noise::{Noise, TorchStream};

const SIZE: ImageSize = ImageSize { height: 40, width: 47 };

fn images(count: u32) -> Vec<Array3<f32>> {
    let image = |seed| {
        let pixels = TorchStream::new(seed).map(|u| 2.0 * u - 1.0).take(3 * SIZE.area());
        Array3::from_shape_vec((3, SIZE.height, SIZE.width), pixels.collect()).expect("pixels")
    };
    (0..count).map(image).collect()
}

/// Every kind of layer, branches included.
fn every_layer() -> (Model, Vec<LayerId>) {
    let network = Network::named(&Golden::ops().model).expect("the network of the goldens");
    let layers = network.convolutions().map(|(id, _)| id).collect();
    (model(network, 0.0, 5), layers)
}

fn engine() -> CudaFullEngine {
    CudaFullEngine { device: Arc::new(Device::open(0).expect("a device")) }
}

fn extremes(engine: &dyn Engine, count: u32, at_a_time: usize) -> Vec<Vec<Vec<Extremes>>> {
    let (model, layers) = every_layer();
    let prepared = engine.prepare(&model, &layers, SIZE).expect("room");
    let stop = AtomicBool::new(false);
    let images = images(count);
    let views: Vec<_> = images.iter().map(|image| image.view()).collect();
    let some = views.chunks(at_a_time);
    some.flat_map(|some| prepared.extremes(some, 0, &Watch::new(&stop)).expect("numbers")).collect()
}

/// Jobs on the last layer: borders, several images, both kinds of noise.
fn present(engine: &dyn Engine, at_a_time: usize) -> Vec<Presented> {
    let (model, layers) = every_layer();
    let layer = *layers.last().expect("a convolution");
    let output = model.network().sizes(SIZE, layer).expect("room")[layer.0];
    let prepared = engine.prepare(&model, &layers, SIZE).expect("room");
    let images = images(2);
    let occluders: Vec<Occluder> = (0..11)
        .map(|index| {
            let size = 1 + index;
            let (top, left) = (index * 3 % (SIZE.height - size), index * 4 % (SIZE.width - size));
            Occluder { index, top, left, size }
        })
        .chain([Occluder { index: 11, top: 30, left: 37, size: 10 }])
        .collect();
    let jobs: Vec<Job<'_>> = (0..7)
        .map(|job| Job {
            image: images[job / 2 % 2].view(),
            image_index: (job / 2 % 2) as u32,
            unit: job % model.network().channels(layer),
            position: (job % output.height, job * 5 % output.width),
            occluders: &occluders,
            noise: match job % 3 {
                2 => Noise::Torch { seed: 4 },
                draw => Noise::Philox { seed: 1 << 40 | 9, draw: draw as u16 },
            },
        })
        .collect();
    let stop = AtomicBool::new(false);
    let watch = Watch::new(&stop);
    let some = jobs.chunks(at_a_time);
    let presented =
        some.flat_map(|some| prepared.present(layer, some, &watch).expect("numbers")).collect();
    assert_eq!(watch.done(), 7 * 12);
    presented
}

#[test]
fn extremes_are_the_plain_engines() {
    on_device(module_path!(), "extremes_are_the_plain_engines", || {
        let found = extremes(&engine(), 35, 35);
        let plain = extremes(&ReferenceEngine, 35, 35);
        for (found, plain) in found.iter().flatten().flatten().zip(plain.iter().flatten().flatten())
        {
            let allowed = 1e-5 * plain.max.abs().max(plain.min.abs());
            assert!((found.max - plain.max).abs() <= allowed, "{found:?} {plain:?}");
            assert!((found.min - plain.min).abs() <= allowed, "{found:?} {plain:?}");
            assert_eq!((found.max_at, found.min_at), (plain.max_at, plain.min_at));
        }
        assert_eq!(found.len(), 35);
        assert_eq!(found, extremes(&engine(), 35, 12), "the same bytes for any batch");
    });
}

#[test]
fn differences_are_the_plain_engines() {
    on_device(module_path!(), "differences_are_the_plain_engines", || {
        let found = present(&engine(), 7);
        let plain = present(&ReferenceEngine, 7);
        let mut moved = 0;
        for (found, plain) in found.iter().zip(&plain) {
            let largest = plain.differences.iter().fold(0.0_f32, |most, d| most.max(d.abs()));
            moved += usize::from(largest > 0.0);
            let allowed = 1e-5 * largest + 1e-6 * plain.response.abs();
            assert!(
                (found.response - plain.response).abs() <= 1e-5 * plain.response.abs().max(0.1)
            );
            for (place, (a, b)) in found.differences.iter().zip(&plain.differences).enumerate() {
                assert!((a - b).abs() <= allowed, "occluder {place}: {a} {b}, allowed {allowed}");
            }
            assert_eq!(found.differences.len(), plain.differences.len());
        }
        assert!(moved >= 4, "only {moved} jobs of 7 have an occluder in front of the unit");
        assert_eq!(found, present(&engine(), 2), "the same bytes for any batch");
    });
}
