//! Claims: who computes what, among processes that share a folder and nothing else.
//!
//! A claim on `X` is the file `X.claim-0`, which gets its name when it is whole and only if nobody
//! else's has it: one process wins. It holds who claims, and a number that its owner raises every few seconds, the *beat*. An owner is dead if
//! the kernel that it runs on says so, or if its beat has not changed while another process
//! watched it for some time by its own monotonic clock. No two clocks are ever compared.
//!
//! A dead claim is not removed: between looking at it and removing it, it may have become another
//! process's. It is *outbid* by `X.claim-1`, made in the same way, and so on. The owner of
//! the highest number has the claim, and removes all of them when it is done, the lowest first.

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

/// What stands between a claim's subject and its number.
pub(super) const CLAIM: &str = ".claim-";

/// Longer than looking at a claim takes.
const LOOK: Duration = Duration::from_millis(50);

/// How often a claim's owner shows that it is alive, and how long others wait to see it.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From beat to beat.
    pub beat: Duration,
    /// Without a beat, after which an owner counts as dead. Far longer than file servers are
    /// silent for in ordinary trouble.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { beat: Duration::from_secs(20), silence: Duration::from_mins(3) }
    }
}

/// The claims that this process makes in a folder, and what it has seen of others'.
#[derive(Debug)]
pub struct Claims {
    folder: PathBuf,
    owner: String,
    boot: Option<String>,
    patience: Patience,
    /// What claims were last seen to hold, and since when.
    seen: Mutex<HashMap<PathBuf, (Vec<u8>, Instant)>>,
    held: Arc<Mutex<Vec<Held>>>,
    /// Beats until its other end is gone.
    heart: OnceLock<Option<(Sender<()>, JoinHandle<()>)>>,
}

/// A claim's file. The lock on it lasts as long as it is open, or the process lives.
#[derive(Debug)]
struct Held {
    path: PathBuf,
    file: File,
    beat: u64,
}

/// A claim that this process has, until it is dropped.
#[derive(Debug)]
pub struct Claim {
    /// The dead claims that were outbid, the lowest first.
    outbid: Vec<PathBuf>,
    path: PathBuf,
    /// The next process's, should it have taken this one for dead.
    next: PathBuf,
    owner: String,
    held: Arc<Mutex<Vec<Held>>>,
}

/// How trying to claim ended.
enum Attempt {
    Won(Claim),
    /// A live process has the claim, or may have.
    Lost,
    /// Claims were made and released meanwhile.
    Changed,
}

/// What a claim's file tells of its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// The kernel says so, or its beat has changed.
    Alive,
    /// Its beat has not changed yet.
    Unknown,
    Dead,
    /// There is no such file any more.
    Released,
}

impl Claims {
    /// Claims in `folder`.
    pub fn new(folder: &Path, patience: Patience) -> Self {
        let owner = Owner::this_process();
        Self {
            folder: folder.to_owned(),
            // Plain data, which always serialises.
            owner: serde_json::to_string(&owner).unwrap_or_default(),
            boot: owner.boot,
            patience,
            seen: Mutex::default(),
            held: Arc::default(),
            heart: OnceLock::new(),
        }
    }

    /// Claims `subject`; `None` where another process has it, or may have.
    ///
    /// Whoever gets a claim looks whether the work is not done by now: it may have been finished
    /// just before.
    ///
    /// # Errors
    /// Files that cannot be written; the folder itself not being there.
    pub fn claim(&self, subject: &str) -> Result<Option<Claim>, FileError> {
        self.heart.get_or_init(|| self.start_heart());
        // Others may release and claim meanwhile; who loses every time has competition enough.
        for _ in 0..16 {
            match self.attempt(subject)? {
                Attempt::Won(claim) => return Ok(Some(claim)),
                Attempt::Lost => return Ok(None),
                Attempt::Changed => {}
            }
        }
        Ok(None)
    }

    /// Whether the process that has claimed `subject` may be alive.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn is_claimed(&self, subject: &str) -> Result<bool, FileError> {
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

    /// A live process that has claimed anything in the folder: its number and its machine. Where
    /// only the beat can tell, `wait` is called until it does.
    ///
    /// # Errors
    /// Files that cannot be read; what `wait` returns.
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
                if !name.contains(CLAIM) {
                    continue;
                }
                let look = || self.look(&path).map_err(FileError::read(&path));
                match look()? {
                    Seen::Alive => {
                        // Another process that looks at a dead one's lease holds its lock for a
                        // moment.
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

    /// The file of a claim.
    fn path(&self, subject: &str, number: usize) -> PathBuf {
        self.folder.join(format!("{subject}{CLAIM}{number}"))
    }

    /// One round of looking and claiming.
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
            lock(&self.held).push(Held { path: this.clone(), file, beat: 0 });
            let mut claim = Claim {
                outbid: (0..number).map(path).collect(),
                path: this,
                next: path(number + 1),
                owner: self.owner.clone(),
                held: Arc::clone(&self.held),
            };
            // The claim that was dead may have been released and made anew since.
            let dead = |path: &PathBuf| matches!(self.look(path), Ok(Seen::Dead));
            if claim.outbid.last().is_none_or(dead) {
                return Ok(Attempt::Won(claim));
            }
            claim.outbid.clear();
            return Ok(Attempt::Changed);
        }
        Ok(Attempt::Changed)
    }

    /// Makes the file of a new claim. It is locked and says whose it is before it gets its name: a
    /// process that is killed in between leaves no claim that nobody can be asked about.
    fn make(&self, path: &Path) -> io::Result<File> {
        let mut file = temporary_in(&self.folder)?;
        // Some file systems have no locks; then the beat tells.
        let _ = file.as_file().try_lock();
        writeln!(file, "{}", self.owner)?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path).map_err(|failed| failed.error)
    }

    /// Whether a claim's owner is alive.
    fn look(&self, path: &Path) -> io::Result<Seen> {
        let mut options = File::options();
        let mut file = match options.read(true).write(true).open(path) {
            Ok(file) => file,
            // In a folder of another user.
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
                // No locks here.
                Err(TryLockError::Error(_)) => {}
            }
        }
        let mut seen = lock(&self.seen);
        match seen.get(path) {
            Some((last, since)) if *last == content => {
                let dead = since.elapsed() >= self.patience.silence;
                Ok(if dead { Seen::Dead } else { Seen::Unknown })
            }
            known => {
                let seen_before = known.is_some();
                seen.insert(path.to_owned(), (content, Instant::now()));
                Ok(if seen_before { Seen::Alive } else { Seen::Unknown })
            }
        }
    }

    /// Starts the thread that raises the beats.
    fn start_heart(&self) -> Option<(Sender<()>, JoinHandle<()>)> {
        let (stop, stopped) = channel::<()>();
        let (held, beat) = (Arc::clone(&self.held), self.patience.beat);
        let beats = move || {
            while stopped.recv_timeout(beat) == Err(RecvTimeoutError::Timeout) {
                for claim in lock(&held).iter_mut() {
                    // If this fails for long, others will take the claim over, and both will
                    // write the same block.
                    let _ = claim.beat();
                }
            }
        };
        let thread = std::thread::Builder::new().name("claims".into()).spawn(beats);
        // Without a thread there is no beat, and the work is done all the same.
        thread.ok().map(|thread| (stop, thread))
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.heart.take().flatten() {
            drop(stop);
            let _ = thread.join();
        }
    }
}

impl Held {
    /// Raises the beat, behind the line that names the owner.
    fn beat(&mut self) -> io::Result<()> {
        self.beat += 1;
        self.file.seek(SeekFrom::Start(0))?;
        let mut content = Vec::new();
        self.file.read_to_end(&mut content)?;
        let line = content.iter().position(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        self.file.seek(SeekFrom::Start(line as u64))?;
        writeln!(self.file, "{:020}", self.beat)?;
        self.file.sync_data()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Where the next process has outbid this one, it removes the files, or has done so: then
        // the same name may be somebody else's.
        let ours = std::fs::read(&self.path)
            .is_ok_and(|content| content.starts_with(self.owner.as_bytes()));
        if ours && !self.next.exists() {
            for path in &self.outbid {
                let _ = std::fs::remove_file(path);
            }
            let _ = std::fs::remove_file(&self.path);
        }
        // The lock goes last: a claim that can still be seen is still held.
        lock(&self.held).retain(|held| held.path != self.path);
    }
}

/// A panic of another thread leaves nothing half done in what is locked here.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Patience =
        Patience { beat: Duration::from_millis(20), silence: Duration::from_millis(300) };

    fn claims(folder: &Path) -> Claims {
        Claims::new(folder, SHORT)
    }

    /// A process on another machine: whether it lives, only its beat can tell.
    fn elsewhere(folder: &Path) -> Claims {
        let mut claims = Claims::new(folder, SHORT);
        let owner = Owner { boot: Some("elsewhere".into()), ..Owner::this_process() };
        claims.owner = serde_json::to_string(&owner).unwrap();
        claims.boot = owner.boot;
        claims
    }

    fn files(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn one_has_a_claim_until_it_is_released() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = [(); 2].map(|()| claims(folder.path()));
        let claim = one.claim("a").unwrap().unwrap();
        assert!(other.claim("a").unwrap().is_none());
        assert!(one.claim("a").unwrap().is_none());
        let second = other.claim("b").unwrap().unwrap();
        drop(claim);
        assert!(other.claim("a").unwrap().is_some());
        drop(second);
        assert!(files(folder.path()).is_empty());
    }

    #[test]
    fn an_owner_elsewhere_is_alive_as_long_as_its_beat_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (claims(folder.path()), elsewhere(folder.path()));
        let claim = there.claim("a").unwrap().unwrap();
        let start = Instant::now();
        while start.elapsed() < 3 * SHORT.silence {
            assert!(here.claim("a").unwrap().is_none());
            std::thread::sleep(Duration::from_millis(10));
        }
        drop(claim);
        assert!(here.claim("a").unwrap().is_some());
    }

    #[test]
    fn a_live_owner_elsewhere_is_told_by_its_beat() {
        let folder = tempfile::tempdir().unwrap();
        // Slower than the second look at what seems alive.
        let slow = Patience { beat: 4 * LOOK, silence: 40 * LOOK };
        let mut there = elsewhere(folder.path());
        there.patience = slow;
        let claim = there.claim("a").unwrap().unwrap();
        let here = Claims::new(folder.path(), slow);
        let wait = || -> Result<(), FileError> {
            std::thread::sleep(LOOK);
            Ok(())
        };
        let owner = here.live_owner(wait).unwrap().unwrap();
        assert!(owner.starts_with(&format!("process {}", std::process::id())), "{owner}");
        drop(claim);
        assert_eq!(here.live_owner(wait).unwrap(), None);
    }

    #[test]
    fn a_silent_owner_elsewhere_is_outbid_by_one_and_comes_back_without_harm() {
        let folder = tempfile::tempdir().unwrap();
        let mut there = elsewhere(folder.path());
        let claim = there.claim("a").unwrap().unwrap();
        // Its heart stops; it thinks that it has the claim.
        drop(there.heart.take());
        let others = [(); 3].map(|()| claims(folder.path()));
        let mut won = Vec::new();
        let start = Instant::now();
        while won.is_empty() {
            assert!(start.elapsed() < Duration::from_secs(30));
            won.extend(others.iter().filter_map(|other| other.claim("a").unwrap()));
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(start.elapsed() >= SHORT.silence);
        assert_eq!(won.len(), 1);
        assert_eq!(files(folder.path()), ["a.claim-0", "a.claim-1"]);
        drop(claim);
        assert_eq!(files(folder.path()), ["a.claim-0", "a.claim-1"]);
        for other in &others {
            assert!(other.claim("a").unwrap().is_none());
        }
        drop(won);
        assert!(files(folder.path()).is_empty());
    }

    #[test]
    fn an_owner_of_this_machine_that_ended_is_outbid_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.claim-0");
        let here = Claims::new(folder.path(), Patience::default());
        // As a process that was killed leaves it: nobody has the lock.
        std::fs::write(&path, format!("{}\n", here.owner)).unwrap();
        if here.boot.is_some() {
            let claim = here.claim("a").unwrap().unwrap();
            assert_eq!(files(folder.path()), ["a.claim-0", "a.claim-1"]);
            assert!(claims(folder.path()).claim("a").unwrap().is_none());
            drop(claim);
            assert!(files(folder.path()).is_empty());
        }
        // Nothing is known of whoever was killed before it could write its name.
        std::fs::write(&path, "").unwrap();
        assert!(here.claim("a").unwrap().is_none());
    }

    #[test]
    fn many_threads_never_have_the_same_claim() {
        let folder = tempfile::tempdir().unwrap();
        let inside = std::sync::atomic::AtomicUsize::new(0);
        let had = std::sync::atomic::AtomicUsize::new(0);
        let order = std::sync::atomic::Ordering::SeqCst;
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let claims = claims(folder.path());
                    for _ in 0..200 {
                        if let Some(claim) = claims.claim("a").unwrap() {
                            assert_eq!(inside.fetch_add(1, order), 0);
                            had.fetch_add(1, order);
                            std::thread::yield_now();
                            assert_eq!(inside.fetch_sub(1, order), 1);
                            drop(claim);
                        }
                    }
                });
            }
        });
        assert!(had.into_inner() > 0);
        assert!(files(folder.path()).is_empty());
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(claims(&folder.path().join("absent")).claim("a").is_err());
    }
}
