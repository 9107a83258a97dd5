//! Images that cannot be used: named, explained, and nothing is written.

use std::time::{Duration, Instant};

use crate::workplace::{INPUTS, Workplace, npy, zeros};

/// What is done to the images, and what must be said about it.
type Case = (&'static str, fn(&Workplace), &'static [&'static str]);

const CASES: &[Case] = &[
    (
        "no folder",
        |workplace| std::fs::rename(workplace.path("images"), workplace.path("moved")).unwrap(),
        &["images: there is no such folder; --images takes a folder of pictures or arrays"],
    ),
    (
        "a folder with nearly that name",
        |workplace| std::fs::rename(workplace.path("images"), workplace.path("imaegs")).unwrap(),
        &["images: there is no such folder", "(the nearest are `imaegs`"],
    ),
    (
        "no image",
        |workplace| (0..4).for_each(|image| workplace.remove(&format!("images/{image}.npy"))),
        &["images: no images found", "expected 0.npy"],
    ),
    (
        "a gap",
        |workplace| workplace.remove("images/1.npy"),
        &["images: 1.npy is missing", "expected the 3 .npy files to be 0.npy to 2.npy"],
    ),
    (
        "both kinds",
        |workplace| workplace.write("images/a.png", ""),
        &["4 .npy files and 1 picture;", "move one kind to a folder of its own"],
    ),
    (
        "a name that would rewrite a terminal",
        |workplace| workplace.write("images/\u{1b}[31m.npy", ""),
        &[r"`\u{1b}[31m.npy`", "rename the file"],
    ),
    (
        "the first is empty",
        |workplace| workplace.write("images/0.npy", ""),
        &["images/0.npy", "is empty"],
    ),
    (
        "empty",
        |workplace| workplace.write("images/2.npy", ""),
        &["images/2.npy: the file is empty"],
    ),
    (
        "cut short",
        |workplace| workplace.cut("images/2.npy"),
        &["images/2.npy: damaged or cut short", "claims 38796 bytes"],
    ),
    (
        "garbage",
        |workplace| workplace.write("images/2.npy", "GIF89a, or something else"),
        &["images/2.npy: not a .npy file"],
    ),
    (
        "no image's shape",
        |workplace| workplace.write("images/2.npy", zeros([2, 61, 53])),
        &["images/2.npy: its shape is [2, 61, 53]; expected [channels, height, width]"],
    ),
    (
        "another size",
        |workplace| workplace.write("images/2.npy", zeros([3, 61, 54])),
        &[
            "images/2.npy: it has 61×54 pixels; expected 61×53, the size of the folder's first image",
        ],
    ),
    (
        "integers that are no pixels",
        |workplace| workplace.write("images/2.npy", npy("<i8", "(1, 1, 1)", &[0xff; 8])),
        &["images/2.npy: its dtype is int64 and its values range from -1 to -1; expected 0 to 255"],
    ),
    (
        "complex numbers",
        |workplace| workplace.write("images/2.npy", npy("<c8", "(1, 1, 1)", &[0; 8])),
        &["images/2.npy: its dtype is <c8; expected one of float16", "astype"],
    ),
    (
        "NaN",
        |workplace| with_value(workplace, f32::NAN),
        &["images/2.npy: its value at channel 1, y 2, x 3 is NaN; expected finite numbers"],
    ),
    (
        "infinity",
        |workplace| with_value(workplace, f32::INFINITY),
        &["images/2.npy: its value at channel 1, y 2, x 3 is inf; expected finite numbers"],
    ),
    (
        "a header that claims terabytes",
        |workplace| workplace.write("images/2.npy", npy("<f4", "(3, 1000000, 1000000)", &[0; 12])),
        &["images/2.npy: damaged or cut short", "claims 12000000000000 bytes"],
    ),
    (
        "a header that claims more than there can be",
        |workplace| {
            workplace.write("images/2.npy", npy("<f4", "(4294967296, 4294967296)", &[0; 12]));
        },
        &["images/2.npy: its shape", "more values than any file"],
    ),
    (
        "several",
        |workplace| (1..4).rev().for_each(|image| workplace.cut(&format!("images/{image}.npy"))),
        &["images/1.npy: damaged or cut short"],
    ),
    (
        "responses that overflow",
        |workplace| {
            let pixels = f32::MAX.to_le_bytes().repeat(3 * 61 * 53);
            workplace.write("images/2.npy", npy("<f4", "(3, 61, 53)", &pixels));
        },
        &["of `conv1` responds with", "to image 2", "check the preprocessing"],
    ),
];

/// Puts a value into image 2, at channel 1, y 2, x 3.
fn with_value(workplace: &Workplace, value: f32) {
    let mut bytes = workplace.read("images/2.npy");
    let start = bytes.len() - 4 * 3 * 61 * 53;
    let at = start + 4 * ((61 + 2) * 53 + 3);
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    workplace.write("images/2.npy", bytes);
}

#[test]
fn images_that_cannot_be_used_are_named_and_nothing_is_written() {
    for (what, damage, words) in CASES {
        println!("{what}");
        let workplace = Workplace::new();
        damage(&workplace);
        workplace.refuses(&format!("run {INPUTS} --top 2 --every 9 --out out"), 1, words);
        workplace.refuses(&format!("rank {INPUTS} --top 2 --out out"), 1, words);
    }
}

/// Only where it would help.
#[test]
fn an_image_that_cannot_be_read_may_be_left_out_and_the_message_says_how() {
    let offer = "; --skip-unreadable leaves out such images";
    let workplace = Workplace::new();
    workplace.cut("images/2.npy");
    let run = format!("run {INPUTS} --top 2 --every 9 --layers conv1 --out");
    workplace.refuses(&format!("{run} out"), 1, &["images/2.npy: damaged or cut short", offer]);
    workplace.succeeds(&format!("{run} out --skip-unreadable"));
    let said = |line: &str| String::from_utf8(workplace.run(line).stderr).unwrap();
    // An image of another size is no damage.
    workplace.write("images/2.npy", zeros([3, 9, 9]));
    assert!(!said(&format!("{run} sized")).contains(offer));
    (0..4).for_each(|image| workplace.write(&format!("images/{image}.npy"), ""));
    workplace.refuses(&format!("{run} none"), 1, &["images/0.npy", "is empty", offer]);
    let none = said(&format!("{run} none --skip-unreadable"));
    assert!(none.contains("images/0.npy") && !none.contains(offer), "{none}");
}

#[test]
fn a_picture_that_is_cut_short_is_named() {
    let workplace = Workplace::new();
    (0..4).for_each(|image| workplace.remove(&format!("images/{image}.npy")));
    for name in ["images/a.png", "images/b.png"] {
        let picture = image::RgbImage::from_fn(53, 61, |x, y| image::Rgb([x as u8, y as u8, 9]));
        picture.save(workplace.path(name)).unwrap();
    }
    let rank = format!("rank {INPUTS} --preprocess unit --top 2");
    workplace.succeeds(&format!("{rank} --out whole"));
    workplace.cut("images/b.png");
    workplace.refuses(
        &format!("{rank} --out out"),
        1,
        &["images/b.png: cannot be decoded", "again"],
    );
    workplace.write("images/b.png", "");
    workplace.refuses(&format!("{rank} --out out"), 1, &["images/b.png: the file is empty"]);
}

#[test]
fn images_that_change_after_ranking_are_refused() {
    let cases: [Case; 3] = [
        (
            "gone",
            |workplace| workplace.remove("images/3.npy"),
            &["images of 4", "this sweep has 3"],
        ),
        (
            "cut short",
            |workplace| workplace.cut("images/3.npy"),
            &["conv1: images/3.npy: it has changed since the images were ranked"],
        ),
        (
            "another of the same name",
            |workplace| workplace.copy("images/1.npy", "images/3.npy"),
            &[
                "conv1: images/3.npy: it has changed since",
                "its SHA-256 was",
                "restore the file, or rank again",
            ],
        ),
    ];
    for (what, damage, words) in cases {
        println!("{what}");
        let workplace = Workplace::new();
        workplace.succeeds(&format!("rank {INPUTS} --top 4 --out out"));
        damage(&workplace);
        workplace.refuses(&format!("sweep {INPUTS} --ranking out/ranking --out out"), 1, words);
    }
}

/// A ranking that does not tell what the images held may still tell how units responded.
#[test]
fn images_that_change_are_found_by_their_responses_too() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("rank {INPUTS} --top 4 --out out"));
    workplace.remove("out/ranking/images.sha256");
    workplace.copy("images/1.npy", "images/3.npy");
    let words = ["conv1: unit 0 responds to image 3 (3.npy)", "the ranking says", "rank again"];
    workplace.refuses(&format!("sweep {INPUTS} --ranking out/ranking --out out"), 1, &words);
}

/// All images are read once, whatever the number of sizes, and not by shards.
#[test]
fn a_finished_run_reads_its_images_once() {
    let workplace = Workplace::new();
    let run = format!("run {INPUTS} --top 2 --layers conv2 --units 0 --every 9");
    let checks = |line: &str| {
        let said = workplace.succeeds(line);
        said.matches("checking that no image has changed: 4 images").count()
    };
    let sizes = format!("{run} --occluder-size 2,3 --out sizes");
    let shards = format!("{run} --out shards --shard");
    assert_eq!([checks(&sizes), checks(&sizes)], [0, 1]);
    assert_eq!([checks(&format!("{run} --out shards")), checks(&format!("{shards} 1/2"))], [0, 0]);
}

#[test]
fn values_that_noise_hardly_changes_are_noted() {
    let workplace = Workplace::new();
    let run = format!("run {INPUTS} --top 1 --layers conv1 --units 0 --every 9 --out");
    assert!(!workplace.succeeds(&format!("{run} small")).contains("has values up to"));
    let mut image = workplace.read("images/0.npy");
    let end = image.len();
    image[end - 4..].copy_from_slice(&255_f32.to_le_bytes());
    workplace.write("images/0.npy", image);
    let said = workplace.succeeds(&format!("{run} large"));
    assert!(
        said.contains("note: 0.npy has values up to 255, which noise in [-1, 1) hardly changes"),
        "{said}"
    );
    let said = workplace.succeeds(&format!("{run} mean --fill mean"));
    assert!(!said.contains("has values up to"), "{said}");
}

/// Results of other images are not passed off as those of the images given.
#[test]
fn images_that_have_changed_since_a_finished_run_are_an_error() {
    let workplace = Workplace::new();
    let run = format!("run {INPUTS} --top 2 --layers conv1 --every 9 --out out");
    workplace.succeeds(&run);
    assert!(workplace.succeeds(&run).contains("out: already complete"));
    workplace.copy("images/1.npy", "images/3.npy");
    let words = ["images/3.npy: it has changed since the images were ranked", "rank again"];
    for again in [
        &run,
        &format!("{run} --rank-only"),
        &format!("rank {INPUTS} --top 2 --layers conv1 --out out"),
    ] {
        workplace.refuses(again, 1, &words);
    }
    // Most differ: another folder was given.
    for image in 0..2 {
        workplace.copy("images/2.npy", &format!("images/{image}.npy"));
    }
    let words = [
        "out: holds results of other images: 3 of 4 differ from those that were ranked (first: \
         images/0.npy)",
        "give the images of that run to --images, or choose another --out, or --force",
    ];
    workplace.refuses(&run, 2, &words);
}

/// A ranking of other images is not gone on from.
#[test]
fn another_folder_of_images_is_told_from_changed_files() {
    let workplace = Workplace::new();
    let run = format!("run {INPUTS} --top 2 --layers conv1 --every 9 --out out");
    workplace.succeeds(&format!("{run} --rank-only"));
    for image in 0..3 {
        workplace.copy("images/3.npy", &format!("images/{image}.npy"));
    }
    let words = ["out: holds results of other images: 3 of 4 differ", "(first: images/0.npy)"];
    workplace.refuses(&run, 2, &words);
    assert!(workplace.succeeds(&format!("{run} --force")).contains("wrote"));
}

/// The ranking is kept, and nothing else.
#[test]
fn an_image_that_disappears_in_the_middle_of_a_run_ends_it() {
    let workplace = Workplace::new();
    for image in 4..40 {
        workplace.copy(&format!("images/{}.npy", image % 4), &format!("images/{image}.npy"));
    }
    let run = format!("run {INPUTS} --top 40 --layers conv4 --batch 2 --threads 1 --out out");
    let child = workplace.command(&run).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while !workplace.path("out/ranking/ranking.json").exists() {
        assert!(start.elapsed() < Duration::from_secs(30), "no ranking after 30 s");
        std::thread::sleep(Duration::from_millis(2));
    }
    workplace.remove("images/39.npy");
    let output = child.wait_with_output().unwrap();
    let messages = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{messages}");
    assert!(messages.contains("error: conv4: images/39.npy: cannot be read"), "{messages}");
    assert!(!messages.contains("panicked at"), "{messages}");

    let left = crate::workplace::tree(&workplace.path("out"));
    let names: Vec<_> = left.keys().map(|path| path.to_str().unwrap()).collect();
    let ranking = ["conv4.npy", "conv4_responses.npy", "images.sha256", "ranking.json"];
    let ranking = ranking.map(|name| format!("ranking/{name}"));
    assert_eq!(names, [&["ranking".to_owned()][..], &ranking].concat());
}
