//! Compiles the CUDA kernels, `kernels/*.cu`, and embeds them in the program. Without a CUDA
//! compiler the program is built all the same, for the CPU alone, and can tell why.

#[path = "build/compile.rs"]
mod compile;
#[path = "build/embed.rs"]
mod embed;
#[path = "build/nvcc.rs"]
mod nvcc;
#[path = "build/ptxas.rs"]
mod ptxas;

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};

use compile::{Architectures, Compiler, stem};
use nvcc::Search;
use ptxas::Ptxas;

/// Set to 1 where CUDA must be there: then a missing compiler fails the build.
const REQUIRE: &str = "OCCLUMAP_REQUIRE_CUDA";
/// Set to 1 where kernels have machine code for every device in other builds than releases too.
const ALL: &str = "OCCLUMAP_ALL_ARCHITECTURES";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=kernels");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let search = Search::new(&out);
    Search::watch();
    let kernels = match search.find() {
        Ok(nvcc) => {
            println!("cargo::rerun-if-changed={}", nvcc.path.display());
            Ptxas::watch();
            let ptxas = Ptxas::find(&nvcc, &out);
            let kernels = compile::sources(Path::new("kernels"))?;
            let lab = compile::sources(Path::new("kernels/lab"))?;
            compile(&nvcc, ptxas.as_ref(), &[&kernels[..], &lab].concat(), &out)?;
            let names = |sources: &[PathBuf]| sources.iter().map(|source| stem(source)).collect();
            let version = ptxas.map_or(nvcc.version, |ptxas| ptxas.version);
            Ok(embed::Built { version, kernels: names(&kernels), lab: names(&lab) })
        }
        Err(tried) => {
            Search::watch_more();
            println!("cargo::rerun-if-env-changed={REQUIRE}");
            let tried = tried.join("; ");
            if is_set(REQUIRE) {
                return Err(format!("{REQUIRE}=1, but there is no CUDA compiler: {tried}").into());
            }
            Err(tried)
        }
    };
    embed::write_table(&kernels, &out)?;
    Ok(())
}

fn is_set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| value == "1")
}

/// Compiles each source into `out/NAME.fatbin`.
fn compile(
    nvcc: &nvcc::Nvcc,
    ptxas: Option<&Ptxas>,
    sources: &[PathBuf],
    out: &Path,
) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed={ALL}");
    let release = env::var_os("PROFILE").is_some_and(|profile| profile == "release");
    let all = release || is_set(ALL);
    let architectures = if all { Architectures::All } else { Architectures::Few };
    let kept = compile::kept_beside(out).ok_or("OUT_DIR is not in a target folder")?;
    let compiled =
        Compiler::new(nvcc, ptxas, architectures, &kept)?.compile(sources, Path::new("kernels"))?;
    for (source, fatbin) in sources.iter().zip(compiled) {
        std::fs::copy(fatbin, out.join(stem(source)).with_extension("fatbin"))?;
    }
    Ok(())
}
