//! Images that are copied to the device while it computes.

use cudarc::driver::{CudaEvent, CudaSlice};
use ndarray::ArrayView3;

use super::transfer::Staging;
use super::{CudaError, Device};

/// Two buffers on a device that take turns: a stream of their own fills one while the device's works
/// with the other.
///
/// Two events of each buffer order the streams. The copies wait until what was asked for before no
/// longer reads the buffer; the work waits until the images are there. The host waits for neither.
pub struct DoubleBuffer {
    // Dropped first, which waits for the copies. Memory is given back in the order of the device's
    // stream, which knows nothing of them where an error came between a copy and its event.
    copies: Staging,
    buffers: [Buffer; 2],
    /// The buffer that is next.
    next: usize,
}

struct Buffer {
    images: CudaSlice<f32>,
    /// Reached by the copies when the images are there.
    filled: CudaEvent,
    /// Reached by the device's stream when nothing reads them any more; first, when the memory is
    /// there.
    free: CudaEvent,
}

impl DoubleBuffer {
    /// Buffers of so many values each.
    ///
    /// # Errors
    /// As [`Device::allocate`].
    pub fn new(device: &Device, values: usize) -> Result<Self, CudaError> {
        let buffer = || -> Result<Buffer, CudaError> {
            let images = device.allocate(values)?;
            Ok(Buffer { images, filled: device.mark()?, free: device.mark()? })
        };
        let buffers = [buffer()?, buffer()?];
        let stream = device.stream.context().new_stream();
        let copies = Staging::new(stream.map_err(CudaError::driver("start a stream"))?);
        Ok(Self { copies, buffers, next: 0 })
    }

    /// Copies images, each `[channel, y, x]` and all of one size, into a buffer, one after the other,
    /// and asks the device's stream for `work` with it, to be done when they are there. The images may
    /// be changed at once.
    ///
    /// # Errors
    /// Those of `work`; [`CudaError::Shape`] where there is no room; [`CudaError::Driver`].
    pub fn show<R>(
        &mut self,
        device: &Device,
        images: &[ArrayView3<'_, f32>],
        work: impl FnOnce(&CudaSlice<f32>) -> Result<R, CudaError>,
    ) -> Result<R, CudaError> {
        let Self { copies, buffers, next } = self;
        let buffer = &mut buffers[*next];
        *next = 1 - *next;
        let failed = CudaError::driver("put its streams in order");
        copies.stream.wait(&buffer.free).map_err(&failed)?;
        copies.copy_images(images, &mut buffer.images.slice_mut(..))?;
        buffer.filled.record(&copies.stream).map_err(&failed)?;
        device.stream.wait(&buffer.filled).map_err(&failed)?;
        let asked = work(&buffer.images);
        // Also of work that failed halfway: what was asked for before reads the buffer.
        buffer.free.record(&device.stream).map_err(&failed)?;
        asked
    }
}
