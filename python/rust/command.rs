//! The command line, which the wheel brings along: the binary's own source.

use std::ffi::OsString;

use occlumap::engine::cuda::Device;
use pyo3::prelude::*;

use crate::cli;
use crate::error::Failure;

/// Runs the command line with these arguments, of which the first is the program's name; returns
/// the exit code.
#[pyfunction]
pub fn command(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| cli::run(arguments))
}

/// A GPU: number, name, compute capability, bytes of memory.
type Gpu = (usize, String, (i32, i32), usize);

/// The GPUs of this machine.
#[pyfunction]
pub fn devices(py: Python<'_>) -> PyResult<Vec<Gpu>> {
    let devices = py.detach(|| Device::list().map_err(Failure::from))?;
    let listed = devices
        .into_iter()
        .map(|device| (device.index, device.name, device.capability, device.memory));
    Ok(listed.collect())
}
