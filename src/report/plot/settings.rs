//! Plots of a folder of maps: settings, checks, and the work.

use std::path::{Path, PathBuf};

use super::{Kind, Overlay, Plots, Style};
use crate::images::{ImageFolder, ImageSource};
use crate::network::LayerId;
use crate::report::numbers::table;
use crate::report::{LayerResults, ReportError, Results, Tones};
use crate::runs::{
    ComputeSettings, Context, OutputFolder, OwnMaps, RunError, SweptWeights, Task, layout,
};
use crate::sweep::UnitSelection;

/// The file that explains the columns of the tables.
const COLUMNS: &str = "columns.csv";

/// Settings of plots.
#[derive(Clone, Debug)]
pub struct PlotSettings {
    /// Folder of the files; `None` for `plots` in the folder of the maps.
    pub folder: Option<PathBuf>,
    /// Layers; empty for all with maps.
    pub layers: Vec<String>,
    /// Units of each layer.
    pub units: UnitSelection,
    /// Kinds of files; empty for all.
    pub kinds: Vec<Kind>,
    /// Whether existing files are replaced.
    pub force: bool,
    /// Style of the maps.
    pub style: Style,
    /// Pixels per inch of the sheets.
    pub resolution: f32,
    /// Whether maps are blurred before a Gaussian is fitted.
    pub blurred: bool,
    /// Images of each unit, from either end of its ranking.
    pub examples: usize,
    /// The images, if they are not where the manifest has them.
    pub images: Option<ImageSource>,
    /// The weight file of [`Overlay::Own`], if it is not where the manifest has it.
    pub weights: Option<PathBuf>,
    /// Method, precision and device of [`Overlay::Own`].
    pub compute: ComputeSettings,
}

/// A layer, and its units that are shown.
type Selection<'r> = (&'r LayerResults, Vec<usize>);

/// Plots the maps of a folder. Returns the folder of the files.
///
/// # Errors
/// Settings that do not go with the maps; files that cannot be read or written.
pub fn plot(
    results: &Results,
    settings: &PlotSettings,
    context: &Context<'_>,
) -> Result<PathBuf, ReportError> {
    let layers = settings.layers(results)?;
    let chosen = |kind: &Kind| settings.kinds.is_empty() || settings.kinds.contains(kind);
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(chosen).collect();
    let output = settings.check(results, &layers, &kinds)?;
    if !results.is_complete() {
        let named: Vec<&str> = layers.iter().map(|(layer, _)| layer.name()).collect();
        context.note(format!("note: the sweep is not finished; there is {}", named.join(", ")));
    }
    let pages = kinds.contains(&Kind::Pages);
    let images = if pages { settings.images(results, context)? } else { None };
    let tones = images.as_ref().map(Tones::of).transpose()?;
    let ids: Vec<LayerId> = layers.iter().map(|(layer, _)| layer.id()).collect();
    let is_own = images.is_some() && settings.style.overlay == Overlay::Own;
    let own = if is_own { Some(settings.own(results, context)?) } else { None };
    let own = own.as_ref().map(|own| own.prepare(&ids, results.image_size(), context));
    let own = own.transpose()?;
    let plots = Plots {
        results,
        style: settings.style,
        resolution: settings.resolution,
        images: images.as_ref().zip(tones),
        examples: settings.examples.min(results.configuration().settings.top),
        own: own.as_ref(),
        blurred: settings.blurred,
    };
    let folder = output.create("")?;
    for (layer, units) in &layers {
        let total = plots.count(layer, units, &kinds);
        let task = Task { label: layer.name(), counted: "units and images", total };
        context.compute(&task, |progress| plots.write(layer, units, &kinds, &folder, progress))?;
    }
    if kinds.contains(&Kind::Numbers) {
        table([]).legend().write(&folder.join(COLUMNS))?;
    }
    Ok(folder)
}

impl PlotSettings {
    fn layers<'r>(&self, results: &'r Results) -> Result<Vec<Selection<'r>>, ReportError> {
        let selection = |layer: &'r LayerResults| {
            let name = layer.name();
            let units = self.units.of(layer.units()).map_err(|missing| {
                let last = layer.units() - 1;
                RunError::usage(format!("{name} has no unit {missing}; its units are 0 to {last}"))
            })?;
            let swept = layer.swept();
            if !units.iter().any(|unit| swept.contains(unit)) {
                return Err(RunError::usage(format!(
                    "none of the requested units of {name} was swept; {} units were, from unit {} \
                     on",
                    swept.len(),
                    swept.first().copied().unwrap_or_default()
                ))
                .into());
            }
            Ok((layer, units))
        };
        results.layers_named(&self.layers)?.into_iter().map(selection).collect()
    }

    /// Checks that the files can be written. Files of other layers and kinds stay.
    fn check(
        &self,
        results: &Results,
        layers: &[Selection<'_>],
        kinds: &[Kind],
    ) -> Result<OutputFolder, RunError> {
        let folder = self.folder.clone().unwrap_or_else(|| results.folder().join(layout::PLOTS));
        let files = |(layer, _): &Selection<'_>| {
            kinds
                .iter()
                .flat_map(|kind| kind.files(Path::new(""), layer.name()))
                .collect::<Vec<_>>()
        };
        OutputFolder::check_files(&folder, layers.iter().flat_map(files), self.force)
    }

    /// The images, if they are to be shown and can be.
    fn images(
        &self,
        results: &Results,
        context: &Context<'_>,
    ) -> Result<Option<ImageFolder>, ReportError> {
        if self.examples == 0 {
            return Ok(None);
        }
        let needed = self.images.is_some() || self.style.overlay == Overlay::Own;
        let images = results.ranked_images(self.images.as_ref(), needed)?;
        if let Err(reason) = &images {
            context.note(format!("note: pages show no images: {reason}"));
        }
        Ok(images.ok())
    }

    /// The engine and the weights of maps of single images.
    fn own(&self, results: &Results, context: &Context<'_>) -> Result<OwnMaps, ReportError> {
        let about = &results.manifest().about;
        let path = self.weights.clone().unwrap_or_else(|| (&about.weights).into());
        if self.weights.is_none() && !path.is_file() {
            return Err(RunError::usage(format!(
                "{}: no such file; the manifest names it as the weight file; give the file where it \
                 is now as --weights",
                path.display()
            ))
            .into());
        }
        let prefix = about.weights_prefix.as_deref();
        let weights = SweptWeights { path: &path, prefix };
        let sweep = results.configuration();
        Ok(OwnMaps::open(results.network(), sweep, weights, &self.compute, context)?)
    }
}
