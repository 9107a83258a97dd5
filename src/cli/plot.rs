//! `occlumap plot`: pictures and numbers of finished maps.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::arguments::{RunningArguments, units};
use super::failure::{Failure, OrUsage};
use super::method::MethodArguments;
use super::output::OutputFolder;
use super::progress::{Progress, Task};
use super::{STOP, threads};
use crate::engine::{Engine, Watch};
use crate::files::FileError;
use crate::images::ImageFolder;
use crate::network::{LayerId, Model};
use crate::noise::Noise;
use crate::report::colours::ColourMap;
use crate::report::numbers::write_columns;
use crate::report::plot::{Kind, Overlay, PlotError, Plots, Scale, Style};
use crate::report::{LayerResults, Results, ResultsError, Tones};
use crate::sweep::UnitSelection;

/// Draw all maps, and tell their numbers
///
/// Writes into OUT/plots, for each layer: conv1_max.png and conv1_min.png, sheets with the maps of
/// all units; conv1.pdf, pages with a row a unit: its maps, and its images cut to the receptive
/// field; conv1.csv, of each map the peak, centre of mass, radii, area at half the peak and the
/// elliptical Gaussian that fits best. What the columns mean is in columns.csv.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  occlumap plot out/
      everything, in out/plots/
  occlumap plot out/ --layers conv3 --units 0-15 --scale layer --colours grey --out figures/
      16 units in the reference's grey, on one scale
  occlumap plot out/ --layers conv5 --units 7 --only pages --overlay own --out unit7/
      the images of one unit, each with its own map over it, computed once more")]
pub(super) struct Plot {
    /// The output folder of a `run` or `sweep`
    #[arg(value_name = "OUT")]
    results: PathBuf,
    /// Folder for the files [default: OUT/plots]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Layers, such as conv1,conv3 [default: all that are there]
    #[arg(long, value_name = "LAYERS", value_delimiter = ',')]
    layers: Vec<String>,
    /// Units of each layer, such as 0-15,40 [default: all]
    #[arg(long, value_name = "UNITS", default_value = "", hide_default_value = true, value_parser = units)]
    units: UnitSelection,
    /// Which files to write [default: all]
    #[arg(long, value_enum, value_name = "KINDS", value_delimiter = ',')]
    only: Vec<KindName>,
    /// Replace files of the same names
    #[arg(long)]
    force: bool,
    /// Colours of a map's values, from 0 to the largest
    #[arg(long, visible_alias = "colors", value_enum, default_value_t, help_heading = "Style")]
    colours: ColourName,
    /// What the largest value of the colours is
    #[arg(long, value_enum, default_value_t, help_heading = "Style")]
    scale: ScaleName,
    /// Pixels an inch of the sheets, which are 7.5 inches wide
    #[arg(long, value_name = "DPI", default_value_t = 200, help_heading = "Style")]
    #[arg(value_parser = clap::value_parser!(u32).range(72..=1200))]
    resolution: u32,
    /// Blur each map by a Gaussian of a thirtieth of the RF before a Gaussian is fitted; the
    /// widths contain the blur
    #[arg(long, help_heading = "Numbers")]
    blur: bool,
    /// Images of each unit, from either end of its ranking; 0 for none
    #[arg(long, value_name = "N", default_value_t = 4, help_heading = "Images")]
    #[arg(value_parser = examples)]
    examples: usize,
    /// What lies over them
    #[arg(long, value_enum, default_value_t, help_heading = "Images")]
    overlay: OverlayName,
    /// Folder of the images, where it is not where it was
    #[arg(long, value_name = "DIR", help_heading = "Images")]
    images: Option<PathBuf>,
    /// Folder of the rankings [default: OUT/ranking]
    #[arg(long, value_name = "DIR", help_heading = "Images")]
    ranking: Option<PathBuf>,
    /// The weights, where they are not where they were: for --overlay own
    #[arg(long, value_name = "FILE", help_heading = "Images")]
    weights: Option<PathBuf>,
    #[command(flatten)]
    method: MethodArguments,
    #[command(flatten)]
    running: RunningArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum KindName {
    /// Sheets with all maps (PNG)
    Sheets,
    /// Pages with a row a unit (PDF)
    Pages,
    /// Numbers (CSV)
    Numbers,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ColourName {
    /// Black, red, pale yellow: perceptually uniform
    #[default]
    Magma,
    /// Blue, green, yellow: perceptually uniform
    Viridis,
    /// Blue, grey, yellow: the same to colour-blind eyes
    Cividis,
    /// Black to white, as the reference's figures
    #[value(alias = "gray")]
    Grey,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ScaleName {
    /// The peak of each map
    #[default]
    Map,
    /// The highest peak among the layer's units that are shown, so that maps can be compared
    Layer,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum OverlayName {
    /// A line where the unit's mean map, blurred, is half its peak
    #[default]
    Mean,
    /// The map of that very image, presented once more as in the sweep
    Own,
    /// Nothing
    None,
}

impl Plot {
    pub fn execute(self) -> Result<(), Failure> {
        let progress = Progress::new(self.running.quiet);
        let results = Results::open(&self.results, self.ranking.as_deref())?;
        let layers = self.layers(&results)?;
        let kinds = self.kinds();
        let folder = self.out.clone().unwrap_or_else(|| self.results.join("plots"));
        let output = self.check(&folder, &layers, &kinds)?;
        if !results.is_complete() {
            let named: Vec<&str> = layers.iter().map(|(layer, _)| layer.name()).collect();
            progress.say(format!("note: the sweep is not finished; there is {}", named.join(", ")));
        }
        let images =
            if kinds.contains(&Kind::Pages) { self.images(&results, progress)? } else { None };
        let tones = images.as_ref().map(Tones::of).transpose()?;
        let ids: Vec<LayerId> = layers.iter().map(|(layer, _)| layer.id()).collect();
        let own = match &images {
            Some(_) if self.overlay == OverlayName::Own => Some(self.own(&results, progress)?),
            _ => None,
        };
        threads::start(self.running.threads)?;
        let prepared = own
            .as_ref()
            .map(|own| own.engine.prepare(&own.model, &ids, results.image_size()))
            .transpose()?;

        let plots = Plots {
            results: &results,
            style: self.style(),
            resolution: self.resolution as f32,
            images: images.as_ref().zip(tones),
            examples: self.examples.min(results.manifest().settings.top),
            own: own
                .as_ref()
                .zip(prepared.as_deref())
                .map(|(own, engine)| (engine, &own.draws[..])),
            blurred: self.blur,
        };
        let folder = output.create("")?;
        for (layer, units) in &layers {
            let watch = Watch::new(&STOP);
            let total = plots.count(layer, units, &kinds);
            let task = Task { label: layer.name(), counted: "pictures", total };
            let stop = Watch::new(&STOP);
            let work = || plots.write(layer, units, &kinds, &folder, (&watch, &stop));
            progress.track(&task, &watch, work).map_err(|error| match error {
                PlotError::Stopped => Failure::Stopped,
                error => error.into(),
            })?;
        }
        let columns = folder.join(COLUMNS);
        if kinds.contains(&Kind::Numbers) {
            write_columns(&columns)?;
        }
        progress.say(format!("wrote {}", folder.display()));
        Ok(())
    }

    fn kinds(&self) -> Vec<Kind> {
        let chosen = |kind: &Kind| {
            self.only.is_empty() || self.only.iter().any(|&name| Kind::from(name) == *kind)
        };
        Kind::ALL.into_iter().filter(chosen).collect()
    }

    fn style(&self) -> Style {
        Style {
            colours: self.colours.into(),
            scale: self.scale.into(),
            overlay: self.overlay.into(),
        }
    }

    /// The layers, and of each the units to be shown.
    fn layers<'r>(
        &self,
        results: &'r Results,
    ) -> Result<Vec<(&'r LayerResults, Vec<usize>)>, Failure> {
        let layers = match results.layers_named(&self.layers) {
            Err(error @ ResultsError::UnknownLayer { .. }) => return Err(error).or_usage(),
            layers => layers?,
        };
        let chosen = |layer: &'r LayerResults| {
            let name = layer.name();
            let units = self.units.of(layer.units()).map_err(|missing| {
                let last = layer.units() - 1;
                Failure::usage(format!("{name} has no unit {missing}; its units are 0 to {last}"))
            })?;
            let swept = layer.swept();
            if !units.iter().any(|unit| swept.contains(unit)) {
                return Err(Failure::usage(format!(
                    "none of the units asked for was swept of {name}; {} were, the first of them \
                     unit {}",
                    swept.len(),
                    swept.first().copied().unwrap_or_default()
                )));
            }
            Ok((layer, units))
        };
        layers.into_iter().map(chosen).collect()
    }

    /// Checks where the files go, before any work.
    fn check(
        &self,
        folder: &Path,
        layers: &[(&LayerResults, Vec<usize>)],
        kinds: &[Kind],
    ) -> Result<OutputFolder, Failure> {
        // Files of other layers and kinds stay.
        let output = OutputFolder::check(folder, true, &[])?;
        let files = layers
            .iter()
            .flat_map(|(layer, _)| kinds.iter().flat_map(|kind| kind.files(folder, layer.name())));
        for file in files {
            if file.is_dir() {
                let file = file.display();
                return Err(Failure::usage(format!("{file}: is a folder; choose another --out")));
            }
            if file.symlink_metadata().is_ok() && !self.force {
                return Err(Failure::usage(format!(
                    "{}: exists; choose another --out, or give --force to replace it",
                    file.display()
                )));
            }
        }
        Ok(output)
    }

    /// The images, if they are to be shown and can be.
    fn images(
        &self,
        results: &Results,
        progress: Progress,
    ) -> Result<Option<ImageFolder>, Failure> {
        if self.examples == 0 {
            return Ok(None);
        }
        let asked = self.images.is_some() || self.overlay == OverlayName::Own;
        if results.ranking_folder().is_none() {
            let why = "there are no rankings beside the maps; --ranking names them";
            if asked {
                return Err(Failure::usage(format!("images cannot be shown: {why}")));
            }
            progress.say(format!("note: pages show no images: {why}"));
            return Ok(None);
        }
        match results.images(self.images.as_deref()) {
            Err(error) if !asked => {
                progress.say(format!("note: pages show no images: {error}"));
                Ok(None)
            }
            images => Ok(Some(images?)),
        }
    }

    /// What maps of single images are computed with.
    fn own(&self, results: &Results, progress: Progress) -> Result<Own, Failure> {
        let manifest = results.manifest();
        let path = self.weights.clone().unwrap_or_else(|| manifest.model.weights.clone().into());
        if self.weights.is_none() && !path.is_file() {
            return Err(Failure::usage(format!(
                "{}: there is no such file, and the manifest names it as that of the weights; give \
                 the file where it is now as --weights",
                path.display()
            )));
        }
        let model = Model::load(results.network().clone(), &path)?;
        if *model.digest() != manifest.model.weights_sha256 {
            let (found, expected) = (model.digest(), &manifest.model.weights_sha256);
            let problem = format!(
                "is not what the maps were made with: its SHA-256 is {found}, and the manifest \
                 has {expected}"
            );
            return Err(FileError::content(&path, problem).into());
        }
        let first: Noise = manifest.settings.noise.parse().map_err(|error: String| {
            FileError::content(&self.results, format!("manifest.json: its noise: {error}"))
        })?;
        let draws = (0..manifest.settings.repeats).filter_map(|draw| first.draw_after(draw));
        let engine = self.method.choose(progress)?.engines(None).swap_remove(0);
        Ok(Own { model, engine, draws: draws.collect() })
    }
}

/// What maps of single images are computed with.
struct Own {
    model: Model,
    engine: Box<dyn Engine>,
    draws: Vec<Noise>,
}

/// What the columns of the tables mean.
const COLUMNS: &str = "columns.csv";

/// More do not fit on a page and stay readable.
const MOST_EXAMPLES: usize = 12;

fn examples(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 0..=MOST_EXAMPLES) => Ok(number),
        _ => Err(format!("expected a whole number from 0 to {MOST_EXAMPLES}")),
    }
}

impl From<KindName> for Kind {
    fn from(name: KindName) -> Self {
        match name {
            KindName::Sheets => Self::Sheets,
            KindName::Pages => Self::Pages,
            KindName::Numbers => Self::Numbers,
        }
    }
}

impl From<ColourName> for ColourMap {
    fn from(name: ColourName) -> Self {
        match name {
            ColourName::Magma => Self::Magma,
            ColourName::Viridis => Self::Viridis,
            ColourName::Cividis => Self::Cividis,
            ColourName::Grey => Self::Grey,
        }
    }
}

impl From<ScaleName> for Scale {
    fn from(name: ScaleName) -> Self {
        match name {
            ScaleName::Map => Self::Map,
            ScaleName::Layer => Self::Layer,
        }
    }
}

impl From<OverlayName> for Overlay {
    fn from(name: OverlayName) -> Self {
        match name {
            OverlayName::Mean => Self::Mean,
            OverlayName::Own => Self::Own,
            OverlayName::None => Self::Nothing,
        }
    }
}
