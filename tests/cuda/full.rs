//! The full method against the plain engine.

use occlumap::progress::{CancelToken, Progress};
use std::sync::Arc;

use ndarray::Array3;
use occlumap::engine::cuda::Device;
use occlumap::engine::deposit::{Deposits, Summation, SummedImage};
use occlumap::engine::{
    CudaFullEngine, Engine, EngineError, Extremes, JobResult, PendingExtremes, PlacedJob,
    Presenter, RankingEngine, ReferenceEngine,
};
use occlumap::geometry::{ImageSize, Occluder};
use occlumap::network::{LayerId, Model, Network};
use occlumap::noise::{Fill, Noise, TorchStream};

use crate::common::Golden;
use crate::common::emulator::{Gpu, on_address_sanitizer, on_device};
use crate::common::families::{Allowed, families_agree};
use crate::common::networks::model;
use crate::common::suite::{self, Tolerance};

const SIZE: ImageSize = ImageSize { height: 40, width: 47 };

fn images(count: u32) -> Vec<Array3<f32>> {
    let image = |seed| {
        let pixels = TorchStream::new(seed).map(|u| 2.0 * u - 1.0).take(3 * SIZE.area());
        Array3::from_shape_vec((3, SIZE.height, SIZE.width), pixels.collect()).expect("pixels")
    };
    (0..count).map(image).collect()
}

/// Two networks of the goldens: every kind of layer, branches included, and a convolution that is
/// a product of matrices.
pub fn networks() -> [Golden; 2] {
    [Golden::ops(), Golden::tiny()]
}

fn prepared(golden: &Golden) -> (Model, Vec<LayerId>) {
    let network = Network::named(&golden.model).expect("the network of the goldens");
    let layers = network.convolutions().map(|(id, _)| id).collect();
    (model(network, 0.0, 5), layers)
}

pub fn engine() -> CudaFullEngine {
    CudaFullEngine { device: Arc::new(Device::open(0).expect("a device")) }
}

/// The extremes of so many images: `[image][layer][unit]`.
pub fn extremes(
    engine: &dyn RankingEngine,
    golden: &Golden,
    count: u32,
    at_a_time: usize,
) -> Vec<Vec<Vec<Extremes>>> {
    try_to_rank(engine, golden, count, at_a_time).expect("numbers")
}

/// The same, where the device may fail. It begins with some images before those before are waited
/// for, as a ranking does.
pub fn try_to_rank(
    engine: &dyn RankingEngine,
    golden: &Golden,
    count: u32,
    at_a_time: usize,
) -> Result<Vec<Vec<Vec<Extremes>>>, EngineError> {
    let (model, layers) = prepared(golden);
    let prepared = engine.ranker(&model, &layers, SIZE)?;
    let cancel = CancelToken::default();
    let progress = Progress::new(&cancel);
    let images = images(count);
    let (mut begun, mut found): (Option<PendingExtremes<'_>>, _) = (None, Vec::new());
    for (index, some) in images.chunks(at_a_time).enumerate() {
        // Gone as soon as they are no longer needed.
        let some = some.to_vec();
        let views: Vec<_> = some.iter().map(|image| image.view()).collect();
        let next = prepared.begin_extremes(&views, index * at_a_time, &progress)?;
        if let Some(before) = begun.replace(next) {
            found.extend(before()?);
        }
    }
    if let Some(last) = begun {
        found.extend(last()?);
    }
    assert_eq!(progress.done(), u64::from(count));
    Ok(found)
}

/// Jobs on the layer with this index from the end: borders, several images, both kinds of noise.
pub fn present(
    engine: &dyn Engine,
    golden: &Golden,
    from_end: usize,
    at_a_time: usize,
) -> Vec<JobResult> {
    try_to_present(engine, golden, from_end, at_a_time).expect("numbers")
}

/// Hands these jobs over, and an engine prepared for them.
fn on_jobs<T>(
    engine: &dyn Engine,
    golden: &Golden,
    from_end: usize,
    body: impl FnOnce(
        &dyn Presenter,
        LayerId,
        &[PlacedJob<'_>],
        &Progress<'_>,
    ) -> Result<T, EngineError>,
) -> Result<T, EngineError> {
    let (model, layers) = prepared(golden);
    let layer = layers[layers.len() - 1 - from_end];
    let output = model.network().sizes(SIZE, layer).expect("room")[layer.0];
    let prepared = engine.prepare(&model, &layers, SIZE)?;
    let images = images(2);
    let occluders: Vec<Occluder> = (0..11)
        .map(|index| {
            let size = 1 + index;
            let (top, left) = (index * 3 % (SIZE.height - size), index * 4 % (SIZE.width - size));
            Occluder { index, top, left, size }
        })
        .chain([Occluder { index: 11, top: 30, left: 37, size: 10 }])
        .collect();
    let jobs: Vec<PlacedJob<'_>> = (0..7)
        .map(|job| PlacedJob {
            image: images[job / 2 % 2].view(),
            image_index: (job / 2 % 2) as u32,
            unit: job % model.network().channels(layer),
            position: (job % output.height, job * 5 % output.width),
            occluders: &occluders,
            fill: Fill::Noise(match job % 3 {
                2 => Noise::Torch { seed: 4 },
                draw => Noise::Philox { seed: 1 << 40 | 9, draw: draw as u16 },
            }),
        })
        .collect();
    let cancel = CancelToken::default();
    let progress = Progress::new(&cancel);
    let found = body(&*prepared, layer, &jobs, &progress)?;
    assert_eq!(progress.done(), 7 * 12);
    Ok(found)
}

/// The same, where the device may fail.
pub fn try_to_present(
    engine: &dyn Engine,
    golden: &Golden,
    from_end: usize,
    at_a_time: usize,
) -> Result<Vec<JobResult>, EngineError> {
    on_jobs(engine, golden, from_end, |prepared, layer, jobs, progress| {
        let mut presented = Vec::new();
        for some in jobs.chunks(at_a_time) {
            let batch = some.iter().copied().collect();
            presented.extend(prepared.present(layer, &batch, progress)?);
        }
        Ok(presented)
    })
}

/// Differences of the same jobs that stay on the device, each occluder's in a slot of its own:
/// their sizes; `None` where the device does not keep them.
pub fn try_to_sum(
    engine: &dyn Engine,
    golden: &Golden,
    from_end: usize,
) -> Result<Option<Vec<f64>>, EngineError> {
    on_jobs(engine, golden, from_end, |prepared, layer, jobs, progress| {
        let jobs = jobs.iter().copied().collect();
        let Some(mut kept) = prepared.keep(layer, 7 * 12)? else {
            prepared.present(layer, &jobs, progress)?;
            return Ok(None);
        };
        let firsts: Vec<usize> = (0..7).map(|job| 12 * job).collect();
        kept.present(&jobs, &firsts, progress)?;
        let image = |&differences: &usize| SummedImage { deposits: 0, differences, occluders: 12 };
        let sums = kept.sum(&Summation {
            slots: 12,
            draws: 1,
            moments: false,
            deposits: vec![Deposits {
                slots: (0..12).map(|slot| (slot, 1)).collect(),
                occluders: (0..12).collect(),
            }],
            maps: firsts.iter().map(|first| vec![image(first)]).collect(),
        })?;
        Ok(Some(sums.into_iter().flat_map(|map| map.absolute).collect()))
    })
}

#[test]
fn extremes_are_the_plain_engines() {
    on_device(module_path!(), "extremes_are_the_plain_engines", || {
        // More than a batch on a GPU; on the emulator tests of too little memory have more batches.
        let (images, others) = if Gpu::is_real() { (300, 70) } else { (35, 20) };
        for golden in networks() {
            let found = extremes(&engine(), &golden, images, images as usize);
            let plain = extremes(&ReferenceEngine, &golden, images, images as usize);
            let both = found.iter().flatten().flatten().zip(plain.iter().flatten().flatten());
            for (found, plain) in both {
                let allowed = 1e-5 * plain.max.abs().max(plain.min.abs());
                assert!((found.max - plain.max).abs() <= allowed, "{found:?} {plain:?}");
                assert!((found.min - plain.min).abs() <= allowed, "{found:?} {plain:?}");
                // On a GPU cuDNN rounds otherwise: of two nearly equal positions either may be it.
                if !Gpu::is_real() {
                    assert_eq!((found.max_at, found.min_at), (plain.max_at, plain.min_at));
                }
            }
            assert_eq!(found.len(), images as usize);
            let others = extremes(&engine(), &golden, images, others);
            assert_eq!(found, others, "the same bytes for any batch");
        }
    });
}

#[test]
fn any_random_networks_give_the_plain_engines_differences() {
    on_device(module_path!(), "any_random_networks_give_the_plain_engines_differences", || {
        suite::any_local_random_networks_agree(&engine(), Tolerance::F32_RESPONSES, 20);
    });
}

#[test]
fn maps_of_small_networks_of_each_family_are_pytorchs() {
    on_device(module_path!(), "maps_of_small_networks_of_each_family_are_pytorchs", || {
        families_agree(&engine(), Allowed::RESPONSES, false);
    });
}

#[test]
fn differences_are_the_plain_engines() {
    on_device(module_path!(), "differences_are_the_plain_engines", || {
        let [every_layer, with_product] = networks();
        // A strided layer without bias, one of three groups, and a product of matrices.
        for (golden, from_end) in [(&every_layer, 0), (&every_layer, 2), (&with_product, 1)] {
            differences_agree(golden, from_end);
        }
    });
}

pub fn differences_agree(golden: &Golden, from_end: usize) {
    let found = present(&engine(), golden, from_end, 7);
    let plain = present(&ReferenceEngine, golden, from_end, 7);
    let mut moved = 0;
    for (found, plain) in found.iter().zip(&plain) {
        let largest = plain.differences.iter().fold(0.0_f32, |most, d| most.max(d.abs()));
        moved += usize::from(largest > 0.0);
        let allowed = 1e-5 * largest + 1e-6 * plain.response.abs();
        assert!((found.response - plain.response).abs() <= 1e-5 * plain.response.abs().max(0.1));
        for (index, (a, b)) in found.differences.iter().zip(&plain.differences).enumerate() {
            assert!((a - b).abs() <= allowed, "occluder {index}: {a} {b}, allowed {allowed}");
        }
        assert_eq!(found.differences.len(), plain.differences.len());
    }
    assert!(moved >= 4, "only {moved} jobs of 7 have an occluder in front of the unit");
    let others = present(&engine(), golden, from_end, 2);
    assert_eq!(found, others, "the same bytes for any batch");
}

#[test]
fn whole_images_stay_in_their_memory() {
    on_address_sanitizer(module_path!(), "whole_images_stay_in_their_memory", || {
        for golden in networks() {
            extremes(&engine(), &golden, 2, 2);
            present(&engine(), &golden, 1, 7);
        }
    });
}
