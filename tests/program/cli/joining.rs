//! Results that join what an output folder holds already, and folders that two runs want.

use serde_json::Value;

use crate::common::json;
use crate::workplace::{INPUTS, Workplace, same_trees, tree};

/// The arrays of some layers in `maps/`.
fn maps(workplace: &Workplace, out: &str, layer: &str) -> crate::workplace::Tree {
    let mut maps = tree(&workplace.path(out).join("maps"));
    maps.retain(|name, _| name.to_string_lossy().starts_with(layer));
    assert!(!maps.is_empty(), "{out} {layer}");
    maps
}

fn manifest(workplace: &Workplace, out: &str) -> Value {
    json(&workplace.path(out).join("manifest.json"))
}

#[test]
fn layers_and_units_join_those_that_are_there() {
    let workplace = Workplace::new();
    let run = |options: &str| format!("run {INPUTS} --top 2 --every 5 --block 2 {options}");
    workplace.succeeds(&run("--layers conv1 --units 0-3 --out out"));
    workplace.succeeds(&run("--layers conv4 --out alone"));
    let before = maps(&workplace, "out", "conv1");
    // Units that were not swept are not counted.
    let messages = workplace.succeeds("plot out --only numbers --out plots");
    assert!(messages.contains("conv1: 4 units and images"), "{messages}");
    // A layer.
    workplace.succeeds(&run("--layers conv4 --out out"));
    same_trees(&maps(&workplace, "out", "conv1"), &before, "conv1 stays");
    same_trees(&maps(&workplace, "out", "conv4"), &maps(&workplace, "alone", "conv4"), "conv4");
    let both = manifest(&workplace, "out");
    assert_eq!(both["complete"], true);
    assert_eq!(both["layers"].as_object().unwrap().len(), 2);
    let ranked: Value = json(&workplace.path("out/ranking/ranking.json"));
    assert_eq!(ranked["configuration"]["layers"].as_array().unwrap().len(), 2);
    // Units that are there, fewer, and more.
    for (units, word) in
        [("1-2", "already complete"), ("2-5", "conv1: existing units are computed again")]
    {
        let messages =
            workplace.succeeds(&run(&format!("--layers conv1,conv4 --units {units} --out out")));
        assert!(messages.contains(word), "{units}: {messages}");
    }
    workplace.succeeds(&run("--layers conv1 --units 0-5 --out six"));
    same_trees(&maps(&workplace, "out", "conv1"), &maps(&workplace, "six", "conv1"), "six units");
    same_trees(
        &maps(&workplace, "out", "conv4"),
        &maps(&workplace, "alone", "conv4"),
        "conv4 stays",
    );
    // Whatever else differs is said in words.
    let refused = run("--layers conv2 --seed 9 --out out");
    workplace.refuses(&refused, 2, &["the noise (--seed): philox:0 there; philox:9 here"]);
    let refused = run("--layers conv2 --out out").replace("--top 2", "--top 1");
    workplace.refuses(&refused, 2, &["images a unit (--top): 2 there; 1 here"]);
    workplace.succeeds("report out");
}

/// As a process leaves them that is killed when its maps are finished.
#[test]
fn blocks_that_are_left_of_finished_maps_are_in_no_ones_way() {
    let workplace = Workplace::new();
    let run = format!("run {INPUTS} --top 2 --block 4 --every 5 --out out");
    workplace.succeeds(&format!("{run} --layers conv1 --shard 1/2"));
    workplace.succeeds(&format!("{run} --layers conv1 --shard 2/2"));
    let blocks = tree(&workplace.path("out/blocks"));
    workplace.succeeds("merge out");
    for (name, content) in blocks {
        let name = format!("out/blocks/{}", name.display());
        match content {
            None => std::fs::create_dir_all(workplace.path(&name)).unwrap(),
            Some(content) => workplace.write(&name, content),
        }
    }
    workplace.succeeds(&format!("{run} --layers conv4"));
    assert_eq!(manifest(&workplace, "out")["layers"].as_object().unwrap().len(), 2);
    assert!(!workplace.path("out/blocks").exists());
}

#[test]
fn maps_that_are_finished_are_verified() {
    let workplace = Workplace::new();
    let run = format!("run {INPUTS} --top 2 --layers conv1,conv3 --out out");
    workplace.succeeds(&run);
    let before = tree(&workplace.path("out/maps"));
    for count in [20, 30] {
        let messages = workplace.succeeds(&format!("{run} --verify {count}"));
        let words = format!("conv3: {count} presentations agree with whole images");
        assert!(messages.contains(&words), "{messages}");
        let verified = manifest(&workplace, "out")["layers"]["conv1"]["verified"].clone();
        assert_eq!(
            (&verified["presentations"], &verified["passed"]),
            (&count.into(), &true.into())
        );
    }
    same_trees(&tree(&workplace.path("out/maps")), &before, "maps stay");
    // Fewer were verified before.
    let messages = workplace.succeeds(&format!("{run} --verify 10"));
    assert!(!messages.contains("agree with"), "{messages}");
    // Of maps that have changed, nothing is said.
    let file = "out/maps/conv1_max.npy";
    let mut bytes = workplace.read(file);
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(workplace.path(file), bytes).unwrap();
    workplace.refuses(&format!("{run} --verify 40"), 1, &[file, "was changed since the sweep"]);
    std::fs::remove_file(workplace.path(file)).unwrap();
    workplace.refuses("status out", 1, &[file, "cannot be read"]);
    workplace.refuses("merge out", 1, &[file, "cannot be read"]);
    workplace.refuses(
        &format!("{run} --verify 1000000000"),
        2,
        &["--verify 1000000000", "at most"],
    );
}

#[test]
fn logs_and_hidden_files_do_not_keep_a_run_from_its_folder() {
    let workplace = Workplace::new();
    std::fs::create_dir(workplace.path("out")).unwrap();
    for name in ["log.txt", "run.log", ".DS_Store", ".nfs0001", "nohup.out"] {
        workplace.write(&format!("out/{name}"), "");
    }
    workplace.succeeds(&format!("rank {INPUTS} --top 2 --layers conv1 --out out"));
    assert!(workplace.path("out/log.txt").exists());
    let status = workplace.run("status out");
    let text = String::from_utf8(status.stdout).unwrap();
    let words = "out: the ranking is complete; there are no maps; if no process is at work, `occlumap sweep`";
    assert!(text.starts_with(words) && text.ends_with("the same `occlumap run` again\n"), "{text}");
}

#[test]
fn all_images_do_where_more_are_asked_for() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("run {INPUTS} --layers conv1 --top 4 --every 9 --out four"));
    for (command, out) in [("rank", "ranked"), ("run --every 9", "run")] {
        let line = format!("{command} {INPUTS} --layers conv1 --top 1000000000000 --out {out}");
        let messages = workplace.succeeds(&line);
        assert!(messages.contains("there are 4"), "{messages}");
        let ranking = |out: &str| tree(&workplace.path(out).join("ranking"));
        same_trees(&ranking(out), &ranking("four"), command);
    }
    same_trees(&maps(&workplace, "run", "conv1"), &maps(&workplace, "four", "conv1"), "maps");
}

#[test]
fn files_that_are_passed_over_are_told() {
    let workplace = Workplace::new();
    workplace.write("images/notes.txt", "a note");
    let messages = workplace.succeeds(&format!("rank {INPUTS} --top 2 --layers conv1 --out out"));
    assert!(
        messages.contains("passed over: 1 file") && messages.contains("notes.txt"),
        "{messages}"
    );
}

/// Opening a pipe to read waits for whoever writes.
#[cfg(target_os = "linux")]
#[test]
fn pipes_are_no_inputs() {
    let workplace = Workplace::new();
    std::fs::create_dir(workplace.path("pipes")).unwrap();
    workplace.copy("images/0.npy", "pipes/0.npy");
    for pipe in ["pipe.npz", "pipe.json", "pipes/1.npy", "pipe.txt"] {
        let made = std::process::Command::new("mkfifo").arg(workplace.path(pipe)).status().unwrap();
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
        let program = workplace.command(&line);
        command.arg("20").arg(program.get_program()).args(program.get_args());
        let output = command.current_dir(workplace.path("")).output().unwrap();
        let messages = String::from_utf8(output.stderr).unwrap();
        assert!(matches!(output.status.code(), Some(1 | 2)), "{pipe}: {messages}");
        assert!(messages.contains("is a named pipe"), "{messages}");
    }
}

/// As under a limit of processes, which does not hold for every user.
#[test]
fn threads_that_cannot_be_started_are_an_error() {
    let workplace = Workplace::new();
    let mut command = workplace.command(&format!("rank {INPUTS} --top 2 --layers conv1 --out out"));
    let output = command.env("RUST_MIN_STACK", (1_u64 << 46).to_string()).output().unwrap();
    let messages = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{messages}");
    assert!(messages.contains("thread") && !messages.contains("panicked"), "{messages}");
}

#[test]
fn names_and_folders_are_taken_as_users_give_them() {
    let workplace = Workplace::new();
    let map = format!("map {INPUTS} --layer conv2 --unit 3 --position 5,6");
    workplace.succeeds(&format!("{map} --image 2 --out by-index.npy"));
    workplace.succeeds(&format!("{map} --image 2.npy --out by-name.npy"));
    assert!(workplace.read("by-index.npy") == workplace.read("by-name.npy"));
    let words = ["there is no image `5.npy`", "the 4 images are 0.npy to 3.npy"];
    workplace.refuses(&format!("{map} --image 5.npy --out map.npy"), 2, &words);
    workplace.refuses(&format!("{map} --image 2 --out map.png"), 2, &["map.png", "ends in .npy"]);
    workplace.succeeds(&format!("rank {INPUTS} --top 2 --layers conv2 --out ranked"));
    let sweep = format!("sweep {INPUTS} --layers conv2 --every 9 --top 1");
    workplace.succeeds(&format!("{sweep} --ranking ranked --out one"));
    workplace.succeeds(&format!("{sweep} --ranking ranked/ranking --out two"));
    same_trees(&maps(&workplace, "one", "conv2"), &maps(&workplace, "two", "conv2"), "rankings");
    let plan = workplace.run(&format!("plan {INPUTS} --layers conv1 --top 9"));
    let text = String::from_utf8(plan.stdout).unwrap();
    assert!(plan.status.success() && text.contains("positions spread evenly"), "{text}");
    workplace.refuses(
        &format!("run {INPUTS} --units= --out out"),
        2,
        &["neither a unit nor a range"],
    );
    workplace.refuses(&format!("run {INPUTS}"), 2, &["--out <DIR>"]);
}

#[test]
fn any_number_of_threads_starts() {
    let workplace = Workplace::new();
    for threads in [1, 64, 300] {
        let line = format!("rank {INPUTS} --top 2 --layers conv1 --threads {threads}");
        workplace.succeeds(&format!("{line} --out ranked-{threads}"));
        let line = format!("plan {INPUTS} --top 2 --layers conv1 --threads {threads}");
        workplace.succeeds(&line);
    }
    // Fewer threads work where the memory is limited, and more memory is no contradiction.
    let run = format!("run {INPUTS} --top 2 --layers conv1 --every 9");
    workplace.succeeds(&format!("{run} --memory 300MiB --out little"));
    let words = ["--memory 300.0 MiB", "with 300 threads needs at least", "fewer --threads"];
    workplace.refuses(&format!("{run} --memory 300MiB --threads 300 --out out"), 2, &words);
    workplace.succeeds(&format!("{run} --shard 1/1000000000 --out share"));
}

#[test]
fn a_manifest_that_is_none_is_not_replaced() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("rank {INPUTS} --top 2 --layers conv1 --out out"));
    for wrong in ["no JSON", "{\"format\": \"occlumap maps\", \"version\": 1}"] {
        workplace.write("out/manifest.json", wrong);
        let words =
            ["out/manifest.json: is not a manifest of `occlumap maps`, version 2", "--force"];
        workplace.refuses(&format!("run {INPUTS} --top 2 --layers conv1 --out out"), 2, &words);
        workplace.refuses(
            &format!("sweep {INPUTS} --ranking out --layers conv1 --out out"),
            2,
            &words,
        );
    }
}
