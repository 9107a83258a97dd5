//! Work done in batches, each in the same memory of the device.

use std::sync::PoisonError;

use super::Full;
use super::pass::{DevicePass, bytes_of_an_image};
use super::presenting::Presenting;
use super::ranking::Ranking;
use crate::engine::EngineError;
use crate::engine::cuda::CudaError;
use crate::progress::Progress;

/// What batches are computed in, of one kind of work at a time; none of either once there was no
/// memory for it.
#[derive(Default)]
pub struct Workspaces {
    pub ranking: Option<Ranking>,
    pub presenting: Option<Presenting>,
}

/// What one batch of some kind of work is computed in.
pub trait Workspace: Sized {
    /// For batches of `batch` images.
    ///
    /// # Errors
    /// Out of memory among them: then a smaller batch may fit.
    fn new(full: &Full<'_>, batch: usize) -> Result<Self, CudaError>;

    /// The layers.
    fn pass(&self) -> &DevicePass;

    /// Images of a batch, at most.
    fn most(full: &Full<'_>) -> usize;

    /// Where it is kept, now that other kinds of work have given their memory back.
    fn held(rooms: &mut Workspaces) -> &mut Option<Self>;
}

impl Full<'_> {
    /// A workspace for the largest batch that the device's memory holds, of at most `batch` images, and no
    /// less than one chunk. Both are powers of two, so that a batch is whole chunks.
    pub fn largest<R: Workspace>(&self, batch: usize) -> Result<R, CudaError> {
        let mut batch = batch.max(self.chunk);
        loop {
            match R::new(self, batch) {
                Err(error) if error.is_out_of_memory() && batch > self.chunk => batch /= 2,
                Err(error) if error.is_out_of_memory() => return Err(self.too_little()),
                room => return room,
            }
        }
    }

    /// The error where there is no memory for a batch of one chunk.
    fn too_little(&self) -> CudaError {
        let Self { device, model, pass, .. } = self;
        let wanted = self.chunk * bytes_of_an_image(pass) + model.weights() * size_of::<f32>();
        match device.free_memory() {
            Ok(free) => CudaError::OutOfMemory { wanted, free, total: device.info().memory },
            Err(error) => error,
        }
    }

    /// Has `start` have the device begin with as much as fits into a batch, again and again, and hands
    /// what was begun to `done`, while the device works on the batch behind it. Where the device's
    /// memory runs out on the way, since others took it, batches are half as large from then on.
    pub fn in_batches<R: Workspace, T, S>(
        &self,
        work: &[T],
        progress: &Progress<'_>,
        start: impl Fn(&mut R, &[T]) -> Result<S, CudaError>,
        mut done: impl FnMut(&[T], S) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        self.device.bind()?;
        let mut pending: Option<(&[T], S)> = None;
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let held = R::held(&mut rooms);
        let mut left = work;
        while !left.is_empty() {
            if progress.is_cancelled() {
                return Err(EngineError::Stopped);
            }
            let room = match held.as_mut() {
                Some(room) => room,
                None => held.insert(self.largest(R::most(self))?),
            };
            let batch = room.pass().size.batch;
            let (some, others) = left.split_at(batch.min(left.len()));
            match start(room, some) {
                Ok(started) => {
                    left = others;
                    if let Some((before, started)) = pending.replace((some, started)) {
                        done(before, started)?;
                    }
                }
                Err(error) if error.is_out_of_memory() && batch > self.chunk => {
                    // Given back before less is asked for.
                    *held = None;
                    *held = Some(self.largest(batch / 2)?);
                }
                Err(error) if error.is_out_of_memory() => return Err(self.too_little().into()),
                Err(error) => return Err(error.into()),
            }
        }
        pending.map_or(Ok(()), |(last, started)| done(last, started))
    }
}
