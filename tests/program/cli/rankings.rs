//! Rankings that a sweep can use, and those that it must not.

use crate::workplace::{INPUTS, Workplace, npy, tree, zeros};

/// A workplace with a ranking of all layers in `ranking/`.
fn ranked() -> Workplace {
    let place = Workplace::new();
    place.succeeds(&format!("rank {INPUTS} --top 3 --out . --force"));
    place
}

fn sweep(place: &Workplace, words: &[&str]) {
    place.refuses(&format!("sweep {INPUTS} --ranking ranking --out out"), 1, words);
}

/// Without `ranking.json` and responses, as the reference writes rankings.
fn as_the_reference(place: &Workplace) {
    place.remove("ranking/ranking.json");
    (1..=4).for_each(|k| place.remove(&format!("ranking/conv{k}_responses.npy")));
}

#[test]
fn the_references_rankings_give_the_same_maps() {
    let place = ranked();
    let sweep = format!("sweep {INPUTS} --ranking ranking --every 9 --quiet");
    place.succeeds(&format!("{sweep} --out own"));
    place.succeeds(&format!("{sweep} --top 2 --out fewer"));
    as_the_reference(&place);
    place.succeeds(&format!("{sweep} --out references"));
    place.succeeds(&format!("run {INPUTS} --top 3 --every 9 --out both"));
    let maps = |out: &str| tree(&place.path(out).join("maps"));
    assert_eq!(maps("own").len(), 24);
    assert!(maps("own") == maps("references"));
    assert!(maps("own") == maps("both"));
    assert!(maps("own") != maps("fewer"));
    let messages = place.succeeds(&format!("{} --top 4 --out all", sweep.replace("--quiet", "")));
    assert!(messages.contains("4 top images requested; there are 3"), "{messages}");
}

#[test]
fn maps_from_a_ranking_elsewhere_are_not_replaced_by_a_run() {
    let place = ranked();
    place.succeeds(&format!("sweep {INPUTS} --ranking ranking --every 9 --quiet --out out"));
    let before = tree(&place.path("out"));
    for command in ["run", "rank"] {
        let line = format!("{command} {INPUTS} --top 2 --out out");
        place.refuses(&line, 2, &["out/manifest.json: lists maps", "out/ranking", "--force"]);
        assert!(tree(&place.path("out")) == before, "{command} changed something");
    }
    place.succeeds(&format!("run {INPUTS} --top 2 --every 9 --quiet --out out --force"));
    assert!(tree(&place.path("out")) != before);
}

#[test]
fn a_ranking_that_is_not_there() {
    let place = ranked();
    let line = format!("sweep {INPUTS} --out out --ranking");
    place.refuses(&format!("{line} absent"), 1, &["absent: there is no such folder", "`rank`"]);
    place.refuses(&format!("{line} images"), 1, &["images/conv1.npy: cannot be read"]);
    place.remove("ranking/conv3.npy");
    sweep(&place, &["ranking/conv3.npy: cannot be read", "No such file"]);
}

#[test]
fn rankings_made_for_something_else_are_refused() {
    let place = ranked();
    let line = "sweep --model model.json --ranking ranking --out out --images";
    let rank_again = "rank again";
    place.refuses(
        &format!("{line} images --weights tiny.pth"),
        1,
        &["ranking/ranking.json: made for weights with SHA-256", "this sweep has", rank_again],
    );
    place.refuses(
        &format!("{line} images --weights tiny.npz --preprocess standardize"),
        1,
        &["made for preprocessing none; this sweep has standardize", rank_again],
    );
    std::fs::create_dir(place.path("small")).unwrap();
    (0..4).for_each(|image| place.write(&format!("small/{image}.npy"), zeros([3, 40, 40])));
    place.refuses(
        &format!("{line} small --weights tiny.npz"),
        1,
        &["made for images of 61×53; this sweep has 40×40", rank_again],
    );
    place.copy("images/0.npy", "images/4.npy");
    sweep(&place, &["made for a number of images of 4; this sweep has 5", rank_again]);
    place.remove("images/4.npy");

    let other = String::from_utf8(place.read("model.json")).unwrap().replace("tiny", "other");
    place.write("model.json", other);
    sweep(&place, &["made for the model tiny; this sweep has other", rank_again]);
}

#[test]
fn a_ranking_of_fewer_layers_serves_those_only() {
    let place = Workplace::new();
    place.succeeds(&format!("rank {INPUTS} --top 2 --layers conv2,conv1 --out . --force"));
    sweep(&place, &["made for layers conv1, conv2; this sweep has also conv3", "rank again"]);
    place.succeeds(&format!("sweep {INPUTS} --layers conv2 --every 9 --ranking ranking --out out"));
}

#[test]
fn a_ranking_of_renamed_pictures_is_refused() {
    let place = Workplace::new();
    (0..4).for_each(|image| place.remove(&format!("images/{image}.npy")));
    for name in ["a", "b"] {
        let picture = image::RgbImage::from_fn(53, 61, |x, y| image::Rgb([x as u8, y as u8, 9]));
        picture.save(place.path(format!("images/{name}.png"))).unwrap();
    }
    let inputs = format!("{INPUTS} --preprocess unit");
    place.succeeds(&format!("rank {inputs} --top 2 --out . --force"));
    std::fs::rename(place.path("images/b.png"), place.path("images/c.png")).unwrap();
    let words = ["made for an image b.png at index 1; this sweep has c.png at index 1"];
    place.refuses(&format!("sweep {inputs} --ranking ranking --out out"), 1, &words);
}

#[test]
fn damaged_descriptions_of_a_ranking_are_refused() {
    let place = ranked();
    let right = String::from_utf8(place.read("ranking/ranking.json")).unwrap();
    let version = "is `occlumap ranking` version 3; expected `occlumap ranking` version 2";
    for (wrong, word) in [
        (String::new(), "not a ranking's description"),
        (right[..right.len() / 2].to_owned(), "not a ranking's description"),
        ("[1, 2]".to_owned(), "not a ranking's description"),
        (right.replace("\"version\": 2", "\"version\": 3"), version),
        (right.replace("occlumap ranking", "cat pictures"), "is `cat pictures` version 2"),
    ] {
        place.write("ranking/ranking.json", wrong);
        sweep(&place, &["ranking/ranking.json", word]);
    }
}

#[test]
fn arrays_that_are_no_ranking_are_refused() {
    let place = ranked();
    place.copy("ranking/conv2.npy", "whole.npy");
    let bytes = place.read("whole.npy");
    let values = &bytes[bytes.len() - 8 * 12 * 3 * 4..];
    let at = |place: usize, value: i64| {
        let mut bytes = bytes.clone();
        let start = bytes.len() - values.len() + 8 * place;
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
        (place.read("ranking/conv1.npy"), &["its shape is [8, 3, 4]; expected [12, N, 4]"]),
        (bytes[..bytes.len() / 2].to_vec(), &["damaged or cut short"]),
        (Vec::new(), &["the file is empty"]),
    ] {
        place.write("ranking/conv2.npy", wrong);
        sweep(&place, &[&["ranking/conv2.npy"][..], words].concat());
    }
}

#[test]
fn responses_that_are_not_the_engines_are_refused() {
    let place = ranked();
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
        place.write("ranking/conv2_responses.npy", wrong);
        place.refuses(
            &format!("sweep {INPUTS} --layers conv2 --every 9 --ranking ranking --out out"),
            1,
            words,
        );
    }
}
