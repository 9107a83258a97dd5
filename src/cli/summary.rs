//! `occlumap summary`: receptive fields over the depth of one or several networks.

use std::path::PathBuf;

use clap::Args;
use occlumap::progress::Progress;
use occlumap::report::Results;
use occlumap::report::summary::{FILES, count, summarise, write};
use occlumap::runs::{OutputFolder, Task};

use super::arguments::RunningArguments;
use super::failure::Failure;
use super::terminal::Session;

/// Summarise receptive fields over the depth of networks
///
/// Writes a figure (PDF, SVG, PNG) and its numbers: for each layer the effective size and the
/// theoretical receptive field, the distance of the centres from the middle, and aspect and
/// orientation of the fitted Gaussians; medians and quartiles over units. Several folders are drawn
/// side by side.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  occlumap summary out/
      one network, in summary/
  occlumap summary alexnet/ resnet18/ --names AlexNet,ResNet18 --out depth/
      two networks in one figure")]
pub(super) struct Summary {
    /// Output folders of a `run` or `sweep`
    #[arg(value_name = "OUT", required = true)]
    folders: Vec<PathBuf>,
    /// Names of the networks, in the order of the folders [default: those of the models]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    names: Vec<String>,
    /// Folder of the files
    #[arg(long, value_name = "DIR", default_value = "summary")]
    out: PathBuf,
    /// Replace existing files
    #[arg(long)]
    force: bool,
    /// Blur each map by a Gaussian of a thirtieth of the RF before the fit; widths include the blur
    #[arg(long)]
    blur: bool,
    /// Resolution of the PNG in pixels per inch; it is 7.5 inches wide
    #[arg(long, value_name = "DPI", default_value_t = 200)]
    #[arg(value_parser = clap::value_parser!(u32).range(72..=1200))]
    resolution: u32,
    #[command(flatten)]
    running: RunningArguments,
}

impl Summary {
    pub fn execute(self) -> Result<(), Failure> {
        let session = Session::start(&self.running)?;
        let (folders, names) = (self.folders.len(), self.names.len());
        if names != 0 && names != folders {
            return Err(Failure::usage(format!(
                "--names: {names} for {folders} folders; expected one for each"
            )));
        }
        let output = OutputFolder::check_files(&self.out, FILES, self.force)?;
        let open = |folder: &PathBuf| Results::open(folder, None);
        let opened: Vec<Results> = self.folders.iter().map(open).collect::<Result<_, _>>()?;
        let name = |(index, results): (usize, &Results)| {
            let model = &results.configuration().model.name;
            self.names.get(index).unwrap_or(model).clone()
        };
        let named: Vec<(String, &Results)> = opened
            .iter()
            .enumerate()
            .map(|(index, results)| (name((index, results)), results))
            .collect();
        let task = Task { label: "summary", counted: "units", total: count(&named) };
        let compute = |progress: &Progress<'_>| summarise(&named, self.blur, progress);
        let summary = session.context().compute(&task, compute)?;
        let folder = output.create("")?;
        write(&summary, &folder, self.resolution as f32)?;
        session.say(format!("wrote {}", folder.display()));
        Ok(())
    }
}
