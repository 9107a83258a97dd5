//! What `build.rs` does with kernels: it compiles them for every architecture, and not twice.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use self::compile::{Architectures, Compiler, sources};
use self::nvcc::Nvcc;

#[path = "../../build/compile.rs"]
#[allow(dead_code, reason = "the build script uses the rest")]
mod compile;
#[path = "../../build/nvcc.rs"]
#[allow(dead_code, reason = "the build script uses the rest")]
mod nvcc;

/// In other builds than releases most architectures are left out. What this compiles is kept where
/// `build.rs` looks for it: a release does not compile it again.
#[test]
#[ignore = "takes a minute, and nvcc; `.ci/run` does it"]
fn kernels_compile_for_every_architecture() {
    // `target/debug/deps/TEST`
    let program = env::current_exe().unwrap();
    let target = program.ancestors().nth(3).unwrap();
    let nvcc = nvcc::Search::new(&program).find().map_err(|tried| tried.join("; ")).unwrap();
    let kept = target.join("kernels");
    let compiler = Compiler::new(&nvcc, Architectures::All, &kept).unwrap();
    // Cargo runs tests in the package's folder, as it does `build.rs`.
    let kernels = Path::new("kernels");
    let all = [sources(kernels).unwrap(), sources(&kernels.join("lab")).unwrap()].concat();
    assert!(all.len() > 10);
    compiler.compile(&all, kernels).unwrap_or_else(|error| panic!("{error}"));
}

/// A folder with a kernel, a header, and in the place of nvcc a script that counts its calls.
#[cfg(unix)]
struct Scripted {
    folder: tempfile::TempDir,
    nvcc: Nvcc,
}

#[cfg(unix)]
impl Scripted {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let script = format!(
            "#!/bin/sh\n\
             if [ \"$1\" = --list-gpu-arch ]; then printf 'compute_80\\ncompute_90\\n'; exit; fi\n\
             echo \"$@\" >> '{calls}'\n\
             while [ \"$1\" != -o ]; do shift; done\n\
             echo machine code > \"$2\"\n\
             [ ! -e '{broken}' ]\n",
            calls = at("calls").display(),
            broken = at("broken").display(),
        );
        fs::write(at("nvcc"), script).unwrap();
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(at("nvcc"), executable).unwrap();
        fs::write(at("add.cu"), "1").unwrap();
        fs::write(at("sum.cuh"), "1").unwrap();
        let nvcc = Nvcc { path: at("nvcc"), version: (13, 0), release: "release 13.0".into() };
        Self { folder, nvcc }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn compile(&self, architectures: Architectures) -> Result<Vec<PathBuf>, String> {
        let kept = self.path("kept");
        let compiler = Compiler::new(&self.nvcc, architectures, &kept).unwrap();
        let all = sources(self.folder.path()).unwrap();
        compiler.compile(&all, self.folder.path()).map_err(|error| error.to_string())
    }

    /// The compiler's calls so far.
    fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.path("calls")).unwrap_or_default();
        calls.lines().map(String::from).collect()
    }
}

#[test]
#[cfg(unix)]
fn a_kernel_is_compiled_once_for_all_that_it_depends_on() {
    let mut scripted = Scripted::new();
    let first = scripted.compile(Architectures::Few).unwrap();
    assert_eq!(scripted.compile(Architectures::Few).unwrap(), first);
    assert_eq!(scripted.calls().len(), 1, "nothing changed");
    assert_eq!(fs::read_to_string(&first[0]).unwrap(), "machine code\n");

    let all = scripted.compile(Architectures::All).unwrap();
    assert_ne!(all, first);
    let calls = scripted.calls();
    assert_eq!(calls.len(), 2, "other architectures");
    for target in ["code=sm_80", "code=sm_90", "code=compute_90"] {
        assert!(calls[1].contains(target), "{target}: {}", calls[1]);
    }
    assert!(!calls[1].contains("code=sm_120"), "the compiler does not know it: {}", calls[1]);

    fs::write(scripted.path("sum.cuh"), "2").unwrap();
    scripted.compile(Architectures::Few).unwrap();
    assert_eq!(scripted.calls().len(), 3, "another header");
    fs::write(scripted.path("add.cu"), "2").unwrap();
    scripted.compile(Architectures::Few).unwrap();
    assert_eq!(scripted.calls().len(), 4, "another source");
    scripted.nvcc.release = "release 13.1".into();
    scripted.compile(Architectures::Few).unwrap();
    assert_eq!(scripted.calls().len(), 5, "another compiler");
}

#[test]
#[cfg(unix)]
fn what_a_compiler_that_fails_leaves_is_not_kept() {
    let scripted = Scripted::new();
    fs::write(scripted.path("broken"), "").unwrap();
    let error = scripted.compile(Architectures::Few).unwrap_err();
    for expected in ["add.cu", "exit status: 1", "NVCC=none"] {
        assert!(error.contains(expected), "{expected}: {error}");
    }
    fs::remove_file(scripted.path("broken")).unwrap();
    scripted.compile(Architectures::Few).unwrap();
    assert_eq!(scripted.calls().len(), 2);
}
