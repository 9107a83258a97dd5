//! Copies to the host.

use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::{CudaSlice, CudaStream, DevicePtr, DeviceRepr, result};

use super::{DOWNLOAD, LEAST, Pinned};
use crate::engine::cuda::CudaError;

/// Pinned memory for copies to the host that is not in use.
#[derive(Default)]
pub(in crate::engine::cuda) struct DownloadPool(Mutex<Vec<Pinned>>);

/// A copy that is on its way to the host.
pub(in crate::engine) struct PendingDownload<'d, T> {
    pinned: Pinned,
    returns: &'d DownloadPool,
    values: std::marker::PhantomData<T>,
    length: usize,
}

impl DownloadPool {
    /// Copies values to the host in pieces, when the work asked for before is done.
    ///
    /// # Errors
    /// [`CudaError::Driver`]: failures of kernels show here too; [`CudaError::NotPinned`].
    pub fn download<T: DeviceRepr + Default + Clone>(
        &self,
        stream: &Arc<CudaStream>,
        values: &CudaSlice<T>,
    ) -> Result<Vec<T>, CudaError> {
        let piece = (DOWNLOAD / size_of::<T>().max(1)).max(1);
        let (mut all, mut before) = (Vec::with_capacity(values.len()), None);
        for first in (0..values.len()).step_by(piece) {
            let end = values.len().min(first + piece);
            let piece = values.slice(first..end);
            let next = match (self.copy(stream, &piece), before.take()) {
                // The piece before gives its memory back.
                (Err(CudaError::NotPinned { .. }), Some(before)) => {
                    PendingDownload::append(before, &mut all)?;
                    self.copy(stream, &piece)?
                }
                (next, known) => {
                    let next = next?;
                    known.map_or(Ok(()), |known| known.append(&mut all))?;
                    next
                }
            };
            before = Some(next);
        }
        before.map_or(Ok(()), |last| last.append(&mut all))?;
        Ok(all)
    }

    /// Has values copied to the host as soon as the work asked for before is done.
    pub fn copy<T: DeviceRepr + Clone>(
        &self,
        stream: &Arc<CudaStream>,
        values: &impl DevicePtr<T>,
    ) -> Result<PendingDownload<'_, T>, CudaError> {
        let failed = CudaError::driver("copy from its memory");
        let bytes = values.len() * size_of::<T>();
        let known = {
            let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let fits = (0..free.len()).filter(|&index| free[index].memory.len() >= bytes);
            let smallest = fits.min_by_key(|&index| free[index].memory.len());
            smallest.map(|index| free.swap_remove(index))
        };
        let mut pinned = match known {
            Some(pinned) => pinned,
            None => Pinned::new(stream, bytes.max(LEAST).next_power_of_two())?,
        };
        let (from, _recorded) = values.device_ptr(stream);
        // SAFETY: the memory has at least as many bytes and nobody else uses it until the event.
        unsafe {
            let staged = pinned.memory.as_mut_ptr().map_err(&failed)?;
            let staged = std::slice::from_raw_parts_mut(staged, bytes);
            result::memcpy_dtoh_async(staged, from, stream.cu_stream()).map_err(&failed)?;
        }
        pinned.done.record(stream).map_err(failed)?;
        let length = values.len();
        Ok(PendingDownload { pinned, returns: self, values: std::marker::PhantomData, length })
    }
}

impl<T: DeviceRepr + Default + Clone> PendingDownload<'_, T> {
    /// The values, when they are there. What the device was asked for later is not waited for.
    ///
    /// # Errors
    /// [`CudaError::Driver`]: failures of kernels show here too.
    pub fn wait(self) -> Result<Vec<T>, CudaError> {
        let mut values = Vec::with_capacity(self.length);
        self.append(&mut values)?;
        Ok(values)
    }

    /// Appends the values, likewise.
    fn append(self, values: &mut Vec<T>) -> Result<(), CudaError> {
        let Self { pinned, returns, length, .. } = self;
        let failed = CudaError::driver("finish its work");
        pinned.done.synchronize().map_err(&failed)?;
        let first = values.len();
        values.resize(first + length, T::default());
        // SAFETY: the device has written as many bytes of such values; a byte's pointer need not be
        // aligned for them, and pinned memory is.
        unsafe {
            let from = pinned.memory.as_ptr().map_err(failed)?.cast::<T>();
            std::ptr::copy_nonoverlapping(from, values[first..].as_mut_ptr(), length);
        }
        returns.0.lock().unwrap_or_else(PoisonError::into_inner).push(pinned);
        Ok(())
    }
}
