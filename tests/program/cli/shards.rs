//! Several processes on one sweep, and folders put together: the same bytes as one process's.

use std::process::{Child, Stdio};

use serde_json::Value;

use crate::workplace::{INPUTS, Workplace, same_trees, tree};

const SWEEP: &str = "sweep --model model.json --weights tiny.npz --images images \
                     --ranking whole/ranking --layers conv1,conv4 --every 3 --threads 1 --quiet";

/// A workplace with the ranking and the maps of one process in `whole/`.
fn swept() -> Workplace {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("rank {INPUTS} --top 2 --out whole"));
    workplace.succeeds(&format!("{SWEEP} --out whole"));
    workplace
}

fn same_maps(workplace: &Workplace, out: &str) {
    let [found, whole] = [out, "whole"].map(|out| tree(&workplace.path(out).join("maps")));
    same_trees(&found, &whole, out);
    let manifest: Value =
        serde_json::from_slice(&workplace.read(&format!("{out}/manifest.json"))).unwrap();
    assert_eq!(manifest["complete"], true);
    assert!(!workplace.path(out).join("blocks").exists(), "{out}");
}

fn status(workplace: &Workplace, out: &str) -> Value {
    let output = workplace.run(&format!("status {out} --json"));
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn any_number_of_shards_gives_the_same_maps() {
    let workplace = swept();
    for shards in [1, 3, 16] {
        let out = format!("out-{shards}");
        for index in (1..=shards).rev() {
            let line = format!("{SWEEP} --block 1 --shard {index}/{shards} --out {out}");
            let merged = workplace.path(&out).join("maps").exists();
            workplace.succeeds(&line);
            assert_eq!(workplace.path(&out).join("maps").exists(), merged);
            assert_eq!(status(&workplace, &out)["stage"], "maps");
            if index > 1 {
                let missing = workplace.run(&format!("merge {out}"));
                let messages = String::from_utf8(missing.stderr).unwrap();
                assert_eq!(missing.status.code(), Some(1), "{messages}");
                assert!(messages.contains("conv1-0-0: is missing"), "{messages}");
                assert!(messages.contains("computes what is missing"), "{messages}");
            }
        }
        let report = status(&workplace, &out);
        assert_eq!(report["stage"], "maps");
        assert_eq!(report["seconds_left"], 0.0);
        assert_eq!(report["parts"]["conv4"]["done"], 6);
        workplace.succeeds(&format!("merge {out} --quiet"));
        same_maps(&workplace, &out);
        assert_eq!(status(&workplace, &out)["stage"], "complete");
        let again = workplace.succeeds(&format!("merge {out}"));
        assert!(again.contains("already complete"), "{again}");
    }
    workplace.refuses(&format!("{SWEEP} --shard 4/3 --out new"), 2, &["`4/3` is no shard"]);
    workplace.refuses(
        &format!("{SWEEP} --shard 1/3 --force --out new"),
        2,
        &["--shard", "--force"],
    );
    workplace.refuses("merge images", 1, &["images: holds no results of occlumap"]);
    workplace.refuses("status images", 1, &["images: holds no results of occlumap"]);
}

/// A layer that is put together before the last shard begins changes nobody's blocks.
#[test]
fn shards_deal_alike_whatever_is_finished_meanwhile() {
    let workplace = swept();
    // 8 blocks of conv1, 6 of conv4.
    for index in 1..=14 {
        workplace.succeeds(&format!("{SWEEP} --block 1 --shard {index}/14 --out out"));
        let merged = workplace.run("merge out").status.code();
        assert_eq!(merged, Some(i32::from(index < 14)), "{index}");
        assert_eq!(workplace.path("out/maps/conv1_max.npy").exists(), index >= 8);
    }
    same_maps(&workplace, "out");
    let sweep = SWEEP.replace(" --quiet", "");
    let messages = workplace.succeeds(&format!("{sweep} --block 1 --shard 15/15 --out none"));
    assert!(messages.contains("shard 15/15 has no block"), "{messages}");
}

#[test]
fn how_far_the_shards_are_is_told_with_rate_and_time_left() {
    let workplace = swept();
    workplace.succeeds(&format!("{SWEEP} --block 1 --shard 1/2 --out out"));
    let report = status(&workplace, "out");
    let part = &report["parts"]["conv4"];
    assert_eq!(
        [&part["blocks"], &part["done"], &part["missing"]].map(|n| n.as_u64().unwrap()),
        [6, 3, 3]
    );
    let number = |name: &str| report[name].as_f64().unwrap();
    let all: u64 = ["conv1", "conv4"]
        .map(|layer| {
            let part = &report["parts"][layer];
            part["amount"].as_u64().unwrap() - part["amount_done"].as_u64().unwrap()
        })
        .iter()
        .sum();
    assert!(all > 0 && number("rate") > 0.0);
    // At each layer's own time per presentation, by as many processes as worked at a time.
    let part = |layer: &str, name: &str| report["parts"][layer][name].as_f64().unwrap();
    let left: f64 = ["conv1", "conv4"]
        .map(|layer| {
            let missing = part(layer, "amount") - part(layer, "amount_done");
            missing * part(layer, "seconds") / part(layer, "amount_done")
        })
        .iter()
        .sum();
    assert!(left > 0.0 && number("seconds_left") > 0.0);
    let text = String::from_utf8(workplace.run("status out").stdout).unwrap();
    assert!(text.contains("presentations a second; ") && text.contains(" left\n"), "{text}");
    assert!(!text.contains("all blocks are there"), "{text}");
    // A layer without a finished block.
    for entry in std::fs::read_dir(workplace.path("out/blocks/maps")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.starts_with("conv4-") {
            workplace.remove(&format!("out/blocks/maps/{name}"));
        }
    }
    assert!(status(&workplace, "out")["seconds_left"].is_null());
    let text = String::from_utf8(workplace.run("status out").stdout).unwrap();
    let words = "presentations a second; no block of conv4 is finished: time left unknown\n";
    assert!(text.contains(words), "{text}");
    // All blocks, which nobody puts together.
    for index in 1..=2 {
        workplace.succeeds(&format!("{SWEEP} --block 1 --shard {index}/2 --out out"));
    }
    let text = String::from_utf8(workplace.run("status out").stdout).unwrap();
    let words = "all blocks are there; if no process is at work, `occlumap merge out` puts them";
    assert!(text.contains(words), "{text}");
}

#[test]
fn folders_of_different_machines_are_put_together() {
    let workplace = swept();
    for (shard, out) in [("1/2", "one"), ("2/2", "two")] {
        workplace.succeeds(&format!("{SWEEP} --block 1 --shard {shard} --out {out}"));
    }
    workplace.succeeds(&format!("{SWEEP} --seed 3 --block 1 --shard 2/2 --out other"));
    let words = ["other/blocks/maps: holds the results of another job", "philox:3 there; philox:0"];
    workplace.refuses("merge one --from other", 2, &words);
    // A block that is damaged here is taken from there.
    workplace.copy("one/blocks/maps/conv1-0-0.block", "two/blocks/maps/conv1-0-0.block");
    workplace.cut("one/blocks/maps/conv1-0-0.block");
    workplace.succeeds("merge one --from two");
    same_maps(&workplace, "one");
    assert!(workplace.path("two/blocks/maps/conv1-1-1.block").exists());
}

#[test]
fn a_ranking_is_shared_too() {
    let workplace = Workplace::new();
    for image in 4..200 {
        workplace.copy(&format!("images/{}.npy", image % 4), &format!("images/{image}.npy"));
    }
    let rank = format!("rank {INPUTS} --top 3 --layers conv1");
    workplace.succeeds(&format!("{rank} --out whole"));
    for shard in ["3/3", "1/3"] {
        let messages = workplace.succeeds(&format!("{rank} --shard {shard} --out out"));
        assert!(messages.contains(&format!("shard {shard} is done")), "{messages}");
        let words = ["images-64-127: is missing"];
        let missing = workplace.run("merge out");
        assert_eq!(missing.status.code(), Some(1));
        assert!(String::from_utf8(missing.stderr).unwrap().contains(words[0]));
    }
    assert_eq!(status(&workplace, "out")["parts"]["ranking"]["missing"], 1);
    workplace.succeeds(&format!("{rank} --shard 2/3 --out out"));
    same_trees(&tree(&workplace.path("out")), &tree(&workplace.path("whole")), "ranking");
}

/// A task of a user's own array, such as a seed a task, does everything.
#[test]
fn an_array_is_no_reason_to_share() {
    let workplace = swept();
    let task = |line: &str| {
        let mut command = workplace.command(line);
        for (name, value) in [("ID", 2), ("MIN", 0), ("MAX", 4), ("STEP", 1)] {
            command.env(format!("SLURM_ARRAY_TASK_{name}"), value.to_string());
        }
        command.output().unwrap()
    };
    let output = task(&format!("{SWEEP} --block 1 --out out"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    same_maps(&workplace, "out");
    workplace.refuses(
        &format!("{SWEEP} --shard slurm --out other"),
        2,
        &["no task of a Slurm array"],
    );
}

/// A task that is told so does its own part, and what the others have not begun.
#[test]
fn tasks_of_an_array_share_the_work_by_themselves() {
    let workplace = swept();
    let task = |id: usize, line: &str| {
        let mut command = workplace.command(line);
        for (name, value) in [("ID", id), ("MIN", 0), ("MAX", 6), ("STEP", 2)] {
            command.env(format!("SLURM_ARRAY_TASK_{name}"), value.to_string());
        }
        command
    };
    let line = format!("{SWEEP} --block 1 --shard slurm --out out");
    let refused = task(2, &format!("{line} --force")).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let tasks: Vec<Child> =
        [0, 2, 4].map(|id| task(id, &line).stderr(Stdio::piped()).spawn().unwrap()).into();
    for task in tasks {
        let output = task.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    // The fourth never came.
    workplace.succeeds("merge out");
    same_maps(&workplace, "out");
}

#[test]
fn a_ranking_without_digests_is_swept_by_what_the_images_hold_now() {
    let workplace = swept();
    workplace.remove("whole/ranking/images.sha256");
    workplace.succeeds(&format!("{SWEEP} --out out"));
    same_maps(&workplace, "out");
}
