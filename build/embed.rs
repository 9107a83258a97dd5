//! Compiling kernels and embedding them.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::nvcc::Nvcc;

/// Compute capabilities that get machine code of their own, as far as the compiler knows them:
/// Turing, Ampere, Ampere and Ada for desktops, Hopper, Blackwell and Blackwell for desktops.
const ARCHITECTURES: [u32; 7] = [75, 80, 86, 89, 90, 100, 120];

/// Those that are embedded as PTX too, beside the newest: drivers compile it for whatever comes after,
/// and between Hopper and the newest come devices that have no machine code of their own.
const PORTABLE: u32 = 90;

/// The kernels' files, by name.
pub fn sources(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut sources = BTreeSet::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "cu") {
            sources.insert(path);
        }
    }
    Ok(sources.into_iter().collect())
}

/// What was compiled.
pub struct Built {
    /// The compiler's version, major and minor.
    pub version: (u32, u32),
    /// The kernels of the program, by their files' names.
    pub kernels: Vec<String>,
    /// Variants that tests check, and that a GPU would have to decide about: embedded in tests alone.
    pub lab: Vec<String>,
}

/// Sources by their files' names.
pub fn names(sources: &[PathBuf]) -> Vec<String> {
    sources.iter().map(|source| stem(source)).collect()
}

/// Compiles each source into `out/NAME.fatbin`, on all cores.
pub fn compile(nvcc: &Nvcc, sources: &[PathBuf], out: &Path) -> Result<(), Box<dyn Error>> {
    let targets = targets(nvcc)?;
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    // The longest source takes the longest: begun first, the others fill up the cores beside it.
    let mut order: Vec<&PathBuf> = sources.iter().collect();
    order.sort_by_key(|path| {
        std::cmp::Reverse(std::fs::metadata(path).map_or(0, |metadata| metadata.len()))
    });
    let queue = std::sync::Mutex::new(order.into_iter());
    let work = || {
        let mut problems = Vec::new();
        loop {
            let next = queue.lock().ok().and_then(|mut queue| queue.next());
            let Some(source) = next else { return problems };
            problems.extend(compile_one(nvcc, source, &targets, out).err());
        }
    };
    let problems: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
    });
    if !problems.is_empty() {
        let problems = problems.join("\n");
        return Err(format!(
            "{problems}\nkernels could not be compiled by {}; another compiler can be named by \
             NVCC=/path/to/nvcc, and NVCC=none builds for the CPU alone",
            nvcc.path.display()
        )
        .into());
    }
    Ok(())
}

fn stem(source: &Path) -> String {
    source.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// `-gencode` arguments for the architectures that both we and the compiler know.
fn targets(nvcc: &Nvcc) -> Result<Vec<String>, Box<dyn Error>> {
    let output = Command::new(&nvcc.path).arg("--list-gpu-arch").output()?;
    let listed = String::from_utf8_lossy(&output.stdout);
    let known: BTreeSet<u32> = listed
        .lines()
        .filter_map(|line| line.trim().strip_prefix("compute_")?.parse().ok())
        .collect();
    let common: Vec<u32> =
        ARCHITECTURES.iter().copied().filter(|target| known.contains(target)).collect();
    let newest =
        common.last().ok_or("this nvcc knows none of the architectures that we build for")?;
    let mut targets: Vec<String> = common
        .iter()
        .map(|target| format!("-gencode=arch=compute_{target},code=sm_{target}"))
        .collect();
    let portable: BTreeSet<u32> =
        common.iter().filter(|&&target| target == PORTABLE).chain([newest]).copied().collect();
    targets.extend(
        portable
            .iter()
            .map(|target| format!("-gencode=arch=compute_{target},code=compute_{target}")),
    );
    Ok(targets)
}

fn compile_one(nvcc: &Nvcc, source: &Path, targets: &[String], out: &Path) -> Result<(), String> {
    let fatbin = out.join(stem(source)).with_extension("fatbin");
    // No fast-math: a difference must be the same number on every device, up to the order of
    // sums. Line numbers cost no time and tell profilers and sanitizers where they are.
    let output = Command::new(&nvcc.path)
        .args(["--fatbin", "-std=c++17", "-O3", "-lineinfo"])
        .args(targets)
        .arg(source)
        .arg("-o")
        .arg(&fatbin)
        .output()
        .map_err(|error| format!("{}: {error}", nvcc.path.display()))?;
    let messages = [output.stdout, output.stderr].concat();
    let messages = String::from_utf8_lossy(&messages);
    if !output.status.success() {
        return Err(format!("{}: {}\n{messages}", source.display(), output.status));
    }
    for line in messages.lines().filter(|line| !line.trim().is_empty()) {
        println!("cargo::warning={line}");
    }
    Ok(())
}

/// Writes `out/kernels.rs`, which `src/engine/cuda/kernels/embedded.rs` includes.
pub fn write_table(built: &Result<Built, String>, out: &Path) -> Result<(), Box<dyn Error>> {
    let mut text = String::new();
    let (mut kernels, mut lab) = (String::new(), String::new());
    match built {
        Ok(Built { version: (major, minor), kernels: shipped, lab: tried }) => {
            writeln!(text, "const COMPILER: Result<(u32, u32), &str> = Ok(({major}, {minor}));")?;
            for (table, names) in [(&mut kernels, shipped), (&mut lab, tried)] {
                for name in names {
                    let bytes =
                        format!(r#"include_bytes!(concat!(env!("OUT_DIR"), "/{name}.fatbin"))"#);
                    writeln!(table, "    ({name:?}, {bytes}),")?;
                }
            }
        }
        Err(tried) => {
            writeln!(text, "const COMPILER: Result<(u32, u32), &str> = Err({tried:?});")?;
        }
    }
    writeln!(text, "const FATBINS: &[(&str, &[u8])] = &[\n{kernels}];")?;
    writeln!(text, "#[cfg(test)]\nconst LAB: &[(&str, &[u8])] = &[\n{lab}];")?;
    std::fs::write(out.join("kernels.rs"), text)?;
    Ok(())
}
