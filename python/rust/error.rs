//! Errors of the library as Python's exceptions, by their kind and with their messages.

use occlumap::error::{ErrorKind, HasKind, with_causes};
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::{PyErr, import_exception};

import_exception!(occlumap._errors, DeviceError);
import_exception!(occlumap._errors, InputError);
import_exception!(occlumap._errors, Stopped);

/// An error that is to be raised, as it comes from a thread without an interpreter.
#[derive(Debug)]
pub struct Failure {
    kind: ErrorKind,
    message: String,
}

impl Failure {
    /// A setting that cannot be used.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Usage, message: message.into() }
    }
}

impl<E: HasKind> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { kind: error.kind(), message: with_causes(&error) }
    }
}

impl From<Failure> for PyErr {
    fn from(Failure { kind, message }: Failure) -> Self {
        match kind {
            ErrorKind::Usage => PyValueError::new_err(message),
            ErrorKind::Input => InputError::new_err(message),
            ErrorKind::Output => PyOSError::new_err(message),
            ErrorKind::Device => DeviceError::new_err(message),
            ErrorKind::Stopped => Stopped::new_err(
                "stopped; what is finished is kept in `out`, and the same call goes on",
            ),
            ErrorKind::Internal => PyRuntimeError::new_err(message),
        }
    }
}
