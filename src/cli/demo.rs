//! `occlumap demo`: the whole job on a network with known receptive fields.

mod table;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::{Args, Parser};

use self::table::table;
use super::arguments::RunningArguments;
use super::console;
use super::failure::Failure;
use super::run::Run;
use super::shell::shell;
use super::terminal::Session;
use occlumap::demo::{
    self, Comparison, Finding, IMAGES, Judged, MODEL, SHUFFLED, SHUFFLED_LAYERS, WEIGHTS,
};
use occlumap::files::FileError;
use occlumap::progress::Progress;
use occlumap::report::{Panel, Results, comparison, contact_sheet, write_png};
use occlumap::runs::OutputFolder;
use occlumap::runs::layout::MAPS;

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

/// Images per unit, from either end of its ranking.
const TOP: usize = 8;

/// The same of the network with shuffled weights, whose maps are compared alone.
const SHUFFLED_TOP: usize = 4;

/// The folder of the comparison.
const COMPARISON: &str = "comparison";

/// Pixels an inch of the comparison's figure.
const RESOLUTION: f32 = 144.0;

/// The contact sheet's file name.
const SHEET: &str = "contact_sheet.png";

/// Minimum side of a map on the contact sheet, in pixels: nine times the first layer's RF.
const PANEL: usize = 135;

/// The command `run`, parsed from the arguments that are printed at the end.
#[derive(Parser)]
#[command(no_binary_name = true)]
struct Repeat {
    #[command(flatten)]
    run: Run,
}

impl Demo {
    pub fn execute(self) -> Result<(), Failure> {
        let repeat = repeat_arguments(&self.out, self.seed);
        let here = running_arguments(&self.running);
        let parsed = |arguments: &[OsString]| {
            Repeat::try_parse_from(arguments.iter().chain(&here))
                .map_err(|error| Failure::usage(error.to_string()))
        };
        let run = parsed(&repeat)?.run;
        let shuffled = parsed(&shuffled_arguments(&self.out, self.seed))?.run;
        let output = OutputFolder::check(&self.out, self.force, &[])?;
        check_images(&self.out.join(IMAGES))?;

        demo::write(output.path(), self.seed)?;
        run.execute()?;
        let layers = demo::judge(&self.out.join(MAPS))?;
        let sheet = self.out.join(SHEET);
        write_png(&sheet, &draw(&layers))?;
        demo::write_shuffled(&self.out.join(SHUFFLED), self.seed)?;
        shuffled.execute()?;
        let finding = self.find()?;
        if !self.running.quiet {
            let text = format!(
                "{}\nThe maps in one picture: {}\nOnce more on the same files:\n  occlumap run {}\n\n{finding}\n\
                 The comparison: {}\n",
                table(&layers),
                sheet.display(),
                shell(&repeat),
                self.out.join(COMPARISON).join("comparison.html").display()
            );
            console::print(text.as_bytes())?;
        }
        verdict(&layers)?;
        match &finding.differences()[..] {
            [] => Ok(()),
            differences => Err(Failure::failed(format!(
                "the comparison does not find what is known: {}",
                differences.join("; ")
            ))),
        }
    }

    /// Compares the maps with those of shuffled weights, and writes the comparison's files.
    fn find(&self) -> Result<Finding, Failure> {
        let session = Session::start(&self.running)?;
        let context = session.context();
        let known = Results::open(&self.out, None)?;
        let shuffled = Results::open(&self.out.join(SHUFFLED), None)?;
        let progress = Progress::new(context.observer.cancel_token());
        let find = || demo::find(&known, &shuffled, &progress);
        let finding = context.pool.install(find)?;
        let folder = self.out.join(COMPARISON);
        std::fs::create_dir_all(&folder).map_err(FileError::write(&folder))?;
        comparison::write(&finding.comparison, &folder, RESOLUTION)?;
        Ok(finding)
    }
}

/// Checks that the folder of images, if it exists, has no other images: they would take part.
fn check_images(folder: &Path) -> Result<(), Failure> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).map_err(FileError::read(folder))? {
        let name = entry.map_err(FileError::read(folder))?.file_name();
        if !demo::image_names().any(|ours| name == *ours) {
            return Err(Failure::usage(format!(
                "{}: holds {}, which is not of the demo; choose another --out",
                folder.display(),
                name.display()
            )));
        }
    }
    Ok(())
}

/// The arguments of `run` for the demo's files.
fn repeat_arguments(out: &Path, seed: u64) -> Vec<OsString> {
    arguments(out, seed, &out.join(WEIGHTS), TOP, out)
}

/// The arguments of `run` for the shuffled weights.
fn shuffled_arguments(out: &Path, seed: u64) -> Vec<OsString> {
    let folder = out.join(SHUFFLED);
    let mut found = arguments(out, seed, &folder.join(WEIGHTS), SHUFFLED_TOP, &folder);
    found.extend(["--layers", SHUFFLED_LAYERS].map(OsString::from));
    found
}

fn arguments(demo: &Path, seed: u64, weights: &Path, top: usize, out: &Path) -> Vec<OsString> {
    let option = |name: &str, value: &OsStr| [name.into(), value.to_owned()];
    let number = |value: String| OsString::from(value);
    let options = [
        option("--model", demo.join(MODEL).as_os_str()),
        option("--weights", weights.as_os_str()),
        option("--images", demo.join(IMAGES).as_os_str()),
        option("--top", &number(top.to_string())),
        option("--seed", &number(seed.to_string())),
        // A padded layer's unit at the border sees a part of its field alone.
        option("--mean-over", OsStr::new("covering")),
        option("--out", out.as_os_str()),
    ];
    options.into_iter().flatten().chain(["--force".into()]).collect()
}

/// Options that do not change the result.
fn running_arguments(running: &RunningArguments) -> Vec<OsString> {
    let mut arguments = Vec::new();
    if let Some(threads) = running.threads {
        arguments.extend(["--threads".into(), threads.to_string().into()]);
    }
    if running.quiet {
        arguments.push("--quiet".into());
    }
    arguments
}

/// The contact sheet: a row per layer.
fn draw(layers: &[Judged]) -> image::RgbImage {
    let rows: Vec<_> = layers.iter().map(panels).collect();
    contact_sheet(&rows, PANEL)
}

fn panels(layer: &Judged) -> Vec<Panel<'_>> {
    let panel = |(map, unit): (_, &Comparison)| Panel {
        map,
        occluder_size: layer.occluder_size,
        occluder_stride: layer.occluder_stride,
        outline: unit.truth,
    };
    layer.maps.outer_iter().zip(&layer.units).map(panel).collect()
}

/// An error that names every disagreement, if there is one.
fn verdict(layers: &[Judged]) -> Result<(), Failure> {
    let all = || {
        layers.iter().flat_map(|layer| {
            let named = |(unit, comparison)| (format!("{} {unit}", layer.layer), comparison);
            layer.units.iter().enumerate().map(named)
        })
    };
    let wrong: Vec<String> = all()
        .filter(|(_, comparison)| !comparison.agrees())
        .map(|(name, comparison)| format!("{name} ({})", comparison.differences.join(", ")))
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "{} of {} maps disagree with what was built into the network: {}",
        wrong.len(),
        all().count(),
        wrong.join("; ")
    )))
}

#[cfg(test)]
mod tests {
    use occlumap::error::ErrorKind;

    use super::*;

    #[test]
    fn the_printed_command_is_quoted_where_it_must_be() {
        let arguments = repeat_arguments(Path::new("my demo's"), 7);
        assert_eq!(
            shell(&arguments),
            r"--model 'my demo'\''s/model.json' --weights 'my demo'\''s/weights.safetensors' --images 'my demo'\''s/images' --top 8 --seed 7 --mean-over covering --out 'my demo'\''s' --force"
        );
        assert!(Repeat::try_parse_from(&arguments).is_ok());
        assert!(Repeat::try_parse_from(shuffled_arguments(Path::new("demo"), 7)).is_ok());
        let running = RunningArguments { threads: Some(2), quiet: true };
        assert!(
            Repeat::try_parse_from(arguments.iter().chain(&running_arguments(&running))).is_ok()
        );
    }

    #[test]
    fn foreign_images_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check_images(&folder.path().join("absent")).is_ok());
        std::fs::write(folder.path().join("0.npy"), "").unwrap();
        assert!(check_images(folder.path()).is_ok());
        std::fs::write(folder.path().join("cat.png"), "").unwrap();
        let failure = check_images(folder.path()).unwrap_err();
        assert!(
            matches!(&failure, Failure::Error(ErrorKind::Usage, _))
                && failure.to_string().contains("cat.png")
        );
    }

    #[test]
    fn a_disagreement_fails_and_names_the_unit() {
        let comparison = |differences| Comparison { truth: None, found: None, differences };
        let layers = |differences| {
            vec![Judged {
                layer: "conv1".into(),
                maps: ndarray::Array3::zeros((2, 1, 1)),
                occluder_size: 1,
                occluder_stride: 1,
                units: vec![comparison(Vec::new()), comparison(differences)],
            }]
        };
        assert!(verdict(&layers(Vec::new())).is_ok());
        let wrong = layers(vec!["centre 2.00 px off".into()]);
        let failure = verdict(&wrong).unwrap_err();
        assert!(matches!(failure, Failure::Error(..)));
        let message = failure.to_string();
        assert!(
            message.contains("1 of 2 maps") && message.contains("conv1 1 (centre 2.00 px off)")
        );
        assert!(table(&wrong).contains("DISAGREES: centre 2.00 px off"));
    }
}
