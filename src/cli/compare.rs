//! `occlumap compare`: two sets of maps, unit by unit.

use std::path::PathBuf;

use clap::Args;
use occlumap::analysis::{Extent, PairSettings};
use occlumap::files::escaped;
use occlumap::report::comparison::{
    Comparison, ComparisonSettings, MapSource, SidePair, compare_sources, files, write,
};
use occlumap::runs::OutputFolder;
use occlumap::sweep::UnitSelection;

use super::arguments::RunningArguments;
use super::failure::Failure;
use super::table::table;
use super::terminal::Session;

/// Compare two sets of maps, unit by unit
///
/// A and B are output folders, or arrays (.npy) of maps, [units, height, width]; without B, maps of
/// A's top images are compared with those of its bottom images. Layers are matched by name, units
/// by number. Writes into --out: units.csv, with Pearson's r after each blur, the overlap of the
/// maps' regions, the distance of their centres, the ratio of their areas and the angle between
/// them; layers.csv, with the distributions of these numbers and of their baseline, other units' maps; a
/// figure (PDF, SVG, PNG); comparison.html, a page with everything.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  occlumap compare trained/ random/
      a trained network against its random weights, in comparison/
  occlumap compare out/
      top images against bottom images
  occlumap compare out/ guided.npy --layers conv3 --sides composite --out guided/
      both sides together against another method's maps of one layer")]
pub(super) struct Compare {
    /// Output folder of a `run` or `sweep`, or an array of maps (.npy)
    #[arg(value_name = "A")]
    one: PathBuf,
    /// The other set [default: A, its top images against its bottom images]
    #[arg(value_name = "B")]
    other: Option<PathBuf>,
    /// Folder of the files
    #[arg(long, value_name = "DIR", default_value = "comparison")]
    out: PathBuf,
    /// Layers, such as conv1,conv3 [default: all that both have]
    #[arg(long, value_name = "LAYERS", value_delimiter = ',')]
    layers: Vec<String>,
    /// Units of each layer, such as 0-15,40 [default: all that both have]
    #[arg(long, value_name = "UNITS")]
    units: Option<UnitSelection>,
    /// Maps to compare: max (top images), min (bottom images), composite (both, each divided by its
    /// sum); max:min for one side of A and another of B [default: max,min; of one folder max:min]
    #[arg(long, value_name = "SIDES", value_delimiter = ',')]
    sides: Vec<SidePair>,
    /// Replace existing files
    #[arg(long)]
    force: bool,
    /// Standard deviations of the blurs before correlations, as parts of the receptive field, ascending
    #[arg(long, value_name = "PARTS", value_delimiter = ',', value_parser = part, help_heading = "Measures")]
    #[arg(default_value = "0,1/120,1/60,1/30,1/15,1/8,1/4,1/2")]
    blurs: Vec<f64>,
    /// Region of a map: `half` (values of at least half the largest) or a share of the mass, such as 0.5
    #[arg(long, value_name = "EXTENT", default_value = "half", value_parser = extent, help_heading = "Measures")]
    region: Extent,
    /// Blur before regions are found, as a part of the receptive field
    #[arg(long, value_name = "PART", default_value = "1/30", value_parser = part, help_heading = "Measures")]
    region_blur: f64,
    /// Shuffles of the units for the baseline; 0 for none
    #[arg(long, value_name = "N", default_value_t = 99, help_heading = "Measures")]
    shuffles: usize,
    /// Seed of the shuffles
    #[arg(long, value_name = "SEED", default_value_t = 0, help_heading = "Measures")]
    seed: u64,
    /// Pairs of maps on the page, per layer: N of the least alike and N of the most alike
    #[arg(long, value_name = "N", default_value_t = 6, help_heading = "Style")]
    #[arg(value_parser = clap::value_parser!(u16).range(0..=64))]
    examples: u16,
    /// Resolution of the PNG in pixels per inch; it is 7.5 inches wide
    #[arg(long, value_name = "DPI", default_value_t = 200, help_heading = "Style")]
    #[arg(value_parser = clap::value_parser!(u32).range(72..=1200))]
    resolution: u32,
    #[command(flatten)]
    running: RunningArguments,
}

impl Compare {
    pub fn execute(self) -> Result<(), Failure> {
        let session = Session::start(&self.running)?;
        let settings = self.settings();
        settings.pairs.check()?;
        let output = OutputFolder::check_files(&self.out, files(&self.out), self.force)?;
        let one = MapSource::open(&self.one)?;
        let other = self.other.as_deref().map(MapSource::open).transpose()?;
        let comparison = compare_sources(&one, other.as_ref(), &settings, &session.context())?;
        for left in &comparison.left_out {
            session.say(format!("note: left out: {}: {}", left.layer, left.reason));
        }
        let folder = output.create("")?;
        write(&comparison, &folder, self.resolution as f32)?;
        super::console::print(summary(&comparison).as_bytes())?;
        session.say(format!("wrote {}", folder.display()));
        Ok(())
    }

    fn settings(&self) -> ComparisonSettings {
        let sides = if self.sides.is_empty() {
            SidePair::usual(self.other.is_some())
        } else {
            self.sides.clone()
        };
        ComparisonSettings {
            pairs: PairSettings {
                blurs: self.blurs.clone(),
                region_blur: self.region_blur,
                extent: self.region,
                shuffles: self.shuffles,
                seed: self.seed,
            },
            layers: self.layers.clone(),
            units: self.units.clone().unwrap_or_default(),
            sides,
            examples: self.examples.into(),
        }
    }
}

/// Medians of each layer, for a terminal.
fn summary(comparison: &Comparison) -> String {
    let heads = ["layer", "sides", "units", "median r", "other units", "p"].map(String::from);
    let shown =
        |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:.3}"));
    let mut rows = vec![heads];
    rows.extend(comparison.layers.iter().map(|layer| {
        let found = comparison.correlation(layer);
        let median =
            |of: fn(&occlumap::analysis::MeasureSummary) -> Option<f64>| shown(found.and_then(of));
        [
            layer.layer.clone(),
            layer.sides.clone(),
            layer.compared().to_string(),
            median(|found| found.observed.map(|observed| observed.median())),
            median(|found| found.baseline.map(|baseline| baseline.median())),
            median(|found| found.p),
        ]
    }));
    table(&rows, 2)
}

/// A part of the receptive field: `0.1` or `1/30`.
fn part(text: &str) -> Result<f64, String> {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    let value = match text.split_once('/') {
        Some((above, below)) => {
            number(above).zip(number(below)).map(|(above, below)| above / below)
        }
        None => number(text),
    };
    value.filter(|value| value.is_finite()).ok_or_else(|| {
        format!("`{}` is no part of a receptive field; expected such as 1/30 or 0.1", escaped(text))
    })
}

fn extent(text: &str) -> Result<Extent, String> {
    if text == "half" {
        return Ok(Extent::HalfMaximum);
    }
    let share = text.parse().ok().filter(|share| *share > 0.0 && *share <= 1.0);
    share.map(Extent::Mass).ok_or_else(|| {
        format!("`{}` is no region; expected half, or a share of the mass up to 1", escaped(text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_fractions_or_numbers() {
        assert_eq!(part("1/30"), Ok(1.0 / 30.0));
        assert_eq!(part(" 0.25"), Ok(0.25));
        for wrong in ["", "1/0", "a", "1/2/3", "nan", "1/"] {
            assert!(part(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn regions_are_half_maximum_or_a_share() {
        assert_eq!(extent("half"), Ok(Extent::HalfMaximum));
        assert_eq!(extent("0.5"), Ok(Extent::Mass(0.5)));
        for wrong in ["", "0", "1.5", "quarter", "nan"] {
            assert!(extent(wrong).is_err(), "{wrong}");
        }
    }
}
