//! `occlumap sizes`: widths of maps, extrapolated to occluders of one pixel.

use std::path::PathBuf;

use clap::Args;
use occlumap::files::shown;
use occlumap::report::Results;
use occlumap::report::sizes::{FILES, count, layers, sizes};
use occlumap::runs::{OutputFolder, Task, sized_folders};

use super::arguments::RunningArguments;
use super::failure::Failure;
use super::terminal::Session;

/// Extrapolate the widths of maps to occluders of one pixel
///
/// Takes two or more output folders of one network with occluders of different sizes, best three, or
/// one folder of a run with several sizes (`run --occluder-size 5,9,13`). Writes sizes.csv: for each
/// map the extrapolated widths of the fitted Gaussian, each with its standard error.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  occlumap run --occluder-size 5,9,13 --out out/ …
  occlumap sizes out/
  occlumap sizes one/ other/ third/")]
pub(super) struct Sizes {
    /// Output folders of a `run` or `sweep`
    #[arg(value_name = "OUT", required = true, num_args = 1..)]
    folders: Vec<PathBuf>,
    /// Folder of the files
    #[arg(long, value_name = "DIR", default_value = "sizes")]
    out: PathBuf,
    /// Replace existing files
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    running: RunningArguments,
}

impl Sizes {
    pub fn execute(self) -> Result<(), Failure> {
        let session = Session::start(&self.running)?;
        let mut paths = Vec::new();
        for folder in &self.folders {
            let sizes = sized_folders(folder)?;
            if sizes.is_empty() {
                paths.push(folder.clone());
            } else {
                paths.extend(sizes);
            }
        }
        if let [path] = &paths[..] {
            return Err(Failure::usage(format!(
                "{}: maps of one size of occluders; expected several folders, or that of a run with \
                 several sizes (--occluder-size 5,9,13)",
                shown(path)
            )));
        }
        let open = |folder: &PathBuf| Results::open(folder, None);
        let folders: Vec<Results> = paths.iter().map(open).collect::<Result<_, _>>()?;
        let layers = layers(&folders)?;
        let output = OutputFolder::check_files(&self.out, FILES, self.force)?;
        let task = Task { label: "sizes", counted: "units", total: count(&layers) };
        let table = session.context().compute(&task, |progress| sizes(&layers, progress))?;
        let folder = output.create("")?;
        table.write_with_legend(&folder, FILES)?;
        session.say(format!("wrote {}", folder.display()));
        Ok(())
    }
}
