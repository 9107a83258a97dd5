//! Progress: a bar on a terminal, a line now and then in a log, nothing if quiet.

use std::io::IsTerminal;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};

use super::console;
use crate::engine::Watch;

const BAR_INTERVAL: Duration = Duration::from_millis(200);
const LINE_INTERVAL: Duration = Duration::from_secs(30);

/// Where messages go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    quiet: bool,
}

/// A piece of work to be shown.
pub(super) struct Task<'a> {
    /// What is worked on, such as a layer.
    pub label: &'a str,
    /// What is counted.
    pub counted: &'a str,
    /// How many there are.
    pub total: u64,
}

impl Progress {
    /// Shows progress unless `quiet`.
    pub const fn new(quiet: bool) -> Self {
        Self { quiet }
    }

    /// Says something on standard error.
    pub fn say(self, message: impl AsRef<str>) {
        if !self.quiet {
            console::say(message.as_ref());
        }
    }

    /// Does the work while another thread shows how far `watch` is; returns the result and the
    /// seconds that it took.
    pub fn track<T, E>(
        self,
        task: &Task<'_>,
        watch: &Watch<'_>,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<(T, f64), E> {
        let start = Instant::now();
        let result = std::thread::scope(|scope| {
            let (finish, finished) = channel::<()>();
            if !self.quiet {
                scope.spawn(move || {
                    let bar = std::io::stderr().is_terminal().then(|| bar(task));
                    let interval = if bar.is_some() { BAR_INTERVAL } else { LINE_INTERVAL };
                    while finished.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                        match &bar {
                            Some(bar) => bar.set_position(watch.done()),
                            None => console::say(&line(task, watch.done(), start.elapsed())),
                        }
                    }
                    if let Some(bar) = bar {
                        bar.finish_and_clear();
                    }
                });
            }
            let result = work();
            // Nobody listens where nothing is shown.
            let _ = finish.send(());
            result
        })?;
        let seconds = start.elapsed().as_secs_f64();
        let done = watch.done();
        self.say(format!(
            "{}: {} {} in {seconds:.1} s ({:.0}/s)",
            task.label,
            HumanCount(done),
            task.counted,
            done as f64 / seconds.max(1e-9)
        ));
        Ok((result, seconds))
    }
}

fn bar(task: &Task<'_>) -> ProgressBar {
    let bar = ProgressBar::new(task.total);
    let template = "{prefix} {wide_bar} {human_pos}/{human_len} {msg} ({per_sec}, {eta} left)";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸─"));
    }
    bar.with_prefix(task.label.to_owned()).with_message(task.counted.to_owned())
}

/// A line for a log: how many of how many, the rate, and the time left.
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
        task.label,
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
