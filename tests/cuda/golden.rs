//! Agreement with the reference, at every precision and by both methods, and with the CPU.
#![allow(clippy::print_stdout, reason = "the largest errors are worth a line")]

use occlumap::progress::{CancelToken, Progress};
use std::sync::Arc;

use ndarray::{Array3, Ix3};
use occlumap::engine::cuda::{CudaEngine, CudaFullEngine, Device, Precision};
use occlumap::engine::{CpuEngine, Engine, Job};
use occlumap::geometry::{GridRule, ImageSize, LayerGeometry, Occluder};
use occlumap::network::{Model, Network};
use occlumap::noise::Noise;

use crate::common::{Golden, Key, floats, largest, to_f64, vector};
use crate::emulator::{Gpu, has_tensor_cores, on_device};

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

/// Which keys, and which of their occluders, an engine presents.
type Chosen = fn(usize, &Key) -> Option<usize>;

/// All of them.
const ALL: Chosen = |_, _| Some(1);
/// Every key; a few occluders of each.
const SOME: Chosen = |_, _| Some(11);

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
    chosen: Chosen,
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
        let job = Job {
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
            prepared.present(layer, &[job], &Progress::new(&cancel)).unwrap().remove(0).differences
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

/// By both methods, the incremental one at every precision.
fn every_way(golden: &Golden, tolerance: Tolerance, chosen: [Chosen; 5]) {
    let device = device();
    let full = CudaFullEngine { device: Arc::clone(&device) };
    agrees(golden, &full, (1e-4, 1e-5), chosen[0]);
    for (wanted, chosen) in tolerance.into_iter().zip(chosen.into_iter().skip(1)) {
        at_a_precision(&device, golden, wanted, chosen);
    }
}

/// By the incremental method.
fn at_a_precision(
    device: &Arc<Device>,
    golden: &Golden,
    (precision, of_reference, of_cpu): (Precision, f64, f64),
    chosen: Chosen,
) {
    let what = format!("{precision:?} on {}", golden.model);
    if precision == Precision::Fp32 || has_tensor_cores(device, &what) {
        let engine = CudaEngine::new(Arc::clone(device), precision);
        agrees(golden, &engine, (of_reference, of_cpu), chosen);
    }
}

#[test]
fn tiny_is_the_references() {
    on_device(module_path!(), "tiny_is_the_references", || {
        let chosen = if Gpu::is_real() { ALL } else { SOME };
        every_way(&Golden::tiny(), TOLERANCE, [chosen; 5]);
    });
}

#[test]
fn every_layer_kind_is_the_references() {
    on_device(module_path!(), "every_layer_kind_is_the_references", || {
        let chosen = if Gpu::is_real() { ALL } else { SOME };
        every_way(&Golden::ops(), FEW_CHANNELS, [chosen; 5]);
    });
}

/// On a GPU all keys and occluders by both methods; on the emulator few occluders, and whole images of
/// two keys.
#[test]
fn alexnet_is_the_references() {
    const TEST: &str = "alexnet_is_the_references";
    let Some(golden) = Golden::alexnet(TEST) else { return };
    on_device(module_path!(), TEST, || {
        if Gpu::is_real() {
            return every_way(&golden, TOLERANCE, [ALL; 5]);
        }
        let shallow: Chosen = |place, key| (place % 8 == 1 && key.rf < 99).then_some(60);
        let few: Chosen = |_, _| Some(40);
        every_way(&golden, TOLERANCE, [shallow, few, few, few, few]);
    });
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
#[ignore = "takes minutes without a GPU, and with one `alexnet_is_the_references` does it"]
fn all_of_alexnet_in_fp32() {
    all_of_alexnet("all_of_alexnet_in_fp32", 0);
}

#[test]
#[ignore = "takes minutes without a GPU, and with one `alexnet_is_the_references` does it"]
fn all_of_alexnet_in_tf32() {
    all_of_alexnet("all_of_alexnet_in_tf32", 1);
}

#[test]
#[ignore = "takes minutes without a GPU, and with one `alexnet_is_the_references` does it"]
fn all_of_alexnet_in_fp16() {
    all_of_alexnet("all_of_alexnet_in_fp16", 2);
}

#[test]
#[ignore = "takes minutes without a GPU, and with one `alexnet_is_the_references` does it"]
fn all_of_alexnet_in_bf16() {
    all_of_alexnet("all_of_alexnet_in_bf16", 3);
}
