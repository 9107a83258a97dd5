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

/// What the reference itself rounds, which computes in 32 bits: the largest error of a difference as a
/// part of the key's largest one.
const REFERENCE: f64 = 1e-4;

const PRECISIONS: [Precision; 4] =
    [Precision::Fp32, Precision::Tf32, Precision::Fp16, Precision::Bf16];

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

/// The worst of something, and where.
#[derive(Default)]
struct Worst {
    value: f64,
    /// As a part of what is allowed.
    share: f64,
    at: String,
}

impl Worst {
    fn see(&mut self, value: f64, allowed: f64, at: impl FnOnce() -> String) {
        let share = value / allowed;
        // Also where it is no number.
        if share > self.share || share.is_nan() {
            *self = Self { value, share, at: at() };
        }
    }

    fn told(&self) -> String {
        format!("{:.2e} ({:.0} % of what is allowed, {})", self.value, 100.0 * self.share, self.at)
    }
}

/// The engine's differences are the reference's and the CPU's, within the limits of a precision; of each
/// key every so many occluders.
fn agrees(golden: &Golden, engine: &dyn Engine, precision: Precision, chosen: Chosen<'_>) {
    let network = Network::named(&golden.model).unwrap();
    let model = Model::load(network, &golden.weights).unwrap();
    let arrays = golden.arrays("maps.npz");
    let (mut count, mut of_reference, mut of_cpu, mut rms) =
        (0, Worst::default(), Worst::default(), Worst::default());
    for (index, key) in golden.keys().iter().enumerate() {
        let Some(every) = chosen(index, key) else { continue };
        count += 1;
        let pixels = floats(&golden.images.join(format!("{}.npy", key.image)));
        let image: Array3<f32> =
            pixels.into_dimensionality::<Ix3>().unwrap().mapv(|value| value as f32);
        let size = ImageSize::new(image.shape()[1], image.shape()[2]);
        let layer = model.network().convolution(&key.layer).unwrap();
        let limits = precision.limits_of(model.network(), layer);
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
            fill: Noise::Torch { seed: key.torch_seed }.into(),
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
        let (mut errors, mut sizes) = (0.0, 0.0);
        for ((&which, &found), &cpu) in which.iter().zip(&found).zip(&cpu) {
            let at = || format!("{}, occluder {which}", key.name);
            let (found, cpu) = (f64::from(found), f64::from(cpu));
            let allowed = limits.largest.max(REFERENCE);
            of_reference.see((found - expected[which]).abs() / scale, allowed, at);
            of_cpu.see((found - cpu).abs() / scale, limits.largest, at);
            errors += (found - cpu).powi(2);
            sizes += cpu.powi(2);
        }
        rms.see((errors / sizes).sqrt(), limits.rms, || key.name.clone());
    }
    println!(
        "{} on {}: {count} maps; largest error as a part of the map's largest difference {} of the \
         reference, {} of the CPU; root mean square as a part of the differences' {}",
        engine.name(),
        model.network().name(),
        of_reference.told(),
        of_cpu.told(),
        rms.told(),
    );
    assert!(count > 0);
    for (what, worst) in [("of the reference", of_reference), ("of the CPU", of_cpu), ("rms", rms)]
    {
        assert!(worst.share <= 1.0, "{what}: {}", worst.told());
    }
}

/// By whole images.
fn by_whole_images(device: &Arc<Device>, golden: &Golden, chosen: Chosen<'_>) {
    agrees(golden, &CudaFullEngine { device: Arc::clone(device) }, Precision::Fp32, chosen);
}

/// By the incremental method at every precision.
fn at_every_precision(device: &Arc<Device>, golden: &Golden, chosen: Chosen<'_>) {
    for precision in PRECISIONS {
        at_a_precision(device, golden, precision, chosen);
    }
}

/// By the incremental method.
fn at_a_precision(device: &Arc<Device>, golden: &Golden, precision: Precision, chosen: Chosen<'_>) {
    let what = format!("{precision:?} on {}", golden.model);
    if precision == Precision::Fp32 || has_tensor_cores(device, &what) {
        agrees(golden, &CudaEngine::new(Arc::clone(device), precision), precision, chosen);
    }
}

/// A network in the repository, by both methods: on a GPU all occluders, on the emulator some.
fn both_methods(golden: &Golden) {
    let (device, chosen) = (device(), if Gpu::is_real() { ALL } else { SOME });
    by_whole_images(&device, golden, chosen);
    at_every_precision(&device, golden, chosen);
}

#[test]
fn tiny_is_the_references() {
    on_device(module_path!(), "tiny_is_the_references", || {
        both_methods(&Golden::tiny());
    });
}

#[test]
fn every_layer_kind_is_the_references() {
    on_device(module_path!(), "every_layer_kind_is_the_references", || {
        both_methods(&Golden::ops());
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
            let one = |index, key: &Key| (index % 8 == 1 && key.layer == layer).then_some(60);
            by_whole_images(&device, &golden, &one);
        }
        let every = if real { 1 } else { 40 };
        let few = |_, key: &Key| (key.layer == layer).then_some(every);
        at_every_precision(&device, &golden, &few);
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
fn all_of_alexnet(test: &str, precision: Precision) {
    let Some(golden) = Golden::alexnet(test) else { return };
    on_device(module_path!(), test, || {
        at_a_precision(&device(), &golden, precision, ALL);
    });
}

#[test]
#[ignore = "takes minutes without a GPU, and with one the tests of its layers do it"]
fn all_of_alexnet_in_fp32() {
    all_of_alexnet("all_of_alexnet_in_fp32", Precision::Fp32);
}

#[test]
#[ignore = "takes minutes without a GPU, and with one the tests of its layers do it"]
fn all_of_alexnet_in_tf32() {
    all_of_alexnet("all_of_alexnet_in_tf32", Precision::Tf32);
}

#[test]
#[ignore = "takes minutes without a GPU, and with one the tests of its layers do it"]
fn all_of_alexnet_in_fp16() {
    all_of_alexnet("all_of_alexnet_in_fp16", Precision::Fp16);
}

#[test]
#[ignore = "takes minutes without a GPU, and with one the tests of its layers do it"]
fn all_of_alexnet_in_bf16() {
    all_of_alexnet("all_of_alexnet_in_bf16", Precision::Bf16);
}
