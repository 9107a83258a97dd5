//! Which blocks a process computes, and how it gets along with others.

use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::STOP;
use super::failure::{Failure, OrUsage};
use super::output::OutputFolder;
use crate::blocks::{Block, BlockFolder, Shard, Taken};
use crate::engine::{EngineError, Watch};

/// Which part of the work is this process's.
#[derive(Debug, Args)]
#[command(next_help_heading = "Running")]
pub(super) struct ShardArguments {
    /// Do only the I-th of N parts, and no more: several processes, on as many machines as you
    /// like, do the parts, then `occlumap merge` puts them together [default: everything; in a
    /// Slurm array, the task's part, then what other tasks have not begun]
    #[arg(long, value_name = "I/N", conflicts_with = "force")]
    pub shard: Option<Shard>,
}

/// What to do about blocks that are not of the process's shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Leave them to others.
    Leave,
    /// Do those that nobody has begun.
    Help,
    /// See that they are done, too.
    Finish,
}

/// Which blocks a process computes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub shard: Shard,
    pub rest: Rest,
}

/// How long to wait between two looks at what others do: at first, and at most. A thousand processes
/// that wait must not wear out the file server.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(16)];

/// Waits for others, longer each time.
pub(super) struct Pauses(Duration);

impl ShardArguments {
    /// The share of a process with these arguments and in this environment.
    pub fn share(&self, force: bool) -> Result<Share, Failure> {
        if let Some(shard) = self.shard {
            return Ok(Share { shard, rest: Rest::Leave });
        }
        let task = Shard::of_slurm(|name| std::env::var(name).ok()).or_usage()?;
        match task.filter(|shard| !shard.is_whole()) {
            None => Ok(Share { shard: Shard::WHOLE, rest: Rest::Finish }),
            Some(_) if force => Err(Failure::usage(
                "--force starts anew, so in a Slurm array each task would remove what the others \
                 have done; remove the folder beforehand",
            )),
            Some(shard) => Ok(Share { shard, rest: Rest::Help }),
        }
    }
}

impl Share {
    /// Whether the process sees to everything.
    pub fn is_whole(&self) -> bool {
        self.rest == Rest::Finish
    }

    /// The blocks of the shard and all others, each in the order in which this process does them.
    pub fn divide(&self, names: &[String]) -> (Vec<String>, Vec<String>) {
        let mine = (0..names.len()).filter(|&place| self.shard.has(place));
        let pick = |place: usize| names[place].clone();
        (mine.map(pick).collect(), self.shard.others(names.len()).map(pick).collect())
    }

    /// What to tell a user whose process has done its share, and leaves the rest to others.
    pub fn note(&self, output: &OutputFolder) -> String {
        let out = output.path().display();
        let shard = self.shard;
        format!(
            "shard {shard} is done; when all are, `occlumap merge {out}` puts them together \
             (`occlumap status {out}` tells)"
        )
    }

    /// Computes what is to be computed of `names`, a block at a time for each of `workers`, and
    /// waits for what other processes compute of the shard.
    pub fn complete<R>(
        &self,
        folder: &BlockFolder,
        names: &[String],
        workers: &[impl Fn(&str) -> Result<Block<R>, Failure> + Sync],
    ) -> Result<(), Failure>
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
        let mut pauses = Pauses::new();
        while !left.is_empty() {
            pauses.wait()?;
            left = folder.pass(&left, Taken::Try, workers)?;
        }
        Ok(())
    }
}

impl Pauses {
    pub const fn new() -> Self {
        Self(PAUSES[0])
    }

    /// Waits for a moment, or until the work should stop.
    pub fn wait(&mut self) -> Result<(), Failure> {
        let (start, watch) = (Instant::now(), Watch::new(&STOP));
        while start.elapsed() < self.0 {
            if watch.stopped() {
                return Err(EngineError::Stopped.into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.0 = (2 * self.0).min(PAUSES[1]);
        Ok(())
    }
}
