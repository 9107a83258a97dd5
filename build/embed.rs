//! Embedding compiled kernels.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

/// What was compiled.
pub struct Built {
    /// The version of CUDA whose machine code it is, major and minor.
    pub version: (u32, u32),
    /// The kernels of the program, by their files' names.
    pub kernels: Vec<String>,
    /// Variants that tests check, and that a GPU would have to decide about: embedded in tests alone.
    pub lab: Vec<String>,
}

/// Writes `out/kernels.rs`, which `src/engine/cuda/embedded.rs` includes.
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
