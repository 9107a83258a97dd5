//! Not a test: says how many tests were skipped, and why. Test programs run in the order of their
//! names, so that this one is the last.
#![allow(clippy::print_stdout, clippy::panic, reason = "what it is for")]

#[path = "common/skipped.rs"]
#[allow(dead_code, reason = "nothing is skipped here")]
mod skipped;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

fn main() {
    // Programs that run tests one by one ask for their names first: there are none.
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    assert_eq!(summary(""), "no test was skipped");
    let record = "one\tno nvcc\none\tno nvcc\nother\tno browser\n";
    let told = "2 tests were skipped, and count as passed: 1: no browser; 1: no nvcc";
    assert_eq!(summary(record), told);
    let Some(path) = skipped::record() else { return };
    // There is no file where nothing was skipped.
    println!("{}", summary(&fs::read_to_string(&path).unwrap_or_default()));
    if std::env::var_os(skipped::RECORD).is_none() {
        let _ = fs::remove_file(path);
    }
}

/// `2 tests were skipped, and count as passed: 2: no CUDA compiler`, of a record.
fn summary(record: &str) -> String {
    let lines: BTreeSet<(&str, &str)> =
        record.lines().filter_map(|line| line.split_once('\t')).collect();
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, reason) in &lines {
        *reasons.entry(reason).or_default() += 1;
    }
    if lines.is_empty() {
        return "no test was skipped".into();
    }
    let reasons: Vec<String> =
        reasons.iter().map(|(reason, count)| format!("{count}: {reason}")).collect();
    format!("{} tests were skipped, and count as passed: {}", lines.len(), reasons.join("; "))
}
