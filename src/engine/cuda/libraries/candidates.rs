//! Where the shared libraries of CUDA may be.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::{VARIABLE, Wanted};

/// Where a library may be, in the order in which it is looked for.
pub(super) fn candidates(wanted: &Wanted) -> Vec<(String, PathBuf)> {
    const LOADER: &str = "system's loader";
    let mut candidates = vec![(LOADER.to_owned(), wanted.plain.into())];
    let mut add = |origin: &str, folder: &Path| {
        // Only what is there is worth opening.
        let names = [wanted.name, wanted.plain];
        let there = names.into_iter().map(|name| folder.join(name)).find(|path| path.exists());
        let path = there.unwrap_or_else(|| folder.join(wanted.name));
        candidates.push((origin.to_owned(), path));
    };
    for folder in paths(VARIABLE) {
        add(VARIABLE, &folder);
    }
    for (origin, prefix) in environments() {
        for packages in site_packages(&prefix) {
            for package in wanted.packages {
                add(origin, &packages.join("nvidia").join(package).join("lib"));
            }
        }
    }
    for name in ["CUDA_HOME", "CUDA_PATH"] {
        for home in paths(name) {
            add(name, &home.join("lib64"));
        }
    }
    for folder in ["/usr/local/cuda/lib64", "/usr/local/nvidia/lib64", "/usr/lib/wsl/lib"] {
        if Path::new(folder).is_dir() {
            add("usual folder", Path::new(folder));
        }
    }
    // The system's loader comes right after our own variable, and takes bare names.
    let after = 1 + paths(VARIABLE).len();
    candidates.insert(after, (LOADER.to_owned(), wanted.name.into()));
    candidates
}

/// The folders in a variable of folders.
fn paths(variable: &str) -> Vec<PathBuf> {
    let value = env::var_os(variable).unwrap_or_default();
    env::split_paths(&value).filter(|path| !path.as_os_str().is_empty()).collect()
}

/// The active environments of pip and conda.
fn environments() -> Vec<(&'static str, PathBuf)> {
    ["VIRTUAL_ENV", "CONDA_PREFIX"]
        .into_iter()
        .filter_map(|name| Some((name, PathBuf::from(env::var_os(name)?))))
        .filter(|(_, prefix)| !prefix.as_os_str().is_empty())
        .collect()
}

/// The folders of Python packages of an environment.
fn site_packages(prefix: &Path) -> Vec<PathBuf> {
    let is_python = |name: &OsStr| name.to_string_lossy().starts_with("python3");
    let entries = std::fs::read_dir(prefix.join("lib")).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| is_python(&entry.file_name()))
        .map(|entry| entry.path().join("site-packages"))
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_every_python_are_found() {
        let prefix = tempfile::tempdir().unwrap();
        for python in ["python3.11", "python3.12"] {
            std::fs::create_dir_all(prefix.path().join("lib").join(python)).unwrap();
        }
        std::fs::create_dir_all(prefix.path().join("lib/tcl8.6")).unwrap();
        let found = site_packages(prefix.path());
        let expected =
            ["python3.11", "python3.12"].map(|name| prefix.path().join("lib").join(name));
        assert_eq!(found, expected.map(|path| path.join("site-packages")));
    }
}
