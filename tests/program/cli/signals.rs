//! Signals end the work soon, what is finished is kept, and the same command goes on from there.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::json;
use crate::workplace::{INPUTS, Workplace, same_trees, tree};

/// Waits until `done`.
fn until(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_mins(1), "no {what} after a minute");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn send(child: &Child, signal: &str) {
    let kill = Command::new("kill").arg(signal).arg(child.id().to_string()).status().unwrap();
    assert!(kill.success());
}

/// Sends a signal; the program must end before its work is done, with 75, and say so.
fn stop(child: Child, signal: &str) {
    send(&child, signal);
    let output = child.wait_with_output().unwrap();
    let messages = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(75), "{messages}");
    let last = "stopped: finished work is kept, and the same command continues\n";
    assert!(messages.ends_with(last), "{messages}");
}

/// Starts the program. It would leave alone the signals that the tests themselves are to ignore, as
/// a job in the background is.
fn start(workplace: &Workplace, line: &str) -> Child {
    let program = workplace.command(line);
    let mut command = Command::new("env");
    command.arg("--default-signal").arg(program.get_program()).args(program.get_args());
    command.current_dir(workplace.path("")).stderr(Stdio::piped()).spawn().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    tree(folder).keys().map(|path| path.display().to_string()).collect()
}

fn blocks(workplace: &Workplace, kind: &str) -> usize {
    let Ok(entries) = std::fs::read_dir(workplace.path("out/blocks").join(kind)) else { return 0 };
    let is_block = |name: std::ffi::OsString| name.to_string_lossy().ends_with(".block");
    entries.filter(|entry| entry.as_ref().is_ok_and(|entry| is_block(entry.file_name()))).count()
}

#[test]
fn a_run_that_is_stopped_keeps_what_is_finished_and_goes_on() {
    let workplace = Workplace::new();
    // One thread and small blocks, so that it takes seconds on any machine.
    let run = format!("run {INPUTS} --layers conv1,conv4 --top 3 --threads 1 --block 1");
    workplace.succeeds(&format!("{run} --out whole"));
    let manifest = workplace.path("out/manifest.json");
    for signal in ["-INT", "-TERM", "-USR1"] {
        // All 8 of conv1, and one that this process has finished.
        let before = blocks(&workplace, "maps").max(8);
        let child = start(&workplace, &format!("{run} --out out"));
        until("finished blocks", || blocks(&workplace, "maps") > before);
        stop(child, signal);
        let files =
            ["max", "max_frames", "max_reliability", "min", "min_frames", "min_reliability"];
        assert_eq!(
            names(&workplace.path("out/maps")),
            files.map(|file| format!("conv1_{file}.npy"))
        );
        let left: serde_json::Value = json(&manifest);
        assert_eq!(left["complete"], false);
        assert_eq!(left["layers"].as_object().unwrap().len(), 1);
        assert!(
            !names(&workplace.path("out/blocks/maps")).iter().any(|name| name.contains("lease"))
        );
    }
    let kept = blocks(&workplace, "maps");
    let messages = workplace.succeeds(&format!("{run} --out out"));
    assert!(messages.contains(&format!("sweep: {kept} of 14 blocks already done")));
    assert!(messages.contains("ranking: already complete"), "{messages}");
    let complete: serde_json::Value = json(&manifest);
    assert_eq!(complete["complete"], true);
    for folder in ["maps", "ranking"] {
        let [whole, out] = ["whole", "out"].map(|out| tree(&workplace.path(out).join(folder)));
        same_trees(&out, &whole, folder);
    }
    assert_eq!(names(&workplace.path("out")).len(), names(&workplace.path("whole")).len());
    // Once more is nothing to do; something else is refused, and told.
    let before = workplace.tree();
    assert!(workplace.succeeds(&format!("{run} --out out")).contains("out: already complete"));
    same_trees(&workplace.tree(), &before, "again");
    let words = ["the noise (--seed): philox:0 there; philox:7 here", "--force"];
    workplace.refuses(&format!("{run} --seed 7 --out out"), 2, &words);
    let other = run.replace("--top 3", "--top 2");
    workplace.refuses(
        &format!("{other} --out out"),
        2,
        &["images a unit (--top): 3 there; 2 here"],
    );
}

#[test]
fn a_ranking_that_is_stopped_goes_on() {
    let workplace = Workplace::new();
    for image in 4..30_000 {
        let link = workplace.path(format!("images/{image}.npy"));
        std::os::unix::fs::symlink(format!("{}.npy", image % 4), link).unwrap();
    }
    let rank = format!("rank {INPUTS} --layers conv2 --top 4");
    workplace.succeeds(&format!("{rank} --out whole"));
    let child = start(&workplace, &format!("{rank} --threads 1 --out out"));
    until("finished blocks", || blocks(&workplace, "ranking") >= 2);
    stop(child, "-TERM");
    assert_eq!(
        names(&workplace.path("out/blocks")).iter().filter(|n| n.contains("lease")).count(),
        0
    );
    let words = ["images a unit (--top): 4 there; 3 here", "--force"];
    let other = rank.replace("--top 4", "--top 3");
    workplace.refuses(&format!("{other} --out out"), 2, &[&words[..], &["ranking"]].concat());
    let messages = workplace.succeeds(&format!("{rank} --out out"));
    assert!(messages.contains("of 59 blocks already done"), "{messages}");
    same_trees(&tree(&workplace.path("out")), &tree(&workplace.path("whole")), "ranking");
}

#[test]
fn a_second_interrupt_ends_at_once_and_leaves_nothing_half_written() {
    let workplace = Workplace::new();
    let run = format!("run {INPUTS} --layers conv4 --top 3 --threads 1 --block 1 --out out");
    let child = start(&workplace, &run);
    until("finished blocks", || blocks(&workplace, "maps") >= 1);
    for _ in 0..2 {
        send(&child, "-INT");
    }
    let code = child.wait_with_output().unwrap().status.code();
    // The first may have been quick enough.
    assert!(matches!(code, Some(75 | 130)), "{code:?}");
    assert!(!workplace.path("out/maps/conv4_max.npy").exists());
    workplace.succeeds(&run);
    assert!(!workplace.path("out/blocks").exists());
}

/// A run of a second or so, with leases in its folder.
fn slow_run(workplace: &Workplace) -> Child {
    let run = format!("run {INPUTS} --layers conv4 --top 4 --threads 1 --block 1 --out out");
    let child = start(workplace, &run);
    until("a finished block", || blocks(workplace, "maps") >= 1);
    child
}

#[test]
fn a_signal_that_was_ignored_from_the_start_stays_ignored() {
    let workplace = Workplace::new();
    let program = crate::common::occlumap().get_program().to_owned();
    let run = format!("run {INPUTS} --layers conv4 --top 4 --threads 1 --block 1 --out out");
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("trap '' HUP; exec \"$0\" {run}")).arg(program);
    let child = shell.current_dir(workplace.path("")).stderr(Stdio::piped()).spawn().unwrap();
    until("a finished block", || blocks(&workplace, "maps") >= 1);
    send(&child, "-HUP");
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(workplace.path("out/maps/conv4_max.npy").exists());
}

#[test]
fn starting_anew_waits_for_no_living_process_and_a_replaced_one_stops() {
    let workplace = Workplace::new();
    let child = slow_run(&workplace);
    send(&child, "-STOP");
    let run = format!("run {INPUTS} --layers conv4 --top 4 --block 1 --seed 9 --force --out out");
    let words = ["another process is at work here (process ", "stop it first"];
    workplace.refuses(&run, 2, &words);
    // As a process elsewhere, whose lease has expired in the other's eyes, would find it.
    let configuration = workplace.path("out/blocks/maps/configuration.json");
    let text = std::fs::read_to_string(&configuration).unwrap();
    std::fs::write(&configuration, text.replace("philox:0", "philox:9")).unwrap();
    send(&child, "-CONT");
    let output = child.wait_with_output().unwrap();
    let messages = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{messages}");
    assert!(messages.contains("another process has started anew here"), "{messages}");
    workplace.succeeds(&run);
}

#[test]
fn blocks_of_a_process_that_was_killed_are_not_in_work() {
    let workplace = Workplace::new();
    let mut child = slow_run(&workplace);
    let status = || {
        let output = workplace.run("status out --json");
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()["parts"]["conv4"]
            .clone()
    };
    // Between two blocks there is none.
    until("a block in work", || {
        send(&child, "-STOP");
        let is_in_work = status()["in_work"] != 0;
        if !is_in_work {
            send(&child, "-CONT");
        }
        is_in_work
    });
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(status()["in_work"], 0);
}

#[test]
fn other_layers_join_a_run_that_was_stopped() {
    let workplace = Workplace::new();
    let line = |layers: &str, out: &str| {
        format!("run {INPUTS} --layers {layers} --top 3 --threads 1 --block 1 --out {out}")
    };
    workplace.succeeds(&line("conv1,conv4", "whole"));
    for layers in ["conv1", "conv4", "conv2"] {
        let out = format!("out-{layers}");
        let child = start(&workplace, &line("conv1,conv4", &out));
        until("a finished layer", || workplace.path(&out).join("manifest.json").exists());
        stop(child, "-TERM");
        if layers == "conv2" {
            let words = "the layers (--layers): conv1, conv4 there; conv2 here";
            workplace.refuses(&line(layers, &out), 2, &[words]);
        } else {
            workplace.succeeds(&line(layers, &out));
        }
        workplace.succeeds(&line("conv1,conv4", &out));
        let maps = |out: &str| tree(&workplace.path(out).join("maps"));
        same_trees(&maps(&out), &maps("whole"), layers);
        assert!(!workplace.path(&out).join("blocks").exists(), "{layers}");
    }
}

#[test]
fn a_file_beyond_the_limit_is_an_error() {
    let workplace = Workplace::new();
    let program = crate::common::occlumap().get_program().to_owned();
    let mut shell = Command::new("sh");
    let run = format!("run {INPUTS} --layers conv4 --top 4 --statistics --out out");
    shell.arg("-c").arg(format!("ulimit -f 4; exec \"$0\" {run}")).arg(program);
    let output = shell.current_dir(workplace.path("")).output().unwrap();
    let messages = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{messages}");
    assert!(messages.contains("cannot be written: File too large"), "{messages}");
    assert_eq!(messages.lines().last().unwrap().matches("out/").count(), 1, "{messages}");
}
