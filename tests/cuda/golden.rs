//! Agreement with the reference, at every precision and by both methods, and with the CPU.

use occlumap::progress::{CancelToken, Progress};
use std::sync::Arc;

use ndarray::{Array3, Ix3};
use occlumap::engine::cuda::{CudaEngine, CudaFullEngine, Device, Precision};
use occlumap::engine::{CpuEngine, Engine, PlacedJob};
use occlumap::geometry::{GridRule, ImageSize, LayerGeometry, Occluder};
use occlumap::network::{Model, Network};
use occlumap::noise::Noise;

use crate::common::emulator::{Gpu, has_tensor_cores, on_device};
use crate::common::{Golden, Key, floats, largest, to_f64, vector};

/// The largest error of a difference as a part of the key's largest one: of the reference, which
/// computes in 32 bits itself, and of the CPU's.
type Tolerance = [(Precision, f64, f64); 4];

const TOLERANCE: Tolerance = [
    (Precision::Fp32, 1e-4, 1e-5),
    (Precision::Tf32, 1e-3, 1e-3),
    (Precision::Fp16, 1e-3, 1e-3),
    (Precision::Bf16, 1e-2, 1e-2),
];

/// Of a network with layers of 4 to 9 channels: operands of 11 bits are rounded by up to 5e-4 at each
/// layer, and sums of a few dozen products do not average that out. For so few channels fp16 and bf16 are
/// tf32.
const FEW_CHANNELS: Tolerance = [
    (Precision::Fp32, 1e-4, 1e-5),
    (Precision::Tf32, 2e-3, 2e-3),
    (Precision::Fp16, 2e-3, 2e-3),
    (Precision::Bf16, 2e-3, 2e-3),
];

/// Of a key, every how many occluders an engine presents; `None` for none.
type Chosen<'a> = &'a dyn Fn(usize, &Key) -> Option<usize>;

/// All of them.
const ALL: Chosen<'static> = &|_, _| Some(1);
/// Every key; a few occluders of each.
const SOME: Chosen<'static> = &|_, _| Some(11);

fn device() -> Arc<Device> {
    Arc::new(Device::open(0).expect("a device"))
}

/// Every `every`-th occluder, and the one that changes most.
fn some(occluders: &[Occluder], expected: &[f64], every: usize) -> Vec<usize> {
    let most = (0..expected.len()).max_by(|&a, &b| expected[a].abs().total_cmp(&expected[b].abs()));
    let wanted = |which: &usize| which.is_multiple_of(every) || Some(*which) == most;
    (0..occluders.len()).filter(wanted).collect()
}

/// The engine's differences are the reference's and the CPU's; of each key every so many occluders.
fn agrees(
    golden: &Golden,
    engine: &dyn Engine,
    (of_reference, of_cpu): (f64, f64),
    chosen: Chosen<'_>,
) {
    let network = Network::named(&golden.model).unwrap();
    let model = Model::load(network, &golden.weights).unwrap();
    let arrays = golden.arrays("maps.npz");
    let (mut count, mut worst) = (0, [(0.0_f64, String::new()), (0.0, String::new())]);
    for (place, key) in golden.keys().iter().enumerate() {
        let Some(every) = chosen(place, key) else { continue };
        count += 1;
        let pixels = floats(&golden.images.join(format!("{}.npy", key.image)));
        let image: Array3<f32> =
            pixels.into_dimensionality::<Ix3>().unwrap().mapv(|value| value as f32);
        let size = ImageSize::new(image.shape()[1], image.shape()[2]);
        let layer = model.network().convolution(&key.layer).unwrap();
        let geometry =
            LayerGeometry::new(model.network(), layer, size, GridRule::REFERENCE, 1).unwrap();
        let occluders = geometry.placement(key.y, key.x).unwrap().occluders;
        let expected = vector(to_f64(arrays[&format!("{}_diff", key.name)].clone())).to_vec();
        assert_eq!(occluders.len(), expected.len());
        let which = some(&occluders, &expected, every);
        let shown: Vec<Occluder> = which.iter().map(|&which| occluders[which]).collect();
        let job = PlacedJob {
            image: image.view(),
            image_index: key.image as u32,
            unit: key.unit,
            position: (key.y, key.x),
            occluders: &shown,
            noise: Noise::Torch { seed: key.torch_seed },
        };
        let present = |engine: &dyn Engine| {
            let cancel = CancelToken::default();
            let prepared = engine.prepare(&model, &[layer], size).unwrap();
            prepared
                .present(layer, &[job].into_iter().collect(), &Progress::new(&cancel))
                .unwrap()
                .remove(0)
                .differences
        };
        // The form of the CPU's that rounds least: its default is off by up to 8e-6 itself.
        let direct = CpuEngine { direct: true, ..CpuEngine::default() };
        let (found, cpu) = (present(engine), present(&direct));
        let scale = largest(&expected);
        for ((&which, found), cpu) in which.iter().zip(&found).zip(&cpu) {
            let others = [expected[which], f64::from(*cpu)];
            for (worst, other) in worst.iter_mut().zip(others) {
                let error = (f64::from(*found) - other).abs() / scale;
                // Also where it is no number.
                if error > worst.0 || error.is_nan() {
                    *worst = (error, format!("{}, occluder {which}", key.name));
                }
            }
        }
    }
    let [(reference, at), (cpu, at_cpu)] = worst;
    println!(
        "{} on {}: {count} maps, largest error {reference:.2e} of the reference ({at}), {cpu:.2e} of \
         the CPU ({at_cpu}), as parts of the map's largest value",
        engine.name(),
        model.network().name(),
    );
    assert!(count > 0);
    assert!(reference <= of_reference, "{reference:e} of the reference: {at}");
    assert!(cpu <= of_cpu, "{cpu:e} of the CPU: {at_cpu}");
}

/// By whole images.
fn by_whole_images(device: &Arc<Device>, golden: &Golden, chosen: Chosen<'_>) {
    let full = CudaFullEngine { device: Arc::clone(device) };
    agrees(golden, &full, (1e-4, 1e-5), chosen);
}

/// By the incremental method at every precision.
fn at_every_precision(
    device: &Arc<Device>,
    golden: &Golden,
    tolerance: Tolerance,
    chosen: Chosen<'_>,
) {
    for wanted in tolerance {
        at_a_precision(device, golden, wanted, chosen);
    }
}

/// By the incremental method.
fn at_a_precision(
    device: &Arc<Device>,
    golden: &Golden,
    (precision, of_reference, of_cpu): (Precision, f64, f64),
    chosen: Chosen<'_>,
) {
    let what = format!("{precision:?} on {}", golden.model);
    if precision == Precision::Fp32 || has_tensor_cores(device, &what) {
        let engine = CudaEngine::new(Arc::clone(device), precision);
        agrees(golden, &engine, (of_reference, of_cpu), chosen);
    }
}

/// A network in the repository, by both methods: on a GPU all occluders, on the emulator some.
fn both_methods(golden: &Golden, tolerance: Tolerance) {
    let (device, chosen) = (device(), if Gpu::is_real() { ALL } else { SOME });
    by_whole_images(&device, golden, chosen);
    at_every_precision(&device, golden, tolerance, chosen);
}

#[test]
fn tiny_is_the_references() {
    on_device(module_path!(), "tiny_is_the_references", || {
        both_methods(&Golden::tiny(), TOLERANCE);
    });
}

#[test]
fn every_layer_kind_is_the_references() {
    on_device(module_path!(), "every_layer_kind_is_the_references", || {
        both_methods(&Golden::ops(), FEW_CHANNELS);
    });
}

/// A layer of AlexNet: on a GPU all keys and occluders by both methods; on the emulator few occluders,
/// and whole images of one key of the two shallowest layers.
fn layer_of_alexnet(test: &str, layer: &str) {
    let Some(golden) = Golden::alexnet(test) else { return };
    on_device(module_path!(), test, || {
        let (device, real) = (device(), Gpu::is_real());
        if real {
            let all = |_, key: &Key| (key.layer == layer).then_some(1);
            by_whole_images(&device, &golden, &all);
        } else if ["conv1", "conv2"].contains(&layer) {
            let one = |place, key: &Key| (place % 8 == 1 && key.layer == layer).then_some(60);
            by_whole_images(&device, &golden, &one);
        }
        let every = if real { 1 } else { 40 };
        let few = |_, key: &Key| (key.layer == layer).then_some(every);
        at_every_precision(&device, &golden, TOLERANCE, &few);
    });
}

#[test]
fn alexnet_conv1_is_the_references() {
    layer_of_alexnet("alexnet_conv1_is_the_references", "conv1");
}

#[test]
fn alexnet_conv2_is_the_references() {
    layer_of_alexnet("alexnet_conv2_is_the_references", "conv2");
}

#[test]
fn alexnet_conv3_is_the_references() {
    layer_of_alexnet("alexnet_conv3_is_the_references", "conv3");
}

#[test]
fn alexnet_conv4_is_the_references() {
    layer_of_alexnet("alexnet_conv4_is_the_references", "conv4");
}

#[test]
fn alexnet_conv5_is_the_references() {
    layer_of_alexnet("alexnet_conv5_is_the_references", "conv5");
}

/// All keys and all occluders on the emulator too, at one precision, by the incremental method: no
/// whole images.
fn all_of_alexnet(test: &str, precision: usize) {
    let Some(golden) = Golden::alexnet(test) else { return };
    on_device(module_path!(), test, || {
        at_a_precision(&device(), &golden, TOLERANCE[precision], ALL);
    });
}

#[test]
#[ignore = "takes minutes without a GPU, and with one the tests of its layers do it"]
fn all_of_alexnet_in_fp32() {
    all_of_alexnet("all_of_alexnet_in_fp32", 0);
}

#[test]
#[ignore = "takes minutes without a GPU, and with one the tests of its layers do it"]
fn all_of_alexnet_in_tf32() {
    all_of_alexnet("all_of_alexnet_in_tf32", 1);
}

#[test]
#[ignore = "takes minutes without a GPU, and with one the tests of its layers do it"]
fn all_of_alexnet_in_fp16() {
    all_of_alexnet("all_of_alexnet_in_fp16", 2);
}

#[test]
#[ignore = "takes minutes without a GPU, and with one the tests of its layers do it"]
fn all_of_alexnet_in_bf16() {
    all_of_alexnet("all_of_alexnet_in_bf16", 3);
}
