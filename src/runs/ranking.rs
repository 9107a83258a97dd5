//! Ranking, block by block: finished blocks are reused, missing ones computed.

use std::time::Instant;

use super::layout::{MAPS, RANKING};
use super::share::Backoff;
use super::sized::with_sizes;
use super::{Context, DevicePools, Inputs, OutputFolder, RankSettings, RunError, Share, Task};
use crate::blocks::{Block, BlockError, BlockFolder, Merged, Stored};
use crate::engine::{Ranker, RankingEngine};
use crate::files::{Digest, FileError, remove_leftovers};
use crate::maps::Manifest;
use crate::network::LayerId;
use crate::ranking::{
    BlockImages, LayerRanking, RankingConfiguration, RankingManifest, RankingRecord, block,
    digests, merge_ranking,
};
use crate::sweep::{self, ImageRange, Ranked};

/// The job of a ranking.
pub(super) struct RankingJob<'a> {
    pub inputs: &'a Inputs,
    /// The engines, one per device.
    pub engines: &'a [Box<dyn RankingEngine>],
    /// Images per unit, from either end.
    pub top: usize,
    pub threads: usize,
    pub output: &'a OutputFolder,
    pub context: Context<'a>,
}

/// A finished ranking.
#[derive(Debug)]
pub struct Ranking {
    /// The ranking of each layer.
    pub layers: Vec<LayerRanking>,
    /// The digest of each image's file.
    pub digests: Vec<Digest>,
    /// Whether the digests come from the files, rather than from the ranking.
    pub(super) digests_were_read: bool,
    /// Whether it was complete before this process began.
    pub(super) was_complete: bool,
    /// Seconds of the ranking, if known.
    pub seconds: Option<f64>,
}

/// Ranks images for every unit of some layers.
///
/// Writes the folder `ranking` of the output folder, or blocks of a shared ranking; returns `None`
/// if other processes compute the rest. Existing results are reused.
///
/// # Errors
/// Unusable settings, images and weights; errors of the work.
pub fn rank(settings: &RankSettings, context: &Context<'_>) -> Result<Option<Ranking>, RunError> {
    let RankSettings { input, top, output, device } = settings;
    output.check()?;
    let chosen = input.choose_layers()?;
    let folder = OutputFolder::check_or_resume(&output.folder, output.force, &[])?;
    let engines = device.open(&chosen.network, &chosen.layers, context)?.rankers(context)?;
    let inputs = Inputs::load(chosen, input, context)?;
    let top = inputs.at_most(*top, context)?;
    let (inputs, engines) = (&inputs, &engines[..]);
    let (threads, context) = (context.threads(), *context);
    let job = RankingJob { inputs, engines, top, threads, output: &folder, context };
    let ranking = job.complete(&output.share, output.force)?;
    match &ranking {
        Some(Ranking { seconds: Some(_), .. }) => {
            context.note(format!("wrote {}", folder.path().join(RANKING).display()));
        }
        Some(ranking) => inputs.check_unchanged(ranking, &folder, &output.share, &context)?,
        None => context.note(folder.shard_note(&output.share)),
    }
    Ok(ranking)
}

impl RankingJob<'_> {
    /// Ranks what is missing; `None` if the rest is left to others.
    pub fn complete(&self, share: &Share, force: bool) -> Result<Option<Ranking>, RunError> {
        let context = &self.context;
        let path = self.output.blocks(RANKING);
        if force {
            // A sweep in progress would lose its ranking.
            for folder in with_sizes(self.output)? {
                context.check_unused(&folder.blocks(MAPS))?;
            }
            context.start_anew(&path)?;
        } else if let Some(there) = self.find(None)? {
            let configuration = self.configuration(&self.inputs.layers);
            self.output.clear(RANKING, &configuration, &configuration.names())?;
            context.note("ranking: already complete");
            return Ok(Some(Ranking { was_complete: true, ..there }));
        } else {
            self.check_maps()?;
        }
        let layers = self.unranked(force)?;
        let stored = Stored { configuration: self.configuration(&layers), about: () };
        let mut backoff = Backoff::new(context);
        loop {
            let folder = BlockFolder::open(&path, &stored)?;
            // Another process may have merged the ranking in the meantime and removed the blocks:
            // then this folder is a new one.
            if !force && let Some(there) = self.find(None)? {
                folder.remove_if_empty();
                return Ok(Some(there));
            }
            match self.rank(&folder, &layers, &stored.configuration, share) {
                // Merged by another process in the meantime.
                Err(error) if error.is_gone() => {}
                Err(error) => {
                    folder.remove_if_empty();
                    return Err(error);
                }
                Ok(()) => match merge(self.output, &[&folder], &stored.configuration, force)? {
                    Merged::Done(seconds) => return self.find(seconds),
                    Merged::Taken => {}
                    Merged::Incomplete(blocks) => {
                        for (name, damage) in &blocks.damaged {
                            let path = folder.block(name);
                            let path = path.display();
                            context.note(format!("{path} {damage}; it counts as missing"));
                        }
                        if blocks.damaged.is_empty()
                            && !blocks.missing.is_empty()
                            && !share.is_whole()
                        {
                            return Ok(None);
                        }
                    }
                },
            }
            if !force && let Some(there) = self.find(None)? {
                return Ok(Some(there));
            }
            backoff.wait()?;
        }
    }

    /// Checks that the output folder has no ranking of something else, finished or not, by any
    /// engine, because another machine ranks. Returns the number of blocks, and the ranking if it
    /// is finished. Writes nothing.
    pub fn check(&self) -> Result<(usize, Option<Ranking>), RunError> {
        let found = self.find(None)?;
        if found.is_none() {
            self.check_maps()?;
        }
        let layers = self.unranked(false)?;
        let (path, mut here) = (self.output.blocks(RANKING), self.configuration(&layers));
        if let Some((_, there)) = BlockFolder::find::<RankingConfiguration, ()>(&path)? {
            for (here, there) in here.layers.iter_mut().zip(&there.configuration.layers) {
                here.engine = there.engine;
            }
            if let Some(error) = BlockError::between(&path, &there.configuration, &here) {
                return Err(error.into());
            }
        }
        Ok((here.blocks().len(), found))
    }

    /// Checks that a folder without a finished ranking has no maps either: maps of a ranking from
    /// elsewhere would lose their origin.
    fn check_maps(&self) -> Result<(), RunError> {
        let (maps, ranking) =
            (self.output.path().join(Manifest::FILE), self.output.path().join(RANKING));
        // In this order: a merge removes the blocks last.
        if !maps.exists()
            || BlockFolder::is_there(&self.output.blocks(RANKING))
            || RankingManifest::is_there(&ranking)
        {
            return Ok(());
        }
        self.output.manifest()?;
        Err(RunError::usage(format!(
            "{}: lists maps of a ranking that is not in {}; choose another --out; `run`, `rank` and `sweep` with --force start anew",
            maps.display(),
            ranking.display()
        )))
    }

    fn configuration(&self, layers: &[LayerId]) -> RankingConfiguration {
        self.inputs.ranking_configuration(layers, self.top, self.engines[0].name())
    }

    /// The layers without a ranking in the output folder.
    ///
    /// # Errors
    /// A ranking of something else.
    fn unranked(&self, force: bool) -> Result<Vec<LayerId>, RunError> {
        let mut layers = self.inputs.layers.clone();
        let here = self.configuration(&layers);
        if !force && let Some(there) = extended(self.output, &here)? {
            let is_ranked =
                |&layer: &LayerId| there.layer(&self.inputs.network().short_name(layer)).is_some();
            layers.retain(|layer| !is_ranked(layer));
        }
        Ok(layers)
    }

    /// The existing ranking, if it has all layers.
    ///
    /// # Errors
    /// A ranking of something else.
    fn find(&self, seconds: Option<f64>) -> Result<Option<Ranking>, RunError> {
        let folder = self.output.path().join(RANKING);
        if !RankingManifest::is_there(&folder) || !self.unranked(false)?.is_empty() {
            return Ok(None);
        }
        let digests = digests::read(&folder, self.inputs.images.names())?.ok_or_else(|| {
            let path = digests::path(&folder);
            FileError::content(&path, "is not there; rank again, with --force")
        })?;
        let layers = self.inputs.read_ranking(&folder)?;
        Ok(Some(Ranking {
            layers,
            digests,
            digests_were_read: false,
            was_complete: false,
            seconds,
        }))
    }

    fn rank(
        &self,
        folder: &BlockFolder,
        layers: &[LayerId],
        configuration: &RankingConfiguration,
        share: &Share,
    ) -> Result<(), RunError> {
        let context = &self.context;
        let (blocks, names) = (configuration.blocks(), configuration.names());
        let (done, (mine, _)) = (folder.done()?, share.divide(&names));
        let todo = |name: &String| share.is_whole() || mine.contains(name);
        let left = |BlockImages { name, images }: &BlockImages| {
            if done.contains(name) || !todo(name) { 0 } else { images.len() as u64 }
        };
        if !done.is_empty() {
            let (there, all) = (done.len(), names.len());
            context.note(format!("ranking: {there} of {all} blocks already done"));
        }
        let total = blocks.iter().map(left).sum();
        let (task, progress) =
            (Task { label: "ranking", counted: "images", total }, context.progress());
        // The device's memory is released when everything is ranked.
        let Inputs { model, images, .. } = self.inputs;
        let pools = DevicePools::new(context, self.engines.len(), self.threads)?;
        let prepare = |(device, engine): (usize, &dyn RankingEngine)| {
            pools.install(device, || engine.ranker(model, layers, images.size()))
        };
        let engines = self.engines.iter().map(AsRef::as_ref).enumerate().map(prepare);
        let engines = engines.collect::<Result<Vec<_>, _>>()?;
        let units = configuration.units();
        let compute = |engine: &dyn Ranker, name: &str| -> Result<_, RunError> {
            context.check_cancelled()?;
            let range = blocks.iter().find(|block| block.name == name);
            let range = range.map(|block| block.images.clone()).unwrap_or_default();
            let progress = progress.piece(range.len() as u64);
            let start = Instant::now();
            let readers = self.threads;
            let images = ImageRange { images, range };
            let ranked = sweep::rank(engine, &units, images, self.top, readers, &progress)?;
            let Ranked { layers, digests } = ranked;
            let record = RankingRecord { seconds: start.elapsed().as_secs_f64(), digests };
            Ok(Block { record, payload: block::encode(&layers) })
        };
        let (compute, pools) = (&compute, &pools);
        let worker =
            |(device, engine)| move |name: &str| pools.install(device, || compute(engine, name));
        let workers: Vec<_> =
            engines.iter().map(|engine| &**engine).enumerate().map(worker).collect();
        let work = || share.complete(folder, &names, &workers, context);
        if total == 0 { work() } else { context.track(&task, &progress, work).map(drop) }
    }
}

/// Merges the blocks of a ranking, each from the first of `sources` that has it, and removes them;
/// the first source is the output folder's own. An existing equal ranking stays unless `force`.
/// Returns the seconds of the blocks, or `None` if another process merged them.
pub(super) fn merge(
    output: &OutputFolder,
    sources: &[&BlockFolder],
    configuration: &RankingConfiguration,
    force: bool,
) -> Result<Merged<Option<f64>>, RunError> {
    let own = sources[0];
    let lease = match own.lease_merge() {
        Err(BlockError::Gone { .. }) => None,
        lease => lease?,
    };
    let Some(_lease) = lease else { return Ok(Merged::Taken) };
    let there = if force { None } else { extended(output, configuration)? };
    let is_there = |there: &RankingConfiguration| {
        configuration.layers.iter().all(|layer| there.layer(&layer.layer).is_some())
    };
    if there.as_ref().is_some_and(is_there) {
        own.remove()?;
        return Ok(Merged::Done(None));
    }
    let folder = output.path().join(RANKING);
    // Maps of another ranking lose their manifest.
    let before_writing = || -> Result<(), RunError> {
        remove_leftovers(&output.create(RANKING)?)?;
        for folder in with_sizes(output)? {
            Manifest::remove(folder.path())?;
        }
        Ok(())
    };
    match merge_ranking(sources, configuration, there.as_ref(), before_writing, &folder)? {
        Merged::Done(seconds) => {
            own.remove()?;
            Ok(Merged::Done(Some(seconds)))
        }
        Merged::Taken => Ok(Merged::Taken),
        Merged::Incomplete(blocks) => {
            own.check_configuration()?;
            for (name, _) in &blocks.damaged {
                own.set_aside(name)?;
            }
            Ok(Merged::Incomplete(blocks))
        }
    }
}

/// The finished ranking in the output folder, which may have other layers.
///
/// # Errors
/// A ranking of something else.
fn extended(
    output: &OutputFolder,
    here: &RankingConfiguration,
) -> Result<Option<RankingConfiguration>, RunError> {
    let folder = output.path().join(RANKING);
    let Some(RankingManifest { configuration: there, .. }) = RankingManifest::read(&folder)? else {
        return Ok(None);
    };
    match BlockError::between(&folder, &there.without_layers(), &here.without_layers()) {
        Some(error) => Err(error.into()),
        None => Ok(Some(there)),
    }
}
