//! Buffers of finished work, for the next.

use std::sync::{Mutex, PoisonError};

/// Buffers that nobody uses at the moment. Allocating megabytes anew for each presentation would
/// cost more than a first layer; one set for each thread that works at a time is kept instead.
#[derive(Debug, Default)]
pub(super) struct ScratchPool<T>(Mutex<Vec<T>>);

impl<T: Default> ScratchPool<T> {
    /// Works with spare buffers, or with new ones where there are none.
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let spare = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = spare().pop();
        let mut buffers = taken.unwrap_or_default();
        let result = work(&mut buffers);
        spare().push(buffers);
        result
    }
}
