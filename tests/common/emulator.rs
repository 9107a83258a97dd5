//! A GPU for tests: a real one, or where there is none the emulator of `tests/emulator`.
//!
//! Used by the integration tests and, for kernels, by tests inside the library.
#![allow(clippy::panic, reason = "a test may fail by panicking")]
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use occlumap::engine::cuda::embedded;
use occlumap::engine::cuda::{Device, Precision};

pub use self::skipped::say_skipped;

#[path = "skipped.rs"]
mod skipped;

/// Set to 1 where a test that needs CUDA must not be skipped.
const REQUIRE: &str = "OCCLUMAP_REQUIRE_CUDA";
/// Set to 1 where there is a GPU, wherever the system shows it, and the emulator may be missing.
const ASSUME: &str = "OCCLUMAP_ASSUME_GPU";
/// Set for a test that runs in a process of its own.
const INSIDE: &str = "OCCLUMAP_TEST_ON_DEVICE";

/// The folder, within the emulator's, of the libraries of CUDA 12.
pub const CUDA_12: &str = "cuda12";

/// Of the emulator's compiler. Multiply-adds are where the kernels write them, and nowhere else;
/// the processor's own instruction for them is several times as fast as a function.
const FLAGS: [&str; 8] = [
    "-std=c++20",
    "-O2",
    "-march=native",
    "-ffp-contract=off",
    "-w",
    "-fPIC",
    "-pthread",
    "-fvisibility=hidden",
];

/// What tests run CUDA on.
#[derive(Clone, Debug)]
pub enum Gpu {
    /// One that the machine has.
    Real,
    /// The emulator, in this folder.
    Emulated(PathBuf),
    /// The emulator, in this folder, with this library of `AddressSanitizer`: it finds accesses
    /// outside of allocations.
    Sanitized(PathBuf, PathBuf),
}

impl Gpu {
    /// What there is; `None` where there is nothing, which has been said then.
    pub fn find(test: &str) -> Option<Self> {
        if Self::is_real() { Some(Self::Real) } else { Self::emulated(test) }
    }

    /// Whether the machine has one.
    pub fn is_real() -> bool {
        Path::new("/dev/nvidiactl").exists()
            || env::var_os(ASSUME).is_some_and(|value| value == "1")
    }

    /// The emulator, also where there is a real GPU: it can play failures.
    pub fn emulated(test: &str) -> Option<Self> {
        static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        available(test, BUILT.get_or_init(|| build(&[]))).map(Self::Emulated)
    }

    /// The emulator, built so that it finds accesses outside of allocations.
    pub fn address_sanitizer(test: &str) -> Option<Self> {
        static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let built = BUILT.get_or_init(|| {
            // Alignment too: a GPU reads four floats at once only where they begin at 16 bytes.
            build(&["-fsanitize=address,alignment", "-fno-sanitize-recover=alignment", "-g"])
        });
        let folder = available(test, built)?;
        let library = Command::new(compiler()).arg("-print-file-name=libasan.so").output();
        let library = library.expect("the compiler starts").stdout;
        let library = String::from_utf8_lossy(&library).trim().to_owned();
        Some(Self::Sanitized(folder, library.into()))
    }

    /// Has `command` run on it.
    pub fn lend<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        match self {
            Self::Real => command,
            Self::Emulated(folder) => command.env("LD_LIBRARY_PATH", folder),
            // The program itself is not built with it, and keeps some memory till its end.
            Self::Sanitized(folder, library) => command
                .env("LD_LIBRARY_PATH", folder)
                .env("LD_PRELOAD", library)
                .env("ASAN_OPTIONS", "detect_leaks=0"),
        }
    }

    /// In what surroundings a test runs on it: on the emulator in both orders of threads, once with
    /// work that is done at once and once with work that is done when somebody waits for it.
    fn orders(&self) -> &'static [&'static [(&'static str, &'static str)]] {
        match self {
            Self::Real | Self::Sanitized(..) => &[&[]],
            Self::Emulated(_) => &[&[], &[("EMULATOR_REVERSE", "1"), ("EMULATOR_LAZY", "1")]],
        }
    }

    /// Runs this test program again on it, as an order of threads and `arguments` say.
    pub fn run(&self, order: &[(&str, &str)], arguments: &[&str]) -> Output {
        let mut command = Command::new(env::current_exe().expect("this test's program"));
        command.args(arguments).env(INSIDE, "1").envs(order.iter().copied());
        if let Some(record) = skipped::record() {
            command.env(skipped::RECORD, record);
        }
        self.lend(&mut command).output().expect("the test starts again")
    }
}

/// Runs `body` on a GPU, real or emulated, in a process of its own for each order of threads: the
/// emulator ends the process when a kernel goes wrong.
///
/// `test` is the test's function, `module_path` its module.
pub fn on_device(module_path: &str, test: &str, body: impl FnOnce()) {
    on(Gpu::find, module_path, test, body);
}

/// Like [`on_device`], on the emulator with `AddressSanitizer`.
pub fn on_address_sanitizer(module_path: &str, test: &str, body: impl FnOnce()) {
    on(Gpu::address_sanitizer, module_path, test, body);
}

fn on(find: fn(&str) -> Option<Gpu>, module_path: &str, test: &str, body: impl FnOnce()) {
    if is_inside() {
        return body();
    }
    let Some(gpu) = find(test) else { return };
    let name = full_name(module_path, test);
    for order in gpu.orders() {
        let output = gpu.run(order, &[&name, "--exact", "--include-ignored", "--nocapture"]);
        let ran = String::from_utf8_lossy(&output.stdout).contains("1 passed");
        assert!(output.status.success() && ran, "{name} {order:?}:\n{}", told(&output));
    }
}

/// Whether this is the process that a test started for itself.
pub fn is_inside() -> bool {
    env::var_os(INSIDE).is_some()
}

/// A test's name as the test program knows it: without that of the crate.
pub fn full_name(module_path: &str, test: &str) -> String {
    match module_path.split_once("::") {
        Some((_, module)) => format!("{module}::{test}"),
        None => test.to_owned(),
    }
}

/// All that a process told.
pub fn told(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    format!("{}\n{}", output.status, String::from_utf8_lossy(&text))
}

fn available(test: &str, built: &Result<PathBuf, String>) -> Option<PathBuf> {
    match built {
        Ok(folder) => Some(folder.clone()),
        // The tests of the kernels themselves have a better device to run on then.
        Err(reason) if Gpu::is_real() => {
            say_skipped(test, reason);
            None
        }
        Err(reason) => {
            skip(test, reason);
            None
        }
    }
}

/// Says that a test is skipped; fails it where it must not be.
pub fn skip(test: &str, reason: &str) {
    assert!(
        env::var_os(REQUIRE).is_none_or(|value| value != "1"),
        "{test} needs CUDA, and {REQUIRE}=1: {reason}"
    );
    say_skipped(test, reason);
}

/// Whether a device has tensor cores for tf32, fp16 and bf16; where it has not, says that this is skipped.
pub fn has_tensor_cores(device: &Device, test: &str) -> bool {
    let (major, minor) = device.info().capability;
    let has = Precision::Bf16.is_on((major, minor));
    if !has {
        say_skipped(
            test,
            &format!("compute capability {major}.{minor} has no tf32, fp16 and bf16"),
        );
    }
    has
}

/// Builds the emulator, with more arguments for the compiler; returns its folder.
fn build(more: &[&str]) -> Result<PathBuf, String> {
    if let Err(error) = embedded::compiler() {
        return Err(error.to_string());
    }
    let root = &root();
    if !root.join("tests/emulator").is_dir() {
        return Err("the emulator's sources are not here".into());
    }
    let compiler = compiler();
    if Command::new(&compiler).arg("--version").output().is_err() {
        return Err(format!("the emulator needs a C++ compiler, and there is no {compiler}"));
    }
    let sources = sources(root);
    let mut hasher = DefaultHasher::new();
    (FLAGS, more, &compiler, &sources).hash(&mut hasher);
    // Beside the programs that cargo builds: `target/debug/deps/TEST` is what runs.
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let profile = program.ancestors().nth(2).ok_or("no target folder")?;
    let folder = profile.join("emulator").join(format!("{:016x}", hasher.finish()));
    if folder.is_dir() {
        return Ok(folder);
    }
    let partial = folder.with_extension(std::process::id().to_string());
    fs::create_dir_all(&partial).map_err(|error| format!("{}: {error}", partial.display()))?;
    compile(root, &compiler, more, &sources, &partial);
    // Of several processes that built it, the first one's stays.
    if fs::rename(&partial, &folder).is_err() {
        fs::remove_dir_all(&partial).map_err(|error| error.to_string())?;
    }
    Ok(folder)
}

/// The repository's root, or a folder that holds the same tests' files (`scripts/gpu-pack`).
fn root() -> PathBuf {
    env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into()).into()
}

/// The C++ compiler.
fn compiler() -> String {
    env::var("CXX").unwrap_or_else(|_| "g++".into())
}

/// Everything that the emulator is made of: names and content.
fn sources(root: &Path) -> Vec<(PathBuf, String)> {
    let mut sources = Vec::new();
    for folder in ["kernels", "kernels/lab", "tests/emulator"] {
        for entry in fs::read_dir(root.join(folder)).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                continue;
            }
            let text = fs::read_to_string(&path).expect("a source");
            sources.push((path, text));
        }
    }
    sources.sort();
    sources
}

/// Compiles the stand-ins into `folder`.
fn compile(
    root: &Path,
    compiler: &str,
    more: &[&str],
    sources: &[(PathBuf, String)],
    folder: &Path,
) {
    let run = |arguments: &[&str]| {
        let output = Command::new(compiler)
            .args(FLAGS)
            .args(more)
            .arg(format!("-I{}", root.join("tests/emulator").display()))
            .arg(format!("-I{}", root.join("kernels").display()))
            .args(arguments)
            .current_dir(folder)
            .output()
            .expect("the compiler starts");
        assert!(output.status.success(), "{compiler} {arguments:?}: {}", told(&output));
    };
    let mut objects = vec!["scheduler.o".to_owned(), "libcuda.o".to_owned()];
    let mut units =
        vec![root.join("tests/emulator/scheduler.cpp"), root.join("tests/emulator/libcuda.cpp")];
    for (path, text) in sources.iter().filter(|(path, _)| has_extension(path, "cu")) {
        let unit = folder.join(path.file_name().expect("a name")).with_extension("cpp");
        let exports = kernels(text).map(|name| format!("EMULATED({name})\n"));
        let exports: String = exports.collect();
        fs::write(&unit, format!("#include \"{}\"\n{exports}", path.display())).expect("a file");
        let stem = path.file_stem().expect("a name").to_string_lossy();
        objects.push(format!("{stem}.o"));
        units.push(unit);
    }
    std::thread::scope(|scope| {
        for (unit, object) in units.iter().zip(&objects) {
            let unit = unit.display().to_string();
            scope.spawn(move || run(&["-c", &unit, "-o", object]));
        }
    });
    let mut link = vec!["-shared", "-Wl,-soname,libcuda.so.1", "-o", "libcuda.so.1", "-ldl"];
    link.extend(objects.iter().map(String::as_str));
    run(&link);
    // Those of CUDA 12 where nobody finds them by their names.
    fs::create_dir(folder.join(CUDA_12)).expect("a folder");
    for (source, cuda, folder, name) in [
        ("libcublas.cpp", 13, ".", "libcublas.so.13"),
        ("libcudnn.cpp", 13, ".", "libcudnn.so.9"),
        ("libcublas.cpp", 12, CUDA_12, "libcublas.so.12"),
        ("libcudnn.cpp", 12, CUDA_12, "libcudnn.so.9"),
    ] {
        let source = root.join("tests/emulator").join(source).display().to_string();
        let (soname, cuda) = (format!("-Wl,-soname,{name}"), format!("-DCUDA={cuda}"));
        let to = format!("{folder}/{name}");
        run(&["-shared", "-fvisibility=default", &cuda, &soname, &source, "-o", &to]);
    }
}

fn has_extension(path: &Path, wanted: &str) -> bool {
    path.extension().is_some_and(|extension| extension == wanted)
}

/// The names of a source's kernels.
fn kernels(source: &str) -> impl Iterator<Item = &str> {
    source.split("extern \"C\" __global__ void").skip(1).map(|declaration| {
        let declaration = declaration.trim_start();
        let name = match declaration.strip_prefix("__launch_bounds__") {
            Some(bounded) => bounded.split_once(')').expect("bounds").1.trim_start(),
            None => declaration,
        };
        name.split('(').next().expect("a name").trim()
    })
}
