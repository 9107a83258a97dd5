//! Networks and descriptions that are refused.

use super::*;
use crate::error::{ErrorKind, HasKind};

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
fn thousands_of_layers_are_read_and_more_are_refused() {
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
fn images_and_files_that_do_not_work_are_input_and_layers_that_there_are_not_are_usage() {
    let kind = |error: NetworkError| error.kind();
    let pad = r#"{"name": "b", "op": "pad", "mode": "reflect", "padding": 3}"#;
    let padded = described(&format!(r#"{{"name": "t", "layers": [{pad}, {CONV}]}}"#)).unwrap();
    let too_small = padded.sizes(ImageSize::square(3), LayerId(1)).unwrap_err();
    assert!(too_small.to_string().contains("it reflects 3 rows"), "{too_small}");
    assert_eq!(kind(too_small), ErrorKind::Input);
    assert_eq!(kind(described("{").unwrap_err()), ErrorKind::Input);
    assert_eq!(kind(padded.named_layer("c").unwrap_err()), ErrorKind::Usage);
    assert_eq!(kind(Network::preset("none").unwrap_err()), ErrorKind::Usage);
}
