//! The connection of a run with its caller: notes, progress, cancellation, threads.

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

/// A task with progress.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// Subject of the task, such as a layer.
    pub label: &'a str,
    /// Noun of the counted items.
    pub counted: &'a str,
    /// Total number of items.
    pub total: u64,
}

/// The caller's side of a run. Methods may be called from any thread.
pub trait Observer: Sync {
    /// The token that cancels the run.
    fn cancel_token(&self) -> &CancelToken;

    /// A message for the user, one sentence.
    fn note(&self, message: &str) {
        let _ = message;
    }

    /// Progress of a task; called several times a second until the task ends.
    fn progress(&self, task: &Task<'_>, done: u64) {
        let _ = (task, done);
    }

    /// The end of a task; `seconds` is `None` if it failed.
    fn finished(&self, task: &Task<'_>, done: u64, seconds: Option<f64>) {
        let _ = (task, done, seconds);
    }
}

/// An observer that ignores everything.
impl Observer for CancelToken {
    fn cancel_token(&self) -> &CancelToken {
        self
    }
}

/// The caller of a run.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Receiver of notes and progress; may cancel.
    pub observer: &'a dyn Observer,
    /// The threads that the run computes on.
    pub pool: &'a ThreadPool,
}

/// Interval of progress reports.
const INTERVAL: Duration = Duration::from_millis(200);

/// A pool with this number of threads, by default one per core.
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

    /// Sends a message to the observer.
    pub fn note(&self, message: impl AsRef<str>) {
        self.observer.note(message.as_ref());
    }

    pub(super) fn progress(&self) -> Progress<'_> {
        Progress::new(self.observer.cancel_token())
    }

    /// Removes a folder of blocks, unless another process works in it.
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

    /// Does the work of a task on all threads while another thread reports its progress to the observer.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn compute<T: Send, E: Send>(
        &self,
        task: &Task<'_>,
        work: impl FnOnce(&Progress<'_>) -> Result<T, E> + Send,
    ) -> Result<T, E> {
        let progress = self.progress();
        Ok(self.track(task, &progress, || self.pool.install(|| work(&progress)))?.0)
    }

    /// Does the work of a task on the current thread while another thread reports `progress` to the
    /// observer; returns the result and its seconds.
    pub(super) fn track<T, E>(
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
            // Without a thread there are no reports; the work is done all the same.
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

/// Thread pools of devices that work side by side: the caller's pool for a single device, otherwise
/// a pool per device, so that no device waits for a thread that another one blocks.
pub(super) struct DevicePools<'a> {
    whole: &'a ThreadPool,
    parts: Vec<ThreadPool>,
}

impl<'a> DevicePools<'a> {
    /// Divides `threads` among the pools of `devices` devices.
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

    /// Runs work on a device's threads.
    pub fn install<T: Send>(&self, device: usize, work: impl FnOnce() -> T + Send) -> T {
        self.parts.get(device).unwrap_or(self.whole).install(work)
    }
}
