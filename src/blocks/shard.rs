//! Shards: the division of blocks among processes.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::error::{ErrorKind, HasKind};

/// A shard: every `count`-th block, from the `index`-th.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    count: usize,
}

/// An invalid shard.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ShardError {
    /// Not of the form `3/16`.
    #[error("`{0}` is no shard; expected one such as 3/16, from 1/16 to 16/16")]
    Form(String),
    /// Slurm's variables contradict each other.
    #[error(
        "SLURM_ARRAY_TASK_ID is {id}, and the array goes from {min} to {max} in steps of {step}; \
         give --shard"
    )]
    Array {
        /// The task's number.
        id: usize,
        /// The first task's number.
        min: usize,
        /// The last task's number.
        max: usize,
        /// The step of task numbers.
        step: usize,
    },
}

impl Shard {
    /// All blocks.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Whether the shard has all blocks.
    pub fn is_whole(&self) -> bool {
        self.count == 1
    }

    /// Whether the shard has the block with this index. Neighbouring blocks are in different
    /// shards, because blocks of one layer take similar times and blocks of different layers do
    /// not.
    pub fn has(&self, block: usize) -> bool {
        block % self.count == self.index
    }

    /// The shard of a layer whose blocks follow `blocks` others: the division continues across
    /// layers.
    #[must_use]
    pub fn after(self, blocks: usize) -> Self {
        let Self { index, count } = self;
        Self { index: (index + count - blocks % count) % count, count }
    }

    /// The other blocks of `blocks`, those of the following shard first, so that helping processes
    /// start with different blocks.
    pub fn others(&self, blocks: usize) -> impl Iterator<Item = usize> {
        let Self { index, count } = *self;
        // A shard beyond the last block is empty.
        let (after, before) = (index + 1..count.min(blocks), 0..index.min(blocks));
        after.chain(before).flat_map(move |first| (first..blocks).step_by(count))
    }

    /// The shard of a task of a Slurm array; `None` outside an array. `variable` looks up
    /// environment variables.
    ///
    /// # Errors
    /// A task number outside its array.
    pub fn of_slurm(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, ShardError> {
        let number = |name: &str| variable(&format!("SLURM_ARRAY_TASK_{name}"))?.parse().ok();
        let Some(id) = number("ID") else { return Ok(None) };
        let (min, max) = (number("MIN").unwrap_or(id), number("MAX").unwrap_or(id));
        let step = number("STEP").unwrap_or(1);
        if step == 0 || id < min || id > max {
            return Err(ShardError::Array { id, min, max, step });
        }
        // In an irregular list such as 1,5,7 the step is 1: shards without a task are left to other
        // tasks.
        Ok(Some(Self { index: (id - min) / step, count: (max - min) / step + 1 }))
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let parts = text.split_once('/');
        let numbers = parts.and_then(|(index, count)| {
            Some((index.parse::<usize>().ok()?, count.parse::<usize>().ok()?))
        });
        match numbers {
            Some((index, count)) if 0 < index && index <= count => {
                Ok(Self { index: index - 1, count })
            }
            _ => Err(ShardError::Form(text.into())),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index + 1, self.count)
    }
}

impl HasKind for ShardError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_read_and_cover_everything_once() {
        for wrong in ["", "3", "0/4", "5/4", "a/4", "1/0", "-1/4", "1/2/3"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
        for count in [1, 3, 16, 50, 51, 99] {
            let shards: Vec<Shard> =
                (1..=count).map(|index| format!("{index}/{count}").parse().unwrap()).collect();
            assert_eq!(shards[count - 1].to_string(), format!("{count}/{count}"));
            for block in 0..50 {
                assert_eq!(shards.iter().filter(|shard| shard.has(block)).count(), 1);
                for shard in &shards {
                    assert_eq!(shard.after(7).has(block), shard.has(block + 7));
                }
            }
            for (index, shard) in shards.into_iter().enumerate() {
                let following = (1..count).map(|step| (index + step) % count).find(|&i| i < 50);
                assert_eq!(shard.others(50).next(), following);
                let mut others: Vec<usize> = shard.others(50).collect();
                others.sort_unstable();
                assert!(others.into_iter().eq((0..50).filter(|&block| !shard.has(block))));
            }
        }
    }

    #[test]
    fn a_task_of_an_array_is_a_shard() {
        let shard = |variables: &[(&str, &str)]| {
            Shard::of_slurm(|name| {
                let name = name.strip_prefix("SLURM_ARRAY_TASK_").unwrap();
                variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).into())
            })
        };
        let of = |index, count| Ok(Some(Shard { index, count }));
        assert_eq!(shard(&[]), Ok(None));
        assert_eq!(shard(&[("ID", "3"), ("MIN", "0"), ("MAX", "15"), ("STEP", "1")]), of(3, 16));
        assert_eq!(shard(&[("ID", "7"), ("MIN", "3"), ("MAX", "15"), ("STEP", "4")]), of(1, 4));
        assert_eq!(shard(&[("ID", "5")]), of(0, 1));
        assert!(shard(&[("ID", "9"), ("MIN", "0"), ("MAX", "7")]).is_err());
    }
}
