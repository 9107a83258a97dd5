//! What a run shares with its caller: notes, progress, cancelling, threads.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::RunError;
use super::share::Backoff;
use crate::blocks::BlockFolder;
use crate::engine::EngineError;
use crate::progress::{CancelToken, Progress};

/// A piece of work whose progress is told.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// What is worked on, such as a layer.
    pub label: &'a str,
    /// What is counted.
    pub counted: &'a str,
    /// How many there are.
    pub total: u64,
}

/// The caller's side of a run. Every method may be called from any thread.
pub trait Observer: Sync {
    /// The token by which the caller cancels the run.
    fn cancel_token(&self) -> &CancelToken;

    /// Something that a user should know, in a sentence.
    fn note(&self, message: &str) {
        let _ = message;
    }

    /// How far a task is; called several times a second until the task ends.
    fn progress(&self, task: &Task<'_>, done: u64) {
        let _ = (task, done);
    }

    /// A task ended well, or not; `seconds` is `None` where it failed.
    fn finished(&self, task: &Task<'_>, done: u64, seconds: Option<f64>) {
        let _ = (task, done, seconds);
    }
}

/// An observer that is told nothing.
impl Observer for CancelToken {
    fn cancel_token(&self) -> &CancelToken {
        self
    }
}

/// What a run shares with its caller.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Who is told, and can cancel.
    pub observer: &'a dyn Observer,
    /// The threads that the run computes on.
    pub pool: &'a ThreadPool,
}

/// How often progress is told.
const INTERVAL: Duration = Duration::from_millis(200);

/// A pool of so many threads, or of one a core.
///
/// # Errors
/// [`RunError::Threads`].
pub fn thread_pool(threads: Option<usize>) -> Result<ThreadPool, RunError> {
    Ok(ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0)).build()?)
}

impl Context<'_> {
    /// The number of threads.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    pub(super) fn note(&self, message: impl AsRef<str>) {
        self.observer.note(message.as_ref());
    }

    pub(super) fn progress(&self) -> Progress<'_> {
        Progress::new(self.observer.cancel_token())
    }

    /// Removes a folder of blocks, to start anew, unless another process works in it.
    ///
    /// # Errors
    /// [`BlockError::InUse`](crate::blocks::BlockError::InUse).
    pub(super) fn start_anew(&self, blocks: &Path) -> Result<(), RunError> {
        self.check_unused(blocks)?;
        Ok(BlockFolder::discard(blocks)?)
    }

    /// Checks that no other process works in a folder of blocks.
    ///
    /// # Errors
    /// [`BlockError::InUse`](crate::blocks::BlockError::InUse).
    pub(super) fn check_unused(&self, blocks: &Path) -> Result<(), RunError> {
        let mut backoff = Backoff::new(self);
        BlockFolder::check_unused(blocks, || backoff.wait())
    }

    /// # Errors
    /// [`EngineError::Stopped`].
    pub(super) fn check_cancelled(&self) -> Result<(), EngineError> {
        if self.observer.cancel_token().is_cancelled() { Err(EngineError::Stopped) } else { Ok(()) }
    }

    /// Does the work of a task on the caller's thread, while another tells the observer how far
    /// `progress` is; returns the result and the seconds that it took.
    pub fn track<T, E>(
        &self,
        task: &Task<'_>,
        progress: &Progress<'_>,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<(T, f64), E> {
        let (start, observer) = (Instant::now(), self.observer);
        let result = thread::scope(|scope| {
            let (end, ended) = channel::<()>();
            let tell = move || {
                while ended.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                    observer.progress(task, progress.done());
                }
            };
            // Without a thread the work is done untold.
            let _ = thread::Builder::new().name("progress".into()).spawn_scoped(scope, tell);
            let result = work();
            drop(end);
            result
        });
        let seconds = start.elapsed().as_secs_f64();
        observer.finished(task, progress.done(), result.is_ok().then_some(seconds));
        Ok((result?, seconds))
    }
}

/// Pools for devices that work side by side: the caller's for a single one that takes all of it, else
/// one of its own for each, so that no device waits for a thread that another one blocks.
pub(super) struct DevicePools<'a> {
    whole: &'a ThreadPool,
    parts: Vec<ThreadPool>,
}

impl<'a> DevicePools<'a> {
    /// Pools of so many threads together for so many devices.
    ///
    /// # Errors
    /// [`RunError::Threads`].
    pub fn new(context: &Context<'a>, devices: usize, threads: usize) -> Result<Self, RunError> {
        if context.pool.current_thread_index().is_some() {
            return Err(RunError::usage(
                "a run is called from a thread of its own pool, which would wait for itself; call \
                 it from outside",
            ));
        }
        let whole = devices <= 1 && threads == context.threads();
        let parts = if whole { 0..0 } else { 0..devices };
        let threads = threads.div_ceil(devices.max(1));
        let parts = parts.map(|_| thread_pool(Some(threads))).collect::<Result<_, _>>()?;
        Ok(Self { whole: context.pool, parts })
    }

    /// Works on a device's threads.
    pub fn install<T: Send>(&self, device: usize, work: impl FnOnce() -> T + Send) -> T {
        self.parts.get(device).unwrap_or(self.whole).install(work)
    }
}
