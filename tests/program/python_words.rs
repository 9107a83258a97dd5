//! Messages of the library that reach Python: options of the command line in them have Python's words
//! (`python/rust/options.rs`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What only the command line says: its arguments, its scripts for Slurm, its benchmark, and what tests say.
const COMMAND_LINE: [&str; 5] =
    ["src/cli", "src/runs/slurm", "src/runs/slurm.rs", "src/runs/bench.rs", "tests"];

/// Options that no function of the package takes, and where the message with each comes from.
const OTHERS: [(&str, &str); 4] = [
    ("box", "src/report/drawing/boxed.rs: `occlumap draw`"),
    ("gpus", "src/engine/cuda/error.rs: an option of docker"),
    ("responses", "src/runs/map_files.rs: `occlumap map`"),
    ("std", "translated together with `--mean`"),
];

/// Sources below a folder but for those of the command line.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap();
        let is_other = COMMAND_LINE.iter().any(|other| name.ends_with(other));
        match () {
            () if is_other || path.file_stem().is_some_and(|stem| stem == "tests") => {}
            () if path.is_dir() => sources(&path, found),
            () if path.extension().is_some_and(|ending| ending == "rs") => found.push(path),
            () => {}
        }
    }
}

/// The options in the messages of a source, without comments and tests.
fn options(source: &str) -> impl Iterator<Item = &str> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| {
        let starts = line.match_indices("--").map(|(start, _)| start);
        starts.filter_map(|start| {
            let begins = line[..start].chars().next_back().is_none_or(|c| " (`'\"".contains(c));
            let rest = &line[start + 2..];
            let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '-'));
            let option = &rest[..end.unwrap_or(rest.len())];
            (begins && !option.is_empty()).then_some(option)
        })
    })
}

#[test]
fn every_option_in_a_message_has_a_word_of_python() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(root.join("python/rust/options.rs")).unwrap();
    let is_known = |option: &str| {
        table.contains(&format!("\"{option}\"")) || table.contains(&format!("--{option}"))
    };
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    let (mut missing, mut seen) = (Vec::new(), BTreeSet::new());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for option in options(&text) {
            seen.insert(option.to_owned());
            if !is_known(option) && !OTHERS.iter().any(|(other, _)| *other == option) {
                missing.push(format!("{}: --{option}", file.display()));
            }
        }
    }
    assert!(seen.len() > 30, "{seen:?}");
    assert!(missing.is_empty(), "without a word of Python:\n{}", missing.join("\n"));
    for (other, of) in OTHERS {
        assert!(seen.contains(other), "--{other} is in no message any more: {of}");
    }
}
