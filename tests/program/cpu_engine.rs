//! The incremental CPU engine.

use occlumap::engine::cpu::Precision;
use occlumap::engine::{CpuEngine, Engine, Float64Engine, PlacedJob};
use occlumap::geometry::{GridRule, ImageSize, LayerGeometry};
use occlumap::network::Network;
use occlumap::noise::{Fill, Noise};

use crate::common::gated::gated;
use crate::common::networks::model;
use crate::common::suite::{self, Tolerance, Trials, bits, corners, image, present, preset_agrees};

#[test]
fn random_networks_give_the_plain_engines_differences() {
    suite::random_networks_agree(&CpuEngine::default(), Tolerance::F32, 200);
}

#[test]
fn any_random_networks_give_the_plain_engines_differences() {
    suite::any_random_networks_agree(&CpuEngine::default(), Tolerance::F32_CURVED, 400);
}

#[test]
fn the_presets_agree_at_every_border() {
    let agrees = |preset, layer, size, every| {
        preset_agrees(&CpuEngine::default(), Tolerance::F32, preset, layer, size, every);
    };
    agrees("alexnet", "conv1", ImageSize::new(63, 75), 5);
    agrees("alexnet", "conv3", ImageSize::new(140, 127), 40);
    agrees("alexnet", "conv5", ImageSize::square(227), 60);
    agrees("vgg11", "conv4", ImageSize::new(70, 64), 60);
    agrees("vgg16", "conv7", ImageSize::new(50, 60), 60);
}

#[test]
fn the_bits_do_not_depend_on_threads_batches_order_or_memory() {
    let tight = CpuEngine { base_bytes: 1, ..CpuEngine::default() };
    let trials = Trials { jobs: 40, every: 1, threads: &[1, 2, 5], batches: &[1, 7, 40] };
    suite::bits_depend_on_nothing_else(&[&CpuEngine::default(), &tight], &trials);
}

/// Squeeze and excitation, then a normalisation of groups: windows are whole maps, and plans are of one
/// position each.
#[test]
fn the_bits_behind_exact_gates_do_not_depend_on_threads_batches_order_or_memory() {
    let gated = Network::from_description(gated(3).as_bytes()).unwrap();
    let layers = [("last", ImageSize::new(27, 33)), ("mid", ImageSize::new(31, 22))];
    let tight = CpuEngine { base_bytes: 1, ..CpuEngine::default() };
    let trials = Trials { jobs: 40, every: 1, threads: &[1, 2, 5], batches: &[1, 7, 40] };
    let engines: [&dyn Engine; 2] = [&CpuEngine::default(), &tight];
    suite::bits_of_layers_depend_on_nothing_else(&engines, &gated, &layers, &trials);
}

#[test]
fn a_subsampled_grid_gives_the_same_bits() {
    suite::a_subsampled_grid_gives_the_same_bits(&CpuEngine::default());
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
    let placements: Vec<_> = corners(geometry.output).map(at).collect();
    let jobs = placements.iter().enumerate().map(|(unit, (position, placement))| PlacedJob {
        image: image.view(),
        image_index: 0,
        unit: 7 * unit % units,
        position: *position,
        occluders: &placement.occluders,
        fill: Noise::Philox { seed: 0, draw: 0 }.into(),
    });
    let jobs: Vec<PlacedJob<'_>> = jobs.collect();
    let direct = CpuEngine { direct: true, ..CpuEngine::default() };
    let direct = present(&direct, &model, id, &jobs);
    let fewest = present(&CpuEngine::default(), &model, id, &jobs);
    assert_ne!(bits(&direct), bits(&fewest), "{layer}: no other form was taken");
    for ((job, direct), fewest) in jobs.iter().zip(&direct).zip(&fewest) {
        let size = direct.differences.iter().fold(0.0_f32, |size, d| size.max(d.abs()));
        let errors = direct.differences.iter().zip(&fewest.differences).map(|(a, b)| (a - b).abs());
        let worst = errors.fold(0.0_f32, f32::max) / size;
        assert!(worst <= Tolerance::F32.of_largest, "{layer} at {:?}: {worst:.1e}", job.position);
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

/// Where a window has fewer inputs than outputs it is the inputs that are cut up, and a ReLU must wait
/// for the last part: five inputs of `b`, nine outputs.
#[test]
fn a_relu_waits_for_all_parts_of_the_inputs() {
    let network = Network::from_description(
        br#"{"name": "parts", "layers": [
            {"name": "a", "op": "conv", "out_channels": 96, "kernel": 5},
            {"name": "b", "op": "conv", "out_channels": 96, "kernel": 5, "padding": 2},
            {"name": "relu", "op": "relu"},
            {"name": "c", "op": "conv", "out_channels": 16, "kernel": 5},
            {"name": "d", "op": "conv", "out_channels": 8, "kernel": 5}
        ]}"#,
    )
    .unwrap();
    forms_agree(network, "d", ImageSize::new(26, 29), 1);
}

/// Differences of which many are zero are listed by so many channels of a group at a time: here each
/// group has several lists, the last ones shorter than the others, and outputs of several widths.
#[test]
fn groups_of_many_channels_agree() {
    let network = Network::from_description(
        br#"{"name": "groups", "layers": [
            {"name": "a", "op": "conv", "out_channels": 262, "kernel": 3},
            {"name": "relu", "op": "relu"},
            {"name": "pool", "op": "max_pool", "kernel": 2, "stride": 2},
            {"name": "b", "op": "conv", "out_channels": 234, "kernel": 3, "stride": 2, "padding": 1, "groups": 2},
            {"name": "relu2", "op": "relu"},
            {"name": "c", "op": "conv", "out_channels": 150, "kernel": 2, "padding": 1, "groups": 2},
            {"name": "relu3", "op": "relu"},
            {"name": "d", "op": "conv", "out_channels": 45, "kernel": 3}
        ]}"#,
    )
    .unwrap();
    for direct in [true, false] {
        let engine = CpuEngine { direct, ..CpuEngine::default() };
        let size = ImageSize::new(34, 41);
        suite::network_agrees(&engine, Tolerance::F32, network.clone(), "d", size, 9);
    }
}

/// Fills other than noise: both methods see the same pixels, and the image itself changes nothing.
#[test]
fn every_fill_gives_the_plain_engines_differences() {
    let size = ImageSize::new(91, 83);
    let network = Network::preset("alexnet").unwrap();
    let layer = network.convolution("conv3").unwrap();
    let geometry = LayerGeometry::new(&network, layer, size, GridRule::REFERENCE, 11).unwrap();
    let model = model(network, 0.0, 2);
    let (shown, other) = (image(size, 4), image(size, 5));
    let zeros = other.mapv(|_| 0.0);
    let position = (geometry.output.height / 2, 0);
    let placement = geometry.placement(position.0, position.1).unwrap();
    let job = |fill| PlacedJob {
        image: shown.view(),
        image_index: 3,
        unit: 5,
        position,
        occluders: &placement.occluders,
        fill,
    };
    let fills = [Fill::Gaussian { seed: 7, draw: 1 }, Fill::Picture(&other), Fill::Picture(&zeros)];
    let jobs = fills.map(job);
    let plain = present(&Float64Engine, &model, layer, &jobs);
    for engine in [CpuEngine::default(), CpuEngine { direct: true, ..CpuEngine::default() }] {
        let found = present(&engine, &model, layer, &jobs);
        for (found, plain) in found.iter().zip(&plain) {
            assert!(Tolerance::F32.worst(found, plain).0 <= 1.0);
            assert!(found.differences.iter().any(|&difference| difference != 0.0));
        }
        assert_ne!(bits(&found[..1]), bits(&found[1..2]));
    }
    let itself = [job(Fill::Picture(&shown))];
    for engine in [&CpuEngine::default() as &dyn Engine, &Float64Engine] {
        let found = present(engine, &model, layer, &itself);
        assert!(found[0].differences.iter().all(|&difference| difference == 0.0));
    }
}

/// An engine, and what it may be off behind so many convolutions.
fn in_precision(precision: Precision, convolutions: usize) -> (CpuEngine, Tolerance) {
    let of_largest = precision.limits(convolutions).largest as f32;
    let engine = CpuEngine { precision, ..CpuEngine::default() };
    (engine, Tolerance { of_largest, ..Tolerance::F32_CURVED })
}

const REDUCED: [Precision; 2] = [Precision::Bf16x3, Precision::Bf16];

#[test]
fn networks_agree_in_bf16x3_and_bf16() {
    for precision in REDUCED {
        let agrees = |preset, layer, convolutions, size, every| {
            let (engine, tolerance) = in_precision(precision, convolutions);
            preset_agrees(&engine, tolerance, preset, layer, size, every);
        };
        agrees("alexnet", "conv5", 4, ImageSize::square(227), 30);
        agrees("vgg16", "conv7", 6, ImageSize::new(50, 60), 5);
        // Branches that are added; convolutions of each channel by itself, and of single positions.
        agrees("resnet18", "conv10", 9, ImageSize::new(64, 72), 10);
        agrees("mobilenet_v2", "conv13", 12, ImageSize::new(64, 56), 10);
        let (engine, tolerance) = in_precision(precision, 6);
        suite::random_networks_agree(&engine, tolerance, 30);
    }
}

#[test]
fn bits_in_bf16x3_and_bf16_do_not_depend_on_threads_batches_order_or_memory() {
    let wide = Network::from_description(
        br#"{"name": "wide", "layers": [
            {"name": "a", "op": "conv", "out_channels": 48, "kernel": 5, "stride": 2},
            {"name": "relu_a", "op": "relu"},
            {"name": "pool", "op": "max_pool", "kernel": 2, "stride": 2},
            {"name": "b", "op": "conv", "out_channels": 80, "kernel": 3, "padding": 1, "groups": 2},
            {"name": "relu_b", "op": "relu"},
            {"name": "c", "op": "conv", "out_channels": 40, "kernel": 3},
            {"name": "relu_c", "op": "relu"},
            {"name": "d", "op": "conv", "out_channels": 8, "kernel": 3}
        ]}"#,
    )
    .unwrap();
    let layers = [("d", ImageSize::new(42, 53)), ("c", ImageSize::new(33, 47))];
    for precision in REDUCED {
        let engine = CpuEngine { precision, ..CpuEngine::default() };
        let tight = CpuEngine { base_bytes: 1, ..engine };
        let trials = Trials { jobs: 20, every: 2, threads: &[1, 2, 5], batches: &[1, 7, 20] };
        suite::bits_of_layers_depend_on_nothing_else(&[&engine, &tight], &wide, &layers, &trials);
        suite::a_subsampled_grid_gives_the_same_bits(&engine);
    }
}
