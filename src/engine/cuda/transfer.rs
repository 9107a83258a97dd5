//! Copies between the host's memory and a device's for which neither waits.
//!
//! The driver copies ordinary memory while the caller waits, and may first wait for all that the
//! stream has been asked for ("API synchronization behavior" in its manual): the device would run
//! dry at each table. Memory that is pinned is copied when its turn comes in the stream, so what is
//! copied goes through some that is.

use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::{
    CudaEvent, CudaSlice, CudaStream, DevicePtr, DevicePtrMut, DeviceRepr, DriverError,
    PinnedHostSlice, result,
};

use super::CudaError;

/// Bytes of a chunk that copies to the device go through.
const CHUNK: usize = 4 << 20;
/// How many chunks: the host fills one while the device still reads the others.
const CHUNKS: usize = 4;
/// Bytes of pinned memory for a copy to the host, at least.
const LEAST: usize = 64 << 10;

/// Pinned memory, and the event after which nothing reads or writes it any more.
struct Pinned {
    memory: PinnedHostSlice<u8>,
    done: CudaEvent,
}

impl Pinned {
    fn new(stream: &Arc<CudaStream>, bytes: usize) -> Result<Self, DriverError> {
        let context = stream.context();
        // SAFETY: bytes are written before they are read. The memory is not write-combined, so the
        // host may read it.
        let memory = unsafe { context.alloc_pinned_with_flags(bytes, 0) }?;
        Ok(Self { memory, done: context.new_event(None)? })
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // Also where an error ended the work: the device may still be at it. There is nobody to
        // tell.
        let _ = self.done.synchronize();
    }
}

/// Where copies to the device go through: chunks that are filled one after the other, and again
/// when the device has read them.
#[derive(Default)]
pub(super) struct Staging(Mutex<Ring>);

#[derive(Default)]
struct Ring {
    chunks: Vec<Pinned>,
    /// The chunk that is being filled, and how far it is.
    current: usize,
    filled: usize,
}

impl Staging {
    /// Has `values` copied to the beginning of `to`, which is at least as long; they may be changed
    /// at once.
    pub fn copy<T: DeviceRepr>(
        &self,
        stream: &Arc<CudaStream>,
        values: &[T],
        to: &mut impl DevicePtrMut<T>,
    ) -> Result<(), DriverError> {
        assert!(values.len() <= to.len(), "a copy is no longer than where it goes");
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (to, _recorded) = to.device_ptr_mut(stream);
        let (bytes, from) = (size_of_val(values), values.as_ptr().cast::<u8>());
        let mut copied = 0;
        while copied < bytes {
            let (place, room) = ring.room(stream)?;
            let part = room.min(bytes - copied);
            let chunk = &mut ring.chunks[place.0];
            // SAFETY: `part` bytes of the values from `copied` on, into as many of the chunk that
            // the device no longer reads; as many are at the device's address.
            unsafe {
                let staged = chunk.memory.as_mut_ptr()?.add(place.1);
                std::ptr::copy_nonoverlapping(from.add(copied), staged, part);
                let staged = std::slice::from_raw_parts(staged, part);
                result::memcpy_htod_async(to + copied as u64, staged, stream.cu_stream())?;
            }
            chunk.done.record(stream)?;
            ring.filled += part;
            copied += part;
        }
        Ok(())
    }
}

impl Ring {
    /// The chunk and the place in it where the next bytes go, and for how many there is room.
    fn room(&mut self, stream: &Arc<CudaStream>) -> Result<((usize, usize), usize), DriverError> {
        if self.chunks.is_empty() || self.filled == CHUNK {
            let next = if self.chunks.is_empty() { 0 } else { (self.current + 1) % CHUNKS };
            match self.chunks.get(next) {
                Some(chunk) => chunk.done.synchronize()?,
                None => self.chunks.push(Pinned::new(stream, CHUNK)?),
            }
            (self.current, self.filled) = (next, 0);
        }
        Ok(((self.current, self.filled), CHUNK - self.filled))
    }
}

/// Pinned memory for copies to the host that is not in use.
#[derive(Default)]
pub(super) struct Returns(Mutex<Vec<Pinned>>);

/// A copy that is on its way to the host.
pub(in crate::engine) struct Arriving<'d, T> {
    pinned: Option<Pinned>,
    returns: &'d Returns,
    values: std::marker::PhantomData<T>,
    length: usize,
}

impl Returns {
    /// Has values copied to the host as soon as the work asked for before is done.
    pub fn copy<T: DeviceRepr + Clone>(
        &self,
        stream: &Arc<CudaStream>,
        values: &CudaSlice<T>,
    ) -> Result<Arriving<'_, T>, DriverError> {
        let bytes = values.len() * size_of::<T>();
        let known = {
            let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let fits = free.iter().position(|pinned| pinned.memory.len() >= bytes);
            fits.map(|place| free.swap_remove(place))
        };
        let mut pinned = match known {
            Some(pinned) => pinned,
            None => Pinned::new(stream, bytes.max(LEAST).next_power_of_two())?,
        };
        let (from, _recorded) = values.device_ptr(stream);
        // SAFETY: the memory has at least as many bytes and nobody else uses it until the event.
        unsafe {
            let staged = std::slice::from_raw_parts_mut(pinned.memory.as_mut_ptr()?, bytes);
            result::memcpy_dtoh_async(staged, from, stream.cu_stream())?;
        }
        pinned.done.record(stream)?;
        let length = values.len();
        Ok(Arriving {
            pinned: Some(pinned),
            returns: self,
            values: std::marker::PhantomData,
            length,
        })
    }
}

impl<T: DeviceRepr + Default + Clone> Arriving<'_, T> {
    /// The values, when they are there. What the device was asked for later is not waited for.
    ///
    /// # Errors
    /// [`CudaError::Driver`]: failures of kernels show here too.
    pub fn wait(mut self) -> Result<Vec<T>, CudaError> {
        self.take().map_err(CudaError::driver("finish its work"))
    }

    fn take(&mut self) -> Result<Vec<T>, DriverError> {
        let mut values = vec![T::default(); self.length];
        if let Some(pinned) = self.pinned.take() {
            pinned.done.synchronize()?;
            // SAFETY: the device has written as many bytes of such values; a byte's pointer need
            // not be aligned for them, and pinned memory is.
            unsafe {
                let from = pinned.memory.as_ptr()?.cast::<T>();
                std::ptr::copy_nonoverlapping(from, values.as_mut_ptr(), self.length);
            }
            self.returns.0.lock().unwrap_or_else(PoisonError::into_inner).push(pinned);
        }
        Ok(values)
    }
}
