//! `occlumap plot`: figures and numbers of finished maps.

use std::path::PathBuf;

use clap::Args;
use occlumap::report::Results;
use occlumap::report::colours::ColourMap;
use occlumap::report::plot::{Kind, Overlay, PlotSettings, Scale, Style, plot};
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
      the images of one unit, each under its own map, which is computed again")]
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
        let results = Results::open(&self.results, self.ranking.as_deref())?;
        let Self { colours, scale, overlay, .. } = self;
        let settings = PlotSettings {
            folder: self.out,
            layers: self.layers,
            units: self.units.unwrap_or_default(),
            kinds: self.only,
            force: self.force,
            style: Style { colours, scale, overlay },
            resolution: self.resolution as f32,
            blurred: self.blur,
            examples: self.examples,
            images: self.images.map(Into::into),
            weights: self.weights,
            compute: self.compute.settings(),
        };
        let folder = plot(&results, &settings, &session.context())?;
        session.say(format!("wrote {}", folder.display()));
        Ok(())
    }
}

/// More do not fit on a page and stay readable.
const MOST_EXAMPLES: usize = 12;

fn examples(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 0..=MOST_EXAMPLES) => Ok(number),
        _ => Err(format!("expected a whole number from 0 to {MOST_EXAMPLES}")),
    }
}
