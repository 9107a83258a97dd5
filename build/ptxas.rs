//! Machine code for drivers of CUDA 12, where the compiler is of CUDA 13.
//!
//! What nvcc 13 makes needs driver 580, since the format of its machine code is new. The language between,
//! PTX, is no newer than what the kernels use of it: told that it is of an older version, ptxas of CUDA 12
//! takes it (and refuses what that version has not), and what that makes runs on drivers since 525.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::compile::{FLAGS, Target, read, run};
use super::nvcc::{Nvcc, installed, site_packages, variable, version};

/// An assembler of CUDA 12.
pub struct Ptxas {
    pub path: PathBuf,
    /// CUDA version, major and minor.
    pub version: (u32, u32),
    /// All that it says about its version.
    pub release: String,
    /// The program that puts machine code of several devices into one file: nvcc's.
    fatbinary: PathBuf,
}

impl Ptxas {
    /// The first of CUDA 12.9 that is named by `PTXAS`, or was installed by `scripts/install-nvcc` or pip;
    /// none where nvcc itself is of CUDA 12, where it has no `fatbinary` beside it, or with `PTXAS=none`.
    pub fn find(nvcc: &Nvcc, out: &Path) -> Option<Self> {
        let real = nvcc.path.canonicalize().ok()?;
        let fatbinary = real.with_file_name("fatbinary");
        if nvcc.version.0 <= 12 || !fatbinary.is_file() {
            return None;
        }
        let candidates = if let Some(named) = variable("PTXAS") {
            vec![named]
        } else {
            let packages = ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(variable);
            let packages = packages.flat_map(|prefix| site_packages(&prefix));
            let in_packages = packages.map(|folder| folder.join("nvidia"));
            let folders = installed(out).chain(in_packages);
            folders.map(|folder| folder.join("cuda_nvcc/bin/ptxas")).collect()
        };
        let found = candidates.into_iter().find_map(|path| {
            let (version, release) = version(&path).ok()?;
            let fatbinary = fatbinary.clone();
            // Older ones know neither the PTX of Blackwell (`ptx_version`) nor all of its devices.
            (version == (12, 9)).then_some(Self { path, version, release, fatbinary })
        });
        match (&found, variable("PTXAS").filter(|named| named.as_os_str() != "none")) {
            (Some(ptxas), _) => println!("cargo::rerun-if-changed={}", ptxas.path.display()),
            (None, Some(named)) => println!(
                "cargo::warning=PTXAS={} is no ptxas of CUDA 12.9; machine code is nvcc's, for driver 580",
                named.display()
            ),
            (None, None) => {}
        }
        found
    }

    /// Tells cargo what the outcome depends on.
    pub fn watch() {
        println!("cargo::rerun-if-env-changed=PTXAS");
    }

    /// Compiles a source into a file of machine code and PTX.
    pub fn compile(
        &self,
        nvcc: &Nvcc,
        targets: &[Target],
        source: &Path,
        fatbin: &Path,
    ) -> Result<(), String> {
        let folder = fatbin.with_extension("parts");
        let made =
            fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()));
        let done = made.and_then(|()| self.compile_in(&folder, nvcc, targets, source, fatbin));
        // What is left behind would be in nobody's way.
        let _ = fs::remove_dir_all(&folder);
        done
    }

    fn compile_in(
        &self,
        folder: &Path,
        nvcc: &Nvcc,
        targets: &[Target],
        source: &Path,
        fatbin: &Path,
    ) -> Result<(), String> {
        let mut pack = Command::new(&self.fatbinary);
        // Drivers of before CUDA 12.4 do not know the other ways to compress.
        pack.args(["--64", "--compress-mode=speed"]).arg(argument("--create=", fatbin));
        for target in targets {
            let number = target.number();
            let ptx = folder.join(format!("{number}.ptx"));
            if !ptx.is_file() {
                let mut front = Command::new(&nvcc.path);
                front.args(FLAGS).arg("--ptx").arg(format!("-arch=compute_{number}"));
                run(front.arg(source).arg("-o").arg(&ptx))?;
                let text = of_older_version(&read(&ptx)?, number)?;
                fs::write(&ptx, text).map_err(|error| format!("{}: {error}", ptx.display()))?;
            }
            let (kind, file) = match target {
                Target::Ptx(_) => ("ptx", ptx),
                Target::MachineCode(_) => {
                    let cubin = folder.join(format!("{number}.cubin"));
                    let mut assemble = Command::new(&self.path);
                    assemble.args(["-O3", "-lineinfo"]).arg(format!("-arch=sm_{number}"));
                    run(assemble.arg(&ptx).arg("-o").arg(&cubin))?;
                    ("elf", cubin)
                }
            };
            let image = format!("--image3=kind={kind},sm={number},file=");
            pack.arg(argument(&image, &file));
        }
        run(&mut pack)
    }
}

/// An option with a path.
fn argument(option: &str, path: &Path) -> std::ffi::OsString {
    let mut argument = std::ffi::OsString::from(option);
    argument.push(path);
    argument
}

/// The version of PTX that a device's code is said to be of: for devices up to Hopper that of CUDA 12.0,
/// which drivers since 525 compile; for Blackwell, whose wide loads are newer, that of CUDA 12.9.
fn ptx_version(number: u32) -> &'static str {
    if number <= 90 { "8.0" } else { "8.8" }
}

/// PTX with another version in its head.
fn of_older_version(ptx: &str, number: u32) -> Result<String, String> {
    let mut lines: Vec<&str> = ptx.lines().collect();
    let head = lines.iter_mut().find(|line| line.starts_with(".version "));
    let version = format!(".version {}", ptx_version(number));
    *head.ok_or("nvcc made PTX that does not tell its version")? = &version;
    lines.push("");
    Ok(lines.join("\n"))
}
