//! Computing the blocks that are not finished.

use std::collections::BTreeMap;
use std::slice;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Block, BlockError, BlockFolder, BlockState, Lease};

/// Which blocks a pass tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Also leased ones: the owner may be dead.
    Try,
    /// Only blocks without a lease, by the folder's list.
    Leave,
}

/// Limit of the age of the folder's list: a failed attempt to get a lease costs a file server more
/// than the list.
const LIST_AGE: Duration = Duration::from_secs(20);
/// Limit of the age of a list that proved wrong.
const WRONG_LIST_AGE: Duration = Duration::from_secs(1);

/// Blocks of a pass that are not yet taken.
struct Queue<'a> {
    folder: &'a BlockFolder,
    names: slice::Iter<'a, String>,
    taken: Taken,
    states: BTreeMap<String, BlockState>,
    listed: Instant,
    /// Limit of the list's age.
    most: Duration,
    /// Blocks of other processes.
    others: Vec<String>,
}

/// A finished block that is not yet written.
struct Finished<R> {
    name: String,
    block: Block<R>,
    lease: Lease,
}

impl<'a> Queue<'a> {
    fn new(folder: &'a BlockFolder, names: &'a [String], taken: Taken) -> Result<Self, BlockError> {
        let (states, listed) = (folder.states()?, Instant::now());
        let (names, most) = (names.iter(), LIST_AGE);
        Ok(Self { folder, names, taken, states, listed, most, others: Vec::new() })
    }

    /// The next block to compute, with its lease.
    fn next(&mut self) -> Result<Option<(&'a str, Lease)>, BlockError> {
        for name in self.names.by_ref() {
            if self.listed.elapsed() > self.most {
                (self.states, self.listed) = (self.folder.states()?, Instant::now());
                self.most = LIST_AGE;
            }
            let lease = match self.states.get(name) {
                Some(BlockState::Done) => continue,
                Some(BlockState::Leased) if self.taken == Taken::Leave => None,
                _ => self.folder.lease(name)?,
            };
            match lease {
                None => {
                    if !self.states.contains_key(name) {
                        self.most = WRONG_LIST_AGE;
                    }
                    self.others.push(name.clone());
                }
                Some(_) if self.folder.has(name) => self.most = WRONG_LIST_AGE,
                Some(lease) => return Ok(Some((name, lease))),
            }
        }
        Ok(None)
    }

    /// Empties the queue.
    fn close(&mut self) {
        self.names = [].iter();
    }
}

impl BlockFolder {
    /// Goes over `names` once, in order; computes the blocks that are neither finished nor leased
    /// by a live process, and returns the names of leased ones.
    ///
    /// Each of `workers` computes one block at a time, in a thread of its own. Another thread
    /// writes the files; a lease is kept until the file exists. When a worker fails, the others
    /// finish their current blocks, and every finished block is written.
    ///
    /// # Errors
    /// Errors of workers; files that cannot be written.
    pub fn pass<R, E, W>(
        &self,
        names: &[String],
        taken: Taken,
        workers: &[W],
    ) -> Result<Vec<String>, E>
    where
        W: Fn(&str) -> Result<Block<R>, E> + Sync,
        R: Serialize + DeserializeOwned + Send,
        E: From<BlockError> + Send,
    {
        let queue = Mutex::new(Queue::new(self, names, taken)?);
        let locked = || queue.lock().unwrap_or_else(PoisonError::into_inner);
        thread::scope(|scope| {
            // No queue in between: a finished block is in the hands of the writer or of a worker.
            let (sender, receiver) = sync_channel(0);
            let failed = |error| BlockError::Threads { folder: self.path().to_owned(), error };
            let spawn_named = |name: &str| thread::Builder::new().name(name.into());
            let writer = spawn_named("block writer")
                .spawn_scoped(scope, || self.write_all(receiver))
                .map_err(failed)?;
            let compute_all = |worker: &W, sender: SyncSender<Finished<R>>| -> Result<(), E> {
                let next = || locked().next();
                while let Some((name, lease)) = next()? {
                    let block = worker(name)?;
                    if sender.send(Finished { name: name.into(), block, lease }).is_err() {
                        // The writer has failed and returns the error.
                        break;
                    }
                }
                Ok(())
            };
            let spawn = |worker| {
                let sender = sender.clone();
                let compute = move || {
                    let computed = compute_all(worker, sender);
                    if computed.is_err() {
                        locked().close();
                    }
                    computed
                };
                spawn_named("block worker").spawn_scoped(scope, compute).map_err(failed)
            };
            let threads: Vec<_> = workers.iter().map(spawn).collect();
            drop(sender);
            let mut computed = Ok(());
            for thread in threads {
                computed = computed.and(match thread {
                    Ok(thread) => joined(thread),
                    Err(error) => Err(error.into()),
                });
            }
            let written = joined(writer);
            computed.and_then(|()| Ok(written?))
        })?;
        Ok(queue.into_inner().unwrap_or_else(PoisonError::into_inner).others)
    }

    /// Writes blocks as they arrive and releases their leases.
    fn write_all<R>(&self, finished: Receiver<Finished<R>>) -> Result<(), BlockError>
    where
        R: Serialize + DeserializeOwned,
    {
        for Finished { name, block, lease } in finished {
            self.check_configuration()?;
            self.ensure()?;
            self.write(&name, block)?;
            drop(lease);
        }
        Ok(())
    }
}

/// The result of a thread; its panic continues here.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
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
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("blocks/maps");
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
                        left = folder.pass(&left, Taken::Try, &[compute]).unwrap();
                    }
                });
            }
        });
        assert_eq!(count.into_inner(), 40);
        let folder = BlockFolder::open(&path, &CONFIGURATION).unwrap();
        for name in names() {
            assert_eq!(folder.read::<String>(&name).unwrap(), Ok(computed(&name)));
        }
        // Blocks and the configuration; no lease and no temporary file.
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 41);
        folder.remove().unwrap();
        assert!(!root.path().join("blocks").exists());
    }

    #[test]
    fn what_is_finished_before_a_failure_is_kept_and_its_lease_is_released() {
        let root = tempfile::tempdir().unwrap();
        let folder = BlockFolder::open(&root.path().join("blocks/maps"), &CONFIGURATION).unwrap();
        let some = AtomicUsize::new(0);
        let compute = |name: &str| {
            if some.fetch_add(1, Ordering::SeqCst) < 4 {
                Ok(computed(name))
            } else {
                Err(BlockError::Gone { folder: name.into() })
            }
        };
        let outcome = folder.pass(&names(), Taken::Try, &[compute]);
        assert!(matches!(outcome, Err(BlockError::Gone { .. })));
        assert_eq!(folder.done().unwrap().into_iter().collect::<Vec<_>>(), names()[..4]);
        assert_eq!(folder.states().unwrap().len(), 4);
        let lease = folder.lease("block-7").unwrap().unwrap();
        let compute = |name: &str| Ok::<_, BlockError>(computed(name));
        let left = folder.pass(&names(), Taken::Leave, &[compute]);
        assert_eq!(left.unwrap(), ["block-7"]);
        drop(lease);
        folder.set_aside("block-3").unwrap();
        assert_eq!(folder.done().unwrap().len(), 38);
    }

    #[test]
    fn workers_take_blocks_from_one_queue_until_one_fails() {
        let root = tempfile::tempdir().unwrap();
        let folder = BlockFolder::open(&root.path().join("blocks/maps"), &CONFIGURATION).unwrap();
        // Each worker waits in its first block for the other two.
        let (meeting, counts) = (Barrier::new(3), [const { AtomicUsize::new(0) }; 3]);
        let worker = |count| {
            let meeting = &meeting;
            move |name: &str| {
                if AtomicUsize::fetch_add(count, 1, Ordering::SeqCst) == 0 {
                    meeting.wait();
                }
                Ok::<_, BlockError>(computed(name))
            }
        };
        let workers: Vec<_> = counts.iter().map(worker).collect();
        assert!(folder.pass(&names(), Taken::Try, &workers).unwrap().is_empty());
        assert_eq!(folder.done().unwrap().len(), 40);
        assert_eq!(counts.map(AtomicUsize::into_inner).into_iter().sum::<usize>(), 40);

        // The current blocks of the others are kept, and no further block is taken.
        folder.remove().unwrap();
        let folder = BlockFolder::open(&root.path().join("blocks/maps"), &CONFIGURATION).unwrap();
        let failing = |fails| {
            move |name: &str| {
                if fails {
                    return Err(BlockError::Gone { folder: name.into() });
                }
                thread::sleep(Duration::from_millis(50));
                Ok(computed(name))
            }
        };
        let outcome = folder.pass(&names(), Taken::Try, &[false, true, false].map(failing));
        assert!(matches!(outcome, Err(BlockError::Gone { .. })));
        let done = folder.done().unwrap().len();
        assert!(done < 40 && folder.states().unwrap().len() == done, "{done}");
    }

    #[test]
    fn another_configuration_is_refused_and_told() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("out/blocks/maps");
        let folder = BlockFolder::open(&path, &CONFIGURATION).unwrap();
        let other = Stored { configuration: "another job", about: () };
        let error = BlockFolder::open(&path, &other).unwrap_err().to_string();
        assert!(error.contains("a job there; another job here"), "{error}");
        let (found, stored) = BlockFolder::find::<String, ()>(&path).unwrap().unwrap();
        assert_eq!((found.digest(), stored.configuration.as_str()), (folder.digest(), "a job"));
        folder.remove_if_empty();
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
        assert!(BlockFolder::find::<String, ()>(&path).unwrap().is_none());
    }
}
