//! One page to see all maps with: `report.html`, which a browser opens from a folder.
//!
//! The page is written by hand, in `assets/`, and has all that it needs inside. Its *index* is what
//! it knows from the beginning: what was run, and a few numbers of every unit, to sort and filter
//! by. Maps, their other numbers and the images lie in *pages*, which are read when they are looked
//! at: in the same file where all of them are small, else in a folder beside it.

mod document;
mod findings;
mod index;
mod layer;
mod pictures;
mod store;

use std::path::Path;

use self::findings::{ComparisonIndex, CurveIndex};
use self::index::{Index, LayerIndex, PictureIndex, palettes};
use self::layer::Measures;
use self::pictures::Gallery;
use self::store::Store;
use super::ReportError;
use super::comparison::Comparison;
use super::results::{LayerResults, Results};
use super::units::swept_units;
use crate::VERSION;
use crate::images::ImageFolder;
use crate::progress::Progress;
use crate::runs::{Context, RunError, Task, check_file};

pub use store::{Written, data_folder};

/// Contents of a report.
#[derive(Debug)]
pub struct Report<'a> {
    /// The maps.
    pub results: &'a Results,
    /// The images, or why the report has none.
    pub images: Result<&'a ImageFolder, String>,
    /// Images of each unit that are shown, at most, from either end of its ranking.
    pub examples: usize,
    /// How the maps compare with another set: they are the comparison's A, the same sides of both.
    pub comparison: Option<&'a Comparison>,
    /// Whether maps are blurred before a Gaussian is fitted ([`super::numbers::measure`]).
    pub blurred: bool,
    /// Whether pages go into the folder however small they are.
    pub split: bool,
    /// The command that computes a unit's maps again.
    pub reproduce: ReproduceCommand<'a>,
}

/// The command that computes a unit's maps again.
pub struct ReproduceCommand<'a> {
    /// The command for a unit of a layer: what stands before the unit's number, and what between
    /// that and its second mention, the end of a name for the results.
    pub command: &'a (dyn Fn(&LayerResults) -> [String; 2] + Sync),
    /// A note on it.
    pub note: Option<String>,
}

impl std::fmt::Debug for ReproduceCommand<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReproduceCommand").field("note", &self.note).finish_non_exhaustive()
    }
}

impl Report<'_> {
    /// Checks that a report can be written to `file`.
    ///
    /// # Errors
    /// A name without `.html`; a file that exists, without `force`; a file with the name of the report's folder.
    pub fn check(file: &Path, force: bool) -> Result<(), RunError> {
        if file.extension().is_none_or(|ending| ending != "html") {
            let file = file.display();
            return Err(RunError::usage(format!("{file}: expected a name that ends in .html")));
        }
        check_file(file, force)?;
        let folder = data_folder(file);
        if folder.exists() && !folder.is_dir() {
            let problem = "is a file; a large report needs a folder of that name";
            return Err(RunError::usage(format!("{}: {problem}", folder.display())));
        }
        Ok(())
    }

    /// Writes the report on all threads of a context, which receives the progress.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_in(&self, path: &Path, context: &Context<'_>) -> Result<Written, ReportError> {
        let task = Task { label: "report", counted: "units", total: self.units() };
        context.compute(&task, |progress| self.write(path, progress))
    }

    /// Units whose maps are measured.
    fn units(&self) -> u64 {
        swept_units(self.results.layers())
    }

    /// Writes the report as `path`, and beside it its folder, if it needs one. An old report of
    /// that name stays whole until the new one gets it. `progress` counts units.
    ///
    /// # Errors
    /// Maps, rankings or images that cannot be read; files that cannot be written.
    pub fn write(&self, path: &Path, progress: &Progress<'_>) -> Result<Written, ReportError> {
        let mut store = Store::new(path, self.split);
        let mut gallery = Gallery::new(self.images.as_ref().map_or(0, |_| self.examples));
        let mut layers = Vec::new();
        for results in self.results.layers() {
            let measures = Measures::of(self, results, progress)?;
            let ranking = results.ranking()?;
            store.add(results.name(), &measures.page(results, ranking.as_ref(), &mut gallery)?)?;
            layers.push(LayerIndex {
                configuration: results.configuration().into(),
                record: results.record(),
                cells: measures.grid(),
                command: (self.reproduce.command)(results),
                curve: CurveIndex::of(measures.curves()),
                max: measures.columns(0),
                min: measures.columns(1),
            });
        }
        if let Ok(images) = self.images {
            gallery.write(images, &mut store, progress)?;
        }
        let manifest = self.results.manifest();
        let index = Index {
            format: "occlumap report",
            version: 2,
            program: VERSION,
            run: manifest.into(),
            layers,
            comparison: self.comparison.map(ComparisonIndex::from),
            palettes: palettes(),
            pictures: PictureIndex {
                page: pictures::PAGE,
                size: self.results.image_size(),
                note: self.images.as_ref().err(),
            },
            command_note: self.reproduce.note.as_deref(),
            pages: store.outside().clone(),
        };
        store.finish(&manifest.configuration.model.name, &index)
    }
}
