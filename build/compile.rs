//! Compiling kernels, and keeping what was compiled.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use super::nvcc::Nvcc;
use super::ptxas::Ptxas;

/// Compute capabilities that releases have machine code for, as far as the compiler knows them: Turing,
/// Ampere, Ampere and Ada for desktops, Hopper, Blackwell and Blackwell for desktops.
const ARCHITECTURES: [u32; 7] = [75, 80, 86, 89, 90, 100, 120];

/// Those that are embedded as PTX too, beside the newest: drivers compile it for whatever comes after,
/// and between Hopper and the newest come devices that have no machine code of their own.
const PORTABLE: u32 = 90;

/// No fast-math: a difference must be the same number on every device, up to the order of sums. Line
/// numbers cost no time and tell profilers and sanitizers where they are.
pub const FLAGS: [&str; 3] = ["-std=c++17", "-O3", "-lineinfo"];

/// Which devices kernels are compiled for.
#[derive(Clone, Copy, Debug)]
pub enum Architectures {
    /// Machine code for every device, for releases.
    All,
    /// Machine code for Turing alone, and PTX that drivers compile for every newer device: a tenth of
    /// the work.
    Few,
}

/// What is made of a source, for a compute capability such as 90.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// For devices of that one, and of the same major and a higher minor.
    MachineCode(u32),
    /// For drivers to compile, for devices of that one and higher.
    Ptx(u32),
}

impl Target {
    pub fn number(self) -> u32 {
        match self {
            Self::MachineCode(number) | Self::Ptx(number) => number,
        }
    }

    fn of_nvcc(self) -> String {
        let number = self.number();
        let kind = if matches!(self, Self::Ptx(_)) { "compute" } else { "sm" };
        format!("-gencode=arch=compute_{number},code={kind}_{number}")
    }
}

/// The kernels' files of a folder, by name.
pub fn sources(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    with_extension(folder, "cu")
}

fn with_extension(folder: &Path, wanted: &str) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == wanted) {
            found.insert(path);
        }
    }
    Ok(found.into_iter().collect())
}

/// A source's name without its extension.
pub fn stem(source: &Path) -> String {
    source.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Where compiled kernels are kept: `target/kernels`, for an `out` of `target/PROFILE/build/NAME/out`.
pub fn kept_beside(out: &Path) -> Option<PathBuf> {
    Some(out.ancestors().nth(4)?.join("kernels"))
}

/// Compiles kernels that are not compiled already.
pub struct Compiler<'a> {
    nvcc: &'a Nvcc,
    /// What makes the machine code, if not nvcc.
    ptxas: Option<&'a Ptxas>,
    targets: Vec<Target>,
    /// The folder of what was compiled, by the digest of all that it depends on.
    kept: &'a Path,
}

impl<'a> Compiler<'a> {
    pub fn new(
        nvcc: &'a Nvcc,
        ptxas: Option<&'a Ptxas>,
        architectures: Architectures,
        kept: &'a Path,
    ) -> Result<Self, Box<dyn Error>> {
        let targets = match architectures {
            Architectures::All => all_targets(nvcc)?,
            Architectures::Few => vec![Target::MachineCode(75), Target::Ptx(80)],
        };
        fs::create_dir_all(kept).map_err(|error| format!("{}: {error}", kept.display()))?;
        Ok(Self { nvcc, ptxas, targets, kept })
    }

    /// The compiled file of each source, on all cores; `headers` is the folder of what they include.
    pub fn compile(
        &self,
        sources: &[PathBuf],
        headers: &Path,
    ) -> Result<Vec<PathBuf>, Box<dyn Error>> {
        let headers = with_extension(headers, "cuh")?;
        let headers: Vec<String> =
            headers.iter().map(fs::read_to_string).collect::<Result<_, _>>()?;
        let mut compiled = Vec::new();
        let mut missing = Vec::new();
        for source in sources {
            let digest = self.digest(&fs::read_to_string(source)?, &headers);
            let fatbin = self.kept.join(format!("{}-{digest:016x}.fatbin", stem(source)));
            if !fatbin.is_file() {
                missing.push((source, fatbin.clone()));
            }
            compiled.push(fatbin);
        }
        self.compile_all(missing)?;
        Ok(compiled)
    }

    fn digest(&self, source: &str, headers: &[String]) -> u64 {
        let mut hasher = DefaultHasher::new();
        // With its source: how the assembler is called is part of what it makes.
        let assembler = self.ptxas.map(|ptxas| (&ptxas.release, include_str!("ptxas.rs")));
        (FLAGS, &self.targets, &self.nvcc.release, assembler, source, headers).hash(&mut hasher);
        hasher.finish()
    }

    fn compile_all(&self, mut missing: Vec<(&PathBuf, PathBuf)>) -> Result<(), Box<dyn Error>> {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        // The longest source takes the longest: begun first, the others fill up the cores beside it.
        missing.sort_by_key(|(path, _)| {
            std::cmp::Reverse(fs::metadata(path).map_or(0, |metadata| metadata.len()))
        });
        let queue = Mutex::new(missing.into_iter());
        let work = || {
            let mut problems = Vec::new();
            loop {
                let next = queue.lock().ok().and_then(|mut queue| queue.next());
                let Some((source, fatbin)) = next else { return problems };
                problems.extend(self.compile_one(source, &fatbin).err());
            }
        };
        let problems: Vec<String> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
        });
        if problems.is_empty() {
            return Ok(());
        }
        Err(format!(
            "{}\nkernels could not be compiled by {}; another compiler can be named by \
             NVCC=/path/to/nvcc, PTXAS=none does without the assembler of CUDA 12, and NVCC=none builds \
             for the CPU alone",
            problems.join("\n"),
            self.nvcc.path.display()
        )
        .into())
    }

    fn compile_one(&self, source: &Path, fatbin: &Path) -> Result<(), String> {
        // It gets its name when it is whole.
        let partial = fatbin.with_extension(format!("{}.partial", std::process::id()));
        let done = if let Some(ptxas) = self.ptxas {
            ptxas.compile(self.nvcc, &self.targets, source, &partial)
        } else {
            let mut compile = Command::new(&self.nvcc.path);
            compile.args(FLAGS).arg("--fatbin");
            compile.args(self.targets.iter().map(|target| target.of_nvcc()));
            run(compile.arg(source).arg("-o").arg(&partial))
        };
        done.map_err(|problem| format!("{}: {problem}", source.display()))?;
        fs::rename(&partial, fatbin).map_err(|error| format!("{}: {error}", fatbin.display()))
    }
}

/// Runs a tool of the compiler, and passes its warnings on.
pub fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{program}: {error}"))?;
    let messages = [output.stdout, output.stderr].concat();
    let messages = String::from_utf8_lossy(&messages);
    if !output.status.success() {
        return Err(format!("{program}: {}\n{messages}", output.status));
    }
    for line in messages.lines().filter(|line| !line.trim().is_empty()) {
        println!("cargo::warning={line}");
    }
    Ok(())
}

/// The text of a file.
pub fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The architectures that both we and the compiler know.
fn all_targets(nvcc: &Nvcc) -> Result<Vec<Target>, Box<dyn Error>> {
    let output = Command::new(&nvcc.path).arg("--list-gpu-arch").output()?;
    let listed = String::from_utf8_lossy(&output.stdout);
    let known: BTreeSet<u32> = listed
        .lines()
        .filter_map(|line| line.trim().strip_prefix("compute_")?.parse().ok())
        .collect();
    let common: Vec<u32> =
        ARCHITECTURES.iter().copied().filter(|target| known.contains(target)).collect();
    let newest =
        *common.last().ok_or("this nvcc knows none of the architectures that we build for")?;
    let portable: BTreeSet<u32> =
        common.iter().copied().filter(|&target| target == PORTABLE).chain([newest]).collect();
    let targets = common.iter().map(|&target| Target::MachineCode(target));
    Ok(targets.chain(portable.into_iter().map(Target::Ptx)).collect())
}
