//! Work without the interpreter's lock, which the caller can watch and interrupt.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use occlumap::progress::CancelToken;
use occlumap::runs::{Context, Observer, Task, thread_pool};
use pyo3::prelude::*;

use crate::error::Failure;

/// How often the calling thread looks for signals.
const INTERVAL: Duration = Duration::from_millis(100);

/// The stack of the thread that works, as large as that of a program's main thread.
const STACK: usize = 8 << 20;

/// The caller's settings of its work.
#[derive(FromPyObject)]
pub struct Work {
    /// Threads; one a core where none are given.
    #[pyo3(item)]
    threads: Option<usize>,
    /// Called with a task, how much of it is done, and how much it has; `False` stops the work.
    #[pyo3(item)]
    progress: Option<Py<PyAny>>,
    /// Called with a sentence.
    #[pyo3(item)]
    note: Option<Py<PyAny>>,
}

/// Messages of the work.
enum Event {
    Note(String),
    Progress { label: String, counted: String, done: u64, total: u64 },
}

/// Hands on what a run tells to the thread that called it.
struct Listener {
    cancel: CancelToken,
    events: Sender<Event>,
}

impl Listener {
    fn tell(&self, event: Event) {
        // Nobody listens any more only when the work is over.
        let _ = self.events.send(event);
    }

    fn tell_progress(&self, task: &Task<'_>, done: u64) {
        let (label, counted) = (task.label.into(), task.counted.into());
        self.tell(Event::Progress { label, counted, done, total: task.total });
    }
}

impl Observer for Listener {
    fn cancel_token(&self) -> &CancelToken {
        &self.cancel
    }

    fn note(&self, message: &str) {
        self.tell(Event::Note(message.into()));
    }

    fn progress(&self, task: &Task<'_>, done: u64) {
        self.tell_progress(task, done);
    }

    fn finished(&self, task: &Task<'_>, done: u64, _: Option<f64>) {
        self.tell_progress(task, done);
    }
}

impl Work {
    /// Works on a thread of its own, while this one looks for signals and calls back.
    ///
    /// # Errors
    /// Those of `work`; what a signal's handler or a callback raises, which cancels the work.
    pub fn run<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&Context<'_>) -> Result<T, Failure> + Send,
    ) -> PyResult<T> {
        let pool = thread_pool(self.threads).map_err(Failure::from)?;
        let (sender, events) = channel();
        let cancel = CancelToken::default();
        let listener = Listener { cancel: cancel.clone(), events: sender };
        // The listener goes with the work: its end is the end of the events.
        let work = move || work(&Context { observer: &listener, pool: &pool });
        let (raised, outcome) = py.detach(move || {
            thread::scope(move |scope| {
                let worker = thread::Builder::new().name("occlumap".into()).stack_size(STACK);
                let worker = worker.spawn_scoped(scope, work).map_err(|error| {
                    Failure::usage(format!("cannot start a thread: {error}; use fewer threads"))
                })?;
                let raised = self.watch(&events, &cancel);
                let outcome = worker.join().unwrap_or_else(|panic| {
                    std::panic::resume_unwind(panic);
                });
                Ok::<_, Failure>((raised, outcome))
            })
        })?;
        match raised {
            Some(raised) => Err(raised),
            None => Ok(outcome?),
        }
    }

    /// Calls back until the work is over; returns what was raised first, and cancels the work then.
    fn watch(&self, events: &Receiver<Event>, cancel: &CancelToken) -> Option<PyErr> {
        let mut raised = None;
        loop {
            let first = events.recv_timeout(INTERVAL);
            let is_over = matches!(first, Err(RecvTimeoutError::Disconnected));
            let received: Vec<Event> = first.into_iter().chain(events.try_iter()).collect();
            let outcome = Python::attach(|py| {
                py.check_signals()?;
                received.into_iter().try_for_each(|event| self.tell(py, event, cancel))
            });
            if let Err(error) = outcome {
                cancel.cancel();
                raised.get_or_insert(error);
            }
            if is_over {
                return raised;
            }
        }
    }

    fn tell(&self, py: Python<'_>, event: Event, cancel: &CancelToken) -> PyResult<()> {
        match (event, &self.note, &self.progress) {
            (Event::Note(message), Some(note), _) => note.call1(py, (message,)).map(drop),
            (Event::Progress { label, counted, done, total }, _, Some(progress)) => {
                let goes_on = progress.call1(py, (label, counted, done, total))?;
                if goes_on.bind(py).is(&*pyo3::types::PyBool::new(py, false)) {
                    cancel.cancel();
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
