//! Where the files of a command go.

use std::path::Path;

use occlumap::runs::OutputFolder;

use super::failure::Failure;

/// Checks, before any work, that files of these names can be written into a folder: it may hold others,
/// and these where `force` is given.
pub(super) fn check_outputs(
    folder: &Path,
    names: impl IntoIterator<Item = impl AsRef<Path>>,
    force: bool,
) -> Result<OutputFolder, Failure> {
    let output = OutputFolder::check(folder, true, &[])?;
    for file in names.into_iter().map(|name| folder.join(name)) {
        if file.is_dir() || file.symlink_metadata().is_ok() && !force {
            return Err(Failure::usage(format!(
                "{}: exists; choose another --out, or give --force to replace it",
                file.display()
            )));
        }
    }
    Ok(output)
}
