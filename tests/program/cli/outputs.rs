//! What is written where, and what is never overwritten.

use crate::common::json;
use crate::workplace::{INPUTS, Workplace, same_trees};

const RUN: &str = "run --model model.json --weights tiny.npz --images images \
                   --layers conv1,conv2 --top 2 --every 9 --quiet";
const MAP: &str = "map --model model.json --weights tiny.npz --images images \
                   --layer conv1 --unit 0 --image 0 --position 3,3 --quiet";

#[test]
fn a_run_writes_what_is_documented_and_nothing_else() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("{RUN} --out deep/er/out"));
    let found = crate::workplace::tree(&workplace.path("deep/er/out"));
    let names: Vec<_> = found.keys().map(|path| path.to_str().unwrap()).collect();
    let expected = [
        "manifest.json",
        "maps",
        "maps/conv1_max.npy",
        "maps/conv1_max_frames.npy",
        "maps/conv1_max_reliability.npy",
        "maps/conv1_min.npy",
        "maps/conv1_min_frames.npy",
        "maps/conv1_min_reliability.npy",
        "maps/conv2_max.npy",
        "maps/conv2_max_frames.npy",
        "maps/conv2_max_reliability.npy",
        "maps/conv2_min.npy",
        "maps/conv2_min_frames.npy",
        "maps/conv2_min_reliability.npy",
        "ranking",
        "ranking/conv1.npy",
        "ranking/conv1_responses.npy",
        "ranking/conv2.npy",
        "ranking/conv2_responses.npy",
        "ranking/images.sha256",
        "ranking/ranking.json",
    ];
    assert_eq!(names, expected);
    let manifest: serde_json::Value = json(&workplace.path("deep/er/out/manifest.json"));
    assert_eq!(manifest["complete"], true);
    for (layer, side) in [("conv1", "max"), ("conv2", "min")] {
        let file = format!("{layer}_{side}.npy");
        let digest = occlumap::files::digest_of(&workplace.path("deep/er/out/maps").join(&file));
        let recorded = manifest["layers"][layer]["files"][&file].as_str().unwrap();
        assert_eq!(recorded, digest.unwrap().to_string());
    }
}

#[test]
fn folders_that_cannot_be_written_into_are_refused() {
    let workplace = Workplace::new();
    std::fs::create_dir(workplace.path("full")).unwrap();
    workplace.write("full/notes.txt", "mine");
    let rank = format!("rank {INPUTS} --top 2");
    workplace.succeeds(&format!("{rank} --out ranked"));
    let sweep = format!("sweep {INPUTS} --ranking ranked/ranking");
    for command in [RUN, &rank, &sweep] {
        let words = ["full: is not empty (it holds notes.txt)", "another --out", "--force"];
        workplace.refuses(&format!("{command} --out full"), 2, &words);
        let words = ["tiny.npz: is a file; --out needs a folder"];
        workplace.refuses(&format!("{command} --out tiny.npz"), 2, &words);
        workplace.refuses(&format!("{command} --out tiny.npz --force"), 2, &words);
        workplace.refuses(&format!("{command} --out tiny.npz/below/it --force"), 2, &words);
    }
    for command in [RUN, &rank] {
        let command = command.replace("--top 2", "--top 1");
        let words = ["ranked/ranking: holds the results of another job, which differs in"];
        let top = "images a unit (--top): 2 there; 1 here";
        workplace.refuses(&format!("{command} --out ranked"), 2, &[words[0], top, "--force"]);
    }
    workplace.write("full/maps", "mine");
    let words = ["full/maps: is a file; --out needs a folder"];
    workplace.refuses(&format!("{RUN} --out full --force"), 2, &words);
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_the_system_does_not_let_be_written_fails() {
    let workplace = Workplace::new();
    let words = ["/proc/occlumap: cannot be written"];
    workplace.refuses(&format!("{RUN} --out /proc/occlumap"), 1, &words);
    workplace.refuses(&format!("{MAP} --out /proc/map.npy"), 1, &["/proc", "cannot be written"]);
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_nowhere_is_not_overwritten() {
    let workplace = Workplace::new();
    std::os::unix::fs::symlink("nowhere", workplace.path("link")).unwrap();
    let links = || std::fs::read_link(workplace.path("link")).unwrap();
    for (line, word) in [(RUN, "link: is a link to nowhere"), (MAP, "link: exists")] {
        let output = workplace.run(&format!("{line} --out link"));
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains(word));
        assert_eq!(links(), std::path::Path::new("nowhere"));
    }
}

#[test]
fn force_replaces_files_of_the_same_names_and_no_others() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("{RUN} --out out"));
    workplace.write("out/notes.txt", "mine");
    workplace.write("out/maps/conv9_max.npy", "mine too");
    let before = workplace.tree();
    workplace.succeeds(&format!("{RUN} --out out --force --seed 1"));
    let after = workplace.tree();
    assert!(after.keys().eq(before.keys()));
    let changed: Vec<_> = after
        .iter()
        .filter(|(path, content)| before[*path] != **content)
        .map(|(path, _)| path.to_str().unwrap())
        .collect();
    let maps = ["conv1_max", "conv1_min", "conv2_max", "conv2_min"];
    let files = |map| ["", "_reliability"].map(|kind| format!("out/maps/{map}{kind}.npy"));
    let maps = maps.map(files).concat();
    assert_eq!(changed, [&["out/manifest.json".to_owned()][..], &maps].concat());
}

#[test]
fn what_is_complete_is_made_again_by_force_and_only_then() {
    let workplace = Workplace::new();
    let sweep = format!("sweep {INPUTS} --layers conv1,conv2 --every 9 --ranking out/ranking");
    for line in [RUN, &sweep] {
        workplace.succeeds(&format!("{RUN} --out out --force"));
        workplace.succeeds(&format!("{line} --out out --force"));
        let right = workplace.read("out/maps/conv2_max.npy");
        workplace.cut("out/maps/conv2_max.npy");
        let cut = workplace.tree();
        workplace.succeeds(&format!("{line} --out out"));
        same_trees(&workplace.tree(), &cut, line);
        workplace.succeeds(&format!("{line} --out out --force"));
        assert!(workplace.read("out/maps/conv2_max.npy") == right, "{line}");
    }
}

#[test]
fn a_run_that_fails_leaves_old_results_as_they_were() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("{RUN} --out out"));
    let sweep = format!("sweep {INPUTS} --layers conv1,conv2 --every 9 --ranking out/ranking");
    workplace.copy("images/2.npy", "whole.npy");
    workplace.cut("images/2.npy");
    let words = ["images/2.npy: damaged or cut short"];
    workplace.refuses(&format!("{RUN} --out out --force --seed 1"), 1, &words);
    let words = ["images/2.npy: it has changed since the images were ranked"];
    workplace.refuses(&format!("{sweep} --out out --force"), 1, &words);
    workplace.copy("whole.npy", "images/2.npy");
    workplace.refuses(&format!("{RUN} --out out --force --units 99"), 2, &["no unit 99"]);
    workplace.succeeds(&format!("{sweep} --out out --force"));
}

#[test]
fn the_file_of_a_map_is_not_overwritten() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("{MAP} --out a.npy --responses b.npy"));
    let exists = |name: &str| format!("{name}: exists; choose another name, or give --force");
    workplace.refuses(&format!("{MAP} --out a.npy"), 2, &[&exists("a.npy")]);
    workplace.refuses(&format!("{MAP} --out c.npy --responses b.npy"), 2, &[&exists("b.npy")]);
    let before = workplace.tree();
    workplace.succeeds(&format!("{MAP} --out a.npy --responses b.npy --force"));
    same_trees(&workplace.tree(), &before, "the same map again");
}

#[test]
fn places_where_no_map_can_be_written_are_refused() {
    let workplace = Workplace::new();
    for (arguments, word) in [
        ("--out absent/a.npy", "absent: there is no such folder"),
        ("--out tiny.npz/a.npy", "tiny.npz: there is no such folder"),
        ("--out images", "images: is a folder; expected a file"),
        ("--out images --force", "images: is a folder; expected a file"),
        ("--out new/", "new/: is a folder; expected a file"),
        ("--out a.npy --responses absent/b.npy", "absent: there is no such folder"),
        ("--out a.npy --responses a.npy", "--out and --responses name the same file"),
        ("--out a.npy --responses ./a.npy", "--out and --responses name the same file"),
        ("--out a.npy --responses images/../a.npy --force", "name the same file"),
    ] {
        workplace.refuses(&format!("{MAP} {arguments}"), 2, &[word]);
    }
    if cfg!(unix) {
        let words = ["/dev/null: is not a regular file"];
        workplace.refuses(&format!("{MAP} --out /dev/null --force"), 2, &words);
    }
}
