//! What the integration tests share: the program, the goldens, and readers of their files.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::panic, reason = "a test may fail by panicking")]

pub mod emulator;
pub mod families;
pub mod gated;
pub mod networks;
pub mod suite;
pub mod units;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ndarray::{ArrayD, Ix1, Ix2, Ix3};
use occlumap::files::npy::{self, Values};
use serde::Deserialize;

pub use self::emulator::say_skipped;

/// The program.
pub fn occlumap() -> Command {
    let elsewhere = std::env::var_os("CARGO_BIN_EXE_occlumap");
    Command::new(elsewhere.unwrap_or_else(|| env!("CARGO_BIN_EXE_occlumap").into()))
}

/// The repository's root. Test programs that run elsewhere (`scripts/gpu-pack`) are told where its
/// files are, and where the program is, by the variables that cargo itself sets.
fn root() -> PathBuf {
    let elsewhere = std::env::var_os("CARGO_MANIFEST_DIR");
    elsewhere.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into()).into()
}

/// Runs the program with arguments separated by white space, then `paths` instead of `{}`.
pub fn run(line: &str, paths: &[&Path]) -> Output {
    let mut paths = paths.iter();
    let mut command = occlumap();
    for word in line.split_whitespace() {
        match word {
            "{}" => command.arg(paths.next().expect("a path for each {}")),
            word => command.arg(word),
        };
    }
    assert!(paths.next().is_none(), "a {{}} for each path");
    command.output().expect("the program starts")
}

/// Like [`run`], and the program must end well; returns its standard output.
pub fn run_well(line: &str, paths: &[&Path]) -> String {
    let output = run(line, paths);
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "occlumap {line}: {}\n{messages}", output.status);
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// A network with weights and images, and what the reference computes for them.
pub struct Golden {
    pub folder: PathBuf,
    pub images: PathBuf,
    pub model: String,
    pub weights: PathBuf,
}

/// One map of the reference, of `maps.json`.
#[derive(Debug, Deserialize)]
pub struct Key {
    #[serde(rename = "key")]
    pub name: String,
    pub layer: String,
    pub image: usize,
    pub unit: usize,
    pub y: usize,
    pub x: usize,
    #[serde(rename = "box")]
    pub pixels: [usize; 4],
    pub rf: usize,
    pub occluders: usize,
    pub torch_seed: u32,
    pub response: f32,
}

impl Golden {
    /// The tiny network, by the reference itself.
    pub fn tiny() -> Self {
        Self::in_repository("tiny")
    }

    /// A network of every supported layer, branches included, by `tests/golden/ops/make.py`.
    pub fn ops() -> Self {
        Self::in_repository("ops")
    }

    fn in_repository(name: &str) -> Self {
        let folder = root().join("tests/golden").join(name);
        Self {
            images: folder.clone(),
            model: folder.join("model.json").display().to_string(),
            weights: folder.join(format!("{name}.safetensors")),
            folder,
        }
    }

    /// AlexNet with random weights on natural images: too large for the repository. It is looked
    /// for in `$OCCLUMAP_GOLDENS`, or in `../shared` beside the repository; where it is not, the
    /// test that asks says that it is skipped.
    pub fn alexnet(test: &str) -> Option<Self> {
        let shared = match std::env::var_os("OCCLUMAP_GOLDENS") {
            Some(folder) => PathBuf::from(folder),
            None => root().join("../shared"),
        };
        let folder = shared.join("goldens/alexnet");
        if !folder.is_dir() {
            say_skipped(test, &format!("no goldens in {}", folder.display()));
            return None;
        }
        Some(Self {
            images: shared.join("images"),
            model: "alexnet".into(),
            weights: folder.join("alexnet.safetensors"),
            folder,
        })
    }

    /// Arguments that name the model, its weights and the images.
    pub fn arguments(&self) -> String {
        let (weights, images) = (self.weights.display(), self.images.display());
        format!("--model {} --weights {weights} --images {images}", self.model)
    }

    /// The maps of the reference.
    pub fn keys(&self) -> Vec<Key> {
        json(&self.folder.join("maps.json"))
    }

    /// The arrays of an `.npz` file.
    pub fn arrays(&self, name: &str) -> BTreeMap<String, Values> {
        let file = File::open(self.folder.join(name)).expect("a golden file");
        let mut archive = zip::ZipArchive::new(file).expect("an .npz file");
        let mut arrays = BTreeMap::new();
        for entry in 0..archive.len() {
            let mut entry = archive.by_index(entry).expect("an entry");
            let name = entry.name().expect("a name").trim_end_matches(".npy").to_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("an array's bytes");
            arrays.insert(name, npy::parse(&bytes).expect("an array"));
        }
        arrays
    }
}

/// The content of a JSON file.
pub fn json<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    let text = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A floating-point array of a file, as f64.
pub fn floats(path: &Path) -> ArrayD<f64> {
    to_f64(npy::read(path).unwrap_or_else(|error| panic!("{error}")))
}

pub fn to_f64(values: Values) -> ArrayD<f64> {
    match values {
        Values::F32(array) => array.mapv(f64::from),
        Values::F64(array) => array,
        other => panic!("{}: expected floats", other.dtype()),
    }
}

pub fn to_i64(values: Values) -> ArrayD<i64> {
    match values {
        Values::I64(array) => array,
        other => panic!("{}: expected int64", other.dtype()),
    }
}

pub fn vector(values: ArrayD<f64>) -> ndarray::Array1<f64> {
    values.into_dimensionality::<Ix1>().expect("one axis")
}

pub fn matrix<T>(values: ArrayD<T>) -> ndarray::Array2<T> {
    values.into_dimensionality::<Ix2>().expect("two axes")
}

pub fn cube<T>(values: ArrayD<T>) -> ndarray::Array3<T> {
    values.into_dimensionality::<Ix3>().expect("three axes")
}

/// Largest absolute value.
pub fn largest<'a>(values: impl IntoIterator<Item = &'a f64>) -> f64 {
    values.into_iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

/// Files below a folder and their content, by relative path.
pub fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("inside").to_owned();
                found.insert(name, std::fs::read(&path).expect("a file"));
            }
        }
    }
    found
}
