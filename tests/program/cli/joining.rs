//! Results that join what an output folder holds already, and folders that two runs want.

use serde_json::Value;

use crate::common::json;
use crate::workplace::{INPUTS, Workplace, same_trees, tree};

/// The arrays of some layers in `maps/`.
fn maps(place: &Workplace, out: &str, layer: &str) -> crate::workplace::Tree {
    let mut maps = tree(&place.path(out).join("maps"));
    maps.retain(|name, _| name.to_string_lossy().starts_with(layer));
    assert!(!maps.is_empty(), "{out} {layer}");
    maps
}

fn manifest(place: &Workplace, out: &str) -> Value {
    json(&place.path(out).join("manifest.json"))
}

#[test]
fn layers_and_units_join_those_that_are_there() {
    let place = Workplace::new();
    let run = |options: &str| format!("run {INPUTS} --top 2 --every 5 --block 2 {options}");
    place.succeeds(&run("--layers conv1 --units 0-3 --out out"));
    place.succeeds(&run("--layers conv4 --out alone"));
    let before = maps(&place, "out", "conv1");
    // Units that were not swept are not counted.
    let messages = place.succeeds("plot out --only numbers --out plots");
    assert!(messages.contains("conv1: 8 maps and images"), "{messages}");
    // A layer.
    place.succeeds(&run("--layers conv4 --out out"));
    same_trees(&maps(&place, "out", "conv1"), &before, "conv1 stays");
    same_trees(&maps(&place, "out", "conv4"), &maps(&place, "alone", "conv4"), "conv4");
    let both = manifest(&place, "out");
    assert_eq!(both["complete"], true);
    assert_eq!(both["layers"].as_object().unwrap().len(), 2);
    let ranked: Value = json(&place.path("out/ranking/ranking.json"));
    assert_eq!(ranked["configuration"]["layers"].as_array().unwrap().len(), 2);
    // Units that are there, fewer, and more.
    for (units, word) in
        [("1-2", "already complete"), ("2-5", "conv1: existing units are computed again")]
    {
        let messages =
            place.succeeds(&run(&format!("--layers conv1,conv4 --units {units} --out out")));
        assert!(messages.contains(word), "{units}: {messages}");
    }
    place.succeeds(&run("--layers conv1 --units 0-5 --out six"));
    same_trees(&maps(&place, "out", "conv1"), &maps(&place, "six", "conv1"), "six units");
    same_trees(&maps(&place, "out", "conv4"), &maps(&place, "alone", "conv4"), "conv4 stays");
    // Whatever else differs is said in words.
    let refused = run("--layers conv2 --seed 9 --out out");
    place.refuses(&refused, 2, &["the noise (--seed): philox:0 there; philox:9 here"]);
    let refused = run("--layers conv2 --out out").replace("--top 2", "--top 1");
    place.refuses(&refused, 2, &["images a unit (--top): 2 there; 1 here"]);
    place.succeeds("report out");
}

/// As a process leaves them that is killed when its maps are finished.
#[test]
fn blocks_that_are_left_of_finished_maps_are_in_no_ones_way() {
    let place = Workplace::new();
    let run = format!("run {INPUTS} --top 2 --block 4 --every 5 --out out");
    place.succeeds(&format!("{run} --layers conv1 --shard 1/2"));
    place.succeeds(&format!("{run} --layers conv1 --shard 2/2"));
    let blocks = tree(&place.path("out/blocks"));
    place.succeeds("merge out");
    for (name, content) in blocks {
        let name = format!("out/blocks/{}", name.display());
        match content {
            None => std::fs::create_dir_all(place.path(&name)).unwrap(),
            Some(content) => place.write(&name, content),
        }
    }
    place.succeeds(&format!("{run} --layers conv4"));
    assert_eq!(manifest(&place, "out")["layers"].as_object().unwrap().len(), 2);
    assert!(!place.path("out/blocks").exists());
}

#[test]
fn maps_that_are_finished_are_verified() {
    let place = Workplace::new();
    let run = format!("run {INPUTS} --top 2 --layers conv1,conv3 --out out");
    place.succeeds(&run);
    let before = tree(&place.path("out/maps"));
    for count in [20, 30] {
        let messages = place.succeeds(&format!("{run} --verify {count}"));
        let words = format!("conv3: {count} presentations agree with whole images");
        assert!(messages.contains(&words), "{messages}");
        let verified = manifest(&place, "out")["layers"]["conv1"]["verified"].clone();
        assert_eq!(
            (&verified["presentations"], &verified["passed"]),
            (&count.into(), &true.into())
        );
    }
    same_trees(&tree(&place.path("out/maps")), &before, "maps stay");
    // Fewer were verified before.
    let messages = place.succeeds(&format!("{run} --verify 10"));
    assert!(!messages.contains("agree with"), "{messages}");
    // Of maps that have changed, nothing is said.
    let file = "out/maps/conv1_max.npy";
    let mut bytes = place.read(file);
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(place.path(file), bytes).unwrap();
    place.refuses(&format!("{run} --verify 40"), 1, &[file, "was changed since the sweep"]);
    std::fs::remove_file(place.path(file)).unwrap();
    place.refuses("status out", 1, &[file, "cannot be read"]);
    place.refuses("merge out", 1, &[file, "cannot be read"]);
    place.refuses(&format!("{run} --verify 1000000000"), 2, &["--verify 1000000000", "at most"]);
}

#[test]
fn logs_and_hidden_files_do_not_keep_a_run_from_its_folder() {
    let place = Workplace::new();
    std::fs::create_dir(place.path("out")).unwrap();
    for name in ["log.txt", "run.log", ".DS_Store", ".nfs0001", "nohup.out"] {
        place.write(&format!("out/{name}"), "");
    }
    place.succeeds(&format!("rank {INPUTS} --top 2 --layers conv1 --out out"));
    assert!(place.path("out/log.txt").exists());
    let status = place.run("status out");
    let text = String::from_utf8(status.stdout).unwrap();
    assert_eq!(text, "out: the ranking is complete; there are no maps\n");
}

#[test]
fn all_images_do_where_more_are_asked_for() {
    let place = Workplace::new();
    place.succeeds(&format!("run {INPUTS} --layers conv1 --top 4 --every 9 --out four"));
    for (command, out) in [("rank", "ranked"), ("run --every 9", "run")] {
        let line = format!("{command} {INPUTS} --layers conv1 --top 1000000000000 --out {out}");
        let messages = place.succeeds(&line);
        assert!(messages.contains("there are 4"), "{messages}");
        let ranking = |out: &str| tree(&place.path(out).join("ranking"));
        same_trees(&ranking(out), &ranking("four"), command);
    }
    same_trees(&maps(&place, "run", "conv1"), &maps(&place, "four", "conv1"), "maps");
}

#[test]
fn files_that_are_passed_over_are_told() {
    let place = Workplace::new();
    place.write("images/notes.txt", "a note");
    let messages = place.succeeds(&format!("rank {INPUTS} --top 2 --layers conv1 --out out"));
    assert!(
        messages.contains("passed over: 1 file") && messages.contains("notes.txt"),
        "{messages}"
    );
}

/// Opening a pipe to read waits for whoever writes.
#[cfg(target_os = "linux")]
#[test]
fn pipes_are_no_inputs() {
    let place = Workplace::new();
    std::fs::create_dir(place.path("pipes")).unwrap();
    place.copy("images/0.npy", "pipes/0.npy");
    for pipe in ["pipe.npz", "pipe.json", "pipes/1.npy", "pipe.txt"] {
        let made = std::process::Command::new("mkfifo").arg(place.path(pipe)).status().unwrap();
        assert!(made.success());
    }
    for (input, pipe) in [
        ("tiny.npz", "pipe.npz"),
        ("model.json", "pipe.json"),
        ("images", "pipes"),
        ("images", "pipe.txt"),
    ] {
        let line = format!("rank {INPUTS} --top 2 --layers conv1 --out out")
            .replace(&format!(" {input}"), &format!(" {pipe}"));
        let mut command = std::process::Command::new("timeout");
        let program = place.command(&line);
        command.arg("20").arg(program.get_program()).args(program.get_args());
        let output = command.current_dir(place.path("")).output().unwrap();
        let messages = String::from_utf8(output.stderr).unwrap();
        assert!(matches!(output.status.code(), Some(1 | 2)), "{pipe}: {messages}");
        assert!(messages.contains("is a named pipe"), "{messages}");
    }
}

/// As under a limit of processes, which does not hold for every user.
#[test]
fn threads_that_cannot_be_started_are_an_error() {
    let place = Workplace::new();
    let mut command = place.command(&format!("rank {INPUTS} --top 2 --layers conv1 --out out"));
    let output = command.env("RUST_MIN_STACK", (1_u64 << 46).to_string()).output().unwrap();
    let messages = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{messages}");
    assert!(messages.contains("thread") && !messages.contains("panicked"), "{messages}");
}

#[test]
fn names_and_folders_are_taken_as_users_give_them() {
    let place = Workplace::new();
    let map = format!("map {INPUTS} --layer conv2 --unit 3 --position 5,6");
    place.succeeds(&format!("{map} --image 2 --out by-index.npy"));
    place.succeeds(&format!("{map} --image 2.npy --out by-name.npy"));
    assert!(place.read("by-index.npy") == place.read("by-name.npy"));
    let words = ["there is no image `5.npy`", "the 4 images are 0.npy to 3.npy"];
    place.refuses(&format!("{map} --image 5.npy --out map.npy"), 2, &words);
    place.refuses(&format!("{map} --image 2 --out map.png"), 2, &["map.png", "ends in .npy"]);
    place.succeeds(&format!("rank {INPUTS} --top 2 --layers conv2 --out ranked"));
    let sweep = format!("sweep {INPUTS} --layers conv2 --every 9 --top 1");
    place.succeeds(&format!("{sweep} --ranking ranked --out one"));
    place.succeeds(&format!("{sweep} --ranking ranked/ranking --out two"));
    same_trees(&maps(&place, "one", "conv2"), &maps(&place, "two", "conv2"), "rankings");
    let plan = place.run(&format!("plan {INPUTS} --layers conv1 --top 9"));
    let text = String::from_utf8(plan.stdout).unwrap();
    assert!(plan.status.success() && text.contains("positions spread evenly"), "{text}");
    place.refuses(&format!("run {INPUTS} --units= --out out"), 2, &["neither a unit nor a range"]);
    place.refuses(&format!("run {INPUTS}"), 2, &["--out <DIR>"]);
}

#[test]
fn any_number_of_threads_starts() {
    let place = Workplace::new();
    for threads in [1, 64, 300] {
        let line = format!("rank {INPUTS} --top 2 --layers conv1 --threads {threads}");
        place.succeeds(&format!("{line} --out ranked-{threads}"));
        let line = format!("plan {INPUTS} --top 2 --layers conv1 --threads {threads}");
        place.succeeds(&line);
    }
    // Fewer threads work where the memory is limited, and more memory is no contradiction.
    let run = format!("run {INPUTS} --top 2 --layers conv1 --every 9");
    place.succeeds(&format!("{run} --memory 300MiB --out little"));
    let words = ["--memory 300.0 MiB", "with 300 threads needs at least", "fewer --threads"];
    place.refuses(&format!("{run} --memory 300MiB --threads 300 --out out"), 2, &words);
    place.succeeds(&format!("{run} --shard 1/1000000000 --out share"));
}

#[test]
fn a_manifest_that_is_none_is_not_replaced() {
    let place = Workplace::new();
    place.succeeds(&format!("rank {INPUTS} --top 2 --layers conv1 --out out"));
    for wrong in ["no JSON", "{\"format\": \"occlumap maps\", \"version\": 1}"] {
        place.write("out/manifest.json", wrong);
        let words =
            ["out/manifest.json: is not a manifest of `occlumap maps`, version 2", "--force"];
        place.refuses(&format!("run {INPUTS} --top 2 --layers conv1 --out out"), 2, &words);
        place.refuses(&format!("sweep {INPUTS} --ranking out --layers conv1 --out out"), 2, &words);
    }
}
