//! Finished files, checked against the SHA-256 in the manifest.

use std::collections::BTreeSet;
use std::path::Path;

use super::{LayerRecord, Manifest, SweepParameters, frames_path, reliability_path};
use crate::files::{FileError, digest_of};
use crate::ranking::Side;

impl SweepParameters {
    /// The names of the files of a layer in `maps/`.
    pub fn files(&self, layer: &str) -> BTreeSet<String> {
        let folder = Path::new("");
        let paths = Side::BOTH.into_iter().flat_map(|side| {
            let planes =
                self.planes().into_iter().map(move |plane| plane.path(folder, layer, side));
            planes.chain([reliability_path(folder, layer, side), frames_path(folder, layer, side)])
        });
        paths.map(|path| path.to_string_lossy().into_owned()).collect()
    }
}

impl LayerRecord {
    /// Checks the content of a file of this layer in the folder of maps.
    ///
    /// # Errors
    /// A file that cannot be read, or has another SHA-256 than in the manifest.
    pub fn check_file(&self, path: &Path) -> Result<(), FileError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some(expected) = self.files.get(&*name) else {
            let problem = format!("{} has no SHA-256 of it", Manifest::FILE);
            return Err(FileError::content(path, problem));
        };
        let metadata = path.metadata().map_err(FileError::read(path))?;
        if !metadata.is_file() {
            return Err(FileError::content(path, "is not a regular file"));
        }
        let found = digest_of(path)?;
        if found == *expected {
            return Ok(());
        }
        let problem = format!(
            "was changed since the sweep: its SHA-256 is {found}, and {} has {expected}; restore \
             the file, or remove it and give the sweep's command again, which makes it anew",
            Manifest::FILE
        );
        Err(FileError::content(path, problem))
    }
}

impl Manifest {
    /// Checks every file of every finished layer in the folder `maps`; returns an error per damaged
    /// file. `next` is called with each file before it is read and ends the check by returning
    /// `false`.
    pub fn check_files(&self, maps: &Path, mut next: impl FnMut(&Path) -> bool) -> Vec<FileError> {
        let mut errors = Vec::new();
        for (layer, record) in &self.layers {
            for name in self.configuration.settings.files(layer) {
                let path = maps.join(name);
                if !next(&path) {
                    return errors;
                }
                errors.extend(record.check_file(&path).err());
            }
        }
        errors
    }
}
