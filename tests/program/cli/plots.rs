//! `occlumap plot` and `occlumap draw`: the files that are there afterwards, and what is refused.

use std::collections::BTreeMap;

use crate::workplace::{INPUTS, Workplace};

/// A table's rows, each by column.
fn rows(workplace: &Workplace, name: &str) -> Vec<BTreeMap<String, String>> {
    let text = String::from_utf8(workplace.read(name)).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(String::from));
    let header: Vec<String> = lines.next().expect("a header").collect();
    lines.map(|fields| header.iter().cloned().zip(fields).collect()).collect()
}

fn png_size(workplace: &Workplace, name: &str) -> [u32; 2] {
    let bytes = workplace.read(name);
    assert!(bytes.starts_with(b"\x89PNG"), "{name}");
    [16, 20].map(|at| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()))
}

/// Pages and images of a PDF: its objects are not compressed, only what they hold.
fn pdf(workplace: &Workplace, name: &str) -> [usize; 2] {
    let bytes = workplace.read(name);
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.starts_with("%PDF-1.7") && text.trim_end().ends_with("%%EOF"), "{name}");
    ["/Type /Page\n", "/Subtype /Image"].map(|part| text.matches(part).count())
}

#[test]
fn a_layer_becomes_sheets_pages_and_numbers() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("run {INPUTS} --layers conv2,conv4 --top 3 --units 1,4 --out out"));
    let messages = workplace.succeeds("plot out --images images --resolution 72");
    assert!(messages.contains("wrote out/plots"), "{messages}");
    for layer in ["conv2", "conv4"] {
        for side in ["max", "min"] {
            let [width, height] = png_size(&workplace, &format!("out/plots/{layer}_{side}.png"));
            assert!(width == 540 && height > 100, "{width} {height}");
        }
        // The colours' scale, two maps and six images of each of two units.
        assert_eq!(pdf(&workplace, &format!("out/plots/{layer}.pdf")), [1, 1 + 2 * (2 + 6)]);
        let rows = rows(&workplace, &format!("out/plots/{layer}.csv"));
        assert!(rows.len() >= 12 && rows.len().is_multiple_of(2));
        for (index, row) in rows.iter().enumerate() {
            assert_eq!(row["layer"], layer);
            assert_eq!(row["unit"], (index / 2).to_string());
            assert_eq!(row["side"], ["max", "min"][index % 2]);
            let swept = [1, 4].contains(&(index / 2));
            assert_eq!(row["status"] != "not_swept", swept, "{row:?}");
            assert_eq!(!row["peak"].is_empty(), swept && row["status"] != "silent", "{row:?}");
        }
        assert!(rows.iter().any(|row| !row["reliability"].is_empty()));
    }
    let columns = String::from_utf8(workplace.read("out/plots/columns.csv")).unwrap();
    assert!(columns.starts_with("column,unit,meaning\nlayer,,"), "{columns}");

    // The same maps give the same bytes, with any number of threads.
    workplace.succeeds("plot out --images images --resolution 72 --threads 1 --out again");
    for file in ["conv2_max.png", "conv4.pdf", "conv4.csv"] {
        assert!(
            workplace.read(&format!("out/plots/{file}"))
                == workplace.read(&format!("again/{file}"))
        );
    }
}

#[test]
fn styles_overlays_and_choices_change_what_they_name() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("run {INPUTS} --layers conv2 --top 2 --units 0-2 --out out"));
    let plot = |options: &str, to: &str| {
        workplace
            .succeeds(&format!("plot out --images images --resolution 72 {options} --out {to}"));
    };
    plot("", "plain");
    plot("--only numbers,pages --overlay own --weights tiny.npz", "own");
    assert!(!workplace.path("own/conv2_max.png").exists());
    assert!(workplace.read("own/conv2.pdf") != workplace.read("plain/conv2.pdf"));
    assert!(workplace.read("own/conv2.csv") == workplace.read("plain/conv2.csv"));
    for (options, to) in
        [("--colours grey", "grey"), ("--colors viridis", "viridis"), ("--scale layer", "layer")]
    {
        plot(&format!("--only sheets {options}"), to);
        assert!(
            workplace.read(&format!("{to}/conv2_max.png")) != workplace.read("plain/conv2_max.png")
        );
        assert!(!workplace.path(format!("{to}/conv2.pdf")).exists());
    }
    plot("--blur --only numbers", "blurred");
    let widths = |name: &str| {
        rows(&workplace, name).iter().map(|row| row["fit_long"].clone()).collect::<Vec<_>>()
    };
    assert_ne!(widths("blurred/conv2.csv"), widths("plain/conv2.csv"));
    plot("--units 1 --examples 1", "one");
    assert_eq!(rows(&workplace, "one/conv2.csv").len(), 2);
    assert_eq!(pdf(&workplace, "one/conv2.pdf"), [1, 1 + 2 + 2]);
    // Without images everything else is there.
    let messages = workplace.succeeds("plot out --out without --examples 0");
    assert!(!messages.contains("note:"), "{messages}");
    assert_eq!(pdf(&workplace, "without/conv2.pdf"), [1, 1 + 2 * 3]);
}

#[test]
fn images_that_are_gone_are_told_of_and_left_out_unless_they_are_asked_for() {
    let workplace = Workplace::new();
    workplace
        .succeeds(&format!("run {INPUTS} --layers conv1 --top 2 --units 0 --every 3 --out out"));
    std::fs::rename(workplace.path("images"), workplace.path("moved")).unwrap();
    let messages = workplace.succeeds("plot out");
    assert!(messages.contains("note: pages show no images") && messages.contains("--images"));
    assert_eq!(pdf(&workplace, "out/plots/conv1.pdf"), [1, 3]);
    workplace.refuses("plot out --out b --images absent", 1, &["absent: there is no such folder"]);
    workplace.succeeds("plot out --out b --images moved");
    std::fs::rename(workplace.path("tiny.npz"), workplace.path("moved.npz")).unwrap();
    let own = "plot out --out c --images moved --overlay own";
    workplace.refuses(own, 2, &["tiny.npz: no such file", "--weights"]);
    workplace.refuses(
        &format!("{own} --weights tiny.pth"),
        1,
        &["is not what the maps were made with"],
    );
    workplace.succeeds(&format!("{own} --weights moved.npz"));
}

#[test]
fn what_cannot_be_plotted_is_refused_before_any_work() {
    let workplace = Workplace::new();
    workplace.refuses("plot absent", 1, &["absent: there is no such folder"]);
    workplace
        .succeeds(&format!("run {INPUTS} --layers conv1 --top 2 --units 0-1 --every 9 --out out"));
    for (arguments, words) in [
        ("--layers conv3", "there are no maps of `conv3`; there are those of conv1"),
        ("--units 99", "conv1 has no unit 99"),
        ("--units 2", "none of the requested units of conv1 was swept; 2 units were"),
        ("--out tiny.npz", "tiny.npz: is a file; --out needs a folder"),
        ("--colours rainbow", "[possible values: magma, viridis, cividis, grey]"),
        ("--examples 40", "expected a whole number from 0 to 12"),
        ("--resolution 10", "10 is not in 72..=1200"),
    ] {
        workplace.refuses(&format!("plot out {arguments}"), 2, &[words]);
    }
    workplace.succeeds("plot out --images images --only numbers --quiet");
    workplace.refuses("plot out", 2, &["conv1.csv: exists", "--force"]);
    // What is there already is no hindrance to files of other names.
    workplace.succeeds("plot out --images images --only sheets --quiet");
    workplace.succeeds("plot out --images images --force --quiet");
}

#[test]
fn an_occluder_and_a_grid_are_drawn_as_png_and_svg() {
    let workplace = Workplace::new();
    let occluder = "draw occluder --images images --image 1 --at 2,9 --size 5";
    for (name, noise) in [("a", ""), ("b", "--noise philox:7"), ("c", "--no-edge")] {
        workplace.succeeds(&format!("{occluder} {noise} --out {name}.png --resolution 72"));
        assert!(png_size(&workplace, &format!("{name}.png"))[0] > 300);
    }
    assert!(workplace.read("a.png") != workplace.read("b.png"));
    assert!(workplace.read("a.png") != workplace.read("c.png"));
    workplace.succeeds(&format!("{occluder} --out a.svg"));
    let svg = String::from_utf8(workplace.read("a.svg")).unwrap();
    assert!(svg.contains("1.npy with an occluder of 5×5 pixels"), "{svg}");

    let grid = "draw grid --box 10,19,20,29 --rf 20";
    workplace.succeeds(&format!("{grid} --out box.svg"));
    let svg = String::from_utf8(workplace.read("box.svg")).unwrap();
    // Rows 10 to 19 by columns 19 to 28, as the reference's own example has them.
    assert!(svg.contains("100 occluders of 2×2 pixels in a box of 11×11"), "{svg}");
    workplace.succeeds("draw grid --model alexnet --layer conv3 --position 0,6 --out unit.svg");
    let svg = String::from_utf8(workplace.read("unit.svg")).unwrap();
    assert!(svg.contains("alexnet conv3, position 0,6") && svg.contains("RF of 99 pixels"));
    workplace.succeeds(
        "draw grid --model model.json --layer conv2 --position 1,1 --images images --image 0 \
         --out over.png",
    );
    assert!(png_size(&workplace, "over.png")[0] > 900);
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    let workplace = Workplace::new();
    for (arguments, words) in [
        ("occluder --images images --image 1 --at 2,9 --size 5 --out a.gif", ".png or .svg"),
        ("occluder --images images --image 9 --at 2,9 --size 5 --out a.png", "there is no image 9"),
        (
            "occluder --images images --image 1 --at 2,900 --size 5 --out a.png",
            "reaches past the image",
        ),
        ("occluder --images images --image 1 --at 2 --size 5 --out a.png", "expected row,column"),
        ("grid --out a.png", "--model"),
        ("grid --box 5,5,2,9 --rf 20 --out a.png", "--box 5,5,2,9: expected"),
        ("grid --box 5,5,50,50 --rf 20 --out a.png", "larger than"),
        ("grid --model alexnet --layer conv9 --position 0,0 --out a.png", "conv9"),
        ("grid --model alexnet --layer conv1 --position 99,0 --out a.png", "has no position 99,0"),
    ] {
        workplace.refuses(&format!("draw {arguments}"), 2, &[words]);
    }
    workplace.succeeds("draw grid --box 5,5,20,20 --rf 20 --out a.png");
    workplace.refuses("draw grid --box 5,5,20,20 --rf 20 --out a.png", 2, &["a.png: exists"]);
    workplace.succeeds("draw grid --box 5,5,20,20 --rf 20 --out a.png --force");
}
