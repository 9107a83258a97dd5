//! Models that there are not, and descriptions that do not work.

use crate::workplace::Workplace;

const CONV: &str = r#"{"name": "c", "op": "conv", "out_channels": 2, "kernel": 3}"#;

#[test]
fn models_that_there_are_not() {
    let workplace = Workplace::new();
    let known = "expected alexnet, vgg11, vgg13";
    for (model, code, words) in [
        ("resnet", 2, ["there is no model `resnet`", known]),
        ("resnet-18", 2, ["there is no model `resnet-18` (the nearest are `resnet18`", known]),
        ("tiny.npz", 2, ["`tiny.npz` is a file of weights: give it to --weights", "to --model"]),
        ("absent.npz", 2, ["there is no model `absent.npz`", known]),
        ("absent.json", 1, ["absent.json: cannot be read", "No such file"]),
    ] {
        workplace.refuses(&format!("info --model {model}"), code, &words);
        let line = format!("run --model {model} --weights tiny.npz --images images --out out");
        workplace.refuses(&line, code, &words);
    }
}

#[test]
fn descriptions_that_do_not_work() {
    let workplace = Workplace::new();
    let layers = |layers: &str| format!(r#"{{"name": "own", "layers": [{layers}]}}"#);
    let after = |layer: &str| layers(&format!("{CONV}, {layer}"));
    for (json, words) in [
        (String::new(), &["EOF"][..]),
        ("convolution, ReLU".into(), &["expected value at line 1"]),
        (layers(&format!(r#"{{"name": {}"#, "[".repeat(100_000))), &["recursion limit"]),
        (r#"{"layers": []}"#.into(), &["missing field `name`"]),
        (r#"{"name": "own", "layers": [], "input": 3}"#.into(), &["unknown field `input`"]),
        (layers(""), &["own: it has no convolution"]),
        (
            after(r#"{"name": "d", "op": "conv", "out_channels": 2, "kernel": 3, "dilation": 0}"#),
            &["`d`: its dilation is 0; expected 1 to 65536"],
        ),
        (
            after(r#"{"name": "d", "op": "conv", "out_channels": 2, "kernel": 3, "pad": 2}"#),
            &["`d`: unknown field `pad`", "`padding`"],
        ),
        (after(r#"{"name": "d", "op": "conv", "out_channels": 2, "kernel": -3}"#), &["`d`", "-3"]),
        (
            after(r#"{"name": "d", "op": "conv", "out_channels": 2, "kernel": 100000}"#),
            &["`d`: its kernel is 100000; expected 1 to 65536"],
        ),
        (after(r#"{"name": "d", "op": "softmax"}"#), &["`d`: unknown op `softmax`", " relu,"]),
        (
            after(r#"{"name": "d", "op": "relu", "inputs": ["e"]}, {"name": "e", "op": "relu"}"#),
            &["`d`: its input `e` is no layer before it"],
        ),
        (
            after(r#"{"name": "d", "op": "relu", "inputs": ["d"]}"#),
            &["`d`: its input `d` is no layer before it"],
        ),
        (after(r#"{"name": "d", "op": "relu", "inputs": []}"#), &["`d`: a ReLU has one input"]),
        (after(r#"{"name": "c", "op": "relu"}"#), &["`c`: another layer has the same name"]),
        (after(r#"{"name": "d", "op": "relu", "kernel": 3}"#), &["`d`: unknown field `kernel`"]),
        (after(r#"{"name": 7, "op": "relu"}"#), &["its name is 7; expected a string"]),
        (
            layers(&[r#"{"op": "max_pool", "kernel": 65536, "stride": 65536}"#; 5].join(", ")),
            &["layer `1`: its receptive field of", "is larger than 1048576"],
        ),
    ] {
        workplace.write("own.json", json);
        let words = [&["own.json: not a model description"][..], words].concat();
        workplace.refuses("info --model own.json", 1, &words);
    }
    workplace.write("own.json", layers(CONV));
    workplace.succeeds("info --model own.json");
}
