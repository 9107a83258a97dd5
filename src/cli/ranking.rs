//! Ranking, block by block: what is there is used, what is missing is computed.

use std::ops::Range;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::STOP;
use super::failure::{Failure, OrUsage};
use super::inputs::Inputs;
use super::output::OutputFolder;
use super::progress::{Progress, Task};
use super::share::{Pauses, Share};
use crate::blocks::{Block, BlockError, BlockFolder, Damage, Stored};
use crate::engine::{Engine, EngineError, Prepared, Watch};
use crate::files::{Digest, FileError, remove_leftovers};
use crate::maps::Manifest;
use crate::ranking::{Collector, LayerFiles, LayerRanking, Provenance, block, digests};
use crate::sweep::{self, Ranked};

/// The folder, inside the output folder, that rankings are written to; and, inside that of blocks,
/// that of their blocks.
pub(super) const RANKING: &str = "ranking";

/// Blocks of a ranking, at most: each holds the best images of every unit, so few are better, but
/// for the tasks that share them.
const BLOCKS: usize = 64;
/// Images a block, at least.
const IMAGES: usize = 64;
/// Images that a GPU ranks at a time, and does whatever part of them it has: blocks of more are so
/// many times as long. It does not depend on what ranks, so that anybody may finish the ranking.
const BATCH: usize = 128;

/// A ranking to be made.
pub(super) struct RankingJob<'a> {
    pub inputs: &'a Inputs,
    /// The engines, one a device, that rank what is not ranked yet.
    pub engines: &'a [Box<dyn Engine>],
    /// Images a unit, from either end.
    pub top: usize,
    pub threads: usize,
    pub progress: Progress,
    pub output: &'a OutputFolder,
}

/// A finished ranking.
pub(super) struct Ranking {
    pub layers: Vec<LayerRanking>,
    /// The digest of each image's file.
    pub digests: Vec<Digest>,
    /// Whether the digests are not the ranking's, but what the files hold now.
    pub digests_were_read: bool,
    /// Seconds that it took, where that is known.
    pub seconds: Option<f64>,
}

/// What a ranking's blocks depend on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RankingConfiguration {
    /// Images a block.
    pub block: usize,
    #[serde(flatten)]
    pub provenance: Provenance,
    /// Units of each layer.
    pub units: Vec<usize>,
}

/// What is told about a ranking's block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RankingRecord {
    /// Seconds that it took.
    pub seconds: f64,
    /// The digest of each image's file.
    pub digests: Vec<Digest>,
}

impl RankingConfiguration {
    /// The blocks: their names, and the images of each.
    pub fn blocks(&self) -> Vec<(String, Range<usize>)> {
        let (images, block) = (self.provenance.images.len(), self.block.max(1));
        let range = |first: usize| first..(first + block).min(images);
        let named =
            |range: Range<usize>| (format!("images-{}-{}", range.start, range.end - 1), range);
        (0..images).step_by(block).map(range).map(named).collect()
    }

    /// The names of the blocks.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.blocks().into_iter().map(|(name, _)| name)
    }
}

/// How putting a ranking's blocks together ended.
pub(super) enum RankingMerged {
    /// The ranking is there; its blocks took so many seconds, unless another process had put it
    /// together before.
    Done(Option<f64>),
    /// Another process has it in hand.
    Taken,
    /// Blocks that are not there, and damaged ones.
    Incomplete { missing: Vec<String>, damaged: Vec<(String, Damage)> },
}

impl RankingJob<'_> {
    /// Ranks what is not ranked yet; `None` where the rest is left to others.
    pub fn complete(&self, share: &Share, force: bool) -> Result<Option<Ranking>, Failure> {
        let path = self.output.blocks(RANKING);
        if force {
            BlockFolder::discard(&path)?;
        } else if let Some(there) = self.find(None)? {
            let configuration = self.configuration();
            self.output.clear(RANKING, &configuration, configuration.names())?;
            self.progress.say("ranking: is there already");
            return Ok(Some(there));
        } else {
            self.check_maps()?;
        }
        let configuration = self.configuration();
        let stored = Stored { configuration, about: () };
        let mut pauses = Pauses::new();
        loop {
            let folder = BlockFolder::open(&path, &stored).or_usage()?;
            // Another process may have put the ranking together since we looked, and removed the
            // blocks: then this folder is a new one.
            if !force && let Some(there) = self.find(None)? {
                folder.remove_if_empty();
                return Ok(Some(there));
            }
            match self.rank(&folder, &stored.configuration, share) {
                // Put together meanwhile by another process.
                Err(failure) if failure.is_gone() => {}
                Err(failure) => {
                    folder.remove_if_empty();
                    return Err(failure);
                }
                Ok(()) => {
                    match merge_ranking(self.output, &[&folder], &stored.configuration, force)? {
                        RankingMerged::Done(seconds) => return self.find(seconds),
                        RankingMerged::Taken => {}
                        RankingMerged::Incomplete { missing, damaged } => {
                            for (name, damage) in &damaged {
                                let path = folder.block(name);
                                self.progress.say(format!(
                                    "{} {damage}; it counts as missing",
                                    path.display()
                                ));
                            }
                            if damaged.is_empty() && !missing.is_empty() && !share.is_whole() {
                                return Ok(None);
                            }
                        }
                    }
                }
            }
            if let Some(there) = self.find(None)? {
                return Ok(Some(there));
            }
            pauses.wait()?;
        }
    }

    /// Checks that the output folder holds no ranking of something else, finished or not, by whatever
    /// engine: it is another machine that ranks. Returns the number of blocks, and the ranking if it
    /// is finished. Writes nothing.
    pub fn check(&self) -> Result<(usize, Option<Ranking>), Failure> {
        let found = self.find(None)?;
        if found.is_none() {
            self.check_maps()?;
        }
        let (path, mut here) = (self.output.blocks(RANKING), self.configuration());
        if let Some((_, there)) = BlockFolder::find::<RankingConfiguration, ()>(&path)? {
            here.provenance.engine.clone_from(&there.configuration.provenance.engine);
            if let Some(error) = BlockError::between(&path, &there.configuration, &here) {
                return Err(error).or_usage();
            }
        }
        Ok((here.blocks().len(), found))
    }

    /// Checks, where there is no finished ranking, that there are no maps either: they were made
    /// from one elsewhere, and a new one would take the place of what tells of it.
    fn check_maps(&self) -> Result<(), Failure> {
        let (maps, ranking) =
            (self.output.path().join(Manifest::FILE), self.output.path().join(RANKING));
        // In this order: a process that puts a ranking together removes its blocks last.
        if !maps.exists()
            || BlockFolder::is_there(&self.output.blocks(RANKING))
            || Provenance::is_there(&ranking)
        {
            return Ok(());
        }
        Err(Failure::usage(format!(
            "{}: tells of maps that were made from a ranking elsewhere, and there is none in {}; choose \
             another --out; where results are computed, --force starts anew",
            maps.display(),
            ranking.display()
        )))
    }

    fn configuration(&self) -> RankingConfiguration {
        RankingConfiguration {
            block: images_of_a_block(self.inputs.images.len()),
            provenance: self.inputs.provenance(self.top, self.engines[0].name()),
            units: self.inputs.units(),
        }
    }

    /// The ranking that is there.
    ///
    /// # Errors
    /// One of something else.
    fn find(&self, seconds: Option<f64>) -> Result<Option<Ranking>, Failure> {
        let folder = self.output.path().join(RANKING);
        let Some(there) = Provenance::read(&folder)? else { return Ok(None) };
        // Engines differ in rounding only: a sweep by one may use the ranking of another.
        let here = self.inputs.provenance(self.top, &there.engine);
        if let Some(error) = BlockError::between(&folder, &there, &here) {
            return Err(error).or_usage();
        }
        let digests = digests::read(&folder, self.inputs.images.names())?.ok_or_else(|| {
            let path = digests::path(&folder);
            FileError::content(&path, "is not there; rank again, with --force")
        })?;
        let layers = self.inputs.read_ranking(&folder)?;
        Ok(Some(Ranking { layers, digests, digests_were_read: false, seconds }))
    }

    fn rank(
        &self,
        folder: &BlockFolder,
        configuration: &RankingConfiguration,
        share: &Share,
    ) -> Result<(), Failure> {
        let blocks = configuration.blocks();
        let names: Vec<String> = configuration.names().collect();
        let (done, (mine, _)) = (folder.done()?, share.divide(&names));
        let todo = |name: &String| share.is_whole() || mine.contains(name);
        let images = |(name, range): &(String, Range<usize>)| {
            if done.contains(name) || !todo(name) { 0 } else { range.len() as u64 }
        };
        if !done.is_empty() {
            let (there, all) = (done.len(), names.len());
            self.progress.say(format!("ranking: {there} of {all} blocks are there already"));
        }
        let watch = Watch::new(&STOP);
        let total = blocks.iter().map(images).sum();
        let task = Task { label: "ranking", counted: "images", total };
        // When all is ranked, the device's memory is given back.
        let Inputs { model, layers, images } = self.inputs;
        let prepare = |engine: &dyn Engine| engine.prepare(model, layers, images.size());
        let engines = self.engines.iter().map(|engine| prepare(&**engine));
        let engines = engines.collect::<Result<Vec<_>, _>>()?;
        let compute = |engine: &dyn Prepared, name: &str| -> Result<_, Failure> {
            let range = blocks.iter().find(|(other, _)| other == name);
            let range = range.map(|(_, range)| range.clone()).unwrap_or_default();
            if watch.stopped() {
                return Err(EngineError::Stopped.into());
            }
            let watch = watch.piece(range.len() as u64);
            let start = Instant::now();
            let images = (images, range);
            let units = &configuration.units;
            let ranked = sweep::rank(engine, units, images, self.top, self.threads, &watch)?;
            let Ranked { layers, digests } = ranked;
            let record = RankingRecord { seconds: start.elapsed().as_secs_f64(), digests };
            Ok(Block { record, payload: block::encode(&layers) })
        };
        let compute = &compute;
        let worker = |engine| move |name: &str| compute(engine, name);
        let workers: Vec<_> = engines.iter().map(|engine| worker(&**engine)).collect();
        let work = || share.complete(folder, &names, &workers);
        if total == 0 { work() } else { self.progress.track(&task, &watch, work).map(drop) }
    }
}

/// Images a block, of so many in all.
fn images_of_a_block(images: usize) -> usize {
    let block = images.div_ceil(BLOCKS).max(IMAGES);
    if block > BATCH { block.next_multiple_of(BATCH) } else { block }
}

/// Puts the blocks of a ranking together, each taken from the first of `sources` that has it, and
/// removes them; the first source is the output folder's own. The same ranking, if it is there
/// already, is left as it is unless `force`.
pub(super) fn merge_ranking(
    output: &OutputFolder,
    sources: &[&BlockFolder],
    configuration: &RankingConfiguration,
    force: bool,
) -> Result<RankingMerged, Failure> {
    let own = sources[0];
    let claim = match own.claim_merge() {
        Err(BlockError::Gone { .. }) => None,
        claim => claim?,
    };
    let Some(_claim) = claim else { return Ok(RankingMerged::Taken) };
    let provenance = &configuration.provenance;
    if !force && is_there(output, provenance)? {
        own.remove()?;
        return Ok(RankingMerged::Done(None));
    }
    let collector = |&units: &usize| Collector::new(units, provenance.top);
    let mut layers: Vec<Collector> = configuration.units.iter().map(collector).collect();
    let (mut missing, mut damaged) = (Vec::new(), Vec::new());
    let (mut all_digests, mut seconds) = (Vec::new(), 0.0);
    for (name, range) in configuration.blocks() {
        match read(sources, &name, &range, &configuration.units)? {
            None => missing.push(name),
            Some(Err(damage)) => {
                own.set_aside(&name)?;
                damaged.push((name, damage));
            }
            Some(Ok((record, rankings))) => {
                for (layer, ranking) in layers.iter_mut().zip(&rankings) {
                    layer.add_ranking(ranking);
                }
                seconds += record.seconds;
                all_digests.extend(record.digests);
            }
        }
    }
    if !missing.is_empty() || !damaged.is_empty() {
        return Ok(RankingMerged::Incomplete { missing, damaged });
    }
    let folder = output.create(RANKING)?;
    remove_leftovers(&folder)?;
    // The description comes last: what it vouches for is then there, and nothing older. Maps that
    // were made from another ranking lose theirs.
    Provenance::remove(&folder)?;
    Manifest::remove(output.path())?;
    for (layer, ranking) in provenance.layers.iter().zip(layers) {
        LayerFiles::new(&folder, layer).write(&ranking.finish())?;
    }
    digests::write(&folder, &provenance.images, &all_digests)?;
    provenance.write(&folder)?;
    own.remove()?;
    Ok(RankingMerged::Done(Some(seconds)))
}

/// Whether the output folder holds a finished ranking of this description.
fn is_there(output: &OutputFolder, here: &Provenance) -> Result<bool, Failure> {
    let folder = output.path().join(RANKING);
    let Some(there) = Provenance::read(&folder)? else { return Ok(false) };
    let same = BlockError::between(&folder, &there, here).is_none();
    Ok(same && digests::path(&folder).exists())
}

type Read = Result<(RankingRecord, Vec<LayerRanking>), Damage>;

/// A block from the first source that has it whole; `None` where none has it at all.
fn read(
    sources: &[&BlockFolder],
    name: &str,
    range: &Range<usize>,
    units: &[usize],
) -> Result<Option<Read>, Failure> {
    let mut found = None;
    for source in sources.iter().filter(|source| source.has(name)) {
        let read = source.read::<RankingRecord>(name)?.and_then(|block| {
            let rankings = block::decode(&block.payload, units);
            rankings
                .filter(|_| block.record.digests.len() == range.len())
                .map(|rankings| (block.record, rankings))
                .ok_or_else(|| Damage::Content("it holds another ranking".into()))
        });
        if read.is_ok() {
            return Ok(Some(read));
        }
        found = Some(read);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_few_and_large_ones_are_whole_batches() {
        for (images, block) in [(1, 64), (4096, 64), (5000, 79), (8192, 128), (50_000, 896)] {
            assert_eq!(images_of_a_block(images), block, "{images}");
        }
        assert!(1_281_167_usize.div_ceil(images_of_a_block(1_281_167)) <= BLOCKS);
    }
}
