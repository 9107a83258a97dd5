//! `occlumap devices`: GPUs and their libraries.

use std::fmt::Write as _;

use bytesize::ByteSize;
use clap::Args;

use super::console;
use super::failure::Failure;
use occlumap::engine::cuda::embedded;
use occlumap::engine::cuda::libraries::Found;
use occlumap::engine::cuda::{CudaError, Device, driver_for, libraries, version};

/// List the GPUs of this machine, and whether they can be used
///
/// Looks for the driver, opens each GPU, loads the kernels, and looks for cuBLAS and cuDNN, which
/// --method full needs. Prints what was found, or what is missing and how to get it. Exits with 1
/// if something is missing.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  occlumap devices")]
pub(super) struct Devices {}

impl Devices {
    pub fn execute(self) -> Result<(), Failure> {
        let Self {} = self;
        let mut missing = 0;
        let mut text = String::new();
        let mut tell = |what: &str, found: Result<String, CudaError>| {
            let found = found.unwrap_or_else(|error| {
                missing += 1;
                error.to_string()
            });
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{what:<9}{found}");
        };
        tell(
            "kernels",
            embedded::compiler().map(|built| {
                format!("built with CUDA {}, for driver {}", version(built), driver_for(built))
            }),
        );
        tell(
            "driver",
            libraries::driver().map(|driver| {
                format!("{}, for CUDA {}", driver.path.display(), version(driver.version))
            }),
        );
        match Device::list() {
            // Already reported.
            Err(CudaError::NoDriver { .. }) => (),
            Err(error) => tell("GPUs", Err(error)),
            Ok(devices) => {
                for device in devices {
                    let found = Device::open(device.index).and_then(|open| {
                        let (major, minor) = device.capability;
                        let free = ByteSize(open.free_memory()? as u64);
                        let memory = ByteSize(device.memory as u64);
                        let name = &device.name;
                        Ok(format!("{name}, compute {major}.{minor}, {free} of {memory} free"))
                    });
                    tell(&format!("cuda:{}", device.index), found);
                }
            }
        }
        tell("cuBLAS", libraries::cublas().map(|found| library(&found)));
        tell("cuDNN", libraries::cudnn().map(|found| library(&found)));
        console::print(text.as_bytes())?;
        match missing {
            0 => Ok(()),
            _ => Err(Failure::failed(format!(
                "{missing} of these cannot be used, for the reasons above"
            ))),
        }
    }
}

/// Path and version of a library, and the driver that it needs.
fn library(found: &Found) -> String {
    let Found { path, version, cuda } = found;
    let (major, minor, patch) = (version / 10_000, version % 10_000 / 100, version % 100);
    let (path, of, driver) = (path.display(), cuda / 1000, driver_for(*cuda));
    format!("{path}, {major}.{minor}.{patch} of CUDA {of}, for driver {driver}")
}
