//! Several processes on one folder, without knowing of each other.

use std::process::Child;

use super::workplace::{Dice, RUN, messages, same_results, start, undisturbed, workplace};
use crate::common::say_skipped;
use crate::workplace::Workplace;

/// Presentations that a process says it made.
fn presentations(messages: &str) -> u64 {
    let of_layer = |line: &str| {
        let (count, _) = line.split_once(": ")?.1.split_once(" presentations in")?;
        count.replace(',', "").parse::<u64>().ok()
    };
    messages.lines().filter_map(of_layer).sum()
}

#[test]
fn processes_that_share_a_folder_compute_each_block_once() {
    let workplace = workplace();
    let alone = start(&workplace, &format!("{RUN} --out alone")).wait_with_output().unwrap();
    let all = presentations(&messages(&alone));
    assert!(all > 0);
    let mut races = 0;
    for processes in [2, 4, 2, 3, 2, 4, 2, 3] {
        let running: Vec<Child> =
            (0..processes).map(|_| start(&workplace, &format!("{RUN} --out out"))).collect();
        let mut computed = 0;
        for child in running {
            let output = child.wait_with_output().unwrap();
            let messages = messages(&output);
            assert!(output.status.success(), "{messages}");
            computed += presentations(&messages);
        }
        assert_eq!(computed, all, "{processes} processes");
        same_results(&workplace, "out");
        std::fs::remove_dir_all(workplace.path("out")).unwrap();
        races += 1;
    }
    eprintln!("races: {races}, of two to four processes; each block once, equal results");
}

#[test]
fn processes_that_share_a_folder_survive_each_other() {
    let workplace = workplace();
    let mut dice = Dice::new(3);
    let mut kills = 0;
    for _ in 0..3 {
        let mut running: Vec<Child> =
            (0..4).map(|_| start(&workplace, &format!("{RUN} --out out"))).collect();
        // One after the other is killed in the middle of its work; the last must do the rest.
        while running.len() > 1 {
            std::thread::sleep(std::time::Duration::from_millis(u64::from(dice.below(80))));
            let mut child = running.swap_remove(dice.below(running.len() as u32) as usize);
            kills += usize::from(child.try_wait().unwrap().is_none());
            let _ = child.kill();
            child.wait().unwrap();
        }
        let output = running.remove(0).wait_with_output().unwrap();
        assert!(output.status.success(), "{}", messages(&output));
        same_results(&workplace, "out");
        std::fs::remove_dir_all(workplace.path("out")).unwrap();
    }
    eprintln!(
        "races: of four processes at a time {kills} in all killed beside each other; equal results"
    );
}

/// Each process has another time of day: the first is eleven days ahead, the next two days behind the
/// one before it, and so on.
#[test]
fn a_clock_that_is_set_back_does_not_matter() {
    let workplace = workplace();
    let Some(clock) = clock(&workplace) else {
        say_skipped("a_clock_that_is_set_back_does_not_matter", "no C compiler");
        return;
    };
    let mut dice = Dice::new(5);
    let (mut set, mut most) = (0, undisturbed(&workplace));
    loop {
        let mut command = workplace.command(&format!("{RUN} --out out"));
        command.env("LD_PRELOAD", &clock).env("SECONDS_AHEAD", days(11 - 2 * set));
        let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(most.mul_f64(0.3 + 0.5 * dice.share()));
        most = most.mul_f64(1.1);
        if child.try_wait().unwrap().is_some() {
            assert!(child.wait().unwrap().success());
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        set += 1;
        if workplace.path("out").exists() {
            let mut status = workplace.command("status out --json");
            status.env("LD_PRELOAD", &clock).env("SECONDS_AHEAD", days(11 - 2 * set));
            let output = status.output().unwrap();
            // A process that is killed at once leaves nothing that could be told of.
            assert!(output.status.success() || !workplace.path("out/blocks").exists());
        }
    }
    same_results(&workplace, "out");
    let manifest: serde_json::Value = crate::common::json(&workplace.path("out/manifest.json"));
    let started = manifest["about"]["started_unix"].as_u64().unwrap();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!(started.abs_diff(now) > 43_200, "the clock was set: {started}, and it is {now}");
    assert!(set > 0);
    eprintln!("clocks: set back {set} times, two days each; equal results");
}

fn days(days: i32) -> String {
    (86_400 * days).to_string()
}

/// A library that sets the time of day of a process which loads it first; `None` where there is no
/// compiler for it.
fn clock(workplace: &Workplace) -> Option<std::path::PathBuf> {
    const SOURCE: &str = r#"
        #include <stdlib.h>
        #include <sys/syscall.h>
        #include <time.h>
        #include <unistd.h>
        int clock_gettime(clockid_t clock, struct timespec *time) {
            int result = syscall(SYS_clock_gettime, clock, time);
            const char *ahead = getenv("SECONDS_AHEAD");
            if (clock == CLOCK_REALTIME && ahead) time->tv_sec += atol(ahead);
            return result;
        }"#;
    workplace.write("clock.c", SOURCE);
    let library = workplace.path("clock.so");
    let mut compiler = std::process::Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(workplace.path("clock.c"));
    compiler.status().is_ok_and(|status| status.success()).then_some(library)
}

/// No decision compares clocks: files from the future and from the past change nothing.
#[test]
fn a_clock_that_is_set_does_not_matter() {
    let workplace = workplace();
    let mut dice = Dice::new(4);
    let (mut set, mut most) = (0, undisturbed(&workplace));
    loop {
        let mut child = start(&workplace, &format!("{RUN} --out out"));
        std::thread::sleep(most.mul_f64(0.5 + 0.5 * dice.share()));
        most = most.mul_f64(1.1);
        if child.try_wait().unwrap().is_some() {
            assert!(child.wait().unwrap().success());
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for (name, content) in crate::workplace::tree(&workplace.path("out")) {
            if content.is_some() {
                let day = std::time::Duration::from_hours(24);
                let now = std::time::SystemTime::now();
                let time = if dice.below(2) == 0 { now + day } else { now - day };
                let path = workplace.path("out").join(name);
                let file = std::fs::File::options().append(true).open(path).unwrap();
                file.set_modified(time).unwrap();
                set += 1;
            }
        }
    }
    same_results(&workplace, "out");
    assert!(set > 0);
    eprintln!("clocks: {set} files, leases among them, a day in the future or the past");
}
