//! Networks with weights: their digests, and the files that they are saved in.

use super::*;

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
    assert_eq!(given.ignored(), ["fc"]);
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
