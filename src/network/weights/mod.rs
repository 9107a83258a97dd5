//! Named tensors of the calling program, or from weight files: `.safetensors`, `.npz`, `.pth` or `.pt` of
//! `torch.save`, and `.caffemodel`.
//!
//! The files are not trusted. Nothing in them is executed, no length that they claim is allocated
//! before the bytes for it are there, and tensors that nobody asked for are not read at all.

#[cfg(test)]
mod allocation;
mod caffe;
pub(super) mod element;
mod error;
mod format;
mod given;
mod lookup;
mod npz;
mod pickle;
mod prefix;
mod pth;
mod safetensors;
mod sharded;
#[cfg(test)]
mod tests;
mod zipped;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::files::{FileError, open_regular, read_at_most};

pub(super) use error::TensorProblem;
use format::Format;
use lookup::{Ambiguous, Copy, find_copy};

pub(super) use element::MAX_ELEMENTS;
pub use error::WeightsError;
pub use prefix::plain_name;
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

/// The contents of a weight file: the requested tensors, and the names of the others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tensors {
    /// By the name asked for. A name that the file does not have is not here.
    pub found: BTreeMap<String, Tensor>,
    /// The file's own names of the tensors that were not asked for, in the file's order.
    pub ignored: Vec<String>,
    /// The same names as they are looked up: without wrappers and without the prefix asked for; empty
    /// where they do not begin with it.
    pub ignored_plain: Vec<String>,
    /// The prefix of the requested names in the file's names, those without wrappers
    /// ([`plain_name`]).
    pub prefix: String,
    /// Longer prefixes, without the dot, of further copies of the network.
    pub others: Vec<String>,
    /// The files beside the one that was read which hold its tensors.
    pub shards: Vec<PathBuf>,
}

/// Reads the tensors named `requested`, such as `features.0.weight`, from a weight file; the content
/// tells the format, not the file's name, but for an index of shards (`.index.json`) and `.caffemodel`.
///
/// A name in the file may carry a prefix that ends in a dot, as wrappers (`module.`) and
/// checkpoints (`state_dict.`) leave them; nested dicts are joined by dots. Of names within names
/// `module` and `_orig_mod` do not count. The elements may be float16, bfloat16, float32 or
/// float64; a float64 is rounded.
///
/// # Errors
/// The file cannot be read, is damaged or of another format; it has several copies of the
/// network that fit equally well, or one tensor twice; or a requested tensor cannot be read, is not of
/// floats, or has a value that is not finite as `f32`. A requested tensor that the file does not have is no error here.
pub fn read(path: &Path, requested: &[String]) -> Result<Tensors, WeightsError> {
    read_below(path, None, requested)
}

/// As [`read`], of the tensors whose names begin with `prefix` and a dot, where one is given: of one
/// of several copies of a network in a file.
///
/// # Errors
/// As [`read`]; no name that begins so.
pub fn read_below(
    path: &Path,
    prefix: Option<&str>,
    requested: &[String],
) -> Result<Tensors, WeightsError> {
    let request = Request { path, prefix, requested };
    let content = |problem| FileError::content(path, problem);
    if sharded::is_index(path) {
        return request.answer(sharded::Sharded::open(path)?);
    }
    if caffe::is_caffe_model(path) {
        let bytes = read_at_most(path, caffe::MAX_BYTES)?;
        return request.answer(caffe::CaffeModel::parse(bytes.into()).map_err(content)?);
    }
    let (mut file, _) = open_regular(path)?;
    match format::of(&mut file).map_err(FileError::read(path))? {
        Format::Safetensors => {
            request.answer(safetensors::Safetensors::open(file).map_err(content)?)
        }
        Format::Zip => {
            let zip = zipped::Zipped::open(file).map_err(content)?;
            if pth::is_pth(&zip) {
                // The tensors borrow the pickle's bytes.
                let (layout, bytes) = pth::unpack(zip).map_err(content)?;
                request.answer(pth::Pth::parse(layout, &bytes).map_err(content)?)
            } else {
                request.answer(npz::Npz::new(zip).map_err(content)?)
            }
        }
        Format::LegacyTorch { kind, advice } => {
            Err(WeightsError::LegacyTorch { path: path.to_owned(), kind, advice })
        }
        Format::Unknown => Err(WeightsError::UnknownFormat { path: path.to_owned() }),
    }
}

/// Finds the tensors named `requested` among tensors of the calling program, as [`read`] does in a file;
/// `path` stands for the file in messages.
///
/// # Errors
/// As [`read`], but for what is wrong with a file.
pub fn of_named(
    path: &Path,
    tensors: Vec<(String, Tensor)>,
    requested: &[String],
) -> Result<Tensors, WeightsError> {
    Request { path, prefix: None, requested }.answer(given::Given(tensors))
}

/// An open weight file of any format. An entry is known by its index in the file's own order.
trait Source {
    /// Number of entries.
    fn len(&self) -> usize;

    /// The name of an entry that is there.
    fn name(&self, entry: usize) -> &str;

    /// Whether an entry is a tensor, and not an object that merely has a tensor's name.
    fn is_tensor(&self, _entry: usize) -> bool {
        true
    }

    /// Reads an entry.
    fn tensor(&mut self, entry: usize) -> Result<Tensor, TensorProblem>;

    /// The files beside the one that was opened which hold its tensors.
    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }
}

/// Tensors that are asked for.
struct Request<'a> {
    path: &'a Path,
    prefix: Option<&'a str>,
    requested: &'a [String],
}

impl Request<'_> {
    fn answer(&self, mut source: impl Source) -> Result<Tensors, WeightsError> {
        let Self { path, requested, .. } = *self;
        let entries = 0..source.len();
        if let Some(long) = entries.clone().find(|&entry| source.name(entry).len() > MAX_NAME) {
            let length = source.name(long).len();
            let problem = format!(
                "damaged: the name of its tensor {long} has {length} bytes; at most {MAX_NAME} are \
                 read"
            );
            return Err(FileError::content(path, problem).into());
        }
        let names: Vec<String> = self.plain_names(&source);
        if let Some(prefix) = self.prefix
            && names.iter().all(String::is_empty)
        {
            let problem = format!("has no tensor whose name begins with `{prefix}.`");
            return Err(FileError::content(path, problem).into());
        }
        let plain: Vec<String> = requested.iter().map(|name| plain_name(name)).collect();
        // A name as it is wins over one with wrappers.
        let exact: HashMap<String, usize> = match self.prefix {
            None => entries.clone().map(|entry| (source.name(entry).to_owned(), entry)).collect(),
            Some(_) => HashMap::new(),
        };
        let copy = find_copy(&plain, &names).map_err(|Ambiguous { prefixes, count }| {
            WeightsError::copies(path, &prefixes, count)
        })?;
        let own = |name: &String| exact.get(name).filter(|_| copy.prefix.is_empty());
        // Tensors of one copy: exact names decide only if all that are there are exact.
        let mut numbered = requested.iter().enumerate();
        let are_exact =
            numbered.all(|(index, name)| own(name).is_some() || !copy.entries.contains_key(&index));
        let (mut used, mut found) = (BTreeSet::new(), BTreeMap::new());
        for (index, name) in requested.iter().enumerate() {
            let own = own(name);
            let entry = match (own.filter(|_| are_exact), copy.entries.get(&index)) {
                (None, Some(&[Some(first), Some(second)])) => {
                    let [first, second] = [first, second].map(|entry| source.name(entry));
                    return Err(WeightsError::twice(path, first, second));
                }
                (None, Some(entries)) => entries[0],
                (Some(exact), Some(_)) => Some(*exact),
                (_, None) => own.copied(),
            };
            let Some(entry) = entry.filter(|entry| !used.contains(entry)) else { continue };
            let own = source.name(entry).to_owned();
            let tensor = source.tensor(entry).map_err(|problem| problem.of(path, &own))?;
            used.insert(entry);
            found.insert(name.clone(), tensor);
        }
        let (ignored, ignored_plain) = entries
            .filter(|entry| !used.contains(entry) && source.is_tensor(*entry))
            .map(|entry| (source.name(entry).to_owned(), names[entry].clone()))
            .unzip();
        let Copy { prefix, others, .. } = copy;
        Ok(Tensors { found, ignored, ignored_plain, prefix, others, shards: source.files() })
    }

    /// The names of all entries without wrappers, below the prefix asked for; empty ones of entries that are
    /// not below it. A prefix may be given with the wrappers of the file's names or without.
    fn plain_names(&self, source: &impl Source) -> Vec<String> {
        let entries = 0..source.len();
        let prefix = self.prefix.unwrap_or_default().trim_end_matches('.');
        let below = |name: &str, prefix: &str| {
            let below = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.'));
            below.map(plain_name).unwrap_or_default()
        };
        if self.prefix.is_none() {
            return entries.map(|entry| plain_name(source.name(entry))).collect();
        }
        let as_given: Vec<String> =
            entries.clone().map(|entry| below(source.name(entry), prefix)).collect();
        if as_given.iter().any(|name| !name.is_empty()) {
            return as_given;
        }
        let prefix = plain_name(prefix);
        entries.map(|entry| below(&plain_name(source.name(entry)), &prefix)).collect()
    }
}
