//! Rankings that a sweep can use, and those that it must not.

use crate::workplace::{INPUTS, Workplace, npy, tree, zeros};

/// A workplace with a ranking of all layers in `ranking/`.
fn ranked() -> Workplace {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("rank {INPUTS} --top 3 --out . --force"));
    workplace
}

fn sweep(workplace: &Workplace, words: &[&str]) {
    workplace.refuses(&format!("sweep {INPUTS} --ranking ranking --out out"), 1, words);
}

/// Without `ranking.json` and responses, as the reference writes rankings.
fn as_the_reference(workplace: &Workplace) {
    workplace.remove("ranking/ranking.json");
    (1..=4).for_each(|k| workplace.remove(&format!("ranking/conv{k}_responses.npy")));
}

#[test]
fn the_references_rankings_give_the_same_maps() {
    let workplace = ranked();
    let sweep = format!("sweep {INPUTS} --ranking ranking --every 9 --quiet");
    workplace.succeeds(&format!("{sweep} --out own"));
    workplace.succeeds(&format!("{sweep} --top 2 --out fewer"));
    as_the_reference(&workplace);
    workplace.succeeds(&format!("{sweep} --out references"));
    workplace.succeeds(&format!("run {INPUTS} --top 3 --every 9 --out both"));
    let maps = |out: &str| tree(&workplace.path(out).join("maps"));
    assert_eq!(maps("own").len(), 24);
    assert!(maps("own") == maps("references"));
    assert!(maps("own") == maps("both"));
    assert!(maps("own") != maps("fewer"));
    let messages =
        workplace.succeeds(&format!("{} --top 4 --out all", sweep.replace("--quiet", "")));
    assert!(messages.contains("4 top images requested; there are 3"), "{messages}");
}

#[test]
fn maps_from_a_ranking_elsewhere_are_not_replaced_by_a_run() {
    let workplace = ranked();
    workplace.succeeds(&format!("sweep {INPUTS} --ranking ranking --every 9 --quiet --out out"));
    let before = tree(&workplace.path("out"));
    for command in ["run", "rank"] {
        let line = format!("{command} {INPUTS} --top 2 --out out");
        workplace.refuses(&line, 2, &["out/manifest.json: lists maps", "out/ranking", "--force"]);
        assert!(tree(&workplace.path("out")) == before, "{command} changed something");
    }
    workplace.succeeds(&format!("run {INPUTS} --top 2 --every 9 --quiet --out out --force"));
    assert!(tree(&workplace.path("out")) != before);
}

#[test]
fn a_ranking_that_is_not_there() {
    let workplace = ranked();
    let line = format!("sweep {INPUTS} --out out --ranking");
    workplace.refuses(&format!("{line} absent"), 1, &["absent: there is no such folder", "`rank`"]);
    workplace.refuses(&format!("{line} images"), 1, &["images/conv1.npy: cannot be read"]);
    workplace.remove("ranking/conv3.npy");
    sweep(&workplace, &["ranking/conv3.npy: cannot be read", "No such file"]);
}

#[test]
fn rankings_made_for_something_else_are_refused() {
    let workplace = ranked();
    let line = "sweep --model model.json --ranking ranking --out out --images";
    let rank_again = "rank again";
    workplace.refuses(
        &format!("{line} images --weights tiny.pth"),
        1,
        &["ranking/ranking.json: made for weights with SHA-256", "this sweep has", rank_again],
    );
    workplace.refuses(
        &format!("{line} images --weights tiny.npz --preprocess standardize"),
        1,
        &["made for preprocessing none; this sweep has standardize", rank_again],
    );
    std::fs::create_dir(workplace.path("small")).unwrap();
    (0..4).for_each(|image| workplace.write(&format!("small/{image}.npy"), zeros([3, 40, 40])));
    workplace.refuses(
        &format!("{line} small --weights tiny.npz"),
        1,
        &["made for images of 61×53; this sweep has 40×40", rank_again],
    );
    workplace.copy("images/0.npy", "images/4.npy");
    sweep(&workplace, &["made for a number of images of 4; this sweep has 5", rank_again]);
    workplace.remove("images/4.npy");

    let other = String::from_utf8(workplace.read("model.json")).unwrap().replace("tiny", "other");
    workplace.write("model.json", other);
    sweep(&workplace, &["made for the model tiny; this sweep has other", rank_again]);
}

#[test]
fn a_ranking_of_fewer_layers_serves_those_only() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("rank {INPUTS} --top 2 --layers conv2,conv1 --out . --force"));
    sweep(&workplace, &["made for layers conv1, conv2; this sweep has also conv3", "rank again"]);
    workplace
        .succeeds(&format!("sweep {INPUTS} --layers conv2 --every 9 --ranking ranking --out out"));
}

#[test]
fn a_ranking_of_renamed_pictures_is_refused() {
    let workplace = Workplace::new();
    (0..4).for_each(|image| workplace.remove(&format!("images/{image}.npy")));
    for name in ["a", "b"] {
        let picture = image::RgbImage::from_fn(53, 61, |x, y| image::Rgb([x as u8, y as u8, 9]));
        picture.save(workplace.path(format!("images/{name}.png"))).unwrap();
    }
    let inputs = format!("{INPUTS} --preprocess unit");
    workplace.succeeds(&format!("rank {inputs} --top 2 --out . --force"));
    std::fs::rename(workplace.path("images/b.png"), workplace.path("images/c.png")).unwrap();
    let words = ["made for an image b.png at index 1; this sweep has c.png at index 1"];
    workplace.refuses(&format!("sweep {inputs} --ranking ranking --out out"), 1, &words);
}

#[test]
fn damaged_descriptions_of_a_ranking_are_refused() {
    let workplace = ranked();
    let right = String::from_utf8(workplace.read("ranking/ranking.json")).unwrap();
    let version = "is `occlumap ranking` version 3; expected `occlumap ranking` version 2";
    for (wrong, word) in [
        (String::new(), "not a ranking's description"),
        (right[..right.len() / 2].to_owned(), "not a ranking's description"),
        ("[1, 2]".to_owned(), "not a ranking's description"),
        (right.replace("\"version\": 2", "\"version\": 3"), version),
        (right.replace("occlumap ranking", "cat pictures"), "is `cat pictures` version 2"),
    ] {
        workplace.write("ranking/ranking.json", wrong);
        sweep(&workplace, &["ranking/ranking.json", word]);
    }
}

#[test]
fn arrays_that_are_no_ranking_are_refused() {
    let workplace = ranked();
    workplace.copy("ranking/conv2.npy", "whole.npy");
    let bytes = workplace.read("whole.npy");
    let values = &bytes[bytes.len() - 8 * 12 * 3 * 4..];
    let at = |workplace: usize, value: i64| {
        let mut bytes = bytes.clone();
        let start = bytes.len() - values.len() + 8 * workplace;
        bytes[start..start + 8].copy_from_slice(&value.to_le_bytes());
        bytes
    };
    // Unit 5, rank 1: 15 × 13 positions, 4 images.
    let entry = (5 * 3 + 1) * 4;
    for (wrong, words) in [
        (at(entry, 4), &["[5, 1, 0] is image 4; expected 0 to 3", "other layers or images"][..]),
        (at(entry, -1), &["[5, 1, 0] is image -1; expected 0 to 3"]),
        (at(entry + 1, 195), &["[5, 1, 1] is position 195; expected 0 to 194"]),
        (at(entry + 2, i64::MAX), &["[5, 1, 2] is image 9223372036854775807"]),
        (at(entry + 3, i64::MIN), &["[5, 1, 3] is position -9223372036854775808"]),
        (npy("<f8", "(12, 3, 4)", values), &["its dtype is float64; expected int64"]),
        (npy("<i8", "(12, 12)", values), &["its shape is [12, 12]; expected [12, N, 4]"]),
        (npy("<i8", "(12, 4, 3)", values), &["its shape is [12, 4, 3]; expected [12, N, 4]"]),
        (npy("<i8", "(12, 0, 4)", &[]), &["its shape is [12, 0, 4]; expected [12, N, 4]"]),
        (workplace.read("ranking/conv1.npy"), &["its shape is [8, 3, 4]; expected [12, N, 4]"]),
        (bytes[..bytes.len() / 2].to_vec(), &["damaged or cut short"]),
        (Vec::new(), &["the file is empty"]),
    ] {
        workplace.write("ranking/conv2.npy", wrong);
        sweep(&workplace, &[&["ranking/conv2.npy"][..], words].concat());
    }
}

#[test]
fn responses_that_are_not_the_engines_are_refused() {
    let workplace = ranked();
    let zeros = |shape: &str, n: usize| npy("<f4", shape, &vec![0; 4 * n]);
    let nan = npy("<f4", "(12, 3, 2)", &f32::NAN.to_le_bytes().repeat(72));
    for (wrong, words) in [
        (zeros("(12, 3, 3)", 108), &["conv2_responses.npy: its shape", "[12, N, 2]"][..]),
        (zeros("(12, 2, 2)", 48), &["conv2_responses.npy: it holds 2 images a unit", "holds 3"]),
        (npy("<i8", "(12, 3, 2)", &[0; 576]), &["conv2_responses.npy: its dtype is int64"]),
        (nan, &["conv2_responses.npy: [0, 0, 0] is NaN", "expected finite numbers"]),
        (
            zeros("(12, 3, 2)", 72),
            &["conv2: unit 0 responds to image", "the ranking says 0", "rank again"],
        ),
    ] {
        workplace.write("ranking/conv2_responses.npy", wrong);
        workplace.refuses(
            &format!("sweep {INPUTS} --layers conv2 --every 9 --ranking ranking --out out"),
            1,
            words,
        );
    }
}
