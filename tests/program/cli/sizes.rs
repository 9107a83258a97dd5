//! Runs with several sizes of occluders.

use serde_json::Value;

use crate::common::json;
use crate::workplace::{Workplace, same_trees, tree};

const INPUTS: &str = "--model model.json --weights tiny.npz --images images --layers conv2,conv4 \
                      --top 3 --device cpu --quiet";
const SIZES: &str = "--occluder-size 1,2,3 --every 2";

fn maps(workplace: &Workplace, folder: &str) -> crate::workplace::Tree {
    tree(&workplace.path(folder).join("maps"))
}

#[test]
fn each_size_is_a_run_of_its_own_with_one_ranking() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("run {INPUTS} {SIZES} --out out"));
    for size in [1, 2, 3] {
        workplace
            .succeeds(&format!("run {INPUTS} --occluder-size {size} --every 2 --out alone{size}"));
        let (found, alone) = (format!("out/size{size}"), format!("alone{size}"));
        same_trees(&maps(&workplace, &found), &maps(&workplace, &alone), &found);
        let manifest = |out: &str| -> Value {
            let mut manifest: Value = json(&workplace.path(out).join("manifest.json"));
            manifest["configuration"].take()
        };
        assert_eq!(manifest(&found), manifest(&alone));
        assert!(!workplace.path(&found).join("ranking").exists());
        // A ranking beside it serves plots, reports and commands.
        workplace.succeeds(&format!("report out/size{size} --images images --quiet"));
    }
    let report = String::from_utf8(workplace.read("out/size2/report.html")).unwrap();
    assert!(report.contains("--occluder-size 2"));
    assert!(
        workplace.path("out/ranking/conv4.npy").is_file() && !workplace.path("out/maps").exists()
    );
    // The same command finds everything there; a size joins; another seed is refused.
    let before = tree(&workplace.path("out"));
    workplace.succeeds(&format!("run {INPUTS} {SIZES} --out out"));
    same_trees(&tree(&workplace.path("out")), &before, "again");
    let status = workplace.run("status out");
    assert_eq!(String::from_utf8(status.stdout).unwrap(), "out: complete\n");
    assert!(workplace.run("status out --check").status.success());
    workplace.succeeds(&format!("run {INPUTS} --occluder-size 2,4 --every 2 --out out"));
    same_trees(&maps(&workplace, "out/size2"), &maps(&workplace, "alone2"), "out/size2");
    assert!(workplace.path("out/size4/manifest.json").is_file());
    let words = ["out/size1: holds the results of another job", "the noise (--seed)"];
    workplace.refuses(&format!("run {INPUTS} {SIZES} --seed 9 --out out"), 2, &words);
}

#[test]
fn the_folder_of_a_run_with_several_sizes_is_taken_by_sizes() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("run {INPUTS} {SIZES} --out out"));
    workplace.succeeds("sizes out --out whole --quiet");
    workplace.succeeds("sizes out/size1 out/size2 out/size3 --out one-by-one --quiet");
    same_trees(&tree(&workplace.path("whole")), &tree(&workplace.path("one-by-one")), "sizes");
    let table = String::from_utf8(workplace.read("whole/sizes.csv")).unwrap();
    assert!(table.contains(",1 2 3,") || table.contains(",2 3,"), "{table}");
    workplace.refuses("sizes out/size1 --out one", 2, &["maps of one size of occluders"]);
    let words =
        ["holds maps of several sizes of occluders; expected one of them, such as", "size1"];
    workplace.refuses("plot out", 1, &words);
}

#[test]
fn shards_and_a_restart_make_the_same_files() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("run {INPUTS} {SIZES} --block 2 --out whole"));
    let sweep = format!("sweep {INPUTS} --ranking whole/ranking {SIZES} --block 2");
    workplace.succeeds(&format!("{sweep} --shard 1/2 --out shards"));
    let status = workplace.run("status shards --json");
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["stage"], "maps");
    let parts: Vec<&String> = status["parts"].as_object().unwrap().keys().collect();
    assert_eq!(parts[..3], ["size1/conv2", "size1/conv4", "size2/conv2"]);
    let missing = String::from_utf8(workplace.run("merge shards").stderr).unwrap();
    assert!(missing.contains("missing"), "{missing}");
    workplace.succeeds(&format!("{sweep} --shard 2/2 --out shards"));
    workplace.succeeds("merge shards --quiet");
    // A process that does its part and one that does the rest.
    workplace.succeeds(&format!("{sweep} --shard 2/2 --out again"));
    workplace.succeeds(&format!("{sweep} --out again"));
    // Parts in folders of their own.
    for shard in [1, 2] {
        workplace.succeeds(&format!("{sweep} --shard {shard}/2 --out part{shard}"));
    }
    workplace.succeeds("merge part1 --from part2 --quiet");
    for size in 1..4 {
        let whole = maps(&workplace, &format!("whole/size{size}"));
        for out in ["shards", "again", "part1"] {
            same_trees(&maps(&workplace, &format!("{out}/size{size}")), &whole, out);
        }
    }
}

#[test]
fn strides_and_parts_of_the_field_name_folders() {
    let workplace = Workplace::new();
    let run = format!("run {INPUTS} --every 2");
    workplace.succeeds(&format!("{run} --occluder-size 2,2 --occluder-stride 1,2 --out out"));
    workplace.succeeds(&format!("{run} --size-divisor 3,5 --stride-divisor 2 --out out"));
    let mut names: Vec<String> = std::fs::read_dir(workplace.path("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = ["ranking", "size-rf-3", "size-rf-5", "size2-stride1", "size2-stride2"];
    assert_eq!(names, expected);
    workplace.refuses(
        &format!("{run} --occluder-size 2,2 --out twice"),
        2,
        &["the same occluders twice"],
    );
    let words = ["3 sizes of occluders and 2 strides"];
    let line = format!("{run} --occluder-size 1,2,3 --occluder-stride 1,2 --out uneven");
    workplace.refuses(&line, 2, &words);
    // All are checked before the first is swept.
    let words = ["an occluder of 500 pixels is larger than the receptive field"];
    workplace.refuses(&format!("{run} --occluder-size 2,500 --out large"), 2, &words);
    let words = ["expected one: `run`, `sweep` and `plan` take several"];
    let map = "map --model model.json --weights tiny.npz --images images --layer conv2 --unit 0 \
               --image 0 --position 3,3 --out map.npy";
    workplace.refuses(&format!("{map} --occluder-size 1,2"), 2, &words);
    let plan = workplace.run(&format!("plan {INPUTS} --occluder-size 1,2").replace(" --quiet", ""));
    let plan = String::from_utf8(plan.stdout).unwrap();
    assert!(plan.contains("size1/conv2") && plan.contains("size2/conv4"), "{plan}");
}

#[test]
fn maps_of_one_size_and_of_several_do_not_meet_in_a_folder() {
    let workplace = Workplace::new();
    let run = format!("run {INPUTS} --every 5");
    workplace.succeeds(&format!("{run} --occluder-size 2 --out one"));
    workplace.succeeds(&format!("{run} --occluder-size 1,2 --out several"));
    let [one, several] = ["one", "several"].map(|out| tree(&workplace.path(out)));
    for force in ["", " --force"] {
        let words = ["holds maps of one size of occluders", "choose another --out"];
        workplace.refuses(&format!("{run} --occluder-size 1,2 --out one{force}"), 2, &words);
        let words = ["holds folders of several sizes of occluders (size1)", "choose another --out"];
        workplace.refuses(&format!("{run} --occluder-size 2 --out several{force}"), 2, &words);
    }
    same_trees(&tree(&workplace.path("one")), &one, "one");
    same_trees(&tree(&workplace.path("several")), &several, "several");
}

#[test]
fn all_sizes_are_checked_before_the_first_is_swept() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("rank {INPUTS} --out ranked"));
    let sweep = format!("sweep {INPUTS} --ranking ranked/ranking --every 5");
    workplace.succeeds(&format!("{sweep} --occluder-size 2 --seed 9 --out out/size2"));
    let words = ["out/size2: holds the results of another job", "the noise (--seed)"];
    workplace.refuses(&format!("{sweep} --occluder-size 1,2 --out out"), 2, &words);
    assert!(!workplace.path("out/size1").exists());
    // The same of sizes of which one was not asked for before.
    workplace.succeeds(&format!("run {INPUTS} --every 5 --occluder-size 2,3 --seed 9 --out run"));
    let words = ["run/size2: holds the results of another job", "the noise (--seed)"];
    workplace.refuses(&format!("run {INPUTS} --every 5 --occluder-size 1,2 --out run"), 2, &words);
    assert!(!workplace.path("run/size1").exists());
}

#[test]
fn folders_that_are_merged_have_to_be_of_the_same_sweep() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("rank {INPUTS} --out ranked"));
    let sweep = format!("sweep {INPUTS} --ranking ranked/ranking --every 5 --block 2");
    for shard in [1, 2] {
        let line = format!("{sweep} --occluder-size 1,2 --shard {shard}/2 --out part{shard}");
        workplace.succeeds(&line);
    }
    std::fs::create_dir(workplace.path("empty")).unwrap();
    for wrong in ["empty", "images", "nowhere"] {
        let words = [wrong, "holds neither results of occlumap nor folders of the sizes in part1"];
        workplace.refuses(&format!("merge part1 --from part2 --from {wrong}"), 1, &words);
    }
    // A size whose turn has not come.
    std::fs::create_dir(workplace.path("part1/size7")).unwrap();
    let words = ["part1/size7: no sweep of this size has begun"];
    workplace.refuses("merge part1 --from part2", 1, &words);
    let status = workplace.run("status part1 --json");
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert!(status["rate"].is_number() && status["seconds_left"].is_null(), "{status}");
    std::fs::remove_dir(workplace.path("part1/size7")).unwrap();
    let status = workplace.run("status part1 --json");
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert!(status["seconds_left"].is_number(), "{status}");
    workplace.succeeds("merge part1 --from part2 --quiet");
}

#[test]
fn another_ranking_around_a_size_is_none_of_its() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("run {INPUTS} --occluder-size 1,2 --every 5 --out out"));
    workplace.succeeds(&format!("rank {INPUTS} --preprocess standardize --out other"));
    std::fs::rename(workplace.path("out/size2"), workplace.path("other/size2")).unwrap();
    workplace.succeeds("summary other/size2 --out summary --quiet");
    let words = ["preprocessing"];
    workplace.refuses("plot other/size2 --images images --ranking other/ranking", 1, &words);
}

#[test]
fn a_restart_with_a_ranking_without_digests_reads_the_images_once() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("rank {INPUTS} --out ranked"));
    workplace.remove("ranked/ranking/ranking.json");
    workplace.remove("ranked/ranking/images.sha256");
    for layer in ["conv2", "conv4"] {
        workplace.remove(&format!("ranked/ranking/{layer}_responses.npy"));
    }
    let sweep =
        format!("sweep {INPUTS} --ranking ranked/ranking --occluder-size 1,2 --every 5 --block 2")
            .replace(" --quiet", "");
    let reading = "reading the images";
    let messages = workplace.succeeds(&format!("{sweep} --shard 1/2 --out out"));
    assert!(messages.contains(reading), "{messages}");
    let messages = workplace.succeeds(&format!("{sweep} --shard 2/2 --out out"));
    assert!(!messages.contains(reading), "{messages}");
}

#[test]
fn a_folder_that_is_called_like_a_size_hides_no_maps() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("run {INPUTS} --every 9 --out out"));
    let sweep = format!("sweep --ranking out/ranking {INPUTS} --every 9");
    workplace.succeeds(&format!("{sweep} --out out/size2"));
    workplace.succeeds("status out --check");
    workplace.write("out/maps/conv2_max.npy", b"damaged");
    let output = workplace.run("status out --check");
    assert_ne!(output.status.code(), Some(0), "{output:?}");
}
