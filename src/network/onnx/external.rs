//! Tensors that lie in files beside an ONNX file.

use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::messages::{EntryProto, TensorProto};
use crate::files::{escaped, open_regular, path_beside, shown};
use crate::network::weights::TensorProblem;

/// The files beside an ONNX file that hold its tensors.
#[derive(Debug)]
pub struct ExternalFiles {
    /// The folder that the file lies in.
    folder: PathBuf,
}

/// Where in a file a tensor's bytes are.
struct Location<'a> {
    file: &'a str,
    offset: u64,
    length: Option<u64>,
}

impl ExternalFiles {
    /// The files beside `model`.
    pub fn beside(model: &Path) -> Self {
        let folder = model.parent().filter(|folder| !folder.as_os_str().is_empty());
        Self { folder: folder.unwrap_or(Path::new(".")).to_owned() }
    }

    /// The paths of all files that tensors are in, in order.
    pub fn paths(&self, tensors: &[TensorProto]) -> Result<Vec<PathBuf>, TensorProblem> {
        let mut files = BTreeSet::new();
        for tensor in tensors.iter().filter(|tensor| tensor.data_location == 1) {
            let file = Location::of(&tensor.external_data)?.file;
            if !files.contains(file) {
                files.insert(file);
            }
        }
        files.into_iter().map(|file| Ok(path_beside(&self.folder, file)?)).collect()
    }

    /// The `length` bytes of a tensor.
    pub(super) fn read(
        &self,
        entries: &[EntryProto],
        length: usize,
    ) -> Result<Vec<u8>, TensorProblem> {
        let Location { file, offset, length: stated } = Location::of(entries)?;
        if let Some(stated) = stated.filter(|&stated| stated != length as u64) {
            return Err(TensorProblem::content(format!(
                "its shape and type take {length} bytes; {stated} are stated in `{}`",
                escaped(file)
            )));
        }
        let path = path_beside(&self.folder, file)?;
        let (mut file, there) =
            open_regular(&path).map_err(|error| TensorProblem::content(error.to_string()))?;
        if offset.checked_add(length as u64).is_none_or(|end| end > there) {
            return Err(TensorProblem::content(format!(
                "its {length} bytes from byte {offset} on lie past the end of {}, which has \
                 {there} bytes",
                shown(&path)
            )));
        }
        let mut bytes = Vec::with_capacity(length);
        let read = file
            .seek(SeekFrom::Start(offset))
            .and_then(|_| file.take(length as u64).read_to_end(&mut bytes));
        match read {
            Ok(found) if found == length => Ok(bytes),
            Ok(_) => Err(TensorProblem::content(format!("{} was cut short", shown(&path)))),
            Err(error) => {
                Err(TensorProblem::content(format!("{}: cannot be read: {error}", shown(&path))))
            }
        }
    }
}

impl<'a> Location<'a> {
    fn of(entries: &'a [EntryProto]) -> Result<Self, TensorProblem> {
        let entry = |key: &str| {
            entries.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
        };
        let number = |key: &str| match entry(key) {
            None => Ok(None),
            Some(text) => text.parse::<u64>().map(Some).map_err(|_| {
                let text = escaped(text);
                TensorProblem::content(format!("its {key} is `{text}`; expected bytes"))
            }),
        };
        let file = entry("location").ok_or_else(|| {
            TensorProblem::content("it is said to be in another file, which is not named")
        })?;
        Ok(Self { file, offset: number("offset")?.unwrap_or(0), length: number("length")? })
    }
}
