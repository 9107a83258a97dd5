//! A folder in which a test runs commands, and damages what they need.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{Golden, occlumap};

/// The tiny network, its weights and its images, as they lie in a [`Workplace`].
pub const INPUTS: &str = "--model model.json --weights tiny.npz --images images";

/// A folder with the tiny network as `model.json`, `tiny.npz`, `tiny.pth` and `tiny.safetensors`,
/// and its four images as `images/0.npy` to `images/3.npy`. Commands run inside it, so that a
/// test's command lines are what a user would type.
pub struct Workplace(TempDir);

impl Workplace {
    pub fn new() -> Self {
        let workplace = Self(tempfile::tempdir().expect("a temporary folder"));
        let golden = Golden::tiny();
        std::fs::create_dir(workplace.path("images")).expect("a folder");
        for file in ["model.json", "tiny.npz", "tiny.pth", "tiny.safetensors"] {
            std::fs::copy(golden.folder.join(file), workplace.path(file)).expect("a copy");
        }
        for image in ["0.npy", "1.npy", "2.npy", "3.npy"] {
            let copy = workplace.path("images").join(image);
            std::fs::copy(golden.images.join(image), copy).expect("a copy");
        }
        workplace
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// A block of data in a report.
    pub fn block(&self, report: &str, id: &str) -> Option<Value> {
        let text = String::from_utf8(self.read(report)).unwrap();
        let (_, rest) = text.split_once(&format!("id=\"{id}\">"))?;
        let (json, _) = rest.split_once("</script>").unwrap();
        Some(serde_json::from_str(json).unwrap())
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    pub fn copy(&self, from: &str, to: &str) {
        self.write(to, self.read(from));
    }

    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// Keeps the first half of a file.
    pub fn cut(&self, name: &str) {
        let bytes = self.read(name);
        self.write(name, &bytes[..bytes.len() / 2]);
    }

    /// The program in this folder, with arguments separated by white space.
    pub fn command(&self, line: &str) -> Command {
        let mut command = occlumap();
        command.current_dir(self.0.path()).args(line.split_whitespace());
        command
    }

    /// Runs a command to its end. However it ends, no panic may show, and, since it doesn't write
    /// to a terminal, nothing that only a terminal understands.
    pub fn run(&self, line: &str) -> Output {
        let output = self.command(line).output().expect("the program starts");
        let messages = String::from_utf8_lossy(&output.stderr);
        assert!(!messages.contains("panicked at"), "occlumap {line}\n{messages}");
        assert!(!messages.contains(['\u{1b}', '\r']), "occlumap {line}\n{messages:?}");
        output
    }

    /// The command must end well; returns what it said on standard error.
    pub fn succeeds(&self, line: &str) -> String {
        let Output { status, stderr, .. } = self.run(line);
        let messages = String::from_utf8(stderr).expect("UTF-8");
        assert!(status.success(), "occlumap {line}: {status}\n{messages}");
        messages
    }

    /// The command must end with this exit code, say all of `words`, and leave every file and
    /// folder as it was.
    pub fn refuses(&self, line: &str, code: i32, words: &[&str]) {
        let before = self.tree();
        let Output { status, stderr, .. } = self.run(line);
        let messages = String::from_utf8(stderr).expect("UTF-8");
        assert_eq!(status.code(), Some(code), "occlumap {line}\n{messages}");
        for word in words {
            assert!(messages.contains(word), "occlumap {line}: no `{word}` in\n{messages}");
        }
        same_trees(&self.tree(), &before, line);
    }

    /// Every file and its content, and every folder, by relative path.
    pub fn tree(&self) -> Tree {
        tree(self.0.path())
    }
}

/// The entries of a folder, by relative path; `None` is a folder.
pub type Tree = BTreeMap<PathBuf, Option<Vec<u8>>>;

pub fn tree(root: &Path) -> Tree {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(root).expect("inside").to_owned();
            if path.is_dir() {
                found.insert(name, None);
                folders.push(path);
            } else {
                found.insert(name, Some(std::fs::read(&path).expect("a file")));
            }
        }
    }
    found
}

/// Compares by name first: contents are too long to print.
pub fn same_trees(found: &Tree, expected: &Tree, about: &str) {
    let names = |tree: &Tree| tree.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(expected), "{about}");
    for (name, content) in expected {
        assert!(found[name] == *content, "{about}: {} differs", name.display());
    }
}

/// The bytes of a `.npy` file of format 1.0 with this header and these values.
pub fn npy(descr: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = u16::try_from(header.len()).expect("a short header").to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), values].concat()
}

/// The bytes of a `.npy` file of zeros, `float32`.
pub fn zeros(shape: [usize; 3]) -> Vec<u8> {
    let [a, b, c] = shape;
    npy("<f4", &format!("({a}, {b}, {c})"), &vec![0; 4 * a * b * c])
}
