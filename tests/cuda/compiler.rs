//! What `build.rs` does with kernels: it compiles them for every architecture, and not twice.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use self::compile::{Architectures, Compiler, sources};
use self::nvcc::Nvcc;
use self::ptxas::Ptxas;

#[path = "../../build/compile.rs"]
#[allow(dead_code, reason = "the build script uses the rest")]
mod compile;
#[path = "../../build/nvcc.rs"]
#[allow(dead_code, reason = "the build script uses the rest")]
mod nvcc;
#[path = "../../build/ptxas.rs"]
#[allow(dead_code, reason = "the build script uses the rest")]
mod ptxas;

/// The folder of the project's compiled kernels, the compiler, and the assembler.
fn project() -> (PathBuf, Nvcc, Option<Ptxas>) {
    // `target/debug/deps/TEST`
    let program = env::current_exe().unwrap();
    let target = program.ancestors().nth(3).unwrap();
    let nvcc = nvcc::Search::new(&program).find().map_err(|tried| tried.join("; ")).unwrap();
    let ptxas = Ptxas::find(&nvcc, &program);
    (target.join("kernels"), nvcc, ptxas)
}

fn compile_all(compiler: &Compiler<'_>) -> Vec<PathBuf> {
    // Cargo runs tests in the package's folder, as it does `build.rs`.
    let kernels = Path::new("kernels");
    let all = [sources(kernels).unwrap(), sources(&kernels.join("lab")).unwrap()].concat();
    assert!(all.len() > 10);
    compiler.compile(&all, kernels).unwrap_or_else(|error| panic!("{error}"))
}

/// In other builds than releases most architectures are left out. What this compiles is kept where
/// `build.rs` looks for it: a release does not compile it again; a list of it tells `scripts/check-kernels`
/// what to look at.
#[test]
#[ignore = "takes a minute, and nvcc; `.ci/run` does it"]
fn kernels_compile_for_every_architecture() {
    let (kept, nvcc, ptxas) = project();
    // Without it machine code of nvcc 13 needs driver 580.
    let runs_on_old_drivers = nvcc.version.0 <= 12 || ptxas.is_some();
    assert!(runs_on_old_drivers, "no ptxas of CUDA 12: run scripts/install-nvcc");
    let compiler = Compiler::new(&nvcc, ptxas.as_ref(), Architectures::All, &kept).unwrap();
    let compiled = compile_all(&compiler);
    let list: Vec<_> = compiled.iter().map(|path| path.display().to_string()).collect();
    fs::write(kept.join("list"), list.join("\n")).unwrap();
}

/// What another machine may have: no assembler of CUDA 12.
#[test]
#[ignore = "takes half a minute, and nvcc; `.ci/run` does it"]
fn kernels_compile_without_an_assembler_of_cuda_12() {
    let (kept, nvcc, _) = project();
    compile_all(&Compiler::new(&nvcc, None, Architectures::Few, &kept).unwrap());
}

/// A folder with a kernel, a header, and instead of nvcc a script that counts its calls.
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
             if [ \"$1\" = --version ]; then echo release 12.9, V12.9.86; exit; fi\n\
             echo \"${{0##*/}} $@\" >> '{calls}'\n\
             made='machine code'\n\
             case \"$*\" in *--ptx*) made='.version 9.0\n.target sm_90' ;; esac\n\
             case \"$*\" in *.ptx*-o*) grep -h version \"$4\" >> '{calls}' ;; esac\n\
             for to; do :; done\n\
             for word; do case \"$word\" in --create=*) to=${{word#*=}} ;; esac; done\n\
             echo \"$made\" > \"$to\"\n\
             [ ! -e '{broken}' ]\n",
            calls = at("calls").display(),
            broken = at("broken").display(),
        );
        for tool in ["nvcc", "fatbinary", "ptxas"] {
            fs::write(at(tool), &script).unwrap();
            let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(at(tool), executable).unwrap();
        }
        fs::write(at("add.cu"), "1").unwrap();
        fs::write(at("sum.cuh"), "1").unwrap();
        let nvcc = Nvcc { path: at("nvcc"), version: (13, 0), release: "release 13.0".into() };
        Self { folder, nvcc }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn compile(&self, architectures: Architectures) -> Result<Vec<PathBuf>, String> {
        self.compile_with(None, architectures)
    }

    fn compile_with(
        &self,
        ptxas: Option<&Ptxas>,
        architectures: Architectures,
    ) -> Result<Vec<PathBuf>, String> {
        let kept = self.path("kept");
        let compiler = Compiler::new(&self.nvcc, ptxas, architectures, &kept).unwrap();
        let all = sources(self.folder.path()).unwrap();
        compiler.compile(&all, self.folder.path()).map_err(|error| error.to_string())
    }

    /// The assembler that is found under a name of this folder.
    fn ptxas(&self, name: &str) -> Option<Ptxas> {
        let packages = self.path("cuda/nvidia/cuda_nvcc/bin");
        fs::create_dir_all(&packages).unwrap();
        fs::rename(self.path(name), packages.join("ptxas")).unwrap();
        Ptxas::find(&self.nvcc, self.folder.path())
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

#[test]
#[cfg(unix)]
fn an_assembler_of_cuda_12_makes_machine_code_for_older_drivers() {
    let mut scripted = Scripted::new();
    let ptxas = scripted.ptxas("ptxas").expect("an assembler");
    assert_eq!(ptxas.version, (12, 9));
    let compiled = scripted.compile_with(Some(&ptxas), Architectures::All).unwrap();
    assert_eq!(fs::read_to_string(&compiled[0]).unwrap(), "machine code\n");
    let calls = scripted.calls().join("\n");
    // Devices of 8.0 and 9.0, PTX of 9.0, which is said to be older than it was.
    for expected in [
        "--ptx -arch=compute_80",
        "ptxas -O3 -lineinfo -arch=sm_80",
        ".version 8.0",
        "fatbinary --64 --compress-mode=speed",
        "--image3=kind=elf,sm=80,file=",
        "--image3=kind=elf,sm=90,file=",
        "--image3=kind=ptx,sm=90,file=",
    ] {
        assert!(calls.contains(expected), "{expected}: {calls}");
    }
    assert!(!calls.contains(".version 9.0"), "{calls}");
    assert_eq!(calls.matches("--ptx").count(), 2, "PTX is made once an architecture: {calls}");
    let kept: Vec<_> = fs::read_dir(scripted.path("kept")).unwrap().collect();
    assert_eq!(kept.len(), 1, "what it was made of is left behind: {kept:?}");

    let with = scripted.compile_with(Some(&ptxas), Architectures::All).unwrap();
    assert_eq!(with, compiled);
    assert_ne!(scripted.compile(Architectures::All).unwrap(), compiled, "another assembler");
    // nvcc of CUDA 12 needs none.
    scripted.nvcc.version = (12, 9);
    assert!(Ptxas::find(&scripted.nvcc, scripted.folder.path()).is_none());
}
