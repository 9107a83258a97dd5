//! The whole job: files, both runs, the measured maps, the comparison.

use std::path::{Path, PathBuf};

use super::{
    Comparison, DemoError, Finding, IMAGES, Judged, MODEL, SHUFFLED, SHUFFLED_LAYERS, WEIGHTS,
    find, image_names, judge, write, write_shuffled,
};
use crate::files::FileError;
use crate::maps::MeanOver;
use crate::progress::Progress;
use crate::report::comparison::ComparisonError;
use crate::report::{Panel, Results, comparison, contact_sheet, write_png};
use crate::runs::layout::MAPS;
use crate::runs::{
    self, Context, InputSettings, OcclusionSettings, OutputFolder, OutputSettings, RunError,
    RunSettings, SweepSettings,
};

/// Images per unit, from either end of its ranking.
const TOP: usize = 8;

/// Images per unit of the network with shuffled weights, whose maps are compared alone.
const SHUFFLED_TOP: usize = 4;

/// The folder of the comparison.
const COMPARISON: &str = "comparison";

/// Pixels per inch of the comparison's figure.
const RESOLUTION: f32 = 144.0;

/// File name of the contact sheet.
const SHEET: &str = "contact_sheet.png";

/// Minimum side of a map on the contact sheet, in pixels: nine times the first layer's RF.
const PANEL: usize = 135;

/// Settings of the demonstration.
#[derive(Clone, Debug)]
pub struct DemoSettings {
    /// Folder of all files.
    pub folder: PathBuf,
    /// Whether existing files are replaced.
    pub force: bool,
    /// Seed of the images and of the noise.
    pub seed: u64,
}

/// Results of the demonstration.
#[derive(Clone, Debug)]
pub struct DemoReport {
    /// The maps of each layer beside the truth.
    pub layers: Vec<Judged>,
    /// The picture of all maps.
    pub sheet: PathBuf,
    /// The comparison with shuffled weights.
    pub finding: Finding,
    /// The page of the comparison.
    pub comparison: PathBuf,
}

impl DemoSettings {
    /// The run of the phantom.
    pub fn run(&self) -> RunSettings {
        self.run_of(&self.folder.join(WEIGHTS), TOP, &self.folder)
    }

    /// The run of the phantom with shuffled weights.
    pub fn shuffled_run(&self) -> RunSettings {
        let folder = self.folder.join(SHUFFLED);
        let mut run = self.run_of(&folder.join(WEIGHTS), SHUFFLED_TOP, &folder);
        run.sweep.input.layers = SHUFFLED_LAYERS.map(String::from).into();
        run
    }

    fn run_of(&self, weights: &Path, top: usize, out: &Path) -> RunSettings {
        let model = self.folder.join(MODEL).display().to_string();
        let input = InputSettings::new(model, weights, self.folder.join(IMAGES));
        let output = OutputSettings { force: true, ..OutputSettings::new(out) };
        let mut sweep = SweepSettings::new(input, output);
        sweep.occlusion = OcclusionSettings {
            seed: self.seed,
            // A padded layer's unit at the border sees a part of its field alone.
            mean_over: MeanOver::Covering,
            ..OcclusionSettings::default()
        };
        RunSettings { sweep, top, rank_only: false }
    }
}

/// Does the whole job.
///
/// # Errors
/// Files that cannot be written or are in the way; errors of the runs. Maps that disagree with the truth are
/// no error here ([`DemoReport::problem`]).
pub fn demo(settings: &DemoSettings, context: &Context<'_>) -> Result<DemoReport, DemoError> {
    let DemoSettings { folder, force, seed } = settings;
    let output = OutputFolder::check(folder, *force, &[])?;
    check_images(&folder.join(IMAGES))?;
    write(output.path(), *seed)?;
    runs::run(&settings.run(), context)?;
    let layers = judge(&folder.join(MAPS))?;
    let sheet = folder.join(SHEET);
    write_png(&sheet, &picture(&layers))?;
    write_shuffled(&folder.join(SHUFFLED), *seed)?;
    runs::run(&settings.shuffled_run(), context)?;
    let known = Results::open(folder, None).map_err(ComparisonError::from)?;
    let shuffled = Results::open(&folder.join(SHUFFLED), None).map_err(ComparisonError::from)?;
    let progress = Progress::new(context.observer.cancel_token());
    let finding = context.pool.install(|| find(&known, &shuffled, &progress))?;
    let folder = folder.join(COMPARISON);
    std::fs::create_dir_all(&folder).map_err(FileError::write(&folder))?;
    comparison::write(&finding.comparison, &folder, RESOLUTION)?;
    Ok(DemoReport { layers, sheet, finding, comparison: folder.join("comparison.html") })
}

/// Checks that the folder of images, if it exists, has no other images: they would take part.
fn check_images(folder: &Path) -> Result<(), RunError> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).map_err(FileError::read(folder))? {
        let name = entry.map_err(FileError::read(folder))?.file_name();
        if !image_names().any(|ours| name == *ours) {
            return Err(RunError::usage(format!(
                "{}: holds {}, which is not of the demo; choose another --out",
                folder.display(),
                name.display()
            )));
        }
    }
    Ok(())
}

/// The contact sheet: a row per layer.
fn picture(layers: &[Judged]) -> image::RgbImage {
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

impl DemoReport {
    /// The differences from the built-in fields, if there are any.
    pub fn problem(&self) -> Option<String> {
        disagreements(&self.layers).or_else(|| match &self.finding.differences()[..] {
            [] => None,
            differences => {
                let differences = differences.join("; ");
                Some(format!("the comparison does not find what is known: {differences}"))
            }
        })
    }
}

/// The units whose maps disagree with the truth, if any do.
fn disagreements(layers: &[Judged]) -> Option<String> {
    let all = || {
        layers.iter().flat_map(|layer| {
            let named = |(unit, comparison)| (format!("{} {unit}", layer.layer), comparison);
            layer.units.iter().enumerate().map(named)
        })
    };
    let wrong: Vec<String> = all()
        .filter(|(_, comparison): &(_, &Comparison)| !comparison.agrees())
        .map(|(name, comparison)| format!("{name} ({})", comparison.differences.join(", ")))
        .collect();
    (!wrong.is_empty()).then(|| {
        format!(
            "{} of {} maps disagree with what was built into the network: {}",
            wrong.len(),
            all().count(),
            wrong.join("; ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ErrorKind, HasKind};

    #[test]
    fn foreign_images_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check_images(&folder.path().join("absent")).is_ok());
        std::fs::write(folder.path().join("0.npy"), "").unwrap();
        assert!(check_images(folder.path()).is_ok());
        std::fs::write(folder.path().join("cat.png"), "").unwrap();
        let error = check_images(folder.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("cat.png"), "{error}");
    }

    #[test]
    fn a_disagreement_names_the_unit() {
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
        assert_eq!(disagreements(&layers(Vec::new())), None);
        let message = disagreements(&layers(vec!["centre 2.00 px off".into()])).unwrap();
        assert!(message.contains("1 of 2 maps"), "{message}");
        assert!(message.contains("conv1 1 (centre 2.00 px off)"), "{message}");
    }
}
