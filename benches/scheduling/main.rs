//! A ResNet-sized sweep, 4,800 units, by a thousand tasks on one folder: what does the file system
//! have to bear? `cargo bench --bench scheduling`
//!
//! 1. The system calls of a block, counted by `strace` in the project's own claiming code.
//! 2. A thousand processes' worth of that code on a folder of this machine, with blocks that take no
//!    time: how many a second it does at most.
//! 3. The scheduling, simulated: tasks that come late, die, and come again, blocks of a minute.
#![allow(clippy::print_stdout, reason = "a benchmark reports")]
#![allow(clippy::unwrap_used, reason = "a benchmark may fail by panicking")]

mod calls;
mod simulation;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use occlumap::blocks::{Block, BlockError, BlockFolder, Shard, Stored, Taken};

/// Units of a ResNet-18's convolutions, one a block.
const BLOCKS: usize = 4800;
const TASKS: usize = 1000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // As the process whose calls are counted.
    if let [what, blocks, folder] = &arguments[..] {
        calls::child(what, blocks.parse().unwrap(), Path::new(folder));
        return;
    }
    println!("system calls that a file server may see, by strace");
    let costs = calls::count();
    together();
    for minutes in [1.0, 0.1] {
        simulation::run(60.0 * minutes, &costs);
    }
}

/// A folder for blocks.
fn open(folder: &Path) -> BlockFolder {
    BlockFolder::open(folder, &Stored { configuration: "a sweep", about: () }).unwrap()
}

fn names(blocks: usize) -> Vec<String> {
    (0..blocks).map(|block| format!("conv1-{block}-{block}")).collect()
}

/// A block as large as one of 200 maps with some hundred occluders each.
fn block() -> Block<String> {
    Block { record: "a block".into(), payload: vec![7; 4096] }
}

/// All tasks at once, as threads: each with leases of its own, as if it were a process.
fn together() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("blocks/maps");
    let (names, computed) = (names(BLOCKS), AtomicUsize::new(0));
    open(&path);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for task in 1..=TASKS {
            let (path, names, computed) = (&path, &names, &computed);
            scope.spawn(move || {
                let shard: Shard = format!("{task}/{TASKS}").parse().unwrap();
                let compute = |_: &str| {
                    computed.fetch_add(1, Ordering::Relaxed);
                    Ok::<_, BlockError>(block())
                };
                let mine: Vec<String> = (0..BLOCKS)
                    .filter(|&place| shard.has(place))
                    .map(|n| names[n].clone())
                    .collect();
                open(path).pass(&mine, Taken::Try, &[compute]).unwrap();
            });
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    let computed = computed.into_inner();
    println!(
        "\n{TASKS} tasks at once on one folder of this machine: {computed} blocks in {seconds:.1} s, \
         {:.0} a second",
        computed as f64 / seconds
    );
}
