use super::*;

const SHORT: LeaseTimeouts =
    LeaseTimeouts { heartbeat: Duration::from_millis(20), silence: Duration::from_millis(300) };

fn leases(folder: &Path) -> Leases {
    Leases::new(folder, SHORT)
}

/// A process on another machine, alive by its heartbeat alone.
fn elsewhere(folder: &Path) -> Leases {
    let mut leases = Leases::new(folder, SHORT);
    let owner = Owner { boot: Some("elsewhere".into()), ..Owner::this_process() };
    leases.owner = serde_json::to_string(&owner).unwrap();
    leases.boot = owner.boot;
    leases
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
    let [one, other] = [(); 2].map(|()| leases(folder.path()));
    let lease = one.acquire("a").unwrap().unwrap();
    assert!(other.acquire("a").unwrap().is_none());
    assert!(one.acquire("a").unwrap().is_none());
    let second = other.acquire("b").unwrap().unwrap();
    drop(lease);
    assert!(other.acquire("a").unwrap().is_some());
    drop(second);
    assert!(files(folder.path()).is_empty());
}

#[test]
fn an_owner_elsewhere_is_alive_as_long_as_its_beat_changes() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (leases(folder.path()), elsewhere(folder.path()));
    let lease = there.acquire("a").unwrap().unwrap();
    let start = Instant::now();
    while start.elapsed() < 3 * SHORT.silence {
        assert!(here.acquire("a").unwrap().is_none());
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(lease);
    assert!(here.acquire("a").unwrap().is_some());
}

#[test]
fn a_live_owner_elsewhere_is_told_by_its_beat() {
    let folder = tempfile::tempdir().unwrap();
    // Slower than the second look at an owner that seems alive.
    let slow = LeaseTimeouts { heartbeat: 4 * LOOK, silence: 40 * LOOK };
    let mut there = elsewhere(folder.path());
    there.timeouts = slow;
    let lease = there.acquire("a").unwrap().unwrap();
    let here = Leases::new(folder.path(), slow);
    let wait = || -> Result<(), FileError> {
        std::thread::sleep(LOOK);
        Ok(())
    };
    let owner = here.live_owner(wait).unwrap().unwrap();
    assert!(owner.starts_with(&format!("process {}", std::process::id())), "{owner}");
    drop(lease);
    assert_eq!(here.live_owner(wait).unwrap(), None);
}

#[test]
fn a_silent_owner_elsewhere_is_replaced_by_one_and_comes_back_without_harm() {
    let folder = tempfile::tempdir().unwrap();
    let mut there = elsewhere(folder.path());
    let lease = there.acquire("a").unwrap().unwrap();
    // The heartbeat stops; the owner still believes in its lease.
    drop(there.heartbeat.take());
    let others = [(); 3].map(|()| leases(folder.path()));
    let mut won = Vec::new();
    let start = Instant::now();
    while won.is_empty() {
        assert!(start.elapsed() < Duration::from_secs(30));
        won.extend(others.iter().filter_map(|other| other.acquire("a").unwrap()));
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(start.elapsed() >= SHORT.silence);
    assert_eq!(won.len(), 1);
    assert_eq!(files(folder.path()), ["a.lease-0", "a.lease-1"]);
    drop(lease);
    assert_eq!(files(folder.path()), ["a.lease-0", "a.lease-1"]);
    for other in &others {
        assert!(other.acquire("a").unwrap().is_none());
    }
    drop(won);
    assert!(files(folder.path()).is_empty());
}

#[test]
fn an_owner_of_this_machine_that_ended_is_replaced_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.lease-0");
    let here = Leases::new(folder.path(), LeaseTimeouts::default());
    // As after a kill: the file without its lock.
    std::fs::write(&path, format!("{}\n", here.owner)).unwrap();
    if here.boot.is_some() {
        let lease = here.acquire("a").unwrap().unwrap();
        assert_eq!(files(folder.path()), ["a.lease-0", "a.lease-1"]);
        assert!(leases(folder.path()).acquire("a").unwrap().is_none());
        drop(lease);
        assert!(files(folder.path()).is_empty());
    }
    // Nothing is known of a process that was killed before it wrote its name.
    std::fs::write(&path, "").unwrap();
    assert!(here.acquire("a").unwrap().is_none());
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
                let leases = leases(folder.path());
                for _ in 0..200 {
                    if let Some(lease) = leases.acquire("a").unwrap() {
                        assert_eq!(inside.fetch_add(1, order), 0);
                        had.fetch_add(1, order);
                        std::thread::yield_now();
                        assert_eq!(inside.fetch_sub(1, order), 1);
                        drop(lease);
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
    assert!(leases(&folder.path().join("absent")).acquire("a").is_err());
}
