//! Leases: the right to compute a block, among processes that share nothing but a folder.
//!
//! A lease on `X` is the file `X.lease-0`. It gets that name when it is complete, and only
//! if no file has that name: one process wins. It names its owner and holds the *heartbeat*, a
//! number that the owner raises every few seconds. An owner is dead if its own kernel says so, or
//! if its heartbeat has not changed for some time by the monotonic clock of another process. No two
//! clocks are ever compared.
//!
//! A dead lease is not removed: between looking and removing, another process may have replaced it.
//! It is *taken over* by `X.lease-1`, made in the same way, and so on. The highest number owns the
//! block. Its owner removes all leases when the block is done, the lowest first.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::owner::Owner;
use crate::files::{FileError, temporary_in};

/// Separator between the name of a lease's block and its number.
pub(super) const LEASE: &str = ".lease-";

/// Upper bound of the time that looking at a lease takes.
const LOOK: Duration = Duration::from_millis(50);

/// Interval of heartbeats, and the silence after which an owner counts as dead.
#[derive(Clone, Copy, Debug)]
pub struct LeaseTimeouts {
    /// Interval of heartbeats.
    pub heartbeat: Duration,
    /// Time without a heartbeat after which an owner counts as dead: far longer than the usual
    /// delays of file servers.
    pub silence: Duration,
}

impl Default for LeaseTimeouts {
    fn default() -> Self {
        Self { heartbeat: Duration::from_secs(20), silence: Duration::from_mins(3) }
    }
}

/// The leases of this process in a folder, and observations of others' leases.
#[derive(Debug)]
pub struct Leases {
    folder: PathBuf,
    owner: String,
    boot: Option<String>,
    timeouts: LeaseTimeouts,
    /// The last content seen of each lease, and the time of the last change.
    seen: Mutex<HashMap<PathBuf, (Vec<u8>, Instant)>>,
    held: Arc<Mutex<Vec<Held>>>,
    /// Thread that writes heartbeats until the sender is dropped.
    heartbeat: OnceLock<Option<(Sender<()>, JoinHandle<()>)>>,
}

/// The open file of a lease. Its lock lasts until the file is closed or the process ends.
#[derive(Debug)]
struct Held {
    path: PathBuf,
    file: File,
    heartbeat: u64,
}

/// A lease of this process; released on drop.
#[derive(Debug)]
pub struct Lease {
    /// The dead leases below this one, the lowest first.
    superseded: Vec<PathBuf>,
    path: PathBuf,
    /// The lease that another process would take over with.
    next: PathBuf,
    owner: String,
    held: Arc<Mutex<Vec<Held>>>,
}

/// Outcome of an attempt to get a lease.
enum Attempt {
    Won(Lease),
    /// A live process has the lease, or may have it.
    Lost,
    /// Leases were made and released in the meantime.
    Changed,
}

/// State of a lease's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// By the kernel, or because its heartbeat has changed.
    Alive,
    /// Its heartbeat has not changed yet.
    Unknown,
    Dead,
    /// The file does not exist any more.
    Released,
}

impl Leases {
    /// Leases in `folder`.
    pub fn new(folder: &Path, timeouts: LeaseTimeouts) -> Self {
        let owner = Owner::this_process();
        Self {
            folder: folder.to_owned(),
            // Plain data always serialises.
            owner: serde_json::to_string(&owner).unwrap_or_default(),
            boot: owner.boot,
            timeouts,
            seen: Mutex::default(),
            held: Arc::default(),
            heartbeat: OnceLock::new(),
        }
    }

    /// Acquires the lease on `subject`; `None` if another process has it, or may have it.
    ///
    /// The caller must check afterwards whether the work is done: it may have been finished just
    /// before.
    ///
    /// # Errors
    /// Files that cannot be written; a missing folder.
    pub fn acquire(&self, subject: &str) -> Result<Option<Lease>, FileError> {
        self.heartbeat.get_or_init(|| self.start_heartbeat());
        // Leases may be released and acquired in between; losing every time means enough
        // competition.
        for _ in 0..16 {
            match self.attempt(subject)? {
                Attempt::Won(lease) => return Ok(Some(lease)),
                Attempt::Lost => return Ok(None),
                Attempt::Changed => {}
            }
        }
        Ok(None)
    }

    /// Whether the owner of `subject` may be alive.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn is_leased(&self, subject: &str) -> Result<bool, FileError> {
        let mut claimed = false;
        for number in 0.. {
            let path = self.path(subject, number);
            match self.look(&path).map_err(FileError::read(&path))? {
                Seen::Released => break,
                seen => claimed = seen != Seen::Dead,
            }
        }
        Ok(claimed)
    }

    /// A live owner of any lease in the folder: its process number and machine. `wait` is called
    /// while only a heartbeat can decide.
    ///
    /// # Errors
    /// Files that cannot be read; errors of `wait`.
    pub fn live_owner<E: From<FileError>>(
        &self,
        mut wait: impl FnMut() -> Result<(), E>,
    ) -> Result<Option<String>, E> {
        loop {
            let mut unknown = false;
            let entries = match std::fs::read_dir(&self.folder) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                entries => entries.map_err(FileError::read(&self.folder))?,
            };
            for entry in entries {
                let path = entry.map_err(FileError::read(&self.folder))?.path();
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if !name.contains(LEASE) {
                    continue;
                }
                let look = || self.look(&path).map_err(FileError::read(&path));
                match look()? {
                    Seen::Alive => {
                        // A process that looks at a dead lease holds its lock for a moment.
                        std::thread::sleep(LOOK);
                        if matches!(look()?, Seen::Dead | Seen::Released) {
                            continue;
                        }
                        let content = std::fs::read(&path).unwrap_or_default();
                        let first = content.split(|&byte| byte == b'\n').next();
                        let owner = serde_json::from_slice(first.unwrap_or_default());
                        return Ok(Some(owner.map_or("unknown".into(), |owner: Owner| {
                            format!("process {} on {}", owner.process, owner.host)
                        })));
                    }
                    Seen::Unknown => unknown = true,
                    Seen::Dead | Seen::Released => {}
                }
            }
            if !unknown {
                return Ok(None);
            }
            wait()?;
        }
    }

    /// The file of a lease.
    fn path(&self, subject: &str, number: usize) -> PathBuf {
        self.folder.join(format!("{subject}{LEASE}{number}"))
    }

    /// One round of looking and acquiring.
    fn attempt(&self, subject: &str) -> Result<Attempt, FileError> {
        let path = |number: usize| self.path(subject, number);
        for number in 0.. {
            let this = path(number);
            match self.look(&this).map_err(FileError::read(&this))? {
                Seen::Alive | Seen::Unknown => return Ok(Attempt::Lost),
                Seen::Dead => continue,
                Seen::Released => {}
            }
            let file = match self.make(&this) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    return Ok(Attempt::Changed);
                }
                made => made.map_err(FileError::write(&this))?,
            };
            lock(&self.held).push(Held { path: this.clone(), file, heartbeat: 0 });
            let mut lease = Lease {
                superseded: (0..number).map(path).collect(),
                path: this,
                next: path(number + 1),
                owner: self.owner.clone(),
                held: Arc::clone(&self.held),
            };
            // The dead lease may have been released and acquired again.
            let dead = |path: &PathBuf| matches!(self.look(path), Ok(Seen::Dead));
            if lease.superseded.last().is_none_or(dead) {
                return Ok(Attempt::Won(lease));
            }
            lease.superseded.clear();
            return Ok(Attempt::Changed);
        }
        Ok(Attempt::Changed)
    }

    /// Makes the file of a new lease. It is locked and names its owner before it is renamed: a
    /// process that is killed in between leaves no lease without an owner.
    fn make(&self, path: &Path) -> io::Result<File> {
        let mut file = temporary_in(&self.folder)?;
        // Without locks, which some file systems lack, the heartbeat decides.
        let _ = file.as_file().try_lock();
        writeln!(file, "{}", self.owner)?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path).map_err(|failed| failed.error)
    }

    /// Looks at a lease and decides whether its owner is alive.
    fn look(&self, path: &Path) -> io::Result<Seen> {
        let mut options = File::options();
        let mut file = match options.read(true).write(true).open(path) {
            Ok(file) => file,
            // The folder belongs to another user.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
                ) =>
            {
                File::open(path)?
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Seen::Released),
            Err(error) => return Err(error),
        };
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        let first = content.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let owner: Option<Owner> = serde_json::from_slice(first).ok();
        if let (Some(Owner { boot: Some(boot), .. }), Some(here)) = (&owner, &self.boot)
            && boot == here
        {
            match file.try_lock() {
                Ok(()) => return Ok(Seen::Dead),
                Err(TryLockError::WouldBlock) => return Ok(Seen::Alive),
                // The file system has no locks.
                Err(TryLockError::Error(_)) => {}
            }
        }
        let mut seen = lock(&self.seen);
        match seen.get(path) {
            Some((last, since)) if *last == content => {
                let dead = since.elapsed() >= self.timeouts.silence;
                Ok(if dead { Seen::Dead } else { Seen::Unknown })
            }
            known => {
                let seen_before = known.is_some();
                seen.insert(path.to_owned(), (content, Instant::now()));
                Ok(if seen_before { Seen::Alive } else { Seen::Unknown })
            }
        }
    }

    /// Starts the thread of heartbeats.
    fn start_heartbeat(&self) -> Option<(Sender<()>, JoinHandle<()>)> {
        let (stop, stopped) = channel::<()>();
        let (held, heartbeat) = (Arc::clone(&self.held), self.timeouts.heartbeat);
        let heartbeats = move || {
            while stopped.recv_timeout(heartbeat) == Err(RecvTimeoutError::Timeout) {
                for lease in lock(&held).iter_mut() {
                    // After a long failure another process takes over, and both write the same
                    // block.
                    let _ = lease.heartbeat();
                }
            }
        };
        let thread = std::thread::Builder::new().name("leases".into()).spawn(heartbeats);
        // Without a thread there is no heartbeat; the work is done all the same.
        thread.ok().map(|thread| (stop, thread))
    }
}

impl Drop for Leases {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.heartbeat.take().flatten() {
            drop(stop);
            let _ = thread.join();
        }
    }
}

impl Held {
    /// Writes the next heartbeat, behind the line that names the owner.
    fn heartbeat(&mut self) -> io::Result<()> {
        self.heartbeat += 1;
        self.file.seek(SeekFrom::Start(0))?;
        let mut content = Vec::new();
        self.file.read_to_end(&mut content)?;
        let line = content.iter().position(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        self.file.seek(SeekFrom::Start(line as u64))?;
        writeln!(self.file, "{:020}", self.heartbeat)?;
        self.file.sync_data()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // If this lease was taken over, the other process removes the files, or has removed them:
        // the name may then belong to a third process.
        let ours = std::fs::read(&self.path)
            .is_ok_and(|content| content.starts_with(self.owner.as_bytes()));
        if ours && !self.next.exists() {
            for path in &self.superseded {
                let _ = std::fs::remove_file(path);
            }
            let _ = std::fs::remove_file(&self.path);
        }
        // The lock is released last: a lease that is visible is held.
        lock(&self.held).retain(|held| held.path != self.path);
    }
}

/// No data behind these mutexes is left half changed by a panic.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
