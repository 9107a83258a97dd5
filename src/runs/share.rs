//! Division of blocks among processes.

use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Context, RunError};
use crate::blocks::{Block, BlockFolder, Shard, Taken};

/// The treatment of blocks outside the process's shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Leaves them to others.
    Leave,
    /// Computes those that no process has begun.
    Help,
    /// Also waits until they are finished.
    Finish,
}

/// The blocks that a process computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The process's own blocks.
    pub shard: Shard,
    /// The treatment of the other blocks.
    pub rest: Rest,
}

/// A share of the work, as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareChoice {
    /// Only the blocks of a shard.
    Shard(Shard),
    /// That of the process's task of a Slurm array ([`Share::of_slurm`]).
    Slurm,
}

impl ShareChoice {
    /// The share.
    ///
    /// # Errors
    /// As for [`Share::of_slurm`].
    pub fn share(self) -> Result<Share, RunError> {
        match self {
            Self::Shard(shard) => Ok(Share::of(shard)),
            Self::Slurm => Share::of_slurm(),
        }
    }
}

/// A shard, such as `1/4`, or `slurm`.
impl FromStr for ShareChoice {
    type Err = RunError;

    fn from_str(text: &str) -> Result<Self, RunError> {
        if text == "slurm" { Ok(Self::Slurm) } else { Ok(Self::Shard(text.parse()?)) }
    }
}

impl Share {
    /// Every block.
    pub const WHOLE: Self = Self { shard: Shard::WHOLE, rest: Rest::Finish };

    /// The blocks of a shard, and no others.
    pub const fn of(shard: Shard) -> Self {
        Self { shard, rest: Rest::Leave }
    }

    /// The share of a task of a Slurm array, from the environment: its shard, then blocks that no
    /// task has begun.
    ///
    /// # Errors
    /// A process outside an array; a task number outside its array.
    pub fn of_slurm() -> Result<Self, RunError> {
        let task = Shard::of_slurm(|name| std::env::var(name).ok())?;
        let shard = task.ok_or_else(|| {
            RunError::usage(
                "--shard slurm: this process is no task of a Slurm array (SLURM_ARRAY_TASK_ID is \
                 not set); leave --shard out, or give I/N",
            )
        })?;
        // A single task does everything.
        Ok(if shard.is_whole() { Self::WHOLE } else { Self { shard, rest: Rest::Help } })
    }

    /// Whether the process finishes everything.
    pub fn is_whole(&self) -> bool {
        self.rest == Rest::Finish
    }

    /// The blocks of the shard and the other blocks, each in the order of this process.
    pub(super) fn divide(&self, names: &[String]) -> (Vec<String>, Vec<String>) {
        let mine = (0..names.len()).filter(|&index| self.shard.has(index));
        let pick = |index: usize| names[index].clone();
        (mine.map(pick).collect(), self.shard.others(names.len()).map(pick).collect())
    }

    /// Computes the missing blocks of `names`, a block at a time for each of `workers`, and waits
    /// for blocks of the shard that other processes compute.
    pub(super) fn complete<R>(
        &self,
        folder: &BlockFolder,
        names: &[String],
        workers: &[impl Fn(&str) -> Result<Block<R>, RunError> + Sync],
        context: &Context<'_>,
    ) -> Result<(), RunError>
    where
        R: Serialize + DeserializeOwned + Send,
    {
        let (mine, others) = self.divide(names);
        let mut left = folder.pass(&mine, Taken::Try, workers)?;
        match self.rest {
            Rest::Leave => {}
            // Blocks dropped by others during the help are free again.
            Rest::Help => loop {
                let free = folder.free(&others)?;
                if free.is_empty() {
                    break;
                }
                folder.pass(&free, Taken::Leave, workers)?;
            },
            Rest::Finish => left.extend(folder.pass(&others, Taken::Try, workers)?),
        }
        let mut backoff = Backoff::new(context);
        while !left.is_empty() {
            backoff.wait()?;
            left = folder.pass(&left, Taken::Try, workers)?;
        }
        Ok(())
    }
}

/// Shortest and longest interval of looking at the folder. A thousand waiting processes must not
/// overload the file server.
const INTERVALS: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(16)];
/// Interval of checks for cancellation.
const CANCEL_INTERVAL: Duration = Duration::from_millis(20);
/// Waiting time after which the observer is notified.
const NOTIFY_AFTER: Duration = Duration::from_secs(20);

/// Waits for other processes, longer each time.
pub(super) struct Backoff<'a> {
    context: &'a Context<'a>,
    interval: Duration,
    /// Start of the wait.
    since: Option<Instant>,
    /// Whether the observer was notified.
    notified: bool,
}

impl<'a> Backoff<'a> {
    pub const fn new(context: &'a Context<'a>) -> Self {
        Self { context, interval: INTERVALS[0], since: None, notified: false }
    }

    /// Waits once, and notifies the observer after some time.
    ///
    /// # Errors
    /// The run is cancelled.
    pub fn wait(&mut self) -> Result<(), RunError> {
        let start = Instant::now();
        let since = *self.since.get_or_insert(start);
        while start.elapsed() < self.interval {
            self.context.check_cancelled()?;
            if !self.notified && since.elapsed() > NOTIFY_AFTER {
                self.notified = true;
                self.context.note(
                    "waiting for blocks of another process; those of a killed process are taken over \
                     within three minutes",
                );
            }
            thread::sleep(CANCEL_INTERVAL);
        }
        self.interval = (2 * self.interval).min(INTERVALS[1]);
        Ok(())
    }
}
