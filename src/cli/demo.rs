//! `occlumap demo`: the whole job on a network with known receptive fields.

mod table;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::Args;

use self::table::table;
use super::arguments::RunningArguments;
use super::console;
use super::failure::Failure;
use super::shell::{shell, value_name};
use super::terminal::Session;
use occlumap::demo::{DemoSettings, demo};
use occlumap::runs::{ModelSource, RunSettings, SweepSettings};

/// Do the whole job on a built-in network with known receptive fields
///
/// Writes a small network, its weights and its images into OUT, does what `run` does, measures
/// every map, and prints its centre, widths and angle beside the true ones. OUT/contact_sheet.png
/// shows the maps, a row per layer, with a line where the true field falls to half its maximum.
/// Then maps two layers of the same network with the weights of each filter in another order, and
/// compares: OUT/comparison/comparison.html shows that the fields are gone. Exits with 1 if a map
/// disagrees with the truth, or if the comparison does not find this.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  occlumap demo --out demo")]
pub(super) struct Demo {
    /// Folder of all files
    #[arg(long, value_name = "DIR", default_value = "occlumap-demo")]
    out: PathBuf,
    /// Replace existing files
    #[arg(long)]
    force: bool,
    /// Seed of the images and of the noise
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    running: RunningArguments,
}

impl Demo {
    pub fn execute(self) -> Result<(), Failure> {
        let session = Session::start(&self.running)?;
        let settings = DemoSettings { folder: self.out, force: self.force, seed: self.seed };
        let found = demo(&settings, &session.context())?;
        if !self.running.quiet {
            let text = format!(
                "{}\nThe maps in one picture: {}\nOnce more on the same files:\n  occlumap run {}\n\n\
                 {}\nThe comparison: {}\n",
                table(&found.layers),
                found.sheet.display(),
                shell(arguments(&settings.run())),
                found.finding,
                found.comparison.display()
            );
            console::print(text.as_bytes())?;
        }
        found.problem().map_or(Ok(()), |problem| Err(Failure::failed(problem)))
    }
}

/// The arguments of a run of the demonstration.
fn arguments(run: &RunSettings) -> Vec<OsString> {
    let SweepSettings { input, output, occlusion, .. } = &run.sweep;
    let option = |name: &str, value: &OsStr| [name.into(), value.to_owned()];
    let mut arguments = Vec::new();
    if let ModelSource::Files { model, weights } = &input.model {
        arguments.extend(option("--model", model.as_ref()));
        arguments.extend(option("--weights", weights.as_os_str()));
    }
    if let Some(images) = input.images.path() {
        arguments.extend(option("--images", images.as_os_str()));
    }
    arguments.extend(option("--top", run.top.to_string().as_ref()));
    arguments.extend(option("--seed", occlusion.seed.to_string().as_ref()));
    if let Some(over) = value_name(&occlusion.mean_over) {
        arguments.extend(option("--mean-over", over.as_ref()));
    }
    arguments.extend(option("--out", output.folder.as_os_str()));
    arguments.push("--force".into());
    arguments
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::run::Run;

    /// The command `run`, parsed from its arguments.
    #[derive(Parser)]
    #[command(no_binary_name = true)]
    struct Repeat {
        #[command(flatten)]
        run: Run,
    }

    #[test]
    fn the_printed_command_does_the_same_run() {
        let settings = DemoSettings { folder: "my demo's".into(), force: false, seed: 7 };
        let run = settings.run();
        let arguments = arguments(&run);
        assert_eq!(
            shell(&arguments),
            r"--model 'my demo'\''s/model.json' --weights 'my demo'\''s/weights.safetensors' --images 'my demo'\''s/images' --top 8 --seed 7 --mean-over covering --out 'my demo'\''s' --force"
        );
        let parsed = Repeat::try_parse_from(&arguments).unwrap_or_else(|error| panic!("{error}"));
        let parsed = parsed.run.settings().unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(format!("{parsed:?}"), format!("{run:?}"));
    }
}
