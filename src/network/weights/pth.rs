//! `.pth` or `.pt`: a zip archive of a pickle, `NAME/data.pkl`, whose tensors refer to the
//! entries `NAME/data/KEY`, as `torch.save` writes it since PyTorch 1.6.

mod names;
mod strides;
mod view;

use super::element::{MAX_ELEMENTS, finite};
use super::pickle::{self, Pickle};
use super::zipped::Zipped;
use super::{Source, Tensor, TensorProblem};
use crate::error::ParseError;
use crate::files::escaped;
use names::Entry;
use view::View;

const PICKLE: &str = "data.pkl";

/// The longest pickle read. It holds no elements; that of a network and its optimiser has a few
/// megabytes.
const MAX_PICKLE: u64 = 64 << 20;

/// Whether a zip archive is one of `torch.save`.
pub(super) fn is_pth(zip: &Zipped) -> bool {
    pickles(zip).next().is_some()
}

/// The entries that are a pickle, with the folder that they are in.
fn pickles(zip: &Zipped) -> impl Iterator<Item = (usize, &str)> {
    zip.names().iter().enumerate().filter_map(|(entry, name)| {
        let folder = name.strip_suffix(PICKLE)?;
        (folder.is_empty() || folder.ends_with('/')).then_some((entry, folder))
    })
}

/// The archive, and what it calls its folder, with the `/`.
pub(super) struct Layout {
    zip: Zipped,
    folder: String,
}

/// Finds the pickle and takes it out.
pub(super) fn unpack(zip: Zipped) -> Result<(Layout, Vec<u8>), ParseError> {
    let mut found = pickles(&zip);
    let (Some((entry, folder)), None) = (found.next(), found.next()) else {
        return Err("a zip archive of more than one data.pkl; expected what torch.save writes, \
                    which has one"
            .into());
    };
    let folder = folder.to_owned();
    drop(found);
    if zip.find(&format!("{folder}constants.pkl")).is_some() {
        return Err(ParseError(format!("a TorchScript program; {}", names::SAVE_STATE_DICT)));
    }
    if let Some(order) = zip.find(&format!("{folder}byteorder"))
        && zip.whole(order, 16)? != b"little"
    {
        return Err("its byteorder is not `little`; save it on a little-endian machine, or as \
                    .safetensors"
            .into());
    }
    let pickle = zip.whole(entry, MAX_PICKLE)?;
    Ok((Layout { zip, folder }, pickle))
}

/// An open `.pth` file.
pub(super) struct Pth<'a> {
    layout: Layout,
    pickle: Pickle<'a>,
    entries: Vec<Entry<'a>>,
}

impl<'a> Pth<'a> {
    /// Reads the names of the tensors from the pickle.
    pub fn parse(layout: Layout, pickle: &'a [u8]) -> Result<Self, ParseError> {
        let pickle = pickle::parse(pickle)?;
        let entries = names::of(&pickle)?;
        Ok(Self { layout, pickle, entries })
    }
}

impl Source for Pth<'_> {
    fn len(&self) -> usize {
        self.entries.len()
    }

    fn name(&self, entry: usize) -> &str {
        &self.entries[entry].name
    }

    fn is_tensor(&self, entry: usize) -> bool {
        self.entries.get(entry).is_some_and(|entry| view::is_tensor(&self.pickle, entry.value))
    }

    fn tensor(&mut self, entry: usize) -> Result<Tensor, TensorProblem> {
        let Some(entry) = self.entries.get(entry) else {
            return Err(TensorProblem::content("not in the pickle"));
        };
        let View { storage, offset, shape, strides } = view::of(&self.pickle, entry.value)?;
        let offsets = strides::Offsets::new(&shape, &strides, storage.length, offset)?;
        let size = storage.element.size() as u64;
        let range = offsets.range();
        if range.end - range.start > MAX_ELEMENTS {
            return Err(TensorProblem::content(format!(
                "its elements lie scattered over {} of its storage; save its .contiguous()",
                range.end - range.start
            )));
        }
        let bytes = (storage.length as u64)
            .checked_mul(size)
            .ok_or_else(|| format!("its storage claims {} elements", storage.length))?;
        let name = format!("{}data/{}", self.layout.folder, storage.key);
        let entry =
            self.layout.zip.find(&name).ok_or_else(|| {
                format!("its zip entry \"{}\" is not in the archive", escaped(&name))
            })?;
        let (start, end) = (range.start as u64 * size, range.end as u64 * size);
        let part = self.layout.zip.part(entry, bytes, start..end)?;
        let values = offsets
            .map(|offset| storage.element.get(&part, offset - range.start).unwrap_or(f64::NAN));
        Ok(Tensor { data: finite(values)?, shape })
    }
}
