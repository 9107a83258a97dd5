//! Ctrl-C: ends soon, keeps what is finished, leaves nothing half done.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::json;
use crate::workplace::{INPUTS, Workplace, tree};

/// Waits until `done`.
fn until(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_mins(1), "no {what} after a minute");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Sends a signal; the program must end with 130, say so, and do it soon.
fn stop(child: Child, signal: &str) {
    let sent = Instant::now();
    let kill = Command::new("kill").arg(signal).arg(child.id().to_string()).status().unwrap();
    assert!(kill.success());
    let output = child.wait_with_output().unwrap();
    let messages = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{messages}");
    assert!(messages.ends_with("stopped; what was finished is kept\n"), "{messages}");
    assert!(sent.elapsed() < Duration::from_secs(2), "{:?}", sent.elapsed());
}

fn start(place: &Workplace, line: &str) -> Child {
    place.command(line).stderr(Stdio::piped()).spawn().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    tree(folder).keys().map(|path| path.display().to_string()).collect()
}

#[test]
fn a_run_that_is_stopped_keeps_the_layers_that_are_finished() {
    let place = Workplace::new();
    let run = format!("run {INPUTS} --layers conv1,conv4 --top 3 --out out");
    // One thread, so that it takes seconds on any machine.
    let child = start(&place, &format!("{run} --threads 1"));
    let manifest = place.path("out/manifest.json");
    until("finished layer", || {
        std::fs::read_to_string(&manifest).is_ok_and(|text| text.contains("conv1_max.npy"))
    });
    stop(child, "-INT");

    let kept = names(&place.path("out/maps"));
    assert_eq!(kept, ["conv1_max.npy", "conv1_min.npy"]);
    let left: serde_json::Value = json(&manifest);
    assert_eq!(left["complete"], false);
    assert_eq!(left["layers"].as_object().unwrap().len(), 1);
    let finished = std::fs::read(place.path("out/maps/conv1_max.npy")).unwrap();

    place.refuses(&run, 2, &["out: is not empty", "--force"]);
    place.succeeds(&format!("{run} --force"));
    let complete: serde_json::Value = json(&manifest);
    assert_eq!(complete["complete"], true);
    assert_eq!(complete["layers"].as_object().unwrap().len(), 2);
    assert_eq!(names(&place.path("out/maps")).len(), 4);
    assert!(std::fs::read(place.path("out/maps/conv1_max.npy")).unwrap() == finished);
}

#[test]
fn a_ranking_that_is_stopped_leaves_nothing() {
    let place = Workplace::new();
    for image in 4..50_000 {
        let link = place.path(format!("images/{image}.npy"));
        std::os::unix::fs::symlink(format!("{}.npy", image % 4), link).unwrap();
    }
    let child = start(&place, &format!("rank {INPUTS} --top 4 --threads 1 --out out"));
    // Long enough to be ranking, and far from having finished.
    std::thread::sleep(Duration::from_secs(1));
    stop(child, "-TERM");
    assert!(!place.path("out").exists());
}
