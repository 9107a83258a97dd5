//! `occlumap report`: one page with all maps.

mod reproduce;

use std::path::{Path, PathBuf};

use bytesize::ByteSize;
use clap::Args;
use occlumap::report::comparison::{ComparisonSettings, MapSet, MapSource, SidePair, compare_in};
use occlumap::report::page::{Report as Page, ReproduceCommand};
use occlumap::report::results::{LayerResults, Results};
use occlumap::runs::layout;

use self::reproduce::{command, note};
use super::arguments::RunningArguments;
use super::failure::Failure;
use super::terminal::Session;

/// Make one HTML page with all maps, for a browser
///
/// Writes OUT/report.html: the maps of every unit, to sort and filter by peak, size and quality;
/// for each unit its maps, fitted Gaussian, numbers, images with the receptive field, and the
/// command that computes it again; reliability by the number of images, if the sweep kept it
/// (--reliability-curve); with --compare, the agreement with another set of maps; the run's
/// settings and verification. The page needs no server and no network; a large report needs the folder
/// OUT/report-data beside it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  occlumap report out/
  occlumap report out/ --images /scratch/photos --examples 9 --force
  occlumap report trained/ --compare random/
      with the agreement of both sets of maps, unit by unit")]
pub(super) struct Report {
    /// Output folder of a `run` or `sweep`
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// File of the report (.html) [default: OUT/report.html]
    #[arg(long = "out", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Folder of the images, if it has moved
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Folder of the rankings [default: OUT/ranking]
    #[arg(long, value_name = "DIR")]
    ranking: Option<PathBuf>,
    /// Images of each unit, from either end of its ranking; 0 for none
    #[arg(long, value_name = "N", default_value_t = 6)]
    examples: usize,
    /// Maps to compare with, unit by unit: an output folder, or an array of maps (.npy)
    #[arg(long, value_name = "B")]
    compare: Option<PathBuf>,
    /// Blur each map by a Gaussian of a thirtieth of the RF before the fit; widths include the blur
    #[arg(long)]
    blur: bool,
    /// Keep maps and images in a folder beside the report, whatever their size
    #[arg(long)]
    split: bool,
    /// Replace an existing report
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    running: RunningArguments,
}

impl Report {
    pub fn execute(self) -> Result<(), Failure> {
        let session = Session::start(&self.running)?;
        let results = Results::open(&self.out, self.ranking.as_deref())?;
        let file = self.file.clone().unwrap_or_else(|| self.out.join(layout::REPORT));
        Page::check(&file, self.force)?;
        let images = if self.examples == 0 {
            Err("none were asked for".into())
        } else {
            let source = self.images.clone().map(Into::into);
            results.report_images(source.as_ref())?
        };
        if let Err(why) = &images {
            session.say(format!("note: the report shows no images: {why}"));
        }
        if !results.is_complete() {
            let layers: Vec<&str> = results.layers().iter().map(LayerResults::name).collect();
            let layers = layers.join(", ");
            session.say(format!("note: not all layers are finished; the report shows {layers}"));
        }
        let context = session.context();
        let other = self.compare.as_deref().map(MapSource::open).transpose()?;
        let compare = |other: &MapSource| {
            let settings = ComparisonSettings::of(SidePair::SAME.into());
            compare_in([&MapSet::Results(&results), &other.set()], &settings, &context)
        };
        let comparison = other.as_ref().map(compare).transpose()?;
        for left in comparison.iter().flat_map(|comparison| &comparison.left_out) {
            session.say(format!("note: not compared: {}: {}", left.layer, left.reason));
        }
        let named = Path::new(&results.manifest().about.images);
        let folder = self.images.as_deref().unwrap_or(named);
        let report = Page {
            results: &results,
            images: images.as_ref().map_err(Clone::clone),
            examples: self.examples,
            comparison: comparison.as_ref(),
            blurred: self.blur,
            split: self.split,
            reproduce: ReproduceCommand {
                command: &|layer| command(&results, folder, layer),
                note: note(&results, folder),
            },
        };
        let written = report.write_in(&file, &context)?;
        let size = ByteSize(written.bytes).display().si();
        session.say(match written.folder {
            Some(folder) => format!(
                "wrote {} and {}, which belongs beside it ({size})",
                file.display(),
                folder.display()
            ),
            None => format!("wrote {} ({size})", file.display()),
        });
        Ok(())
    }
}
