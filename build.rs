//! Compiles the CUDA kernels, `kernels/*.cu`, and embeds them in the program. Without a CUDA
//! compiler the program is built all the same, for the CPU alone, and can tell why.

#[path = "build/embed.rs"]
mod embed;
#[path = "build/nvcc.rs"]
mod nvcc;

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};

use nvcc::Search;

/// Set to 1 where CUDA must be there: then a missing compiler fails the build.
const REQUIRE: &str = "OCCLUMAP_REQUIRE_CUDA";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=kernels");
    println!("cargo::rerun-if-env-changed={REQUIRE}");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let search = Search::new(&out);
    Search::watch();
    let kernels = match search.find() {
        Ok(nvcc) => {
            println!("cargo::rerun-if-changed={}", nvcc.path.display());
            let kernels = embed::sources(Path::new("kernels"))?;
            let lab = embed::sources(Path::new("kernels/lab"))?;
            embed::compile(&nvcc, &[&kernels[..], &lab].concat(), &out)?;
            Ok(embed::Built {
                version: nvcc.version,
                kernels: embed::names(&kernels),
                lab: embed::names(&lab),
            })
        }
        Err(tried) => {
            Search::watch_more();
            let tried = tried.join("; ");
            if env::var_os(REQUIRE).is_some_and(|value| value == "1") {
                return Err(format!("{REQUIRE}=1, but there is no CUDA compiler: {tried}").into());
            }
            Err(tried)
        }
    };
    embed::write_table(&kernels, &out)?;
    Ok(())
}
