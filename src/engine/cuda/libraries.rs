//! Finding the shared libraries of CUDA, without a panic and without `LD_LIBRARY_PATH`.
//!
//! cudarc opens libraries by name, and panics where there is none. So they are opened here first,
//! by full path where the system's loader does not know them: a library that is loaded is found
//! by its name ever after.

use std::env;
use std::ffi::{OsStr, c_int};
use std::fmt;
use std::path::{Path, PathBuf};

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW, Symbol};

use super::CudaError;
use crate::error::ParseError;

/// Names a folder, or several with colons between them, where libraries are looked for first.
pub const VARIABLE: &str = "OCCLUMAP_CUDA_LIBRARIES";

/// The places where a library was looked for, each with what was found there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tried(Vec<String>);

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tried {}", self.0.join(", "))
    }
}

/// A library that is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its path, or its bare name where the system's loader found it.
    pub path: PathBuf,
    /// Its version, as it numbers itself.
    pub version: i32,
}

/// One of the libraries.
struct Wanted {
    /// What cudarc asks for before anything else: what the system's loader knows by that name is
    /// what is used, wherever else there is a better one.
    plain: &'static str,
    /// What else it asks for; the first that is found counts.
    names: &'static [&'static str],
    /// Folders of `site-packages/nvidia` that pip and conda may have installed it into.
    packages: &'static [&'static str],
    /// Reads the version of a library, or says why it is not the right one.
    version: fn(&Library) -> Result<i32, ParseError>,
}

/// Why one is not taken.
enum Problem {
    /// There is none.
    Absent(String),
    /// There is one, of which this is wrong.
    Unusable(String),
}

const DRIVER: Wanted = Wanted {
    plain: "libcuda.so",
    names: &["libcuda.so.1"],
    packages: &[],
    version: driver_version,
};

const CUBLAS: Wanted = Wanted {
    plain: "libcublas.so",
    names: &["libcublas.so.13", "libcublas.so.12"],
    packages: &["cu13", "cublas"],
    version: cublas_version,
};

const CUDNN: Wanted = Wanted {
    plain: "libcudnn.so",
    names: &["libcudnn.so.9"],
    packages: &["cudnn", "cu13"],
    version: cudnn_version,
};

/// The library of the driver. Its version is the CUDA version it supports, 1000 × major + 10 ×
/// minor.
///
/// # Errors
/// [`CudaError::NoDriver`].
pub fn driver() -> Result<Found, CudaError> {
    open(&DRIVER).map_err(|tried| CudaError::NoDriver { tried })
}

/// cuBLAS 12 or 13. Its version is 10,000 × major + 100 × minor + patch.
///
/// # Errors
/// [`CudaError::NoLibrary`].
pub fn cublas() -> Result<Found, CudaError> {
    open(&CUBLAS).map_err(|tried| CudaError::NoLibrary {
        name: "cuBLAS",
        install: "`pip install nvidia-cublas` in the active environment",
        tried,
    })
}

/// cuDNN 9. Its version is 10,000 × major + 100 × minor + patch.
///
/// # Errors
/// [`CudaError::NoLibrary`].
pub fn cudnn() -> Result<Found, CudaError> {
    open(&CUDNN).map_err(|tried| CudaError::NoLibrary {
        name: "cuDNN 9",
        install: "`pip install nvidia-cudnn-cu13` in the active environment",
        tried,
    })
}

/// Opens a library for the rest of the program's life.
fn open(wanted: &Wanted) -> Result<Found, Tried> {
    let mut tried = Tried::default();
    for (place, path) in places(wanted) {
        let shown = path.display();
        match try_open(wanted, &path) {
            Ok(version) => return Ok(Found { path, version }),
            Err(Problem::Unusable(problem)) if path == Path::new(wanted.plain) => {
                tried.0.push(format!(
                    "{shown} ({place}): {problem}; it hides all others: take its folder out of \
                     LD_LIBRARY_PATH"
                ));
                return Err(tried);
            }
            Err(Problem::Absent(problem) | Problem::Unusable(problem)) => {
                tried.0.push(format!("{shown} ({place}): {problem}"));
            }
        }
    }
    Err(tried)
}

/// Where a library may be, in the order in which it is looked for.
fn places(wanted: &Wanted) -> Vec<(String, PathBuf)> {
    const LOADER: &str = "system's loader";
    let mut places = vec![(LOADER.to_owned(), wanted.plain.into())];
    let mut add = |place: &str, folder: &Path| {
        // Only what is there is worth opening, and all that is there worth telling of.
        let names = wanted.names.iter().chain([&wanted.plain]);
        let there = names.map(|name| folder.join(name)).find(|path| path.exists());
        let path = there.unwrap_or_else(|| folder.join(wanted.names[0]));
        places.push((place.to_owned(), path));
    };
    for folder in paths(VARIABLE) {
        add(VARIABLE, &folder);
    }
    for (place, prefix) in environments() {
        for packages in site_packages(&prefix) {
            for package in wanted.packages {
                add(place, &packages.join("nvidia").join(package).join("lib"));
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
    let loader = wanted.names.iter().map(|name| (LOADER.to_owned(), name.into()));
    let after = 1 + paths(VARIABLE).len();
    places.splice(after..after, loader);
    places
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

fn try_open(wanted: &Wanted, path: &Path) -> Result<i32, Problem> {
    if path.components().count() > 1 && !path.exists() {
        return Err(Problem::Absent("not there".into()));
    }
    // SAFETY: loading runs the library's initialisers; these are NVIDIA's own, meant for that.
    let library =
        unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) }.map_err(|error| {
            let text =
                std::error::Error::source(&error).map_or(error.to_string(), ToString::to_string);
            if text.contains("No such file") {
                Problem::Absent("not known".into())
            } else {
                Problem::Unusable(text)
            }
        })?;
    let version = (wanted.version)(&library).map_err(|ParseError(why)| Problem::Unusable(why))?;
    // Never closed: functions in it are called until the program ends.
    std::mem::forget(library);
    Ok(version)
}

fn driver_version(library: &Library) -> Result<i32, ParseError> {
    // SAFETY: the signature of the driver API's `cuDriverGetVersion`, which may be called before
    // `cuInit`.
    let get: Symbol<unsafe extern "C" fn(*mut c_int) -> c_int> =
        unsafe { library.get(b"cuDriverGetVersion\0") }.map_err(|_| "is no NVIDIA driver")?;
    let mut version = 0;
    // SAFETY: the pointer is to a live integer.
    match unsafe { get(&raw mut version) } {
        // 34: the toolkit's stub, which answers nothing but that.
        0 | 34 => Ok(version),
        code => Err(ParseError(format!("does not tell its version (error {code})"))),
    }
}

fn cublas_version(library: &Library) -> Result<i32, ParseError> {
    // SAFETY: the signature of cuBLAS' `cublasGetProperty`, whose first argument is an enumeration.
    let get: Symbol<unsafe extern "C" fn(c_int, *mut c_int) -> c_int> =
        unsafe { library.get(b"cublasGetProperty\0") }.map_err(|_| "is not cuBLAS")?;
    let part = |which| {
        let mut value = 0;
        // SAFETY: the pointer is to a live integer.
        match unsafe { get(which, &raw mut value) } {
            0 => Ok(value),
            code => Err(ParseError(format!("does not tell its version (error {code})"))),
        }
    };
    // MAJOR_VERSION, MINOR_VERSION, PATCH_LEVEL.
    let (major, minor, patch) = (part(0)?, part(1)?, part(2)?);
    match major {
        12 | 13 => Ok(10_000 * major + 100 * minor + patch),
        _ => Err(ParseError(format!("is of version {major}.{minor}; 12 or 13 is needed"))),
    }
}

fn cudnn_version(library: &Library) -> Result<i32, ParseError> {
    // SAFETY: the signature of cuDNN's `cudnnGetVersion`.
    let get: Symbol<unsafe extern "C" fn() -> usize> =
        unsafe { library.get(b"cudnnGetVersion\0") }.map_err(|_| "is not cuDNN")?;
    // SAFETY: it takes nothing and may be called at any time.
    let version = unsafe { get() } as i32;
    // Before version 9 the thousands are the major version.
    match version / 10_000 {
        9 => Ok(version),
        0 => Err(ParseError(format!("is of version {}; 9 is needed", version / 1000))),
        major => Err(ParseError(format!("is of version {major}; 9 is needed"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOWHERE: Wanted = Wanted {
        plain: "libnowhere.so",
        names: &["libnowhere.so.7"],
        packages: &[],
        version: |_| Err(ParseError(String::new())),
    };

    #[test]
    fn a_library_that_is_nowhere_tells_every_place_and_does_not_panic() {
        let text = open(&NOWHERE).unwrap_err().to_string();
        assert!(text.contains("libnowhere.so (system's loader): not known"), "{text}");
        assert!(text.contains("libnowhere.so.7 (system's loader): not known"), "{text}");
    }

    #[test]
    fn another_library_is_not_taken_for_the_one_that_is_wanted() {
        let version = [
            (driver_version as fn(&Library) -> _, "is no NVIDIA driver"),
            (cublas_version, "is not cuBLAS"),
            (cudnn_version, "is not cuDNN"),
        ];
        for (version, expected) in version {
            let wanted = Wanted { names: &["libc.so.6"], version, ..NOWHERE };
            let text = open(&wanted).unwrap_err().to_string();
            let expected = format!("libc.so.6 (system's loader): {expected}");
            assert!(text.contains(&expected), "{text}");
        }
    }

    #[test]
    fn what_the_loader_knows_by_the_plain_name_hides_all_others() {
        let wanted = Wanted { plain: "libc.so.6", version: cudnn_version, ..NOWHERE };
        let text = open(&wanted).unwrap_err().to_string();
        assert!(text.contains("is not cuDNN; it hides all others"), "{text}");
        assert!(!text.contains("libnowhere"), "{text}");
    }

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
