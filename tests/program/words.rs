//! The project's words: words that were replaced stay replaced (`tests/words.txt`), and documents
//! link to what exists.

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The texts below a folder, or of a file: sources and documents.
fn texts(path: &Path) -> Vec<(PathBuf, String)> {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).unwrap();
        return entries.flat_map(|entry| texts(&entry.unwrap().path())).collect();
    }
    let is_text = (path.extension())
        .is_some_and(|ending| ["rs", "cu", "cuh", "md"].iter().any(|text| ending == *text));
    if is_text { vec![(path.to_owned(), std::fs::read_to_string(path).unwrap())] } else { vec![] }
}

/// Whether `line` has `word` as a whole word.
fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(start, _)| {
        let (before, after) = (&line[..start], &line[start + word.len()..]);
        let joined = before.ends_with(is_part) && word.starts_with(is_part)
            || after.starts_with(is_part) && word.ends_with(is_part);
        !joined
    })
}

#[test]
fn replaced_words_stay_replaced() {
    let list = std::fs::read_to_string(root().join("tests/words.txt")).unwrap();
    let entries = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut found = Vec::new();
    for (folders, word) in entries.map(|line| line.split_once(": ").unwrap()) {
        for folder in folders.split(' ') {
            for (path, text) in texts(&root().join(folder)) {
                let lines = text.lines().enumerate().filter(|(_, line)| has_word(line, word));
                let path = path.strip_prefix(root()).unwrap().display();
                found.extend(lines.map(|(index, line)| {
                    format!("{path}:{}: `{word}` in {}", index + 1, line.trim())
                }));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_word_is_found_as_a_whole() {
    for (line, word, expected) in [
        ("the heart of it", "heart", true),
        ("a heartbeat", "heart", false),
        ("sweetheart", "heart", false),
        ("/// What is told.", "/// What", true),
        ("/// Whatever", "/// What", false),
        ("NAME.claim-0", "claim-0", true),
    ] {
        assert_eq!(has_word(line, word), expected, "{word} in {line}");
    }
}

/// The target of every link in a document: `(text)[target]`.
fn links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1);
    targets.filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())).collect()
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|&c| c.is_alphanumeric() || "-_ ".contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn links_of_documents_lead_to_files_and_headings() {
    let names = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "docs"];
    let documents: Vec<_> = names.iter().flat_map(|name| texts(&root().join(name))).collect();
    assert!(documents.len() > 15);
    let mut broken = Vec::new();
    for (path, text) in &documents {
        for link in links(text).iter().filter(|link| !link.contains("://")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => path.clone(),
                file => path.parent().unwrap().join(file),
            };
            let has_heading = || {
                let text = std::fs::read_to_string(&target).unwrap();
                let headings = text.lines().filter(|line| line.starts_with('#'));
                headings.into_iter().any(|line| anchor(line.trim_start_matches('#')) == heading)
            };
            if !target.exists() || !(heading.is_empty() || has_heading()) {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn documents_keep_their_lengths() {
    for (name, most) in [
        ("README.md", 207),
        ("docs/guide.md", 200),
        ("docs/performance.md", 120),
        ("docs/benchmarks.md", 90),
        ("docs/architecture.md", 200),
    ] {
        let lines = std::fs::read_to_string(root().join(name)).unwrap().lines().count();
        assert!(lines <= most, "{name} has {lines} lines; expected at most {most}");
    }
}
