//! Arguments that cannot be used: exit code 2, before anything is read for long or written.

use crate::workplace::{INPUTS, Workplace};

/// Arguments added to a command that would work, and what must be said about them.
type Cases = &'static [(&'static str, &'static [&'static str])];

const OF_RUN: Cases = &[
    ("--layers conv9", &["tiny has no layer `conv9`", "conv1 (features.0), conv2 (features.3)"]),
    ("--layers features.11", &["tiny has no layer `features.11`", "(the nearest are `features.1`"]),
    ("--layers conv1,", &["tiny has no layer with an empty name"]),
    ("--units 0-99", &["conv1 has no unit 8", "0 to 7"]),
    ("--units 6", &["conv4 has no unit 6", "0 to 5"]),
    ("--units 5-2", &["`5-2` is neither a unit nor a range", "such as 0-15,40"]),
    ("--units 1,,2", &["`` is neither a unit nor a range", "such as 0-15,40"]),
    ("--units one", &["`one` is neither a unit nor a range", "such as 0-15,40"]),
    ("--units 0-18446744073709551615", &["conv1 has no unit 8"]),
    ("--units 0-18446744073709551616", &["is neither a unit nor a range"]),
    ("--top 0", &["'0' for '--top", "at least 1"]),
    ("--top 2.5", &["'2.5' for '--top", "at least 1"]),
    ("--threads 0", &["'0' for '--threads", "from 1 to 1024"]),
    ("--threads 100000", &["'100000' for '--threads", "from 1 to 1024"]),
    ("--every 0", &["'0' for '--every", "at least 1"]),
    ("--batch 0", &["'0' for '--batch", "at least 1"]),
    ("--memory 2xx", &["'2xx' for '--memory", "such as 500MiB or 4GiB"]),
    ("--memory 10MiB", &["--memory 10.0 MiB", "tiny with", "needs at least", "fewer --threads"]),
    ("--verify -1", &["'-1'"]),
    ("--verify 3 --method full", &["--verify", "--method full is that already"]),
    ("--precision fp64", &["--precision fp64 needs --method full"]),
    ("--precision fp8", &["fp8", "fp32, tf32, fp16, bf16x3, bf16, fp64"]),
    (
        "--precision tf32 --device cpu",
        &["tf32 and fp16 need a GPU; the CPU has fp32, bf16x3 and bf16"],
    ),
    (
        "--precision fp16 --device cpu",
        &["tf32 and fp16 need a GPU; the CPU has fp32, bf16x3 and bf16"],
    ),
    ("--precision bf16x3 --device cuda", &["bf16x3 needs the CPU", "--device cpu", "tf32"]),
    ("--precision bf16 --method full", &["bf16x3 and bf16 go with --method incremental"]),
    ("--precision bf16x3 --method direct", &["bf16x3 and bf16 go with --method incremental"]),
    ("--precision fp64 --method full --device cuda", &["fp64 needs the CPU", "--device cpu"]),
    ("--method direct --device cuda", &["direct needs the CPU", "--method incremental"]),
    ("--device gpu", &["'gpu' for '--device", "auto, cpu, cuda, cuda:N, several"]),
    (
        "--device cuda:one",
        &["expected auto, cpu, cuda, cuda:N, several as cuda:0,cuda:1, or cuda:all"],
    ),
    ("--seed -1", &["'-1'"]),
    ("--image-size 0", &["`0` is not an image size", "HEIGHTxWIDTH", "1 to 65535"]),
    ("--image-size 61x", &["`61x` is not an image size"]),
    ("--image-size 70000", &["`70000` is not an image size"]),
    ("--preprocess sharpen", &["sharpen", "none, imagenet, unit, standardize"]),
    ("--mean 0,0,0", &["not provided", "--std"]),
    ("--std 1,1,1", &["not provided", "--mean"]),
    ("--mean 0,0 --std 1,1,1", &["--mean has 2 numbers; expected 3: R,G,B"]),
    ("--mean 0,0,0 --std 1,1,1,1", &["--std has 4 numbers; expected 3: R,G,B"]),
    ("--mean 0,0,0 --std 1,0,1", &["std 0 for channel 1", "above 0"]),
    ("--mean 0,NaN,0 --std 1,1,1", &["mean NaN for channel 1", "finite"]),
    (
        "--mean 0,0,0 --std 1,1,1 --preprocess none",
        &["go with --preprocess imagenet", "found --preprocess none"],
    ),
    ("--occluder-size 2 --size-divisor 3", &["--occluder-size", "cannot be used with"]),
    ("--occluder-stride 2 --stride-divisor 3", &["--occluder-stride", "cannot be used with"]),
    ("--occluder-size 0", &["size is 0", "at least 1"]),
    ("--occluder-stride 0", &["stride is 0", "at least 1"]),
    ("--size-divisor 0", &["size divisor is 0", "at least 1"]),
    ("--stride-divisor 0", &["stride divisor is 0", "at least 1"]),
    ("--occluder-size 6", &["6 pixels is larger than the receptive field of conv1, 5", "smaller"]),
    (
        "--grid zhou --occluder-size 54",
        &["conv1: an occluder of 54×54", "image of 61×53", "smaller"],
    ),
    ("--grid triangular", &["triangular", "reference, zhou"]),
    ("--deposit edge", &["edge", "centre, area"]),
    ("--colour", &["unexpected argument '--colour'"]),
];

const OF_MAP: Cases = &[
    ("--unit 8", &["conv1 has no unit 8", "0 to 7"]),
    ("--unit -1", &["'-1'"]),
    ("--image 4", &["there is no image 4", "the 4 images are 0 to 3"]),
    ("--position 31,0", &["conv1 has no position 31,0", "31×27", "30,26"]),
    ("--position 0,27", &["conv1 has no position 0,27", "30,26"]),
    ("--position 3", &["expected row,column"]),
    ("--position 3,-3", &["expected row,column"]),
    ("--layer conv1,conv2", &["no layer `conv1,conv2`"]),
    ("--noise perlin:3", &["`perlin:3` is not a noise", "philox:SEED", "torch:SEED"]),
    ("--noise torch:4294967296", &["torch:SEED (0 to 2^32-1)"]),
    ("--occluder-size 6", &["6 pixels is larger than the receptive field of conv1, 5"]),
    ("--grid zhou --occluder-size 54", &["54×54", "image of 61×53"]),
];

/// `defaults`, but for those that `arguments` gives.
fn with(arguments: &str, defaults: &[(&str, &str)]) -> String {
    let given: Vec<&str> = arguments.split_whitespace().collect();
    let others = defaults.iter().filter(|(name, _)| !given.contains(name));
    let others: Vec<String> = others.map(|(name, value)| format!("{name} {value}")).collect();
    format!("{} {arguments}", others.join(" "))
}

#[test]
fn wrong_arguments_of_run_and_sweep() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("rank {INPUTS} --top 4 --out ranked"));
    let common = format!("{INPUTS} --out out");
    for (arguments, words) in OF_RUN {
        let line = with(arguments, &[("--top", "4")]);
        workplace.refuses(&format!("run {common} {line}"), 2, words);
        workplace.refuses(&format!("sweep {common} --ranking ranked/ranking {line}"), 2, words);
    }
}

#[test]
fn wrong_arguments_of_map() {
    let workplace = Workplace::new();
    let right = [("--layer", "conv1"), ("--unit", "0"), ("--image", "0"), ("--position", "3,3")];
    for (arguments, words) in OF_MAP {
        let line = with(arguments, &right);
        workplace.refuses(&format!("map {INPUTS} --out map.npy {line}"), 2, words);
    }
}

#[test]
fn images_too_small_for_the_network_are_refused_with_the_layer() {
    let workplace = Workplace::new();
    let words = ["images of 4×4 are too small for layer `features.2`", "3×3", "larger images"];
    workplace.refuses("info --model model.json --image-size 4", 2, &words);
    for image in 0..4 {
        workplace.write(&format!("images/{image}.npy"), crate::workplace::zeros([3, 4, 4]));
    }
    workplace.refuses(&format!("run {INPUTS} --top 4 --out out"), 1, &words);
}

#[test]
fn an_image_size_is_what_arrays_must_have() {
    let workplace = Workplace::new();
    let rank = format!("rank {INPUTS} --top 4 --out out --image-size");
    let words = ["images/0.npy: it has 61×53 pixels; expected 61×54, the requested size"];
    workplace.refuses(&format!("{rank} 61x54"), 1, &words);
    workplace.succeeds(&format!("{rank} 61x53"));
}

#[test]
fn numbers_may_be_negative_where_that_makes_sense() {
    let workplace = Workplace::new();
    let line = format!("rank {INPUTS} --top 4 --mean -0.5,0,0.5 --std 1,2,3 --out out");
    workplace.succeeds(&line);
    let ranking = String::from_utf8(workplace.read("out/ranking/ranking.json")).unwrap();
    assert!(ranking.contains("custom (mean [-0.5, 0.0, 0.5], std [1.0, 2.0, 3.0])"), "{ranking}");
}
