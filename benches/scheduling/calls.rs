//! System calls of a block, of a lease that another process has, and of a list of the folder.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use occlumap::blocks::{BlockError, Taken};

use crate::{block, names, open};

/// Calls that go to a file server, whatever it is: those that name a file, list a folder, flush or
/// lock; and those that move data, which are few and small here.
const CALLS: &str = "openat,stat,newfstatat,statx,access,rename,renameat,renameat2,link,linkat,\
                     unlink,unlinkat,mkdir,rmdir,getdents64,fsync,fdatasync,flock,read,pread64,\
                     write,pwrite64";

/// How many calls each takes.
pub struct Costs {
    /// Claiming, computing, writing and releasing a block.
    pub block: f64,
    /// A failed attempt to get a lease.
    pub taken: f64,
    /// Listing a folder, per entry.
    pub entry: f64,
    /// Calls of a heartbeat.
    pub heartbeat: f64,
}

/// What is counted: `blocks` of it, in a process of its own.
pub fn child(what: &str, blocks: usize, folder: &Path) {
    let (folder, names) = (open(folder), names(blocks));
    let compute = |_: &str| Ok::<_, BlockError>(block());
    match what {
        "block" => drop(folder.pass(&names, Taken::Try, &[compute]).unwrap()),
        "taken" => {
            let other = open(folder.path());
            let leases: Vec<_> = names.iter().map(|name| other.lease(name).unwrap()).collect();
            assert_eq!(folder.pass(&names, Taken::Try, &[compute]).unwrap().len(), blocks);
            leases.into_iter().for_each(std::mem::forget);
        }
        "lease" => {
            let leases: Vec<_> = names.iter().map(|name| folder.lease(name).unwrap()).collect();
            leases.into_iter().for_each(std::mem::forget);
        }
        _ => drop(folder.done().unwrap()),
    }
}

/// Counts, and prints what makes a block.
pub fn count() -> Costs {
    let difference = |what| {
        let [few, many] = [100, 300].map(|blocks| calls(what, blocks));
        let of = |counts: &BTreeMap<String, f64>, name| counts.get(name).copied().unwrap_or(0.0);
        let each = many.keys().map(|name| {
            let each = (of(&many, name) - of(&few, name)) / 200.0;
            (name.clone(), each)
        });
        each.filter(|(_, each)| *each > 0.05).collect::<BTreeMap<_, _>>()
    };
    let sum = |calls: &BTreeMap<String, f64>| calls.values().sum::<f64>();
    let shown = |calls: &BTreeMap<String, f64>| {
        let one = |(name, each): (&String, &f64)| format!("{name} {each:.1}");
        calls.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    let (block, lease, taken) = (difference("block"), difference("lease"), difference("taken"));
    println!("a block                 {:5.1}   {}", sum(&block), shown(&block));
    println!("of these, its lease     {:5.1}   {}", sum(&lease), shown(&lease));
    let taken = sum(&taken) - sum(&lease);
    println!("a lease that is taken   {taken:5.1}");
    // A list is read in buffers of 32 KiB, on the way from a server in pieces of about as much.
    let entry = 1.0 / 500.0;
    // The file is read and written; its lock and its handle stay.
    let heartbeat = 4.0;
    Costs { block: sum(&block), taken, entry, heartbeat }
}

/// The calls of a process that does `what` with so many blocks.
fn calls(what: &str, blocks: usize) -> BTreeMap<String, f64> {
    let place = tempfile::tempdir().unwrap();
    let log = place.path().join("calls");
    let status = Command::new("strace")
        .args(["--follow-forks", "--summary-only", "--summary-columns=calls,name"])
        .arg("--output")
        .arg(&log)
        .arg(format!("--trace={CALLS}"))
        .arg(std::env::current_exe().unwrap())
        .args([what, &blocks.to_string()])
        .arg(place.path().join("blocks/maps"))
        .status();
    assert!(status.is_ok_and(|status| status.success()), "strace counts the calls; is it there?");
    let text = std::fs::read_to_string(log).unwrap();
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let (calls, name) = (words.next()?.parse().ok()?, words.next()?);
        (name != "total").then(|| (name.to_owned(), calls))
    };
    text.lines().filter_map(line).collect()
}
