//! Sweeping block by block: what is there is used, what is missing is computed, and what is
//! complete is put together.

use std::collections::BTreeSet;

use indicatif::HumanCount;

use super::blocks::{Layer, Workers};
use super::merge::{Sweep, SweepMerged};
use super::{MAPS, Work};
use crate::blocks::{BlockFolder, Taken};
use crate::cli::STOP;
use crate::cli::failure::{Failure, OrUsage};
use crate::cli::progress::Task;
use crate::cli::ranking::Ranking;
use crate::cli::share::{Pauses, Rest};
use crate::engine::{Prepared, Watch};
use crate::images::ImageFolder;
use crate::maps::LayerConfiguration;
use crate::ranking::LayerRanking;
use crate::sweep::{Extent, LayerSweep};

impl Work {
    /// Sweeps layer by layer. A layer's maps are there as soon as they are finished, and the
    /// manifest tells of them; what is finished of other layers is kept in blocks.
    pub fn sweep(&self, ranking: &Ranking, top: usize) -> Result<(), Failure> {
        let Self { inputs, output, .. } = self;
        let images = inputs.images.with_digests(ranking.digests.clone());
        let engines = self.engines();
        let workers = Workers::new(self, &engines)?;
        let sweeps = self.layers(&*workers.devices[0].engine, &images, ranking, top)?;
        let stored = self.configuration(engines[0].name(), &sweeps, ranking, top)?;
        let (path, force) = (output.blocks(MAPS), self.arguments.force);
        if force {
            BlockFolder::discard(&path)?;
        } else if Sweep::is_complete(output, &stored)? {
            self.forget_digests();
            let layers = stored.configuration.layers.iter();
            let names = layers.flat_map(LayerConfiguration::blocks).map(|block| block.name);
            output.clear(MAPS, &stored.configuration, names)?;
            self.say_complete();
            return Ok(());
        }
        let layers = sweeps.into_iter().zip(&stored.configuration.layers);
        let layers: Vec<Layer<'_>> = layers
            .map(|(sweep, configuration)| Layer::new(sweep, configuration))
            .collect::<Result<_, _>>()?;
        let folder = BlockFolder::open(&path, &stored).or_usage()?;
        // Another process may have put the maps together since we looked, and removed the blocks:
        // then this folder is a new one.
        if !force && Sweep::is_complete(output, &stored)? {
            folder.remove_if_empty();
            self.say_complete();
            return Ok(());
        }
        self.keep_digests(ranking)?;
        let merge = Sweep::new(output, &folder, &[], &stored).anew(force);
        let worked = self.work(&merge, &layers, &workers);
        if worked.is_err() {
            if folder.done().is_ok_and(|done| done.is_empty()) {
                self.forget_digests();
            }
            folder.remove_if_empty();
        }
        match worked {
            // Another process has put everything together and removed the blocks.
            Err(failure) if failure.is_gone() && Sweep::is_complete(output, &stored)? => Ok(()),
            worked => worked,
        }
    }

    /// The sweeps of all layers.
    pub(super) fn layers<'a>(
        &'a self,
        engine: &'a dyn Prepared,
        images: &'a ImageFolder,
        ranking: &'a Ranking,
        top: usize,
    ) -> Result<Vec<LayerSweep<'a>>, Failure> {
        let Self { settings, inputs, memory, .. } = self;
        let layers = inputs.layers.iter().zip(&ranking.layers).zip(&settings.units);
        let sweep = |((&layer, ranking), units): ((_, &'a LayerRanking), &'a Vec<usize>)| {
            Ok(LayerSweep {
                engine,
                layer,
                geometry: settings.geometry(inputs, layer)?,
                images,
                ranking,
                units,
                top,
                draws: &settings.draws,
                batch: settings.batch.unwrap_or_else(|| engine.maps_at_a_time()),
                memory: *memory,
            })
        };
        layers.map(sweep).collect()
    }

    fn say_complete(&self) {
        self.progress.say(format!("{}: is complete already", self.output.path().display()));
    }

    /// Computes what is missing, one block at a time for each device.
    fn work(
        &self,
        merge: &Sweep<'_>,
        layers: &[Layer<'_>],
        workers: &Workers<'_>,
    ) -> Result<(), Failure> {
        self.announce(merge.folder, layers)?;
        let mut left = Vec::with_capacity(layers.len());
        for (number, layer) in layers.iter().enumerate() {
            let (mine, _) = self.share.divide(&layer.names);
            left.push(self.pass(merge.folder, layer, &mine, Taken::Try, workers)?);
            if self.share.is_whole() && left[number].is_empty() {
                merge.layers(&[number], self.progress)?;
            }
        }
        if self.share.rest == Rest::Help {
            self.help(merge.folder, layers, workers)?;
        }
        let mut pauses = Pauses::new();
        loop {
            for (layer, left) in layers.iter().zip(&mut left) {
                while !left.is_empty() {
                    pauses.wait()?;
                    *left = self.pass(merge.folder, layer, left, Taken::Try, workers)?;
                }
            }
            if !self.share.is_whole() {
                self.progress.say(self.share.note(&self.output));
                return Ok(());
            }
            let all: Vec<usize> = (0..layers.len()).collect();
            match merge.layers(&all, self.progress)? {
                SweepMerged::Complete => break,
                SweepMerged::Taken => pauses.wait()?,
                SweepMerged::Incomplete { missing, damaged } => {
                    let again: BTreeSet<String> = missing
                        .into_iter()
                        .chain(damaged.into_iter().map(|(name, _)| name))
                        .collect();
                    for (layer, left) in layers.iter().zip(&mut left) {
                        let again = |name: &&String| again.contains(*name);
                        *left = layer.names.iter().filter(again).cloned().collect();
                    }
                }
            }
        }
        self.progress.say(format!("wrote {}", self.output.path().join(MAPS).display()));
        Ok(())
    }

    /// Computes what nobody has begun of other shards. What others drop meanwhile is nobody's again.
    fn help(
        &self,
        folder: &BlockFolder,
        layers: &[Layer<'_>],
        workers: &Workers<'_>,
    ) -> Result<(), Failure> {
        let mut helped = true;
        while helped {
            helped = false;
            for layer in layers {
                let (_, others) = self.share.divide(&layer.names);
                let free = folder.free(&others)?;
                if !free.is_empty() {
                    self.pass(folder, layer, &free, Taken::Leave, workers)?;
                    helped = true;
                }
            }
        }
        Ok(())
    }

    /// Computes those of a layer's blocks that are not there, and returns those that other
    /// processes have in hand.
    fn pass(
        &self,
        folder: &BlockFolder,
        layer: &Layer<'_>,
        names: &[String],
        taken: Taken,
        workers: &Workers<'_>,
    ) -> Result<Vec<String>, Failure> {
        let done = folder.done()?;
        let missing = names.iter().filter(|name| !done.contains(*name));
        let total = missing.map(|name| layer.presentations(name)).sum();
        let watch = Watch::new(&STOP);
        let compute = |worker| {
            let (watch, plain) = (&watch, workers.plain.as_deref());
            move |block: &str| self.compute(worker, plain, (layer, block), watch)
        };
        let computing: Vec<_> = workers.devices.iter().map(compute).collect();
        let work = || folder.pass(names, taken, &computing);
        if total == 0 {
            return work();
        }
        let task = Task { label: &layer.name, counted: "presentations", total };
        Ok(self.progress.track(&task, &watch, work)?.0)
    }

    /// Says how much there is to do, over all layers, and what takes part in nothing.
    fn announce(&self, folder: &BlockFolder, layers: &[Layer<'_>]) -> Result<(), Failure> {
        let extent: Extent = layers.iter().map(Layer::extent).sum();
        self.progress.say(format!(
            "sweep: {} presentations for {} maps",
            HumanCount(extent.presentations),
            HumanCount(extent.maps)
        ));
        if extent.maps_without_occluders > 0 {
            self.progress.say(format!(
                "note: {} maps have no occluder, since the image cuts their receptive field to less \
                 than one; they count as zeros",
                HumanCount(extent.maps_without_occluders)
            ));
        }
        if self.settings.statistics && layers.iter().any(|layer| layer.sweep.top < 2) {
            self.progress
                .say("note: a standard error needs two images or more; of a single one it is NaN");
        }
        let done = folder.done()?;
        if !done.is_empty() {
            let all: usize = layers.iter().map(|layer| layer.names.len()).sum();
            let there = done.len();
            self.progress.say(format!("sweep: {there} of {all} blocks are there already"));
        }
        if !self.share.shard.is_whole() {
            self.progress.say(format!("sweep: shard {}", self.share.shard));
        }
        Ok(())
    }
}
