//! Which blocks a process computes, and how it gets along with others.

use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Context, RunError};
use crate::blocks::{Block, BlockFolder, Shard, Taken};

/// What to do about blocks that are not of the process's shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Leave them to others.
    Leave,
    /// Compute those that nobody has begun.
    Help,
    /// See that they are done, too.
    Finish,
}

/// Which blocks a process computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The process's own blocks.
    pub shard: Shard,
    /// What to do about the others.
    pub rest: Rest,
}

impl Share {
    /// Every block.
    pub const WHOLE: Self = Self { shard: Shard::WHOLE, rest: Rest::Finish };

    /// The blocks of a shard, and no others.
    pub const fn of(shard: Shard) -> Self {
        Self { shard, rest: Rest::Leave }
    }

    /// The share of a task of a Slurm array, by the process's environment: its shard, then what
    /// nobody has begun.
    ///
    /// # Errors
    /// A process outside of an array; a task that is not in its array.
    pub fn of_slurm() -> Result<Self, RunError> {
        let task = Shard::of_slurm(|name| std::env::var(name).ok())?;
        let shard = task.ok_or_else(|| {
            RunError::usage(
                "--shard slurm: this process is no task of a Slurm array (SLURM_ARRAY_TASK_ID is \
                 not set); leave --shard out, or give I/N",
            )
        })?;
        // A single task sees to everything.
        Ok(if shard.is_whole() { Self::WHOLE } else { Self { shard, rest: Rest::Help } })
    }

    /// Whether the process sees to everything.
    pub fn is_whole(&self) -> bool {
        self.rest == Rest::Finish
    }

    /// The blocks of the shard and all others, each in the order in which this process does them.
    pub(super) fn divide(&self, names: &[String]) -> (Vec<String>, Vec<String>) {
        let mine = (0..names.len()).filter(|&index| self.shard.has(index));
        let pick = |index: usize| names[index].clone();
        (mine.map(pick).collect(), self.shard.others(names.len()).map(pick).collect())
    }

    /// Computes what is to be computed of `names`, a block at a time for each of `workers`, and
    /// waits for what other processes compute of the shard.
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
            // What others drop while this process helps is nobody's again.
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

/// The first and the longest time between two looks at what others do. A thousand processes that
/// wait must not wear out the file server.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(16)];
/// How often a process that waits looks whether it is cancelled.
const STEP: Duration = Duration::from_millis(20);
/// How long a process waits before it says so.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for others, longer each time.
pub(super) struct Backoff<'a> {
    context: &'a Context<'a>,
    pause: Duration,
    /// When it first waited.
    since: Option<Instant>,
    /// Whether the observer knows.
    told: bool,
}

impl<'a> Backoff<'a> {
    pub const fn new(context: &'a Context<'a>) -> Self {
        Self { context, pause: PAUSES[0], since: None, told: false }
    }

    /// Waits for a moment. After some time the observer is told so, once.
    ///
    /// # Errors
    /// The run is cancelled.
    pub fn wait(&mut self) -> Result<(), RunError> {
        let start = Instant::now();
        let since = *self.since.get_or_insert(start);
        while start.elapsed() < self.pause {
            self.context.check_cancelled()?;
            if !self.told && since.elapsed() > PATIENCE {
                self.told = true;
                self.context.note(
                    "waiting for blocks that another process computes, or computed when it was \
                     killed: then they are taken over within three minutes",
                );
            }
            thread::sleep(STEP);
        }
        self.pause = (2 * self.pause).min(PAUSES[1]);
        Ok(())
    }
}
