//! Sweeping the units over their ranked images.

mod blocks;
mod check;
mod configuration;
mod job;
mod merge;
mod run;
mod settings;
mod verify;

use std::path::Path;

use super::inputs::at_most;
use super::layout::RANKING;
use super::{Context, Ranking, RunError, SweepSettings};
use crate::files::FileError;
use crate::ranking::{RankingManifest, digests};

pub(super) use self::merge::SweepMerge;
pub use self::run::SweepRun;
pub(super) use self::settings::in_range;

/// Sweeps the units of some layers over the images of the rankings in a folder, written by [`rank`]
/// or by the reference: the first `top` of each unit, or all ranked images.
///
/// Writes the folder `maps` and the manifest of the output folder, or blocks of a shared sweep.
/// Existing results are reused.
///
/// [`rank`]: super::rank
///
/// # Errors
/// Unusable settings, images, weights and rankings; errors of the work.
pub fn sweep(
    settings: &SweepSettings,
    ranking: &Path,
    top: Option<usize>,
    context: &Context<'_>,
) -> Result<(), RunError> {
    let sized = settings.sized()?;
    let run = SweepRun::open(settings, &[RANKING], context)?;
    let sizes = run.of_sizes(&sized)?;
    let (ranking, top) = read_ranking(&run, ranking, top)?;
    run.sweep_sizes(&sizes, &ranking, top)
}

/// Reads the rankings of all layers and checks that they belong to these inputs; returns them and
/// the number of images per unit.
fn read_ranking(
    run: &SweepRun<'_>,
    folder: &Path,
    asked: Option<usize>,
) -> Result<(Ranking, usize), RunError> {
    if !folder.is_dir() {
        return Err(FileError::content(
            folder,
            "there is no such folder; expected the --out of `rank`, or a folder of conv1.npy, …",
        )
        .into());
    }
    // The output folder of a ranking is accepted too.
    let inside = folder.join(RANKING);
    let folder = if RankingManifest::is_there(&inside) { &inside } else { folder };
    let inputs = &run.inputs;
    if let Some(manifest) = RankingManifest::read(folder)? {
        let network = inputs.network();
        let layers: Vec<String> =
            inputs.layers.iter().map(|&layer| network.short_name(layer)).collect();
        let layers: Vec<&str> = layers.iter().map(String::as_str).collect();
        let (model, images) = (inputs.model.configuration(), inputs.images.configuration());
        manifest.check(folder, &model, &images, &layers)?;
    }
    let layers = inputs.read_ranking(folder)?;
    let there = layers.iter().map(|ranking| ranking[0].top.len()).min().unwrap_or(0);
    in_range("--top", asked.unwrap_or(1), usize::MAX)?;
    let top = asked.map_or(there, |asked| at_most(asked, there, &run.context));
    let known = digests::read(folder, inputs.images.names())?;
    let digests_were_read = known.is_none();
    let digests = known.map_or_else(|| run.digests(), Ok)?;
    Ok((Ranking { layers, digests, digests_were_read, was_complete: true, seconds: None }, top))
}
