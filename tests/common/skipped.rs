//! Skipped tests: said where they happen, and recorded for the summary of `tests/what_was_skipped.rs`.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

/// Names the file that records skipped tests, as lines of test, tab, reason.
pub const RECORD: &str = "OCCLUMAP_SKIPPED";

/// Says that a test is skipped, and records it.
pub fn say_skipped(test: &str, reason: &str) {
    // Unlike `eprintln!`, this is seen where the test passes.
    let _ = writeln!(io::stderr(), "SKIPPED {test}: {reason}");
    let Some(path) = record() else { return };
    let line = format!("{test}\t{}\n", reason.replace('\n', " "));
    let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
    let file = folder.and_then(|()| OpenOptions::new().append(true).create(true).open(&path));
    let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
    written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// The record of this run: `$OCCLUMAP_SKIPPED`, else a file in the target folder that is named by the
/// process that started this test program, one `cargo test` for all test programs. `None` for a test
/// program that cargo did not start.
pub fn record() -> Option<PathBuf> {
    if let Some(path) = env::var_os(RECORD) {
        return Some(path.into());
    }
    // `target/debug/deps/TEST`
    let program = env::current_exe().ok()?;
    let folder = program.parent().filter(|folder| folder.ends_with("deps"))?;
    Some(folder.with_file_name("skipped").join(parent()?))
}

/// Process number and start of this process's parent, in clock ticks since boot: numbers alone come
/// again.
#[cfg(target_os = "linux")]
fn parent() -> Option<String> {
    let id = std::os::unix::process::parent_id();
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // proc_pid_stat(5): field 22, and the program's name before the third may contain anything.
    let (_, fields) = stat.rsplit_once(')')?;
    Some(format!("{id}-{}", fields.split_whitespace().nth(19)?))
}

#[cfg(not(target_os = "linux"))]
fn parent() -> Option<String> {
    None
}
