//! The versions of CUDA's libraries: a library's own, and that of the CUDA that it belongs to.

use std::ffi::c_int;

use libloading::os::unix::{Library, Symbol};

use crate::error::ParseError;

pub(super) fn driver_version(library: &Library) -> Result<(i32, i32), ParseError> {
    // SAFETY: the signature of the driver API's `cuDriverGetVersion`, which may be called before
    // `cuInit`.
    let get: Symbol<unsafe extern "C" fn(*mut c_int) -> c_int> =
        unsafe { library.get(b"cuDriverGetVersion\0") }.map_err(|_| "is no NVIDIA driver")?;
    let mut version = 0;
    // SAFETY: the pointer is to a live integer.
    match unsafe { get(&raw mut version) } {
        // 34: the toolkit's stub, which answers nothing but that.
        0 | 34 => Ok((version, version)),
        code => Err(ParseError(format!("does not tell its version (error {code})"))),
    }
}

pub(super) fn cublas_versions(library: &Library) -> Result<(i32, i32), ParseError> {
    // SAFETY: the signature of cuBLAS' `cublasGetProperty`, whose first argument is an enumeration.
    let get: Symbol<unsafe extern "C" fn(c_int, *mut c_int) -> c_int> =
        unsafe { library.get(b"cublasGetProperty\0") }.map_err(|_| "is not cuBLAS")?;
    let part = |which| {
        let mut value = 0;
        // SAFETY: the pointer is to a live integer.
        match unsafe { get(which, &raw mut value) } {
            0 => Ok(value),
            code => Err(ParseError(format!("does not tell its version (error {code})"))),
        }
    };
    // MAJOR_VERSION, MINOR_VERSION, PATCH_LEVEL.
    let (major, minor, patch) = (part(0)?, part(1)?, part(2)?);
    match major {
        // cuBLAS is numbered as CUDA is.
        12 | 13 => Ok((10_000 * major + 100 * minor + patch, 1000 * major)),
        _ => Err(ParseError(format!("is of version {major}.{minor}; 12 or 13 is needed"))),
    }
}

pub(super) fn cudnn_versions(library: &Library) -> Result<(i32, i32), ParseError> {
    let number = |name: &[u8]| -> Result<i32, ParseError> {
        // SAFETY: the signature of cuDNN's `cudnnGetVersion` and `cudnnGetCudartVersion`.
        let get: Symbol<unsafe extern "C" fn() -> usize> =
            unsafe { library.get(name) }.map_err(|_| "is not cuDNN")?;
        // SAFETY: they take nothing and may be called at any time.
        Ok(unsafe { get() } as i32)
    };
    let version = number(b"cudnnGetVersion\0")?;
    // Before version 9 the thousands are the major version.
    match version / 10_000 {
        9 => Ok((version, number(b"cudnnGetCudartVersion\0")?)),
        0 => Err(ParseError(format!("is of version {}; 9 is needed", version / 1000))),
        major => Err(ParseError(format!("is of version {major}; 9 is needed"))),
    }
}
