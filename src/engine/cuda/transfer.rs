//! Copies between the host's memory and a device's for which neither waits.
//!
//! The driver copies ordinary memory while the caller waits, and may first wait for all that the
//! stream has been asked for ("API synchronization behavior" in its manual): the device would run
//! dry at each table. Memory that is pinned is copied when its turn comes in the stream, so what is
//! copied goes through some that is.

mod download;

use std::borrow::Cow;
use std::mem::MaybeUninit;
use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::sys::CUresult;
use cudarc::driver::{
    CudaEvent, CudaStream, CudaViewMut, DevicePtrMut, DeviceRepr, PinnedHostSlice, result,
};
use ndarray::ArrayView3;
use rayon::prelude::*;

pub(super) use self::download::DownloadPool;
pub(in crate::engine) use self::download::PendingDownload;
use super::CudaError;
use super::shape::ensure;

/// Bytes of a chunk that copies to the device go through.
const CHUNK: usize = 3 << 20;
/// How many chunks a stream has, at most: the host fills one while the device has yet to read the
/// others, which are the tables of two waves or a batch of images.
const CHUNKS: usize = 32;
/// Bytes that a thread copies at a time.
const PIECE: usize = 96 << 10;
/// What is copied is cut at multiples of so many bytes: never within a value, or a pixel of three.
pub(super) const WHOLE: usize = 3 << 8;
const _: () = assert!(CHUNK.is_multiple_of(WHOLE) && PIECE.is_multiple_of(WHOLE));
/// Bytes of pinned memory for a copy to the host, at least.
const LEAST: usize = 64 << 10;
/// Bytes that a copy to the host which is waited for goes through at a time: two such pieces are on
/// their way.
const DOWNLOAD: usize = 16 << 20;
/// Bytes of pinned memory that a device's copies go through, at most, but for those to the host that
/// are not waited for: a number a job, or an image's extremes.
pub(crate) const PINNED_BYTES: usize = CHUNKS * CHUNK + 2 * DOWNLOAD;

/// Pinned memory, and the event after which nothing reads or writes it any more.
struct Pinned {
    memory: PinnedHostSlice<u8>,
    done: CudaEvent,
}

impl Pinned {
    fn new(stream: &Arc<CudaStream>, bytes: usize) -> Result<Self, CudaError> {
        let context = stream.context();
        // SAFETY: bytes are written before they are read. The memory is not write-combined, so the
        // host may read it.
        let memory = unsafe { context.alloc_pinned_with_flags(bytes, 0) };
        let memory = memory.map_err(|error| match error.0 {
            CUresult::CUDA_ERROR_OUT_OF_MEMORY => CudaError::NotPinned { wanted: bytes },
            _ => CudaError::driver("pin memory of the host")(error),
        })?;
        let done = context.new_event(None).map_err(CudaError::driver("mark its work"))?;
        Ok(Self { memory, done })
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // Also where an error ended the work: the device may still be at it. There is nobody to
        // tell.
        let _ = self.done.synchronize();
    }
}

/// What is copied to the device: bytes that are there, or that are made in the memory which the
/// device copies.
pub(super) trait Source: Sync {
    /// How many bytes.
    fn length(&self) -> usize;

    /// Writes those from `first` on: all of `to`. Where parts begin at multiples of bytes that
    /// [`WHOLE`] is a multiple of, `first` is one too.
    fn write(&self, first: usize, to: &mut [MaybeUninit<u8>]);
}

/// The bytes of values.
pub(super) type Bytes<'v> = &'v [MaybeUninit<u8>];

impl Source for Bytes<'_> {
    fn length(&self) -> usize {
        self.len()
    }

    fn write(&self, first: usize, to: &mut [MaybeUninit<u8>]) {
        to.copy_from_slice(&self[first..first + to.len()]);
    }
}

/// What is copied to an offset on the device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<S> {
    pub offset: usize,
    pub source: S,
}

impl<S: Source> Part<S> {
    fn end(&self) -> usize {
        self.offset + self.source.length()
    }
}

/// The bytes of values.
pub(super) fn bytes<T: DeviceRepr>(values: &[T]) -> Bytes<'_> {
    // SAFETY: any memory is bytes that may not be initialised, as what lies between fields is not.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// Where a stream's copies to the device go through: chunks that are filled one after the other, and
/// again when the device has read them. Each stream has its own, since the event of a chunk tells of one
/// stream alone.
pub(super) struct Staging {
    // Before the stream: it is given back when the device has read all that goes through it.
    ring: Mutex<Ring>,
    pub stream: Arc<CudaStream>,
}

#[derive(Default)]
struct Ring {
    /// Behind the current one lies the one that was filled longest ago, and so on round about.
    chunks: Vec<Pinned>,
    /// The chunk that is being filled, and how far it is.
    current: usize,
    filled: usize,
    /// Whether there was no memory for one more chunk.
    exhausted: bool,
}

impl Staging {
    /// For copies in this stream.
    pub fn new(stream: Arc<CudaStream>) -> Self {
        Self { ring: Mutex::default(), stream }
    }

    /// Has images, each `[channel, y, x]` and all of one size, copied to where there is room for them,
    /// one after the other; they may be changed at once.
    ///
    /// # Errors
    /// [`CudaError::Shape`] where there is no room; [`CudaError::Driver`].
    pub fn copy_images(
        &self,
        images: &[ArrayView3<'_, f32>],
        to: &mut CudaViewMut<'_, f32>,
    ) -> Result<(), CudaError> {
        let images: Vec<Cow<'_, [f32]>> = images.iter().map(pixels).collect();
        self.copy_each(images.iter().map(|image| bytes(image)), to)
    }

    /// Has sources copied to where there is room for them, one after the other.
    ///
    /// # Errors
    /// As [`Staging::copy_images`].
    pub fn copy_each<S: Source>(
        &self,
        sources: impl Iterator<Item = S>,
        to: &mut CudaViewMut<'_, f32>,
    ) -> Result<(), CudaError> {
        let (mut parts, mut end) = (Vec::new(), 0);
        for source in sources {
            let offset = end;
            end += source.length();
            parts.push(Part { offset, source });
        }
        ensure(end <= to.len() * size_of::<f32>(), "copy_each", || {
            format!("{end} bytes of images; there is room for {} values", to.len())
        })?;
        let to = to.device_ptr_mut(&self.stream).0;
        // SAFETY: there is room, as was just checked.
        unsafe { self.copy(&parts, to) }
    }

    /// Has parts, in the order of their offsets, copied to where `to` begins; they may be changed at
    /// once.
    ///
    /// # Safety
    /// The device has memory there.
    ///
    /// # Errors
    /// [`CudaError::Driver`], [`CudaError::NotPinned`].
    pub unsafe fn copy<S: Source>(&self, parts: &[Part<S>], to: u64) -> Result<(), CudaError> {
        let stream = &self.stream;
        let failed = CudaError::driver("copy to its memory");
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let end = parts.last().map_or(0, Part::end);
        let mut copied = 0;
        while copied < end {
            let (chunk, offset, room) = ring.room(stream)?;
            let length = room.min(end - copied);
            // SAFETY: so many bytes of the chunk, which the device no longer reads; as many are at
            // the device's address, as the caller promises.
            unsafe {
                let staged = chunk.memory.as_mut_ptr().map_err(&failed)?.add(offset).cast();
                let staged = std::slice::from_raw_parts_mut(staged, length);
                gather(parts, copied, staged);
                result::memcpy_htod_async(to + copied as u64, staged, stream.cu_stream())
                    .map_err(&failed)?;
            }
            chunk.done.record(stream).map_err(&failed)?;
            ring.filled += length.next_multiple_of(WHOLE);
            copied += length;
        }
        Ok(())
    }
}

/// An image's pixels next to each other, `[channel, y, x]`.
fn pixels<'i>(image: &ArrayView3<'i, f32>) -> Cow<'i, [f32]> {
    match image.to_slice() {
        Some(pixels) => Cow::Borrowed(pixels),
        None => image.iter().copied().collect(),
    }
}

/// Copies what parts have from `first` on, on all cores.
fn gather<S: Source>(parts: &[Part<S>], first: usize, mut to: &mut [MaybeUninit<u8>]) {
    let end = first + to.len();
    let (mut next, mut pieces) = (first, Vec::new());
    let begin = parts.partition_point(|part| part.end() <= first);
    for part in parts[begin..].iter().take_while(|part| part.offset < end) {
        let (from, until) = (part.offset.max(first), part.end().min(end));
        // What lies between parts is left as it is.
        let (_, behind) = to.split_at_mut(from - next);
        let (here, behind) = behind.split_at_mut(until - from);
        let firsts = (from - part.offset..).step_by(PIECE);
        pieces.extend(here.chunks_mut(PIECE).zip(firsts).map(|(to, first)| (part, first, to)));
        (to, next) = (behind, until);
    }
    let write = |(part, first, to): (&Part<S>, usize, &mut [MaybeUninit<u8>])| {
        part.source.write(first, to);
    };
    if end - first <= PIECE {
        // Other threads would take as long to begin.
        pieces.into_iter().for_each(write);
    } else {
        pieces.into_par_iter().for_each(write);
    }
}

impl Ring {
    /// The chunk where the next bytes go, the offset in it, and for how many there is room.
    fn room(&mut self, stream: &Arc<CudaStream>) -> Result<(&mut Pinned, usize, usize), CudaError> {
        let failed = CudaError::driver("copy to its memory");
        if self.chunks.is_empty() || self.filled == CHUNK {
            let next = if self.chunks.is_empty() { 0 } else { self.current + 1 };
            let oldest = next % self.chunks.len().max(1);
            match self.chunks.get(oldest) {
                Some(chunk) if chunk.done.try_is_complete().map_err(&failed)? => {
                    self.current = oldest;
                }
                Some(chunk) if self.exhausted || self.chunks.len() == CHUNKS => {
                    chunk.done.synchronize().map_err(failed)?;
                    self.current = oldest;
                }
                // The device is still behind: one more, or where there is no memory for it the
                // oldest when the device has read it.
                oldest_chunk => match Pinned::new(stream, CHUNK) {
                    Err(CudaError::NotPinned { .. }) if oldest_chunk.is_some() => {
                        self.exhausted = true;
                        return self.room(stream);
                    }
                    pinned => {
                        self.chunks.insert(next, pinned?);
                        self.current = next;
                    }
                },
            }
            self.filled = 0;
        }
        Ok((&mut self.chunks[self.current], self.filled, CHUNK - self.filled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gathered_is_what_parts_have_there() {
        // Parts of more bytes than a thread copies at a time, of none and of few, and gaps.
        let values: Vec<u8> = (0..3 * PIECE).map(|index| (index % 251) as u8).collect();
        let parts: Vec<Part<Bytes<'_>>> =
            [(5, 0..2 * PIECE + 3), (2 * PIECE + 8, 0..0), (2 * PIECE + 9, 7..30)]
                .into_iter()
                .map(|(offset, range)| Part { offset, source: bytes(&values[range]) })
                .collect();
        let end = parts[2].end();
        let mut expected = vec![255; end + 4];
        expected[5..2 * PIECE + 8].copy_from_slice(&values[..2 * PIECE + 3]);
        expected[2 * PIECE + 9..end].copy_from_slice(&values[7..30]);
        for first in [0, 3, 5, 6, PIECE, 2 * PIECE + 8, 2 * PIECE + 9, end - 1, end] {
            for last in [first, first + 1, PIECE + 11, 2 * PIECE + 20, end, end + 4] {
                let mut found = vec![MaybeUninit::new(255_u8); last.saturating_sub(first)];
                gather(&parts, first, &mut found);
                // SAFETY: written in the beginning.
                let found = found.iter().map(|byte| unsafe { byte.assume_init() });
                assert!(
                    found.eq(expected[first..last.max(first)].iter().copied()),
                    "{first} {last}"
                );
            }
        }
    }
}
