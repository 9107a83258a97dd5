//! The incremental engine on a GPU, or on the emulator.

use occlumap::progress::{CancelToken, Progress};
use std::sync::Arc;

use ndarray::Array3;
use occlumap::engine::cuda::{CudaEngine, Device, Precision};
use occlumap::engine::{CudaFullEngine, Engine, KernelWork, PlacedJob};
use occlumap::geometry::{GridRule, ImageSize, LayerGeometry};
use occlumap::network::{LayerId, Model, Network};
use occlumap::noise::Noise;

use crate::common::emulator::{has_tensor_cores, on_address_sanitizer, on_device};
use crate::common::families::{Allowed, families_agree};
use crate::common::suite::{self, Tolerance, Trials, preset_agrees};
use crate::common::units::maps_of_any_layer_agree;

fn engine(precision: Precision) -> CudaEngine {
    CudaEngine::new(Arc::new(Device::open(0).expect("a device")), precision)
}

#[test]
fn random_networks_give_the_plain_engines_differences() {
    on_device(module_path!(), "random_networks_give_the_plain_engines_differences", || {
        suite::random_networks_agree(&engine(Precision::Fp32), Tolerance::F32, 25);
    });
}

#[test]
fn any_random_networks_give_the_plain_engines_differences() {
    on_device(module_path!(), "any_random_networks_give_the_plain_engines_differences", || {
        let engine = engine(Precision::Fp32);
        suite::any_local_random_networks_agree(&engine, Tolerance::F32_CURVED, 40);
    });
}

#[test]
fn the_presets_agree_at_every_border() {
    on_device(module_path!(), "the_presets_agree_at_every_border", || {
        let engine = engine(Precision::Fp32);
        let agrees = |preset, layer, size, every| {
            preset_agrees(&engine, Tolerance::F32, preset, layer, size, every);
        };
        agrees("alexnet", "conv1", ImageSize::new(63, 75), 20);
        agrees("alexnet", "conv3", ImageSize::new(140, 127), 120);
        agrees("vgg11", "conv4", ImageSize::new(70, 64), 150);
    });
}

/// Products of tensor cores round more, relative to the differences themselves.
#[test]
fn tensor_cores_agree_within_their_precision() {
    const TEST: &str = "tensor_cores_agree_within_their_precision";
    on_device(module_path!(), TEST, || {
        if !has_tensor_cores(&engine(Precision::Fp32).device, TEST) {
            return;
        }
        for precision in [Precision::Tf32, Precision::Fp16, Precision::Bf16] {
            // Behind conv1 and conv2.
            let of_largest = precision.limits(2).largest as f32;
            let tolerance = Tolerance { of_largest, ..Tolerance::F32 };
            let size = ImageSize::new(140, 127);
            // Enough occluders that the largest difference is about the map's.
            preset_agrees(&engine(precision), tolerance, "alexnet", "conv3", size, 40);
        }
    });
}

/// Every step between convolutions of 16 channels, whose products are fragments: rectangular and
/// dilated, and deltas that are stored in 16 bits beside those that are not.
#[test]
fn steps_between_tensor_cores_agree_within_their_precision() {
    const TEST: &str = "steps_between_tensor_cores_agree_within_their_precision";
    const NETWORK: &str = r#"{"name": "steps", "layers": [
        {"name": "a", "op": "conv", "out_channels": 16, "kernel": 3, "padding": 1},
        {"name": "a_relu", "op": "relu"},
        {"name": "b", "op": "conv", "out_channels": 16, "kernel": [1, 3], "dilation": [1, 2],
         "padding": [0, 2]},
        {"name": "b_clip", "op": "clip", "min": -1, "max": 1},
        {"name": "c", "op": "conv", "out_channels": 16, "kernel": 3, "padding": 1, "groups": 16},
        {"name": "c_sigmoid", "op": "sigmoid"},
        {"name": "root", "op": "sqrt"},
        {"name": "product", "op": "mul", "inputs": ["b_clip", "root"]},
        {"name": "half", "op": "slice", "start": 8, "end": 16},
        {"name": "other", "op": "slice", "inputs": ["product"], "start": 0, "end": 8},
        {"name": "turned", "op": "concat", "inputs": ["half", "other"]},
        {"name": "mixed", "op": "shuffle", "groups": 4},
        {"name": "d", "op": "conv", "out_channels": 32, "kernel": [3, 1], "padding": [1, 0]},
        {"name": "d_sigmoid", "op": "sigmoid"},
        {"name": "inverse", "op": "reciprocal"},
        {"name": "norm", "op": "channel_norm"},
        {"name": "mean", "op": "avg_pool", "kernel": 2, "stride": 2},
        {"name": "e", "op": "conv", "out_channels": 16, "kernel": 3, "dilation": 2},
        {"name": "e_relu", "op": "relu"},
        {"name": "f", "op": "conv", "out_channels": 64, "kernel": 1}
    ]}"#;
    on_device(module_path!(), TEST, || {
        let network = || Network::from_description(NETWORK.as_bytes()).expect("a network");
        let agrees = |precision, tolerance| {
            let size = ImageSize::new(31, 28);
            suite::network_agrees(&engine(precision), tolerance, network(), "f", size, 3);
        };
        agrees(Precision::Fp32, Tolerance::F32_CURVED);
        if !has_tensor_cores(&engine(Precision::Fp32).device, TEST) {
            return;
        }
        for precision in [Precision::Tf32, Precision::Fp16, Precision::Bf16] {
            let network = network();
            let layer = network.convolution("f").expect("a layer");
            let of_largest = precision.limits_of(&network, layer).largest as f32;
            agrees(precision, Tolerance { of_largest, ..Tolerance::F32_CURVED });
        }
    });
}

/// Of a position with more channels than a thread block's 1,024 values each item has a part, and its own
/// moments.
#[test]
fn normalisations_of_many_channels_agree() {
    const NETWORK: &str = r#"{"name": "wide", "layers": [
        {"name": "a", "op": "conv", "out_channels": 1100, "kernel": 3, "stride": 3},
        {"name": "norm", "op": "channel_norm"},
        {"name": "b", "op": "conv", "out_channels": 1030, "kernel": 1},
        {"name": "neighbours", "op": "local_response_norm", "size": 5, "alpha": 0.1},
        {"name": "c", "op": "conv", "out_channels": 48, "kernel": 2}
    ]}"#;
    on_device(module_path!(), "normalisations_of_many_channels_agree", || {
        let network = || Network::from_description(NETWORK.as_bytes()).expect("a network");
        let (incremental, size) = (engine(Precision::Fp32), ImageSize::new(13, 11));
        let full = CudaFullEngine { device: Arc::clone(&incremental.device) };
        for (engine, tolerance) in [
            (&incremental as &dyn Engine, Tolerance::F32_CURVED),
            (&full, Tolerance::F32_RESPONSES),
        ] {
            suite::network_agrees(engine, tolerance, network(), "c", size, 7);
        }
    });
}

#[test]
fn the_bits_do_not_depend_on_batches_order_or_memory() {
    on_device(module_path!(), "the_bits_do_not_depend_on_batches_order_or_memory", || {
        let engine = engine(Precision::Fp32);
        let tight = CudaEngine { memory: Some(1 << 20), ..engine.clone() };
        let trials = Trials { jobs: 5, every: 20, threads: &[2], batches: &[1, 4] };
        suite::bits_depend_on_nothing_else(&[&engine, &tight], &trials);
    });
}

#[test]
fn the_bits_of_tensor_cores_do_not_depend_on_them_either() {
    const TEST: &str = "the_bits_of_tensor_cores_do_not_depend_on_them_either";
    on_device(module_path!(), TEST, || {
        if !has_tensor_cores(&engine(Precision::Fp32).device, TEST) {
            return;
        }
        for precision in [Precision::Tf32, Precision::Fp16, Precision::Bf16] {
            let engine = engine(precision);
            let tight = CudaEngine { memory: Some(1 << 20), ..engine.clone() };
            let trials = Trials { jobs: 3, every: 40, threads: &[2], batches: &[2] };
            suite::bits_depend_on_nothing_else(&[&engine, &tight], &trials);
            let fewer = Trials { every: 60, ..trials };
            bits_of_wide_layers_depend_on_nothing_else(&engine, &fewer);
        }
    });
}

/// The same of layers whose channels are whole fragments.
fn bits_of_wide_layers_depend_on_nothing_else(engine: &CudaEngine, trials: &Trials<'_>) {
    let (network, size) = (Network::preset("alexnet").unwrap(), ImageSize::new(140, 127));
    let tight = CudaEngine { memory: Some(8 << 20), ..engine.clone() };
    let (engines, layers) = ([engine as &dyn Engine, &tight], [("conv5", size)]);
    suite::bits_of_layers_depend_on_nothing_else(&engines, &network, &layers, trials);
    let products = products(engine, network, "conv5", size);
    let expected = match engine.precision {
        Precision::Fp32 => ["fp32"; 4],
        Precision::Tf32 => ["fp32", "tf32", "tf32", "tf32"],
        Precision::Fp16 => ["fp32", "fp16", "fp16", "fp16"],
        Precision::Bf16 => ["tf32_any", "bf16", "tf32", "bf16"],
    };
    assert_eq!(products, expected.map(|of| format!("tap_product_{of}")));
}

/// Hands a job over in the middle of a layer, of every so many occluders.
fn in_the_middle<T>(
    model: &Model,
    layer: LayerId,
    image: &Array3<f32>,
    every: usize,
    work: impl FnOnce(PlacedJob<'_>) -> T,
) -> T {
    let (_, height, width) = image.dim();
    let size = ImageSize::new(height, width);
    let geometry =
        LayerGeometry::new(model.network(), layer, size, GridRule::REFERENCE, every).unwrap();
    let position = (geometry.output.height / 2, geometry.output.width / 2);
    let placement = geometry.placement(position.0, position.1).unwrap();
    work(PlacedJob {
        image: image.view(),
        image_index: 0,
        unit: 0,
        position,
        occluders: &placement.occluders,
        fill: Noise::Philox { seed: 0, draw: 0 }.into(),
    })
}

/// The kernels that multiply on the way to a layer.
fn products(
    engine: &CudaEngine,
    network: Network,
    layer: &str,
    size: ImageSize,
) -> Vec<&'static str> {
    let model = Model::random(network, 0).unwrap();
    let layer = model.network().convolution(layer).unwrap();
    let work = in_the_middle(&model, layer, &suite::image(size, 0), 1, |job| {
        engine
            .prepare(&model, &[layer], size)
            .unwrap()
            .work(layer, &[job].into_iter().collect())
            .unwrap()
    });
    work.iter().map(|work| work.kernel).filter(|kernel| kernel.contains("product")).collect()
}

/// Changes that are written in fp16 by a convolution of pixels, and by a pooling for two products of which
/// one has groups; changes that are not, since a join writes them, or one reads them too.
const BRANCHES: &str = r#"{"name": "branches", "layers": [
    {"name": "a", "op": "conv", "out_channels": 16, "kernel": 3, "padding": 1},
    {"name": "a_relu", "op": "relu"},
    {"name": "a_drop", "op": "dropout"},
    {"name": "b", "op": "conv", "out_channels": 32, "kernel": 3, "padding": 1},
    {"name": "b_relu", "op": "relu"},
    {"name": "pool", "op": "max_pool", "kernel": 2, "stride": 2},
    {"name": "c", "op": "conv", "out_channels": 32, "kernel": 3, "padding": 1, "groups": 2},
    {"name": "c_relu", "op": "relu"},
    {"name": "d", "op": "conv", "out_channels": 16, "kernel": 1, "inputs": ["pool"]},
    {"name": "stack", "op": "concat", "inputs": ["c_relu", "d"]},
    {"name": "e", "op": "conv", "out_channels": 32, "kernel": 3, "padding": 1},
    {"name": "e_relu", "op": "relu"},
    {"name": "f", "op": "conv", "out_channels": 32, "kernel": 1},
    {"name": "sum", "op": "add", "inputs": ["e_relu", "f"]},
    {"name": "g", "op": "conv", "out_channels": 64, "kernel": 3}
]}"#;

#[test]
fn every_way_to_products_in_fp16() {
    const TEST: &str = "every_way_to_products_in_fp16";
    on_device(module_path!(), TEST, || {
        let engine = engine(Precision::Fp16);
        if !has_tensor_cores(&engine.device, TEST) {
            return;
        }
        let network = Network::from_description(BRANCHES.as_bytes()).unwrap();
        let size = ImageSize::new(40, 34);
        let of = ["fp32", "fp16", "fp16", "fp16", "fp16_of_fp32", "fp16_of_fp32"];
        let expected = of.map(|of| format!("tap_product_{of}"));
        assert_eq!(products(&engine, network.clone(), "g", size), expected);
        let g = network.convolution("g").unwrap();
        let of_largest = Precision::Fp16.limits_of(&network, g).largest as f32;
        let tolerance = Tolerance { of_largest, ..Tolerance::F32 };
        suite::network_agrees(&engine, tolerance, network.clone(), "g", size, 3);
        let tight = CudaEngine { memory: Some(1 << 20), ..engine.clone() };
        let trials = Trials { jobs: 3, every: 10, threads: &[2], batches: &[2] };
        let (engines, layers) = ([&engine as &dyn Engine, &tight], [("c", size), ("g", size)]);
        suite::bits_of_layers_depend_on_nothing_else(&engines, &network, &layers, &trials);
    });
}

/// Scales are set for pixels as occluders have them: these are a million times as large.
#[test]
fn what_fp16_cannot_hold_is_told() {
    const TEST: &str = "what_fp16_cannot_hold_is_told";
    on_device(module_path!(), TEST, || {
        if !has_tensor_cores(&engine(Precision::Fp32).device, TEST) {
            return;
        }
        let model = Model::random(Network::preset("alexnet").unwrap(), 0).unwrap();
        let (layer, size) =
            (model.network().convolution("conv3").unwrap(), ImageSize::new(140, 127));
        let image = suite::image(size, 0) * 1e6;
        let present = |precision| {
            let (engine, cancel) = (engine(precision), CancelToken::default());
            let prepared = engine.prepare(&model, &[layer], size).unwrap();
            in_the_middle(&model, layer, &image, 20, |job| {
                prepared.present(layer, &[job].into_iter().collect(), &Progress::new(&cancel))
            })
        };
        assert!(present(Precision::Tf32).is_ok());
        let told = present(Precision::Fp16).unwrap_err().to_string();
        let expected = "too large for fp16, where tf32 or bf16 might do; check the preprocessing";
        assert!(told.ends_with(expected), "{told}");
    });
}

#[test]
fn maps_of_any_layer_are_the_plain_engines() {
    on_device(module_path!(), "maps_of_any_layer_are_the_plain_engines", || {
        maps_of_any_layer_agree(&engine(Precision::Fp32));
    });
}

#[test]
fn maps_of_small_networks_of_each_family_are_pytorchs() {
    on_device(module_path!(), "maps_of_small_networks_of_each_family_are_pytorchs", || {
        families_agree(&engine(Precision::Fp32), Allowed::DELTAS, false);
    });
}

#[test]
fn a_subsampled_grid_gives_the_same_bits() {
    on_device(module_path!(), "a_subsampled_grid_gives_the_same_bits", || {
        suite::a_subsampled_grid_gives_the_same_bits(&engine(Precision::Fp32));
    });
}

#[test]
fn waves_stay_in_their_memory() {
    on_address_sanitizer(module_path!(), "waves_stay_in_their_memory", || {
        suite::random_networks_agree(&engine(Precision::Fp32), Tolerance::F32, 6);
        let trials = Trials { jobs: 2, every: 30, threads: &[], batches: &[] };
        suite::bits_depend_on_nothing_else(&[&engine(Precision::Fp32)], &trials);
        for precision in [Precision::Tf32, Precision::Fp16, Precision::Bf16] {
            bits_of_wide_layers_depend_on_nothing_else(&engine(precision), &trials);
        }
    });
}

/// The sums of the table in `docs/design/tensor-cores.md`: MFLOP and kB of a presentation, and what fp16 saves.
#[test]
fn kernels_have_to_do_what_the_documentation_says() {
    const TEST: &str = "kernels_have_to_do_what_the_documentation_says";
    on_device(module_path!(), TEST, || {
        if !has_tensor_cores(&engine(Precision::Fp32).device, TEST) {
            return;
        }
        let model = Model::random(Network::preset("alexnet").unwrap(), 0).unwrap();
        let (size, image) = (ImageSize::square(227), Array3::zeros((3, 227, 227)));
        for (layer, operations, bytes, in_fp16) in [
            ("conv2", "0.06", "19.6", "19.6"),
            ("conv3", "2.92", "102.0", "99.4"),
            ("conv4", "10.50", "195.7", "184.5"),
            ("conv5", "23.71", "271.7", "239.4"),
        ] {
            let id = model.network().convolution(layer).unwrap();
            for (precision, bytes) in [(Precision::Tf32, bytes), (Precision::Fp16, in_fp16)] {
                let work = in_the_middle(&model, id, &image, 1, |job| {
                    let prepared = engine(precision).prepare(&model, &[id], size).unwrap();
                    prepared.work(id, &[job].into_iter().collect()).unwrap()
                });
                let sum = |of: fn(&KernelWork) -> f64| work.iter().map(of).sum::<f64>();
                let found = [
                    format!("{:.2}", 1e-6 * sum(|work| work.operations)),
                    format!("{:.1}", 1e-3 * sum(|work| work.bytes)),
                ];
                assert_eq!(found, [operations, bytes], "{layer} in {precision:?}: {work:?}");
            }
        }
    });
}
