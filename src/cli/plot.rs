//! `occlumap plot`: figures and numbers of finished maps.

use std::path::{Path, PathBuf};

use clap::Args;
use occlumap::images::ImageFolder;
use occlumap::network::LayerId;
use occlumap::progress::Progress;
use occlumap::report::colours::ColourMap;
use occlumap::report::numbers::table;
use occlumap::report::plot::{Kind, Overlay, Plots, Scale, Style};
use occlumap::report::{LayerResults, Results, Tones};
use occlumap::runs::{Context, OutputFolder, OwnMaps, Task, layout};
use occlumap::sweep::UnitSelection;

use super::arguments::RunningArguments;
use super::compute::ComputeArguments;
use super::failure::Failure;
use super::terminal::Session;

/// Draw all maps, and write their numbers
///
/// Writes into OUT/plots, for each layer: conv1_max.png and conv1_min.png, sheets with the maps of
/// all units; conv1.pdf, pages with a row per unit: its maps, and its images cut to the receptive
/// field; conv1.csv: peak, centre of mass, radii, area at half the peak and fitted elliptical
/// Gaussian of each map. columns.csv explains the columns.
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
    /// Output folder of a `run` or `sweep`
    #[arg(value_name = "OUT")]
    results: PathBuf,
    /// Folder of the files [default: OUT/plots]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Layers, such as conv1,conv3 [default: all with maps]
    #[arg(long, value_name = "LAYERS", value_delimiter = ',')]
    layers: Vec<String>,
    /// Units of each layer, such as 0-15,40 [default: all]
    #[arg(long, value_name = "UNITS")]
    units: Option<UnitSelection>,
    /// Kinds of files [default: all]
    #[arg(long, value_enum, value_name = "KINDS", value_delimiter = ',')]
    only: Vec<Kind>,
    /// Replace existing files
    #[arg(long)]
    force: bool,
    /// Colours of a map's values, from 0 to the largest
    #[arg(long, visible_alias = "colors", value_enum, default_value_t, help_heading = "Style")]
    colours: ColourMap,
    /// Value of the last colour
    #[arg(long, value_enum, default_value_t, help_heading = "Style")]
    scale: Scale,
    /// Resolution of the sheets in pixels per inch; they are 7.5 inches wide
    #[arg(long, value_name = "DPI", default_value_t = 200, help_heading = "Style")]
    #[arg(value_parser = clap::value_parser!(u32).range(72..=1200))]
    resolution: u32,
    /// Blur each map by a Gaussian of a thirtieth of the RF before the fit; widths include the blur
    #[arg(long, help_heading = "Numbers")]
    blur: bool,
    /// Images of each unit, from either end of its ranking; 0 for none
    #[arg(long, value_name = "N", default_value_t = 4, help_heading = "Images")]
    #[arg(value_parser = examples)]
    examples: usize,
    /// Overlay of the images
    #[arg(long, value_enum, default_value_t, help_heading = "Images")]
    overlay: Overlay,
    /// Folder of the images, if it has moved
    #[arg(long, value_name = "DIR", help_heading = "Images")]
    images: Option<PathBuf>,
    /// Folder of the rankings [default: OUT/ranking]
    #[arg(long, value_name = "DIR", help_heading = "Images")]
    ranking: Option<PathBuf>,
    /// Weights for --overlay own, if the file has moved
    #[arg(long, value_name = "FILE", help_heading = "Images")]
    weights: Option<PathBuf>,
    #[command(flatten)]
    compute: ComputeArguments,
    #[command(flatten)]
    running: RunningArguments,
}

impl Plot {
    pub fn execute(self) -> Result<(), Failure> {
        let session = Session::start(&self.running)?;
        let context = session.context();
        let results = Results::open(&self.results, self.ranking.as_deref())?;
        let layers = self.layers(&results)?;
        let kinds = self.kinds();
        let folder = self.out.clone().unwrap_or_else(|| self.results.join(layout::PLOTS));
        let output = self.check(&folder, &layers, &kinds)?;
        if !results.is_complete() {
            let named: Vec<&str> = layers.iter().map(|(layer, _)| layer.name()).collect();
            session.say(format!("note: the sweep is not finished; there is {}", named.join(", ")));
        }
        let images =
            if kinds.contains(&Kind::Pages) { self.images(&results, &session)? } else { None };
        let tones = images.as_ref().map(Tones::of).transpose()?;
        let ids: Vec<LayerId> = layers.iter().map(|(layer, _)| layer.id()).collect();
        let own = match &images {
            Some(_) if self.overlay == Overlay::Own => Some(self.own(&results, &context)?),
            _ => None,
        };
        let own = own.as_ref().map(|own| own.prepare(&ids, results.image_size(), &context));
        let own = own.transpose()?;

        let plots = Plots {
            results: &results,
            style: self.style(),
            resolution: self.resolution as f32,
            images: images.as_ref().zip(tones),
            examples: self.examples.min(results.configuration().settings.top),
            own: own.as_ref(),
            blurred: self.blur,
        };
        let folder = output.create("")?;
        for (layer, units) in &layers {
            let progress = Progress::new(context.observer.cancel_token());
            let total = plots.count(layer, units, &kinds);
            let task = Task { label: layer.name(), counted: "maps and images", total };
            let write = || plots.write(layer, units, &kinds, &folder, &progress);
            context.track(&task, &progress, || context.pool.install(write))?;
        }
        if kinds.contains(&Kind::Numbers) {
            table([]).legend().write(&folder.join(COLUMNS))?;
        }
        session.say(format!("wrote {}", folder.display()));
        Ok(())
    }

    fn kinds(&self) -> Vec<Kind> {
        let chosen = |kind: &Kind| self.only.is_empty() || self.only.contains(kind);
        Kind::ALL.into_iter().filter(chosen).collect()
    }

    fn style(&self) -> Style {
        Style { colours: self.colours, scale: self.scale, overlay: self.overlay }
    }

    /// The layers, and of each the units to be shown.
    fn layers<'r>(
        &self,
        results: &'r Results,
    ) -> Result<Vec<(&'r LayerResults, Vec<usize>)>, Failure> {
        let layers = results.layers_named(&self.layers)?;
        let chosen = |layer: &'r LayerResults| {
            let name = layer.name();
            let units =
                self.units.clone().unwrap_or_default().of(layer.units()).map_err(|missing| {
                    let last = layer.units() - 1;
                    Failure::usage(format!(
                        "{name} has no unit {missing}; its units are 0 to {last}"
                    ))
                })?;
            let swept = layer.swept();
            if !units.iter().any(|unit| swept.contains(unit)) {
                return Err(Failure::usage(format!(
                    "none of the requested units of {name} was swept; {} units were, from unit {} \
                     on",
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
    fn images(&self, results: &Results, session: &Session) -> Result<Option<ImageFolder>, Failure> {
        if self.examples == 0 {
            return Ok(None);
        }
        let asked = self.images.is_some() || self.overlay == Overlay::Own;
        if results.ranking_folder().is_none() {
            let why = "there are no rankings beside the maps; --ranking names them";
            if asked {
                return Err(Failure::usage(format!("images cannot be shown: {why}")));
            }
            session.say(format!("note: pages show no images: {why}"));
            return Ok(None);
        }
        match results.images(self.images.as_deref()) {
            Err(error) if !asked => {
                session.say(format!("note: pages show no images: {error}"));
                Ok(None)
            }
            images => Ok(Some(images?)),
        }
    }

    /// The engine and weights of maps of single images.
    fn own(&self, results: &Results, context: &Context<'_>) -> Result<OwnMaps, Failure> {
        let named = &results.manifest().about.weights;
        let path = self.weights.clone().unwrap_or_else(|| named.into());
        if self.weights.is_none() && !path.is_file() {
            return Err(Failure::usage(format!(
                "{}: no such file; the manifest names it as the weight file; give \
                 the file where it is now as --weights",
                path.display()
            )));
        }
        let (sweep, compute) = (results.configuration(), self.compute.settings());
        let prefix = results.manifest().about.weights_prefix.as_deref();
        Ok(OwnMaps::open(results.network(), sweep, (&path, prefix), &compute, context)?)
    }
}

/// The file that explains the columns of the tables.
const COLUMNS: &str = "columns.csv";

/// More do not fit on a page and stay readable.
const MOST_EXAMPLES: usize = 12;

fn examples(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 0..=MOST_EXAMPLES) => Ok(number),
        _ => Err(format!("expected a whole number from 0 to {MOST_EXAMPLES}")),
    }
}
