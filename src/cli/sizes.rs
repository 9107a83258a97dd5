//! `occlumap sizes`: widths of maps, extrapolated to occluders of no size.

use std::path::PathBuf;

use clap::Args;
use occlumap::progress::Progress;
use occlumap::report::Results;
use occlumap::report::sizes::{FILES, count, layers, sizes};
use occlumap::runs::{OutputFolder, Task};

use super::arguments::RunningArguments;
use super::failure::Failure;
use super::terminal::Session;

/// Extrapolate the widths of maps to occluders of no size
///
/// Takes output folders of one network whose occluders differ in size (`run --occluder-size`), best three
/// or more. Writes sizes.csv: of each map the widths of the Gaussian that fits best, extrapolated to
/// occluders of one pixel, each with its standard error.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  occlumap sizes size5/ size9/ size13/")]
pub(super) struct Sizes {
    /// Output folders of a `run` or `sweep`
    #[arg(value_name = "OUT", required = true, num_args = 2..)]
    folders: Vec<PathBuf>,
    /// Folder for the files
    #[arg(long, value_name = "DIR", default_value = "sizes")]
    out: PathBuf,
    /// Replace files of the same names
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    running: RunningArguments,
}

impl Sizes {
    pub fn execute(self) -> Result<(), Failure> {
        let session = Session::start(&self.running)?;
        let open = |folder: &PathBuf| Results::open(folder, None);
        let folders: Vec<Results> = self.folders.iter().map(open).collect::<Result<_, _>>()?;
        let layers = layers(&folders)?;
        let output = OutputFolder::check_files(&self.out, FILES, self.force)?;
        let context = session.context();
        let progress = Progress::new(context.observer.cancel_token());
        let task = Task { label: "sizes", counted: "units", total: count(&layers) };
        let work = || context.pool.install(|| sizes(&layers, &progress));
        let (table, _) = context.track(&task, &progress, work)?;
        let folder = output.create("")?;
        table.write_with_legend(&folder, FILES)?;
        session.say(format!("wrote {}", folder.display()));
        Ok(())
    }
}
