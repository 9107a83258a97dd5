//! Doing the blocks that are not done.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Block, BlockError, BlockFolder, BlockState, Claim};

/// Which blocks a pass tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Those that somebody has claimed, too: the owner may be dead.
    Try,
    /// Only those that nobody has claimed, by the folder's list.
    Leave,
}

/// How old the folder's list may be: trying to claim what others have done, or have in hand, costs
/// a file server more than the list.
const LIST_AGE: Duration = Duration::from_secs(20);
/// The same of a list that took a block for free which was not.
const WRONG_LIST_AGE: Duration = Duration::from_secs(1);

/// A block on its way into its file.
struct Finished<R> {
    name: String,
    block: Block<R>,
    claim: Claim,
}

impl BlockFolder {
    /// Goes over `names` once, in order, computes the blocks that are neither done nor another
    /// live process's, and returns those that are another's.
    ///
    /// A block's file is written by another thread while the next block is computed; the claim is
    /// kept until the file is there. What is finished when `compute` fails is written all the same.
    ///
    /// # Errors
    /// What `compute` returns; files that cannot be written.
    pub fn pass<R, E>(
        &self,
        names: &[String],
        taken: Taken,
        mut compute: impl FnMut(&str) -> Result<Block<R>, E>,
    ) -> Result<Vec<String>, E>
    where
        R: Serialize + DeserializeOwned + Send,
        E: From<BlockError>,
    {
        let (mut states, mut listed) = (self.states()?, Instant::now());
        let mut most = LIST_AGE;
        let mut others = Vec::new();
        thread::scope(|scope| {
            // Nothing waits in between: what is finished is in the writer's hands or in ours.
            let (sender, receiver) = sync_channel(0);
            let writer = scope.spawn(|| self.write_all(receiver));
            let mut compute_all = || -> Result<(), E> {
                for name in names {
                    if listed.elapsed() > most {
                        (states, listed) = (self.states()?, Instant::now());
                        most = LIST_AGE;
                    }
                    let claim = match states.get(name) {
                        Some(BlockState::Done) => continue,
                        Some(BlockState::Claimed) if taken == Taken::Leave => None,
                        _ => self.claim(name)?,
                    };
                    let Some(claim) = claim else {
                        if !states.contains_key(name) {
                            most = WRONG_LIST_AGE;
                        }
                        others.push(name.clone());
                        continue;
                    };
                    if self.has(name) {
                        most = WRONG_LIST_AGE;
                        continue;
                    }
                    let block = compute(name)?;
                    let finished = Finished { name: name.clone(), block, claim };
                    if sender.send(finished).is_err() {
                        // The writer has failed, and tells why.
                        break;
                    }
                }
                Ok(())
            };
            let computed = compute_all();
            drop(sender);
            let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            computed.and_then(|()| Ok(written?))
        })?;
        Ok(others)
    }

    /// Writes blocks as they come, and releases their claims.
    fn write_all<R>(&self, finished: Receiver<Finished<R>>) -> Result<(), BlockError>
    where
        R: Serialize + DeserializeOwned,
    {
        for Finished { name, block, claim } in finished {
            self.ensure()?;
            self.write(&name, block)?;
            drop(claim);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::blocks::Stored;

    const CONFIGURATION: Stored<&str, ()> = Stored { configuration: "a job", about: () };

    fn names() -> Vec<String> {
        (0..40).map(|block| format!("block-{block}")).collect()
    }

    fn computed(name: &str) -> Block<String> {
        Block { record: name.into(), payload: name.repeat(3).into_bytes() }
    }

    #[test]
    fn each_block_is_computed_once_by_whoever_shares_the_folder() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("blocks/maps");
        let count = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let folder = BlockFolder::open(&path, &CONFIGURATION).unwrap();
                    let mut left = names();
                    while !left.is_empty() {
                        let compute = |name: &str| {
                            count.fetch_add(1, Ordering::SeqCst);
                            Ok::<_, BlockError>(computed(name))
                        };
                        left = folder.pass(&left, Taken::Try, compute).unwrap();
                    }
                });
            }
        });
        assert_eq!(count.into_inner(), 40);
        let folder = BlockFolder::open(&path, &CONFIGURATION).unwrap();
        for name in names() {
            assert_eq!(folder.read::<String>(&name).unwrap(), Ok(computed(&name)));
        }
        // Blocks and the configuration: no claim and nothing temporary is left.
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 41);
        folder.remove().unwrap();
        assert!(!place.path().join("blocks").exists());
    }

    #[test]
    fn what_is_finished_before_a_failure_is_kept_and_its_claim_is_released() {
        let place = tempfile::tempdir().unwrap();
        let folder = BlockFolder::open(&place.path().join("blocks/maps"), &CONFIGURATION).unwrap();
        let mut some = 0;
        let outcome = folder.pass(&names(), Taken::Try, |name| {
            some += 1;
            if some < 5 {
                Ok(computed(name))
            } else {
                Err(BlockError::Gone { folder: name.into() })
            }
        });
        assert!(matches!(outcome, Err(BlockError::Gone { .. })));
        assert_eq!(folder.done().unwrap().into_iter().collect::<Vec<_>>(), names()[..4]);
        assert_eq!(folder.states().unwrap().len(), 4);
        let claim = folder.claim("block-7").unwrap().unwrap();
        let left = folder.pass(&names(), Taken::Leave, |name| Ok::<_, BlockError>(computed(name)));
        assert_eq!(left.unwrap(), ["block-7"]);
        drop(claim);
        folder.set_aside("block-3").unwrap();
        assert_eq!(folder.done().unwrap().len(), 38);
    }

    #[test]
    fn another_configuration_is_refused_and_told() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("out/blocks/maps");
        let folder = BlockFolder::open(&path, &CONFIGURATION).unwrap();
        let other = Stored { configuration: "another job", about: () };
        let error = BlockFolder::open(&path, &other).unwrap_err().to_string();
        assert!(error.contains("a job there; another job here"), "{error}");
        let (found, stored) = BlockFolder::find::<String, ()>(&path).unwrap().unwrap();
        assert_eq!((found.digest(), stored.configuration.as_str()), (folder.digest(), "a job"));
        folder.remove_if_empty();
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
        assert!(BlockFolder::find::<String, ()>(&path).unwrap().is_none());
    }
}
