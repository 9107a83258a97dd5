//! Finding the CUDA compiler.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest compiler that knows the C++ of the kernels and the architectures worth having.
const OLDEST: (u32, u32) = (12, 0);

/// Variables that are looked at, whatever is found.
const EXPLICIT: [&str; 3] = ["NVCC", "CUDA_HOME", "CUDA_PATH"];
/// Variables that matter only as long as nothing is found: they differ between the terminals and
/// editors of one user, and each change would compile everything again.
const IMPLICIT: [&str; 3] = ["PATH", "VIRTUAL_ENV", "CONDA_PREFIX"];

/// A compiler that runs.
pub struct Nvcc {
    pub path: PathBuf,
    /// CUDA version, major and minor.
    pub version: (u32, u32),
    /// All that it says about its version.
    pub release: String,
}

/// The paths where a compiler may be.
pub struct Search {
    /// Each with where it comes from, for messages.
    candidates: Vec<(String, PathBuf)>,
    /// `NVCC=none`: the user wants no kernels.
    declined: bool,
}

impl Search {
    /// `out` is cargo's `OUT_DIR`, in whose target folder `scripts/install-nvcc` installs.
    pub fn new(out: &Path) -> Self {
        let declined = env::var_os("NVCC").is_some_and(|nvcc| nvcc == "none");
        let mut candidates = Vec::new();
        if let Some(nvcc) = variable("NVCC") {
            candidates.push(("NVCC".into(), nvcc));
        } else {
            for folder in installed(out) {
                candidates.push(("scripts/install-nvcc".into(), folder.join("cu13/bin/nvcc")));
            }
            for name in ["CUDA_HOME", "CUDA_PATH"] {
                if let Some(home) = variable(name) {
                    candidates.push((name.into(), home.join("bin/nvcc")));
                }
            }
            for folder in env::split_paths(&env::var_os("PATH").unwrap_or_default()) {
                let nvcc = folder.join("nvcc");
                if nvcc.is_file() {
                    candidates.push(("PATH".into(), nvcc));
                }
            }
            candidates.push(("usual folder".into(), "/usr/local/cuda/bin/nvcc".into()));
            for name in ["VIRTUAL_ENV", "CONDA_PREFIX"] {
                for packages in variable(name).iter().flat_map(|prefix| site_packages(prefix)) {
                    candidates.push((name.into(), packages.join("nvidia/cu13/bin/nvcc")));
                }
            }
        }
        Self { candidates, declined }
    }

    /// Tells cargo what the outcome depends on.
    pub fn watch() {
        for name in EXPLICIT {
            println!("cargo::rerun-if-env-changed={name}");
        }
    }

    /// Tells cargo what else may turn up a compiler. (What `scripts/install-nvcc` installs is not
    /// watched, since cargo takes a file that is not there for one that changed: it touches
    /// `build.rs`.)
    pub fn watch_more() {
        for name in IMPLICIT {
            println!("cargo::rerun-if-env-changed={name}");
        }
    }

    /// The first compiler that runs and is not too old, or all that was tried.
    pub fn find(&self) -> Result<Nvcc, Vec<String>> {
        if self.declined {
            return Err(vec!["NVCC=none asks for none".into()]);
        }
        let mut tried = Vec::new();
        for (origin, path) in &self.candidates {
            match version(path) {
                Ok((version, release)) if version >= OLDEST => {
                    return Ok(Nvcc { path: path.clone(), version, release });
                }
                Ok(((major, minor), _)) => tried.push(format!(
                    "{} ({origin}) is of CUDA {major}.{minor}, older than {}.{}",
                    path.display(),
                    OLDEST.0,
                    OLDEST.1
                )),
                Err(problem) => tried.push(format!("{} ({origin}) {problem}", path.display())),
            }
        }
        if !self.candidates.iter().any(|(origin, _)| origin == "PATH" || origin == "NVCC") {
            tried.push("nvcc is not in PATH".into());
        }
        Err(tried)
    }
}

/// The folders in which `scripts/install-nvcc` has installed, for an `out` in the target folder.
pub fn installed(out: &Path) -> impl Iterator<Item = PathBuf> {
    out.ancestors().map(|folder| folder.join("cuda/nvidia")).filter(|folder| folder.is_dir())
}

/// A variable that is set and not empty.
pub fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The folders of Python packages of an environment.
pub fn site_packages(prefix: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(prefix.join("lib")).into_iter().flatten().flatten();
    let is_python = |name: &OsStr| name.to_string_lossy().starts_with("python3");
    entries
        .filter(|entry| is_python(&entry.file_name()))
        .map(|entry| entry.path().join("site-packages"))
        .collect()
}

/// The version that a compiler tells, and the text of it: `…release 13.0, V13.0.88`.
pub fn version(nvcc: &Path) -> Result<((u32, u32), String), String> {
    if !nvcc.is_file() {
        return Err("is not there".into());
    }
    let output = Command::new(nvcc)
        .arg("--version")
        .output()
        .map_err(|error| format!("does not run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let parse = |text: &str| {
        let (_, release) = text.split_once("release ")?;
        let (version, _) = release.split_once(',')?;
        let (major, minor) = version.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    let version = parse(&text).ok_or("does not tell its version")?;
    Ok((version, text))
}
