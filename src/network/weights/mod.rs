//! Named tensors of the calling program, or from weight files: `.safetensors`, `.npz`, and `.pth` or `.pt` of `torch.save`.
//!
//! The files are not trusted. Nothing in them is executed, no length that they claim is allocated
//! before the bytes for it are there, and tensors that nobody asked for are not read at all.

#[cfg(test)]
mod allocation;
pub(super) mod element;
mod error;
mod format;
mod given;
mod lookup;
mod npz;
mod pickle;
mod pth;
mod safetensors;
#[cfg(test)]
mod tests;
mod zipped;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::files::{FileError, open_regular};

pub(super) use error::TensorProblem;
use format::Format;
use lookup::{Ambiguous, Lookup};

pub(super) use element::MAX_ELEMENTS;
pub use error::WeightsError;
pub(super) use safetensors::write;

/// The longest name of a tensor that is read, in bytes.
const MAX_NAME: usize = 4096;

/// One tensor, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// The length of each axis.
    pub shape: Vec<usize>,
    /// The elements, the last axis running fastest; all of them finite.
    pub data: Vec<f32>,
}

/// What a weight file holds: the tensors asked for, and the names of the others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tensors {
    /// By the name asked for. A name that the file does not have is not here.
    pub found: BTreeMap<String, Tensor>,
    /// The file's own names of the tensors that were not asked for, in the file's order.
    pub ignored: Vec<String>,
}

/// Reads the tensors named `wanted`, such as `features.0.weight`, from a weight file; the content
/// tells the format, not the file's name.
///
/// A name in the file may carry a prefix that ends in a dot, as wrappers (`module.`) and
/// checkpoints (`state_dict.`) leave them; nested dicts are joined by dots. The elements may be
/// float16, bfloat16, float32 or float64; a float64 is rounded.
///
/// # Errors
/// The file cannot be read, is damaged or of another format; two of its tensors fit one wanted
/// name; those wanted do not all have the same prefix; or a wanted tensor cannot be read, is not of floats, or has a value that is not finite as
/// `f32`. A wanted tensor that the file does not have is no error here.
pub fn read(path: &Path, wanted: &[String]) -> Result<Tensors, WeightsError> {
    let (mut file, _) = open_regular(path)?;
    let content = |problem| FileError::content(path, problem);
    match format::of(&mut file).map_err(FileError::read(path))? {
        Format::Safetensors => {
            collect(path, safetensors::Safetensors::open(file).map_err(content)?, wanted)
        }
        Format::Zip => {
            let zip = zipped::Zipped::open(file).map_err(content)?;
            if pth::is_pth(&zip) {
                // The tensors borrow the pickle's bytes.
                let (layout, bytes) = pth::unpack(zip).map_err(content)?;
                collect(path, pth::Pth::parse(layout, &bytes).map_err(content)?, wanted)
            } else {
                collect(path, npz::Npz::new(zip).map_err(content)?, wanted)
            }
        }
        Format::LegacyTorch { kind, advice } => {
            Err(WeightsError::LegacyTorch { path: path.to_owned(), kind, advice })
        }
        Format::Unknown => Err(WeightsError::UnknownFormat { path: path.to_owned() }),
    }
}

/// Finds the tensors named `wanted` among tensors of the calling program, as [`read`] does in a file;
/// `path` stands for the file in messages.
///
/// # Errors
/// As [`read`], but for what is wrong with a file.
pub fn of_named(
    path: &Path,
    tensors: Vec<(String, Tensor)>,
    wanted: &[String],
) -> Result<Tensors, WeightsError> {
    collect(path, given::Given(tensors), wanted)
}

/// An open weight file of any format. An entry is known by its index in the file's own order.
trait Source {
    /// Number of entries.
    fn len(&self) -> usize;

    /// The name of an entry that is there.
    fn name(&self, entry: usize) -> &str;

    /// Whether an entry is a tensor, and not an object that merely has a tensor's place.
    fn is_tensor(&self, _entry: usize) -> bool {
        true
    }

    /// Reads an entry.
    fn tensor(&mut self, entry: usize) -> Result<Tensor, TensorProblem>;
}

fn collect(
    path: &Path,
    mut source: impl Source,
    wanted: &[String],
) -> Result<Tensors, WeightsError> {
    let entries = 0..source.len();
    if let Some(long) = entries.clone().find(|&entry| source.name(entry).len() > MAX_NAME) {
        let length = source.name(long).len();
        let problem = format!(
            "damaged: the name of its tensor {long} has {length} bytes; at most {MAX_NAME} are read"
        );
        return Err(FileError::content(path, problem).into());
    }
    let lookup = Lookup::new(wanted, entries.clone().map(|entry| source.name(entry)));
    let mut used = BTreeSet::new();
    let mut found = BTreeMap::new();
    let mut first: Option<(String, String)> = None;
    for name in wanted {
        let entry = lookup.find(name).map_err(|Ambiguous { first, second }| {
            WeightsError::ambiguous(path, name, source.name(first), source.name(second))
        })?;
        if let Some(entry) = entry {
            let own = source.name(entry);
            let prefix = own.strip_suffix(name.as_str()).unwrap_or_default();
            match &first {
                None => first = Some((own.to_owned(), prefix.to_owned())),
                Some((first, expected)) if prefix != expected => {
                    return Err(WeightsError::mixed(path, first, own));
                }
                Some(_) => {}
            }
            let own = own.to_owned();
            let tensor = source.tensor(entry).map_err(|problem| problem.of(path, &own))?;
            used.insert(entry);
            found.insert(name.clone(), tensor);
        }
    }
    let ignored = entries
        .filter(|entry| !used.contains(entry) && source.is_tensor(*entry))
        .map(|entry| source.name(entry).to_owned())
        .collect();
    Ok(Tensors { found, ignored })
}
