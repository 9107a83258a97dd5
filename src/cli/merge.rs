//! `occlumap merge`: from blocks to results.

use std::path::PathBuf;

use clap::Args;
use occlumap::runs;

use super::arguments::RunningArguments;
use super::failure::Failure;
use super::terminal::Session;

/// Put the work of shards together
///
/// Checks every block, writes the ranking, or the maps and manifest.json, and removes the blocks.
/// If blocks are missing or damaged, lists them and exits with 1. Holds one block at a time, for
/// any number of units.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  occlumap merge out/
  occlumap merge out/ --from other-machine/out/")]
pub(super) struct Merge {
    /// Output folder of the shards
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// Output folders of further shards of the same configuration; their blocks are read and stay
    #[arg(long, value_name = "DIR")]
    from: Vec<PathBuf>,
    /// Print errors only
    #[arg(long, short)]
    quiet: bool,
}

impl Merge {
    pub fn execute(self) -> Result<(), Failure> {
        let session = Session::start(&RunningArguments { threads: Some(1), quiet: self.quiet })?;
        Ok(runs::merge(&self.out, &self.from, &session.context())?)
    }
}
