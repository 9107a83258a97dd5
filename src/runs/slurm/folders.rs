//! Folders of scripts and of logs.

use std::path::{Component, Path, PathBuf};

use crate::files::FileError;
use crate::runs::RunError;

/// OUT-slurm.
pub(super) fn beside(out: &Path) -> Result<PathBuf, RunError> {
    match (out.components().next_back(), out.file_name()) {
        (Some(Component::Normal(_)), Some(name)) => {
            let mut name = name.to_owned();
            name.push("-slurm");
            Ok(out.with_file_name(name))
        }
        _ => Err(RunError::usage(format!(
            "{}: has no name to derive the folder of scripts from; give --scripts",
            out.display()
        ))),
    }
}

/// Checks that the folders can be made outside the results, and that Slurm accepts the name of the
/// logs.
pub(super) fn check(scripts: &Path, logs: &Path, out: &Path) -> Result<(), RunError> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(FileError::read(path));
    let out_path = absolute(out)?;
    for (path, name) in [(scripts, "--scripts"), (logs, "--logs")] {
        let shown = path.display();
        if absolute(path)?.starts_with(&out_path) {
            return Err(RunError::usage(format!(
                "{shown}: is in the folder for the results, {}, which holds nothing else; choose \
                 another {name}",
                out.display()
            )));
        }
        let there = path.ancestors().find(|ancestor| ancestor.symlink_metadata().is_ok());
        if let Some(there) = there.filter(|there| !there.is_dir()) {
            let there = there.display();
            return Err(RunError::usage(format!("{there}: is a file; {name} needs a folder")));
        }
        let text = path.as_os_str().as_encoded_bytes();
        if text.iter().any(|byte| *byte == b'\\' || byte.is_ascii_control()) {
            return Err(RunError::usage(format!(
                "{shown:?}: sbatch cannot write logs where a name holds a backslash or a control \
                 character; choose another {name}",
            )));
        }
    }
    Ok(())
}

/// Checks that no script exists.
pub(super) fn check_new(folder: &Path, names: &[String]) -> Result<(), RunError> {
    for name in names {
        let path = folder.join(name);
        if path.symlink_metadata().is_ok() {
            return Err(RunError::usage(format!(
                "{}: exists; choose another --scripts, or give --force to replace it",
                path.display()
            )));
        }
    }
    Ok(())
}
