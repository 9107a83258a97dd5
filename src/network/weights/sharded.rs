//! Tensors in several `.safetensors` files, with an index of them (`model.safetensors.index.json`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::safetensors::Safetensors;
use super::{Source, Tensor, TensorProblem};
use crate::files::{FileError, open_regular, path_beside, read_at_most};

/// The ending of an index's name.
const ENDING: &str = ".index.json";

/// The longest index that is read, in bytes.
const MAX_BYTES: u64 = 16 << 20;

/// The most files of an index.
const MAX_FILES: usize = 1 << 10;

#[derive(Deserialize)]
struct Index {
    /// The file of each tensor.
    weight_map: BTreeMap<String, String>,
}

/// Whether a path is that of an index, by its ending.
pub(super) fn is_index(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(ENDING))
}

/// The tensors of all files of an index.
pub(super) struct Sharded {
    files: Vec<(PathBuf, Safetensors)>,
    tensors: Vec<Location>,
}

/// Where a tensor is.
struct Location {
    name: String,
    /// Index of its file.
    file: usize,
    /// Index in its file.
    entry: usize,
}

impl Sharded {
    /// Reads the index and the headers of its files.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let content = |problem: String| FileError::content(path, problem);
        let bytes = read_at_most(path, MAX_BYTES)?;
        let index: Index = serde_json::from_slice(&bytes).map_err(|error| {
            content(format!("not an index of .safetensors files, with a `weight_map`: {error}"))
        })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut indices: BTreeMap<&str, usize> = BTreeMap::new();
        let mut files = Vec::new();
        for name in index.weight_map.values() {
            if indices.contains_key(name.as_str()) {
                continue;
            }
            if files.len() == MAX_FILES {
                return Err(content(format!("it names more than {MAX_FILES} files")));
            }
            let file = path_beside(folder, name).map_err(|problem| content(problem.0))?;
            let (opened, _) = open_regular(&file)?;
            let opened =
                Safetensors::open(opened).map_err(|problem| FileError::content(&file, problem))?;
            indices.insert(name, files.len());
            files.push((file, opened));
        }
        let of_file: Vec<BTreeMap<&str, usize>> = files
            .iter()
            .map(|(_, file)| (0..file.len()).map(|entry| (file.name(entry), entry)).collect())
            .collect();
        let mut tensors = Vec::with_capacity(index.weight_map.len());
        for (name, file) in &index.weight_map {
            let number = indices[file.as_str()];
            let Some(&entry) = of_file[number].get(name.as_str()) else {
                return Err(content(format!("`{file}` has no tensor `{name}`")));
            };
            tensors.push(Location { name: name.clone(), file: number, entry });
        }
        Ok(Self { files, tensors })
    }
}

impl Source for Sharded {
    fn len(&self) -> usize {
        self.tensors.len()
    }

    fn name(&self, entry: usize) -> &str {
        &self.tensors[entry].name
    }

    fn tensor(&mut self, entry: usize) -> Result<Tensor, TensorProblem> {
        let Location { file, entry, .. } = self.tensors[entry];
        self.files[file].1.tensor(entry)
    }

    fn files(&self) -> Vec<PathBuf> {
        self.files.iter().map(|(path, _)| path.clone()).collect()
    }
}
