//! Files that another file refers to.

use std::path::{Component, Path, PathBuf};

use super::{escaped, shown};
use crate::error::ParseError;

/// The path of a file that another file refers to: in `folder`, and in no other folder.
///
/// # Errors
/// A name that leads elsewhere, directly or by a link; a missing file.
pub fn path_beside(folder: &Path, name: &str) -> Result<PathBuf, ParseError> {
    let leaves = || {
        ParseError(format!(
            "`{}` is not in the folder of the file that names it; only files there are read",
            escaped(name)
        ))
    };
    let inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if name.is_empty() || name.contains('\0') || !Path::new(name).components().all(inside) {
        return Err(leaves());
    }
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let path = folder.join(name);
    let real = |path: &Path| {
        std::fs::canonicalize(path).map_err(|error| {
            let path = shown(path);
            ParseError(format!("{path}: cannot be read: {error}; keep all its files in one folder"))
        })
    };
    let found = real(&path)?;
    if !found.starts_with(real(folder)?) {
        return Err(ParseError(format!(
            "`{}` is a link to {}, out of the folder of the file that names it, as in a cache of Hugging Face; \
             only files there are read: copy them into one folder, with `cp -L`",
            escaped(name),
            shown(&found)
        )));
    }
    Ok(path)
}
