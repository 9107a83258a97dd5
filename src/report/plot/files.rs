//! The plots of a layer, and their files.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{CropSource, Crops, LayerMaps, OwnOverlay, RankedCrops, Style, pages, sheet};
use crate::files::write_atomically;
use crate::images::ImageFolder;
use crate::progress::Progress;
use crate::ranking::Side;
use crate::report::figure::{INCH, to_pdf};
use crate::report::numbers::{Cells, Fit, Measured, layer_table, measure};
use crate::report::{LayerResults, ReportError, Results, Tones, of_both_sides, write_png};
use crate::runs::PreparedMaps;

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Kind {
    /// Sheets with all maps (PNG).
    Sheets,
    /// Pages with a row a unit (PDF).
    Pages,
    /// Numbers (CSV).
    Numbers,
}

impl Kind {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Sheets, Self::Pages, Self::Numbers];

    /// The files of a layer.
    pub fn files(self, folder: &Path, layer: &str) -> Vec<PathBuf> {
        match self {
            Self::Sheets => Side::BOTH.map(|side| sheet_path(folder, layer, side)).into(),
            Self::Pages => vec![folder.join(format!("{layer}.pdf"))],
            Self::Numbers => vec![folder.join(format!("{layer}.csv"))],
        }
    }
}

/// Inputs and style of plots.
#[derive(Clone, Copy)]
pub struct Plots<'a> {
    /// The maps.
    pub results: &'a Results,
    /// How they are drawn.
    pub style: Style,
    /// Pixels an inch of the sheets.
    pub resolution: f32,
    /// The images, where they are to be shown, and how.
    pub images: Option<(&'a ImageFolder, Tones)>,
    /// Largest number of images, from either end of a unit's ranking.
    pub examples: usize,
    /// An engine that is prepared for the layers, and the noise of each time that an occluder was
    /// presented: to compute the maps of single images.
    pub own: Option<&'a PreparedMaps<'a>>,
    /// Whether maps are blurred before a Gaussian is fitted ([`measure`]).
    pub blurred: bool,
}

impl std::fmt::Debug for Plots<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { style, resolution, examples, blurred, .. } = self;
        f.debug_struct("Plots")
            .field("style", style)
            .field("resolution", resolution)
            .field("examples", examples)
            .field("blurred", blurred)
            .finish_non_exhaustive()
    }
}

impl Plots<'_> {
    /// Steps of [`write`](Self::write): units that are measured, and images.
    pub fn count(&self, layer: &LayerResults, units: &[usize], kinds: &[Kind]) -> u64 {
        let shown = shown(layer, units).len();
        let measured = if is_measured(kinds) { shown } else { 0 };
        let images = match self.images {
            Some(_) if kinds.contains(&Kind::Pages) => self.examples,
            _ => 0,
        };
        (measured + Side::BOTH.len() * images * shown) as u64
    }

    /// Writes the files of a layer into `folder`, which is there; files of the same names are
    /// replaced. `units` are those to be shown; those that were not swept are listed in the
    /// table. `progress` counts units and images.
    ///
    /// # Errors
    /// Maps, rankings or images that cannot be read; files that cannot be written;
    /// [`ReportError::Stopped`].
    pub fn write(
        &self,
        layer: &LayerResults,
        units: &[usize],
        kinds: &[Kind],
        folder: &Path,
        progress: &Progress<'_>,
    ) -> Result<(), ReportError> {
        let cells = Cells::new(layer.configuration(), &self.results.configuration().settings);
        let mut measured = Vec::new();
        if is_measured(kinds) {
            measured = self.measure(layer, units, &cells, progress)?;
        }
        if kinds.contains(&Kind::Numbers) {
            write_numbers(layer, units, &measured, folder)?;
        }
        let shown = shown(layer, units);
        let pictures = [Kind::Sheets, Kind::Pages].iter().any(|kind| kinds.contains(kind));
        if !pictures || shown.is_empty() {
            return Ok(());
        }
        let maps = LayerMaps::read(layer, cells, shown)?;
        if progress.is_cancelled() {
            return Err(ReportError::Stopped);
        }
        if kinds.contains(&Kind::Sheets) {
            let write = |&side: &Side| self.write_sheet(layer, &maps, side, folder);
            Side::BOTH.par_iter().try_for_each(write)?;
        }
        if kinds.contains(&Kind::Pages) {
            let of = |unit| units.binary_search(unit).ok().and_then(|index| measured.get(index));
            let fits = maps.units().iter().map(|unit| fits(of(unit))).collect::<Vec<_>>();
            self.write_pages(layer, &maps, &fits, folder, progress)?;
        }
        Ok(())
    }

    /// Measures the maps of some units.
    fn measure(
        &self,
        layer: &LayerResults,
        units: &[usize],
        cells: &Cells,
        progress: &Progress<'_>,
    ) -> Result<Vec<[Measured; 2]>, ReportError> {
        let of = |unit, side| -> Result<Measured, ReportError> {
            Ok(measure(&layer.map(unit, side)?, cells, self.blurred))
        };
        let swept = shown(layer, units);
        let mut found = of_both_sides(&swept, progress, || ReportError::Stopped, of)?.into_iter();
        let measured = |unit: &usize| {
            let known = swept.binary_search(unit).ok().and_then(|_| found.next());
            known.unwrap_or([Measured::NotSwept, Measured::NotSwept])
        };
        Ok(units.iter().map(measured).collect())
    }

    fn write_sheet(
        &self,
        layer: &LayerResults,
        maps: &LayerMaps,
        side: Side,
        folder: &Path,
    ) -> Result<(), ReportError> {
        let figure = sheet(self.results.configuration(), layer, maps, side, self.style)?;
        let picture = figure.to_picture(self.resolution / INCH)?;
        Ok(write_png(&sheet_path(folder, layer.name(), side), &picture)?)
    }

    fn write_pages(
        &self,
        layer: &LayerResults,
        maps: &LayerMaps,
        fits: &[[Option<Fit>; 2]],
        folder: &Path,
        progress: &Progress<'_>,
    ) -> Result<(), ReportError> {
        let sweep = self.results.configuration();
        let count = self.examples.min(sweep.settings.top);
        let ranking = if self.images.is_some() && count > 0 { layer.ranking()? } else { None };
        let shown = match (self.images, &ranking) {
            (Some(images), Some(ranking)) => {
                let own = self.own.map(|own| OwnOverlay { maps: own, cells: maps.cells() });
                let (images, tones) = images;
                let source = CropSource { images, tones, style: self.style, own };
                let crops = Crops::make(layer, maps.units(), count, ranking, source, progress)?;
                Some((crops, ranking))
            }
            _ => None,
        };
        let crops = shown.as_ref();
        let crops = crops.map(|(crops, ranking)| RankedCrops { crops, ranking, count });
        let pages = pages(sweep, layer, maps, fits, crops, self.style)?;
        let title = format!("{} {}: maps of receptive fields", sweep.model.name, layer.name());
        let bytes = to_pdf(&title, &pages)?;
        for path in Kind::Pages.files(folder, layer.name()) {
            write_atomically(&path, |file| file.write_all(&bytes))?;
        }
        Ok(())
    }
}

/// Whether maps are measured for these files.
fn is_measured(kinds: &[Kind]) -> bool {
    [Kind::Numbers, Kind::Pages].iter().any(|kind| kinds.contains(kind))
}

/// The Gaussians that fit a unit's maps.
fn fits(measured: Option<&[Measured; 2]>) -> [Option<Fit>; 2] {
    let fit = |measured: &Measured| match measured {
        Measured::Numbers(numbers) => numbers.fit.ok(),
        _ => None,
    };
    measured.map_or([None; 2], |both| [fit(&both[0]), fit(&both[1])])
}

fn write_numbers(
    layer: &LayerResults,
    units: &[usize],
    found: &[[Measured; 2]],
    folder: &Path,
) -> Result<(), ReportError> {
    let numbers = layer_table(layer, units, found)?;
    for path in Kind::Numbers.files(folder, layer.name()) {
        numbers.write(&path)?;
    }
    Ok(())
}

/// The units that have maps.
fn shown(layer: &LayerResults, units: &[usize]) -> Vec<usize> {
    let swept = layer.swept();
    units.iter().copied().filter(|unit| swept.binary_search(unit).is_ok()).collect()
}

fn sheet_path(folder: &Path, layer: &str, side: Side) -> PathBuf {
    folder.join(format!("{layer}_{}.png", side.name()))
}
