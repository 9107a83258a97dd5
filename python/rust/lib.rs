//! The Python module `occlumap._occlumap`: the library's functions, with what Python hands over and
//! gets back. The package `occlumap` in `src/` is what users see.

#![allow(clippy::needless_pass_by_value, reason = "functions of Python take what they are given")]

// The binary's own source: the wheel brings the command along, and the library is free of it.
#[path = "../../src/cli/mod.rs"]
mod cli;
mod command;
mod comparison;
mod error;
mod findings;
mod geometry;
mod images;
mod network;
mod options;
mod results;
mod runs;
mod settings;
mod work;

use pyo3::prelude::*;

/// The compiled part of `occlumap`.
#[pymodule(gil_used = true)]
mod _occlumap {
    #[pymodule_export]
    use super::command::{command, devices};
    #[pymodule_export]
    use super::comparison::compare;
    #[pymodule_export]
    use super::findings::{derive, models, reliability_curve, sized_folders, sizes, summary};
    #[pymodule_export]
    use super::geometry::{noise, occlude, receptive_field};
    #[pymodule_export]
    use super::images::load_images;
    #[pymodule_export]
    use super::network::Network;
    #[pymodule_export]
    use super::results::Results;
    #[pymodule_export]
    use super::runs::{check_files, map_unit, merge, plan, rank, run, status, sweep};

    use super::{Bound, PyModule, PyModuleMethods, PyResult};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", occlumap::VERSION)
    }
}
