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
        assert!(message.contains("its first input has to have a place in the image"), "{message}");
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
fn numbers_that_a_network_tells_are_part_of_its_model() {
    let network = Network::preset("googlenet").unwrap();
    assert_eq!(network.convolution("conv1.conv").unwrap(), LayerId(1));
    let model = Model::random(network, 3).unwrap();
    let numbers = model.filters(LayerId(0)).unwrap();
    assert_eq!((numbers.weight[1], numbers.bias[2]), (0.448, -0.188));
    let scaling = r#"{"name": "n", "channels": 1, "layers": [
        {"name": "s", "op": "scale", "factors": [2, 1], "shifts": [0]},
        {"name": "c", "op": "conv", "out_channels": 1, "kernel": 1}]}"#;
    let error = Network::from_description(scaling.as_bytes()).unwrap_err().to_string();
    assert!(
        error.contains("its 2 factors and 1 shifts are not one for each of 1 channels"),
        "{error}"
    );
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
fn images_without_room_are_refused_with_the_layer_that_has_none() {
    let network = Network::preset("alexnet").unwrap();
    let conv5 = network.convolution("conv5").unwrap();
    let error = network.sizes(ImageSize::new(40, 20), conv5).unwrap_err().to_string();
    assert!(error.contains("images of 40×20 are too small for layer `features.5`"), "{error}");
    let conv1 = network.convolution("conv1").unwrap();
    assert!(network.sizes(ImageSize::new(40, 20), conv1).is_ok(), "earlier layers have room");
}

#[test]
fn what_is_not_supported_is_an_error_that_names_the_layer() {
    for (field, message) in [
        (r#""dilation": 0"#, "its dilation is 0; expected 1"),
        (r#""dilation": 40000"#, "reaches over 80001 positions"),
        (r#""stride": [1, 2, 3]"#, "a list of up to 2"),
        (r#""groups": 2"#, "its 2 groups do not divide its 3 input and 6 output channels"),
        (r#""groups": 0"#, "groups do not divide"),
        (r#""stride": 0"#, "its stride is 0; expected 1"),
        (r#""padding": -1"#, "invalid value"),
        (r#""padding_mode": "reflect""#, "unknown field `padding_mode`"),
        (r#""inputs": ["b"]"#, "its input `b` is no layer before it"),
        (r#""inputs": []"#, "has one input; found 0"),
        (r#""inputs": ["image", "image"]"#, "has one input; found 2"),
    ] {
        let error = refused(&format!("{}, {field}}}", CONV.trim_end_matches('}')));
        assert!(error.starts_with("layer `a`: ") && error.contains(message), "{error}");
    }
    for (layer, message) in [
        (r#"{"name": "b", "op": "relu", "eps": 1}"#, "a ReLU has no numbers"),
        (r#"{"name": "a", "op": "relu"}"#, "another layer has the same name"),
        (r#"{"name": "image", "op": "relu"}"#, "other than that of the image"),
        (
            r#"{"name": "b", "op": "max_pool", "kernel": 3, "stride": 2, "padding": 2}"#,
            "at most half",
        ),
        (r#"{"name": "b", "op": "max_pool", "kernel": 0, "stride": 2}"#, "its kernel is 0"),
        (r#"{"name": "b", "op": "max_pool", "kernel": "3", "stride": 2}"#, "invalid type"),
        (r#"{"name": "b", "op": "attention"}"#, "unknown op `attention`; expected one of conv,"),
        (r#"{"name": "b"}"#, "no `op`"),
        (r#"{"name": "b", "op": "clip", "min": 2, "max": 1}"#, "clips to 2 to 1"),
        (
            r#"{"name": "b", "op": "silu", "beta": 2}"#,
            "unknown field `beta`: a SiLU has no numbers",
        ),
        (r#"{"name": "b", "op": "elu", "beta": 2}"#, "unknown field `beta`"),
        (r#"{"name": "b", "op": "batch_norm", "eps": 2}"#, "its eps is 2"),
        (r#"{"name": "b", "op": "slice", "start": 2, "end": 7}"#, "channels 2 to 7 of 6"),
        (r#"{"name": "b", "op": "shuffle", "groups": 4}"#, "4 groups do not divide its 6"),
        (r#"{"name": "b", "op": "mul", "inputs": ["a"]}"#, "two inputs; found 1"),
        (
            r#"{"name": "b", "op": "local_response_norm", "size": 0}"#,
            "expected a size of at least 1",
        ),
        (r#"{"name": "b", "op": "add", "inputs": ["a", "image"]}"#, "adds 6 channels and 3"),
    ] {
        let error = refused(&format!("{CONV}, {layer}"));
        assert!(error.starts_with("layer `") && error.contains(message), "{error}");
    }
    let padded = CONV.replace("6,", "65536,").replace("3}", "1, \"padding\": 65000}");
    let network = described(&format!(r#"{{"name": "t", "layers": [{padded}]}}"#)).unwrap();
    let error = network.sizes(ImageSize::square(8), LayerId(0)).unwrap_err().to_string();
    assert!(error.contains("values are supported"), "{error}");
    assert!(refused("").contains("no convolution"));
    assert!(described("{").is_err());
    assert!(described(r#"{"name": "t", "layers": [], "more": 1}"#).is_err());
}

#[test]
fn branches_of_unequal_steps_or_sizes_are_errors() {
    let step = r#"{"name": "b", "op": "conv", "out_channels": 6, "kernel": 1, "stride": 2, "inputs": ["image"]},
                  {"name": "c", "op": "add", "inputs": ["a", "b"]}"#;
    assert!(refused(&format!("{CONV}, {step}")).contains("step 1 and 2 pixels"));

    let size = r#"{"name": "b", "op": "conv", "out_channels": 6, "kernel": 1, "inputs": ["image"]},
                  {"name": "c", "op": "concat", "inputs": ["a", "b"]},
                  {"name": "d", "op": "conv", "out_channels": 1, "kernel": 1}"#;
    let network = described(&format!(r#"{{"name": "t", "layers": [{CONV}, {size}]}}"#)).unwrap();
    let last = network.convolution("d").unwrap();
    let error = network.sizes(ImageSize::square(8), last).unwrap_err().to_string();
    assert!(error.contains("layer `c`: it joins outputs of 6×6 and 8×8"), "{error}");
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
fn filters_that_do_not_fit_are_refused() {
    let network = || described(&format!(r#"{{"name": "t", "layers": [{CONV}]}}"#)).unwrap();
    let filters = |weight, bias| Filters { weight: vec![0.0; weight], bias: vec![0.0; bias] };
    assert!(Model::new(network(), vec![filters(162, 6)]).is_ok());
    assert!(Model::new(network(), vec![filters(161, 6)]).is_err());
    assert!(Model::new(network(), vec![filters(162, 0)]).is_err());
    assert!(Model::new(network(), vec![]).is_err());
}

#[test]
fn thousands_of_layers_take_no_time_and_more_are_refused() {
    let start = std::time::Instant::now();
    let layers = |count: usize| {
        let layer = |n: usize| {
            format!(r#"{{"name": "l{n}", "op": "conv", "out_channels": 1, "kernel": 1}}"#)
        };
        let layers: Vec<String> = (0..count).map(layer).collect();
        described(&format!(r#"{{"name": "deep", "layers": [{}]}}"#, layers.join(",")))
    };
    let network = layers(MAX_LAYERS).unwrap();
    assert_eq!(network.convolutions().count(), MAX_LAYERS);
    let names: Vec<String> = network.convolutions().map(|(id, _)| network.short_name(id)).collect();
    assert_eq!(names.last().unwrap(), &format!("conv{MAX_LAYERS}"));
    let unknown = network.convolution("absent").unwrap_err().to_string();
    assert!(unknown.ends_with("conv64 (l63) and 16320 more"), "{unknown}");
    let error = layers(30_000).unwrap_err().to_string();
    assert!(error.contains("30000 layers; at most 16384 are read"), "{error}");
    assert!(start.elapsed() < std::time::Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn names_that_no_table_could_show_are_refused() {
    let named =
        |name: &str| format!(r#"{{"name": {name}, "op": "conv", "out_channels": 6, "kernel": 3}}"#);
    let long = refused(&named(&format!("\"{}\"", "n".repeat(65_536))));
    assert!(long.contains("its name has 65536 bytes; at most 1024 are read"), "{long}");
    assert!(long.len() < 200, "{long}");
    for name in [r#""\u001b[2Ja""#, r#""a\nb""#, r#""a\u202eb""#, r#""\u009b31m""#] {
        let message = refused(&named(name));
        assert!(message.contains("characters that are not shown"), "{message}");
        assert!(!message.contains(['\u{1b}', '\n', '\u{202e}', '\u{9b}']), "{message:?}");
    }
    let network = format!(r#"{{"name": "\u001b[31mred", "layers": [{CONV}]}}"#);
    let message = described(&network).unwrap_err().to_string();
    assert!(message.starts_with(r"network `\u{1b}[31mred`: its name has"), "{message}");
}

#[test]
fn numbers_whose_product_overflows_are_refused() {
    let message = refused(
        r#"{"op": "conv", "out_channels": 65536, "kernel": 1},
           {"op": "conv", "out_channels": 65536, "kernel": 65536}"#,
    );
    assert!(message.contains("have more than 268435456 weights"), "{message}");
    let mut layers = vec![CONV.to_owned(), r#"{"name": "c0", "op": "relu"}"#.to_owned()];
    for n in 1..=64 {
        let before = n - 1;
        layers.push(format!(
            r#"{{"name": "c{n}", "op": "concat", "inputs": ["c{before}", "c{before}"]}}"#
        ));
    }
    let message = refused(&layers.join(","));
    assert!(message.contains("layer `c14`: it has 98304 channels; at most 65536"), "{message}");
}

#[test]
fn a_text_that_is_no_description_is_told_what_was_expected() {
    for (text, words) in [
        ("", ["EOF while parsing", "expected JSON such as {\"name\""]),
        (
            "[1, 2]",
            ["invalid type", "expected an object with `name`, a text, and `layers`, a list"],
        ),
        (r#"{"name": 3, "layers": []}"#, ["invalid type: integer `3`", "`layers`, a list"]),
        (r#"{"layers": []}"#, ["missing field `name`", "`layers`, a list"]),
    ] {
        let message = described(text).unwrap_err().to_string();
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
    }
}

#[test]
fn given_weights_have_the_digest_of_the_file_that_they_are_saved_in() {
    let network = || {
        let conv = Op::Conv(Convolution::new(2, 3, 1, 1));
        Network::new(
            "small",
            vec![Layer { name: "a.b".into(), op: conv, inputs: vec![Input::Image] }],
        )
        .unwrap()
    };
    let tensor = |shape: &[usize]| Tensor {
        shape: shape.to_vec(),
        data: (0..shape.iter().product()).map(|value: usize| value as f32).collect(),
    };
    let tensors = || {
        let weight = ("module.a.b.weight".to_owned(), tensor(&[2, 3, 3, 3]));
        vec![weight, ("module.a.b.bias".into(), tensor(&[2])), ("module.fc".into(), tensor(&[1]))]
    };
    let given = Model::of_tensors(network(), tensors()).unwrap();
    assert_eq!(given.ignored(), ["module.fc"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    given.save_weights(&path).unwrap();
    let read = Model::load(network(), &path).unwrap();
    assert_eq!(read.digest(), given.digest());
    assert_eq!(read.filters(LayerId(0)), given.filters(LayerId(0)));
    let filters = given.filters(LayerId(0)).unwrap().clone();
    assert_eq!(Model::new(network(), vec![filters]).unwrap().digest(), given.digest());

    let mut wrong = tensors();
    wrong[0].1.data[4] = f32::NAN;
    let error = Model::of_tensors(network(), wrong).unwrap_err().to_string();
    assert!(error.contains("its element 4 is NaN"), "{error}");
    let mut wrong = tensors();
    wrong[0].1.data.pop();
    let error = Model::of_tensors(network(), wrong).unwrap_err().to_string();
    assert!(error.contains("it has 53 elements"), "{error}");
    let error = Model::of_tensors(network(), tensors()[1..].to_vec()).unwrap_err().to_string();
    assert!(error.starts_with("the weights: tensor `a.b.weight`"), "{error}");
}

#[test]
fn the_numbers_of_every_layer_are_read_again_from_the_file_that_they_are_saved_in() {
    let network = |affine| {
        described(&format!(
            r#"{{"name": "t", "layers": [{CONV}, {{"op": "batch_norm", "eps": 0.003, "affine": {affine}}},
                {{"op": "prelu"}}, {{"op": "channel_norm"}}]}}"#
        ))
        .unwrap()
    };
    let filters = |network: &Network| -> Vec<Filters> {
        let values = |count: usize| (0..count).map(|n| 0.1 + (n as f32).sin()).collect();
        let filters = |(_, [weight, bias]): (_, [usize; 2])| Filters {
            weight: values(weight),
            bias: values(bias),
        };
        network.parameters().map(filters).collect()
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let given = Model::new(network(true), filters(&network(true))).unwrap();
    given.save_weights(&path).unwrap();
    let read = Model::load(network(true), &path).unwrap();
    assert_eq!(read.digest(), given.digest());
    for id in (0..4).map(LayerId) {
        assert_eq!(read.filters(id), given.filters(id));
    }
    let plain = Model::new(network(false), filters(&network(false))).unwrap();
    let error = plain.save_weights(&path).unwrap_err().to_string();
    assert!(error.contains("`affine` false"), "{error}");
}

#[test]
fn files_are_not_named_after_layers_that_lead_elsewhere() {
    // The second convolution cannot be called `conv2`, and its own name is a path.
    let error = refused(&format!(
        r#"{CONV}, {{"name": "../../evil", "op": "conv", "out_channels": 2, "kernel": 1}},
        {{"name": "conv2", "op": "relu"}}"#
    ));
    assert!(error.contains("`../../evil`") && error.contains("files of results"), "{error}");
    let layers = format!(r#"{CONV}, {{"name": "../r", "op": "relu"}}"#);
    let mut network = described(&format!(r#"{{"name": "t", "layers": [{layers}]}}"#)).unwrap();
    let relu = network.named_layer("../r").unwrap();
    assert!(network.units_of(relu).unwrap_err().to_string().contains("files of results"));
    let long = "r".repeat(300);
    let layers = format!(r#"{CONV}, {{"name": "{long}", "op": "relu"}}"#);
    let mut network = described(&format!(r#"{{"name": "t", "layers": [{layers}]}}"#)).unwrap();
    let relu = network.named_layer(&long).unwrap();
    assert!(network.units_of(relu).is_err());
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

#[test]
fn models_that_differ_in_statistics_alone_have_other_digests() {
    let network = || {
        let layers = format!(r#"{CONV}, {{"name": "b", "op": "batch_norm", "affine": false}}"#);
        described(&format!(r#"{{"name": "t", "layers": [{layers}]}}"#)).unwrap()
    };
    let model = |factor: f32, shift: f32| {
        let filters = Filters { weight: vec![0.5; 162], bias: vec![0.0; 6] };
        let norm = Filters { weight: vec![factor; 6], bias: vec![shift; 6] };
        Model::new(network(), vec![filters, norm]).unwrap().digest().clone()
    };
    assert_eq!(model(1.0, 0.0), model(1.0, 0.0));
    assert_ne!(model(1.0, 0.0), model(2.0, 0.0));
    assert_ne!(model(1.0, 0.0), model(1.0, 0.5));
}
