mod models;
mod refusals;

use super::weights::Tensor;
use super::*;
use crate::geometry::ImageSize;

fn described(json: &str) -> Result<Network, NetworkError> {
    Network::from_description(json.as_bytes())
}

/// The message for a network with these layers, which must not work.
fn refused(layers: &str) -> String {
    described(&format!(r#"{{"name": "t", "layers": [{layers}]}}"#)).unwrap_err().to_string()
}

const CONV: &str = r#"{"name": "a", "op": "conv", "out_channels": 6, "kernel": 3}"#;

#[test]
fn presets_have_torchvisions_layout() {
    let names = |preset: &str| -> Vec<String> {
        let network = Network::preset(preset).unwrap();
        network.convolutions().map(|(id, _)| network.layer(id).name.clone()).collect()
    };
    assert_eq!(
        names("alexnet"),
        ["features.0", "features.3", "features.6", "features.8", "features.10"]
    );
    assert_eq!(names("vgg11").len(), 8);
    assert_eq!(names("vgg13").len(), 10);
    assert_eq!(names("vgg16").len(), 13);
    assert_eq!(names("vgg16").last().unwrap(), "features.28");
    assert_eq!(names("vgg19").last().unwrap(), "features.34");
}

#[test]
fn residual_presets_have_torchvisions_layout() {
    // Convolutions, and weights before the classifier, of torchvision 0.29.
    for (name, convolutions, weights) in [
        ("resnet18", 20, 11_176_512),
        ("resnet34", 36, 21_284_672),
        ("resnet50", 53, 23_508_032),
        ("vgg11_bn", 8, 9_225_984),
        ("squeezenet1_0", 26, 1_248_424),
        ("squeezenet1_1", 26, 1_235_496),
        ("mobilenet_v2", 52, 2_223_872),
        ("densenet121", 120, 6_953_856),
        ("densenet161", 160, 26_472_000),
        ("densenet169", 168, 12_484_480),
        ("densenet201", 200, 18_092_928),
        ("googlenet", 57, 5_599_904),
        // Caffe's, by hand.
        ("caffe-alexnet", 5, 2_334_080),
        ("places-alexnet", 5, 2_334_080),
    ] {
        let network = Network::preset(name).unwrap();
        assert_eq!(network.convolutions().count(), convolutions, "{name}");
        let found: usize = network.parameters().map(|(_, [weight, bias])| weight + bias).sum();
        assert_eq!(found, weights, "{name}");
    }
    assert_eq!(Network::preset("resnet152").unwrap().convolutions().count(), 155);
    let network = Network::preset("resnet50").unwrap();
    let name = |asked| network.layer(network.named_layer(asked).unwrap()).name.clone();
    assert_eq!(name("layer1"), "layer1.2.relu_2");
    assert_eq!(name("layer3.0"), "layer3.0.relu_2");
    assert_eq!(name("conv5"), "layer1.0.downsample.0");
    assert_eq!(network.projection(network.named_layer("layer4").unwrap()).size, 427);
}

#[test]
fn gates_join_a_map_with_what_the_whole_map_makes_and_nothing_else_does() {
    let pool = r#"{"name": "g", "op": "global_avg_pool", "inputs": ["a"]}"#;
    let network = |join: &str| format!("{CONV}, {pool}, {join}");
    let good = r#"{"name": "m", "op": "gate", "inputs": ["a", "g"]}"#;
    let built = described(&format!(r#"{{"name": "t", "layers": [{}]}}"#, network(good))).unwrap();
    assert_eq!(
        built.sizes(ImageSize::new(7, 9), LayerId(2)).unwrap()[1..],
        [ImageSize::square(1), ImageSize::new(5, 7)]
    );
    assert_eq!(
        Network::from_description(built.description().to_string().as_bytes()).unwrap().digest(),
        built.digest()
    );
    let add = refused(&network(r#"{"name": "m", "op": "add", "inputs": ["a", "g"]}"#));
    assert!(add.contains("with what the whole map makes; expected a gate"), "{add}");
    for inputs in [r#"["g", "a"]"#, r#"["a", "a"]"#, r#"["g", "g"]"#] {
        let message =
            refused(&network(&format!(r#"{{"name": "m", "op": "gate", "inputs": {inputs}}}"#)));
        assert!(
            message.contains("its first input has to have positions in the image"),
            "{message}"
        );
    }
}

/// `f32` numbers are written as the `f64` nearest to them, and must be read as those: what a folder holds is
/// compared with what a run has.
#[test]
fn a_description_is_the_same_after_it_was_written_and_read() {
    let norm = r#"{"name": "n", "op": "batch_norm", "eps": 0.000010000000656873453}"#;
    let network = described(&format!(r#"{{"name": "t", "layers": [{CONV}, {norm}]}}"#)).unwrap();
    let described = network.description();
    let read: serde_json::Value = serde_json::from_str(&described.to_string()).unwrap();
    assert_eq!(read, described);
}

#[test]
fn caffes_networks_differ_in_what_comes_first() {
    let kinds = |preset: &str| -> Vec<&str> {
        let network = Network::preset(preset).unwrap();
        let behind = network.layers()[2..4].iter().map(|layer| layer.op.kind());
        behind.collect()
    };
    assert_eq!(kinds("caffe-alexnet"), ["local response normalisation", "max-pooling"]);
    assert_eq!(kinds("caffenet"), ["max-pooling", "local response normalisation"]);
    assert_eq!(kinds("places-alexnet"), kinds("caffenet"));
    // The RF and the step of conv5 are those of Zhou et al.'s tables for Caffe's AlexNet.
    let network = Network::preset("places-alexnet").unwrap();
    let conv5 = network.projection(network.convolution("conv5").unwrap());
    assert_eq!((conv5.size, conv5.step), (163, PerAxis::both(16)));
}

#[test]
fn responses_are_taken_from_the_layer_that_is_asked_for() {
    let network = Network::preset("densenet121").unwrap();
    let behind = |name: &str, response| {
        let id = network.responding(network.named_layer(name).unwrap(), response);
        network.layer(id).name.clone()
    };
    assert_eq!(behind("conv1", Response::Conv), "features.conv0");
    assert_eq!(behind("conv1", Response::Bn), "features.norm0");
    // Its output is read by a concatenation.
    let second = "features.denseblock1.denselayer1.conv2";
    assert_eq!(behind(second, Response::Bn), second);
    assert_eq!(behind("features.norm0", Response::Bn), "features.norm0");
    assert!(network.folding_note().is_none());
}

#[test]
fn alexnet_has_its_known_sizes_and_work() {
    let network = Network::preset("alexnet").unwrap();
    let image = ImageSize::square(227);
    let millions = |layer: &str| {
        let id = network.convolution(layer).unwrap();
        network.multiply_adds(image, id).unwrap() as f64 / 1e6
    };
    let counted = ["conv1", "conv2", "conv3", "conv4", "conv5"].map(millions);
    for (counted, expected) in counted.into_iter().zip([72.9, 296.8, 408.9, 558.5, 658.1]) {
        assert!((counted - expected).abs() < 0.06, "{counted} {expected}");
    }
    let conv5 = network.convolution("conv5").unwrap();
    assert_eq!(network.sizes(image, conv5).unwrap()[conv5.0], ImageSize::square(13));
    assert_eq!(network.channels(conv5), 256);
}

#[test]
fn layers_are_found_by_either_name() {
    let network = Network::preset("alexnet").unwrap();
    assert_eq!(network.convolution("conv3").unwrap(), network.convolution("features.6").unwrap());
    let unknown = network.convolution("conv9").unwrap_err().to_string();
    assert!(unknown.contains("no layer `conv9`"), "{unknown}");
    assert!(unknown.contains("conv1 (features.0), conv2 (features.3)"), "{unknown}");
    let relu = network.convolution("features.1").unwrap_err().to_string();
    assert!(relu.contains("is a ReLU"), "{relu}");
}

#[test]
fn a_layers_name_wins_over_the_number_of_another() {
    let other = CONV.replace("\"a\"", "\"conv1\"");
    let network = described(&format!(r#"{{"name": "t", "layers": [{CONV}, {other}]}}"#)).unwrap();
    assert_eq!(network.convolution("conv1").unwrap(), LayerId(1));
    assert_eq!(network.convolution("conv2").unwrap(), LayerId(1));
    let short: Vec<String> = (0..2).map(|id| network.short_name(LayerId(id))).collect();
    assert_eq!(short, ["a", "conv1"]);
}

#[test]
fn the_channels_of_any_layer_are_units() {
    let mut network = Network::preset("alexnet").unwrap();
    let (digest, description) = (network.digest(), network.description());
    let conv = network.convolution("conv2").unwrap();
    assert_eq!(network.units_of(conv).unwrap(), conv);
    let pool = network.named_layer("features.2").unwrap();
    let units = network.units_of(pool).unwrap();
    assert_eq!(network.units_of(pool).unwrap(), units);
    assert_eq!(network.units_of(units).unwrap(), units);
    assert_eq!(network.tapped(units), pool);
    assert_eq!(network.short_name(units), "features.2");
    assert_eq!(network.channels(units), 64);
    assert_eq!(network.projection(units), network.projection(pool));
    assert_eq!(network.convolutions().count(), 5);
    assert_eq!((network.digest(), network.description()), (digest, description));
    let last = network.named_layer("features").unwrap();
    assert_eq!(network.layer(last).name, "features.12", "a module is its last layer");
    let model = Model::random(network, 1).unwrap();
    assert_eq!(model.filters(units).unwrap().weight, [1.0; 64]);
    assert_eq!(model.weights(), 2_469_696 + 64);
}

#[test]
fn a_network_describes_itself() {
    let branches = r#"{"name": "b", "op": "max_pool", "kernel": 3, "stride": 1, "padding": 1, "inputs": ["image"]},
                      {"name": "c", "op": "conv", "out_channels": 6, "kernel": 3, "bias": false},
                      {"name": "d", "op": "concat", "inputs": ["a", "c"]},
                      {"name": "e", "op": "local_response_norm", "size": 5, "alpha": 0.1}"#;
    let joined = described(&format!(r#"{{"name": "t", "layers": [{CONV}, {branches}]}}"#)).unwrap();
    for network in [joined, Network::preset("alexnet").unwrap(), Network::preset("vgg13").unwrap()]
    {
        let again = described(&network.description().to_string()).unwrap();
        assert_eq!((again.name(), again.digest()), (network.name(), network.digest()));
    }
}

#[test]
fn a_unit_needs_room_in_the_layers_before_it_alone() {
    let mut network = Network::preset("alexnet").unwrap();
    let relu = network.named_layer("features.1").unwrap();
    let units = network.units_of(relu).unwrap();
    let sizes = network.sizes(ImageSize::square(30), units).unwrap();
    assert_eq!(sizes[units.0], ImageSize::square(6));
    let both = [network.convolution("conv1").unwrap(), units];
    assert_eq!(network.sizes_for(ImageSize::square(30), &both).unwrap()[0], ImageSize::square(6));
    let last = network.convolution("conv5").unwrap();
    assert!(network.sizes(ImageSize::square(30), last).is_err());
}
