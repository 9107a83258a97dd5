//! `occlumap models`: shapes that fit the maps.

use std::path::PathBuf;

use clap::Args;
use occlumap::progress::Progress;
use occlumap::report::Results;
use occlumap::report::models::{FILES, count, models};
use occlumap::runs::{OutputFolder, Task};

use super::arguments::RunningArguments;
use super::failure::Failure;
use super::terminal::Session;

/// Fit a Gaussian, a difference of Gaussians and a Gabor to each map
///
/// Writes models.csv: for each map the shape with the smallest information criterion (BIC), its
/// parameters with their standard errors, and the criteria of all three shapes.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  occlumap models out/ --layers conv1,conv2")]
pub(super) struct Models {
    /// Output folder of a `run` or `sweep`
    #[arg(value_name = "OUT")]
    results: PathBuf,
    /// Folder of the files
    #[arg(long, value_name = "DIR", default_value = "models")]
    out: PathBuf,
    /// Layers, such as conv1,conv3 [default: all with maps]
    #[arg(long, value_name = "LAYERS", value_delimiter = ',')]
    layers: Vec<String>,
    /// Replace existing files
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    running: RunningArguments,
}

impl Models {
    pub fn execute(self) -> Result<(), Failure> {
        let session = Session::start(&self.running)?;
        let results = Results::open(&self.results, None)?;
        let layers = results.layers_named(&self.layers)?;
        let output = OutputFolder::check_files(&self.out, FILES, self.force)?;
        let task = Task { label: "models", counted: "units", total: count(&layers) };
        let compute = |progress: &Progress<'_>| models(&results, &layers, progress);
        let table = session.context().compute(&task, compute)?;
        let folder = output.create("")?;
        table.write_with_legend(&folder, FILES)?;
        session.say(format!("wrote {}", folder.display()));
        Ok(())
    }
}
