//! The program as its users meet it: what it refuses and how it says so, what it writes and what
//! it leaves alone, how it ends.

mod arguments;
mod checkpoints;
mod comparisons;
mod coverage;
mod derived;
mod descriptions;
mod determinism;
mod fills;
mod images;
mod joining;
mod manifests;
#[cfg(target_os = "linux")]
mod memory;
mod networks;
mod outputs;
mod planning;
mod plots;
mod precisions;
mod rankings;
mod reports;
mod results;
mod shards;
#[cfg(unix)]
mod signals;
mod sizes;
#[cfg(unix)]
mod slurm;
mod statistics;
mod stopping;
mod terminal;
mod weights;
