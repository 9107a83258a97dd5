//! Finding the shared libraries of CUDA, without a panic and without `LD_LIBRARY_PATH`.
//!
//! cudarc opens libraries by name, and panics where there is none. So they are opened here first,
//! by full path where the system's loader does not know them: a library that is loaded is found
//! by its name ever after.
//!
//! cuBLAS and cuDNN come in generations. Those of CUDA 13 need a driver of CUDA 13; those of CUDA 12 run
//! with every driver of CUDA 12 or newer. Both are taken of the same generation, the newest that the
//! driver runs and of which both are there.

mod candidates;
mod versions;

use std::fmt;
use std::path::{Path, PathBuf};

use cudarc::driver::sys::{CUevent, CUresult};
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW, Symbol};

use self::candidates::candidates;
use self::versions::{cublas_versions, cudnn_versions, driver_version};
use super::CudaError;
use super::error::driver_for;
use crate::error::ParseError;

/// Names a folder, or several with colons between them, where libraries are looked for first.
pub const VARIABLE: &str = "OCCLUMAP_CUDA_LIBRARIES";

/// The paths that were searched for a library, each with what was found there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tried(Vec<String>);

impl Tried {
    fn add(&mut self, attempt: String) {
        if !self.0.contains(&attempt) {
            self.0.push(attempt);
        }
    }
}

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
    /// The CUDA version that it belongs to, 1000 × major; the driver's own is the one that it supports.
    pub cuda: i32,
}

/// cuBLAS and cuDNN.
struct Pair<T> {
    cublas: T,
    cudnn: T,
}

/// One of the libraries.
struct Wanted {
    /// What cudarc asks for before anything else: what the system's loader knows by that name is
    /// what is used, wherever else there is a better one.
    plain: &'static str,
    /// The name by which it is found otherwise.
    name: &'static str,
    /// What cudarc would find before it, of another generation, if the system's loader knew that.
    before: Option<&'static str>,
    /// Folders of `site-packages/nvidia` that pip and conda may have installed it into.
    packages: &'static [&'static str],
    /// The CUDA version that it has to belong to, 1000 × major; `None` for any.
    cuda: Option<i32>,
    /// Reads the versions of a library, its own and CUDA's, or says why it is not the right one.
    versions: fn(&Library) -> Result<(i32, i32), ParseError>,
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
    name: "libcuda.so.1",
    before: None,
    packages: &[],
    cuda: None,
    versions: driver_version,
};

/// The generations, newest first.
const GENERATIONS: [(i32, Pair<Wanted>); 2] = [
    (
        13_000,
        Pair { cublas: cublas_named("libcublas.so.13", None, 13_000), cudnn: cudnn_of(13_000) },
    ),
    (
        12_000,
        Pair {
            cublas: cublas_named("libcublas.so.12", Some("libcublas.so.13"), 12_000),
            cudnn: cudnn_of(12_000),
        },
    ),
];

const fn cublas_named(name: &'static str, before: Option<&'static str>, cuda: i32) -> Wanted {
    Wanted {
        plain: "libcublas.so",
        name,
        before,
        packages: &["cu13", "cublas"],
        cuda: Some(cuda),
        versions: cublas_versions,
    }
}

const fn cudnn_of(cuda: i32) -> Wanted {
    Wanted {
        plain: "libcudnn.so",
        name: "libcudnn.so.9",
        before: None,
        packages: &["cudnn", "cu13"],
        cuda: Some(cuda),
        versions: cudnn_versions,
    }
}

/// The library of the driver. Its version is the CUDA version it supports, 1000 × major + 10 ×
/// minor.
///
/// # Errors
/// [`CudaError::NoDriver`].
pub fn driver() -> Result<Found, CudaError> {
    open(&DRIVER).map(kept).map_err(|tried| CudaError::NoDriver { tried })
}

/// cuBLAS 12 or 13, of the generation of which there is cuDNN too, if there is. Its version is 10,000 ×
/// major + 100 × minor + patch.
///
/// # Errors
/// [`CudaError::NoLibrary`].
pub fn cublas() -> Result<Found, CudaError> {
    pair().cublas
}

/// cuDNN 9, of the same generation as cuBLAS. Its version is 10,000 × major + 100 × minor + patch.
///
/// # Errors
/// [`CudaError::NoLibrary`].
pub fn cudnn() -> Result<Found, CudaError> {
    pair().cudnn
}

/// The pair of the newest generation that the driver runs and of which both are there; what there is where
/// no pair is whole, and what is missing.
fn pair() -> Pair<Result<Found, CudaError>> {
    let driver = driver().map_or(0, |driver| driver.version);
    let newest = if runs(driver, 13_000) { 13_000 } else { 12_000 };
    let mut best: Option<Pair<Result<Found, Tried>>> = None;
    let mut too_new = None;
    for (cuda, wanted) in &GENERATIONS {
        if *cuda > newest {
            // cuDNN has the same name in each.
            too_new = open(&wanted.cublas).ok();
            continue;
        }
        let next = Pair { cublas: open(&wanted.cublas), cudnn: open(&wanted.cudnn) };
        best = Some(match best {
            None => next,
            Some(best) => best.better(next),
        });
    }
    let Pair { mut cublas, cudnn } = best
        .unwrap_or_else(|| Pair { cublas: Err(Tried::default()), cudnn: Err(Tried::default()) });
    if let (Err(tried), Some(Found { path, cuda, .. })) = (&mut cublas, too_new) {
        tried.add(format!("{}: {}", path.display(), of_another(cuda)));
    }
    let suffix = if newest == 13_000 { ["", "-cu13"] } else { ["-cu12", "-cu12"] };
    let missing = |name, package: &str, suffix: &str| {
        let install = format!("`pip install {package}{suffix}` in the active environment");
        move |tried| CudaError::NoLibrary { name, install, tried }
    };
    Pair {
        cublas: cublas.map(kept).map_err(missing("cuBLAS", "nvidia-cublas", suffix[0])),
        cudnn: cudnn.map(kept).map_err(missing("cuDNN 9", "nvidia-cudnn", suffix[1])),
    }
}

/// Whether a driver runs libraries of a CUDA version. A stub has no version, and no driver none to judge by.
fn runs(driver: i32, cuda: i32) -> bool {
    driver == 0 || driver >= cuda
}

impl Pair<Result<Found, Tried>> {
    fn count(&self) -> usize {
        usize::from(self.cublas.is_ok()) + usize::from(self.cudnn.is_ok())
    }

    /// The one with more of the two, or this; where something is missing, told of all paths of both.
    fn better(self, other: Self) -> Self {
        let (mut better, worse) =
            if other.count() > self.count() { (other, self) } else { (self, other) };
        for (better, worse) in
            [(&mut better.cublas, worse.cublas), (&mut better.cudnn, worse.cudnn)]
        {
            if let (Err(tried), Err(more)) = (better, worse) {
                more.0.into_iter().for_each(|attempt| tried.add(attempt));
            }
        }
        better
    }
}

/// How long it was between two events, in milliseconds: a function of every driver. The one that cudarc
/// asks for came with CUDA 12.8.
pub(super) fn elapsed(before: CUevent, after: CUevent) -> Result<f32, CUresult> {
    // SAFETY: the signature of the driver API's `cuEventElapsedTime`. The driver is loaded for all.
    let elapsed: Symbol<unsafe extern "C" fn(*mut f32, CUevent, CUevent) -> CUresult> =
        unsafe { Library::this().get(b"cuEventElapsedTime\0") }
            .map_err(|_| CUresult::CUDA_ERROR_NOT_FOUND)?;
    let mut milliseconds = 0.0;
    // SAFETY: the pointer is to a live number; what are no events the driver refuses.
    match unsafe { elapsed(&raw mut milliseconds, before, after) } {
        CUresult::CUDA_SUCCESS => Ok(milliseconds),
        error => Err(error),
    }
}

/// A library that was found, kept for the rest of the program's life: functions in it are called until then.
fn kept(found: Found) -> Found {
    if let Ok(library) = load(&found.path) {
        std::mem::forget(library);
    }
    found
}

/// Finds a library, and closes it again: another generation may be taken.
fn open(wanted: &Wanted) -> Result<Found, Tried> {
    let mut tried = Tried::default();
    for (origin, path) in candidates(wanted) {
        let shown = path.display();
        match try_open(wanted, &path) {
            Ok((version, cuda)) => return Ok(Found { path, version, cuda }),
            Err(Problem::Unusable(problem)) if path == Path::new(wanted.plain) => {
                tried.add(format!(
                    "{shown} ({origin}): {problem}; it hides all others: take its folder out of \
                     LD_LIBRARY_PATH"
                ));
                return Err(tried);
            }
            Err(Problem::Absent(problem) | Problem::Unusable(problem)) => {
                tried.add(format!("{shown} ({origin}): {problem}"));
            }
        }
    }
    Err(tried)
}

fn try_open(wanted: &Wanted, path: &Path) -> Result<(i32, i32), Problem> {
    if path.components().count() > 1 && !path.exists() {
        return Err(Problem::Absent("not there".into()));
    }
    let library = load(path)?;
    let versions = (wanted.versions)(&library);
    let (version, cuda) = versions.map_err(|ParseError(why)| Problem::Unusable(why))?;
    let same = wanted.cuda.is_none_or(|wanted| wanted / 1000 == cuda / 1000);
    if !same {
        return Err(Problem::Unusable(of_another(cuda)));
    }
    let hidden =
        wanted.before.filter(|before| path != Path::new(wanted.plain) && load(before).is_ok());
    if let Some(before) = hidden {
        let why = format!(
            "is hidden by the {before} that the system's loader knows: take its folder out of \
             LD_LIBRARY_PATH"
        );
        return Err(Problem::Unusable(why));
    }
    Ok((version, cuda))
}

/// Why a library of another generation is not taken.
fn of_another(cuda: i32) -> String {
    format!("is of CUDA {}, which needs driver {}", cuda / 1000, driver_for(cuda))
}

fn load(path: impl AsRef<Path>) -> Result<Library, Problem> {
    // SAFETY: loading runs the library's initialisers; these are NVIDIA's own, meant for that.
    unsafe { Library::open(Some(path.as_ref()), RTLD_NOW | RTLD_GLOBAL) }.map_err(|error| {
        let text = std::error::Error::source(&error).map_or(error.to_string(), ToString::to_string);
        if text.contains("No such file") {
            Problem::Absent("not known".into())
        } else {
            Problem::Unusable(text)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOWHERE: Wanted = Wanted {
        plain: "libnowhere.so",
        name: "libnowhere.so.7",
        before: None,
        packages: &[],
        cuda: None,
        versions: |_| Err(ParseError(String::new())),
    };

    fn problem(wanted: &Wanted) -> String {
        open(wanted).unwrap_err().to_string()
    }

    #[test]
    fn a_library_that_is_nowhere_tells_every_path_and_does_not_panic() {
        let text = problem(&NOWHERE);
        assert!(text.contains("libnowhere.so (system's loader): not known"), "{text}");
        assert!(text.contains("libnowhere.so.7 (system's loader): not known"), "{text}");
    }

    #[test]
    fn another_library_is_not_taken_for_the_one_that_is_wanted() {
        let version = [
            (driver_version as fn(&Library) -> _, "is no NVIDIA driver"),
            (cublas_versions, "is not cuBLAS"),
            (cudnn_versions, "is not cuDNN"),
        ];
        for (versions, expected) in version {
            let text = problem(&Wanted { name: "libc.so.6", versions, ..NOWHERE });
            let expected = format!("libc.so.6 (system's loader): {expected}");
            assert!(text.contains(&expected), "{text}");
        }
    }

    #[test]
    fn what_the_loader_knows_by_the_plain_name_hides_all_others() {
        let text = problem(&Wanted { plain: "libc.so.6", versions: cudnn_versions, ..NOWHERE });
        assert!(text.contains("is not cuDNN; it hides all others"), "{text}");
        assert!(!text.contains("libnowhere"), "{text}");
    }

    #[test]
    fn a_library_of_another_generation_tells_the_driver_that_it_needs() {
        let libc = Wanted { name: "libc.so.6", cuda: Some(12_000), ..NOWHERE };
        let text = problem(&Wanted { versions: |_| Ok((1, 13_000)), ..libc });
        assert!(text.contains("is of CUDA 13, which needs driver 580 or newer"), "{text}");
        let same = Wanted { versions: |_| Ok((1, 12_040)), ..libc };
        assert_eq!(open(&same).map(|found| found.cuda).unwrap(), 12_040);
        let text = problem(&Wanted { before: Some("libm.so.6"), ..same });
        assert!(text.contains("is hidden by the libm.so.6"), "{text}");
    }

    #[test]
    fn drivers_run_libraries_of_their_own_generation_and_of_older_ones() {
        assert!(runs(13_000, 13_000) && runs(13_010, 12_000) && runs(12_020, 12_000));
        assert!(!runs(12_090, 13_000) && runs(0, 13_000));
    }
}
