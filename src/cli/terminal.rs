//! Progress of a run: a bar on a terminal, lines in a log, nothing with `--quiet`.

use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressState, ProgressStyle};
use occlumap::progress::CancelToken;
use occlumap::runs::{Context, Observer, Task, thread_pool};
use rayon::ThreadPool;

use super::arguments::RunningArguments;
use super::failure::{Failure, printable};
use super::{cancel_token, console};

const LINE_INTERVAL: Duration = Duration::from_secs(30);

/// A command at work: threads and observer.
pub(super) struct Session {
    terminal: Terminal,
    pool: ThreadPool,
}

/// An observer that writes to standard error.
pub(super) struct Terminal {
    quiet: bool,
    cancel: CancelToken,
    active: Mutex<Option<ActiveTask>>,
}

/// The task on display.
struct ActiveTask {
    start: Instant,
    /// Progress bar, on a terminal.
    bar: Option<ProgressBar>,
    /// Time of the last line.
    line: Instant,
}

impl Session {
    /// Starts the threads.
    pub fn start(running: &RunningArguments) -> Result<Self, Failure> {
        Ok(Self { terminal: Terminal::new(running.quiet), pool: thread_pool(running.threads)? })
    }

    pub fn context(&self) -> Context<'_> {
        Context { observer: &self.terminal, pool: &self.pool }
    }

    /// Writes a line to standard error.
    pub fn say(&self, message: impl AsRef<str>) {
        self.terminal.note(message.as_ref());
    }
}

impl Terminal {
    fn new(quiet: bool) -> Self {
        Self { quiet, cancel: cancel_token(), active: Mutex::default() }
    }

    fn active(&self) -> std::sync::MutexGuard<'_, Option<ActiveTask>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Terminal {
    fn cancel_token(&self) -> &CancelToken {
        &self.cancel
    }

    fn note(&self, message: &str) {
        if !self.quiet {
            console::say(&printable(message));
        }
    }

    fn progress(&self, task: &Task<'_>, done: u64) {
        if self.quiet {
            return;
        }
        let mut active = self.active();
        let active = active.get_or_insert_with(|| {
            let bar = std::io::stderr().is_terminal().then(|| bar(task));
            ActiveTask { start: Instant::now(), bar, line: Instant::now() }
        });
        match &active.bar {
            Some(bar) => bar.set_position(done),
            None if active.line.elapsed() >= LINE_INTERVAL => {
                active.line = Instant::now();
                console::say(&line(task, done, active.start.elapsed()));
            }
            None => {}
        }
    }

    fn finished(&self, task: &Task<'_>, done: u64, seconds: Option<f64>) {
        if let Some(ActiveTask { bar: Some(bar), .. }) = self.active().take() {
            bar.finish_and_clear();
        }
        if let Some(seconds) = seconds {
            let counted = match done {
                1 => task.counted.trim_end_matches('s'),
                _ => task.counted,
            };
            self.note(&format!(
                "{}: {} {counted} in {seconds:.1} s ({:.0}/s)",
                task.label,
                HumanCount(done),
                done as f64 / seconds.max(1e-9)
            ));
        }
    }
}

fn bar(task: &Task<'_>) -> ProgressBar {
    let bar = ProgressBar::new(task.total);
    let template = "{prefix} {wide_bar} {human_pos}/{human_len} {msg} ({rate}, {left} left)";
    if let Ok(style) = ProgressStyle::with_template(template) {
        let rate = |state: &ProgressState, text: &mut dyn Write| {
            let _ = write!(text, "{:.0}/s", state.per_sec());
        };
        let left = |state: &ProgressState, text: &mut dyn Write| {
            let _ = match state.pos() {
                0 => write!(text, "unknown time"),
                _ => write!(text, "{:#}", HumanDuration(state.eta())),
            };
        };
        let style = style.with_key("rate", rate).with_key("left", left);
        bar.set_style(style.progress_chars("━╸─"));
    }
    bar.with_prefix(printable(task.label)).with_message(task.counted.to_owned())
}

/// A line for a log: items done, total, rate, time left.
fn line(task: &Task<'_>, done: u64, elapsed: Duration) -> String {
    let rate = done as f64 / elapsed.as_secs_f64().max(1e-9);
    let left = if done == 0 {
        "unknown time".into()
    } else {
        let seconds = task.total.saturating_sub(done) as f64 / rate;
        HumanDuration(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)).to_string()
    };
    let percent = 100.0 * done as f64 / task.total.max(1) as f64;
    format!(
        "{}: {} of {} {} ({percent:.0} %), {rate:.0}/s, {left} left",
        printable(task.label),
        HumanCount(done),
        HumanCount(task.total),
        task.counted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_how_far_how_fast_and_how_long() {
        let task = Task { label: "conv5", counted: "presentations", total: 40_000 };
        assert_eq!(
            line(&task, 10_000, Duration::from_secs(100)),
            "conv5: 10,000 of 40,000 presentations (25 %), 100/s, 5 minutes left"
        );
        assert!(line(&task, 0, Duration::from_secs(30)).ends_with("unknown time left"));
    }
}
