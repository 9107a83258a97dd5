//! Sweeping block by block: finished blocks are reused, missing ones computed, complete layers
//! merged.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use super::SweepRun;
use super::blocks::{Layer, Workers};
use super::merge::SweepMerge;
use crate::blocks::{BlockFolder, Merged, Taken};
use crate::engine::Presenter;
use crate::images::ImageFolder;
use crate::maps::{LayerConfiguration, Manifest, StoredSweep};
use crate::ranking::{LayerRanking, swept_digest};
use crate::runs::few_occluders::{WITHOUT, few_occluders_note};
use crate::runs::layout::{MAPS, PLOTS, REPORT};
use crate::runs::share::{Backoff, Share};
use crate::runs::text::count;
use crate::runs::{Ranking, Rest, RunError, Task};
use crate::sweep::{Extent, LayerSweep, SweepFill};

impl SweepRun<'_> {
    /// Sweeps all layers. The maps of a layer exist as soon as its blocks are merged, and the
    /// manifest lists them; other finished blocks stay.
    pub(in crate::runs) fn sweep(&self, ranking: &Ranking, top: usize) -> Result<(), RunError> {
        let Self { inputs, output, .. } = self;
        let images = inputs.images.with_digests(ranking.digests.clone());
        let engines = self.engines();
        let workers = Workers::new(self, &engines)?;
        let fill = self.fill(ranking)?;
        let engine = &*workers.devices[0].engine;
        let sweeps = self.layers(&self.units, &fill, engine, &images, ranking, top)?;
        let stored = self.configuration(engines[0].name(), &sweeps, ranking, top)?;
        let (path, force) = (output.blocks(MAPS), self.settings.output.force);
        // Existing units and layers stay.
        let more = if force { None } else { self.extended_units(&stored, &sweeps)? };
        let (sweeps, mut stored) = match &more {
            None => (sweeps, stored),
            Some(units) => {
                let sweeps = self.layers(units, &fill, engine, &images, ranking, top)?;
                let stored = self.configuration(engines[0].name(), &sweeps, ranking, top)?;
                (sweeps, stored)
            }
        };
        if force {
            self.context.start_anew(&path)?;
            self.note_old_figures();
        } else {
            SweepMerge::remove_merged(output)?;
            stored.configuration.add_layers(&SweepMerge::joined(output, &stored)?);
            if SweepMerge::is_complete(output, &stored)? {
                self.forget_digests();
                let layers = stored.configuration.layers.iter();
                let names = layers.flat_map(LayerConfiguration::blocks).map(|block| block.name);
                output.clear(MAPS, &stored.configuration, &names.collect::<Vec<_>>())?;
                return self.end_complete(ranking, &sweeps, &workers);
            }
        }
        let there = if force { None } else { Manifest::read(output.path())? };
        let mut layers = Vec::with_capacity(sweeps.len());
        for &sweep in &sweeps {
            let name = inputs.network().short_name(sweep.layer);
            let Some(layer) = stored.configuration.layer(&name) else { continue };
            let has_maps = |there| SweepMerge::has_maps(output, there, layer);
            if !there.as_ref().is_some_and(has_maps) {
                layers.push(Layer::new(sweep, layer)?);
            }
        }
        let folder = BlockFolder::open(&path, &stored)?;
        // Another process may have merged the maps in the meantime and removed the blocks: then
        // this folder is a new one.
        if !force && SweepMerge::is_complete(output, &stored)? {
            folder.remove_if_empty();
            return self.end_complete(ranking, &sweeps, &workers);
        }
        if !force && !SweepMerge::joined(output, &stored)?.is_empty() {
            folder.remove_if_empty();
            // The devices' memory is for one sweep.
            drop(workers);
            drop(engines);
            return self.sweep(ranking, top);
        }
        self.keep_digests(ranking)?;
        let merge = SweepMerge::new(output, &folder, &[], &stored).anew(force);
        let worked = self.work(&merge, &layers, &workers);
        if worked.is_err() {
            if folder.done().is_ok_and(|done| done.is_empty()) {
                self.forget_digests();
            }
            folder.remove_if_empty();
        }
        match worked {
            // Another process has merged and removed the blocks.
            Err(error) if error.is_gone() && SweepMerge::is_complete(output, &stored)? => {}
            worked => worked?,
        }
        if self.settings.output.share.is_whole() {
            self.verify_finished(&sweeps, &workers)?;
        }
        Ok(())
    }

    /// The units of each layer, together with the units that already have maps in the output
    /// folder; `None` if there are no others.
    ///
    /// # Errors
    /// Maps of another sweep or of another ranking.
    fn extended_units(
        &self,
        stored: &StoredSweep,
        sweeps: &[LayerSweep<'_>],
    ) -> Result<Option<Vec<Vec<usize>>>, RunError> {
        let Some(there) = SweepMerge::extended(&self.output, stored)? else { return Ok(None) };
        let mut extended = Vec::with_capacity(sweeps.len());
        for (sweep, layer) in sweeps.iter().zip(&stored.configuration.layers) {
            let mut units = sweep.units.to_vec();
            if let Some(there) = there.configuration.layer(&layer.layer) {
                let units_there = there.swept_units();
                let known = there.units == layer.units
                    && units_there.iter().all(|&unit| unit < layer.units);
                let digest = || swept_digest(sweep.ranking, &units_there, sweep.top);
                if !known || digest() != there.ranking_sha256 {
                    return Err(SweepMerge::other_ranking(&self.output, &layer.layer));
                }
                units.extend(units_there);
                units.sort_unstable();
                units.dedup();
                if units.len() > there.swept_units().len() {
                    self.context.note(format!(
                        "{}: existing units are computed again, with the new ones",
                        layer.layer
                    ));
                }
            }
            extended.push(units);
        }
        Ok((extended != self.units).then_some(extended))
    }

    /// The sweeps of all layers.
    pub(super) fn layers<'a>(
        &'a self,
        units: &'a [Vec<usize>],
        fill: &'a SweepFill,
        engine: &'a dyn Presenter,
        images: &'a ImageFolder,
        ranking: &'a Ranking,
        top: usize,
    ) -> Result<Vec<LayerSweep<'a>>, RunError> {
        let Self { settings, inputs, memory, .. } = self;
        let layers = inputs.layers.iter().zip(&ranking.layers).zip(units);
        let sweep = |((&layer, ranking), units): ((_, &'a LayerRanking), &'a Vec<usize>)| {
            Ok(LayerSweep {
                engine,
                layer,
                geometry: settings.occlusion.geometry(inputs, layer)?,
                images,
                ranking,
                units,
                top,
                fill,
                batch: settings.batch.unwrap_or_else(|| engine.maps_at_a_time()),
                memory: *memory,
            })
        };
        layers.map(sweep).collect()
    }

    /// Note of figures and a report of the maps that are replaced.
    fn note_old_figures(&self) {
        let there = |name: &&str| self.output.path().join(name).exists();
        let old: Vec<&str> = [PLOTS, REPORT].into_iter().filter(there).collect();
        if !old.is_empty() {
            let (path, old) = (self.output.path().display(), old.join(", "));
            self.context.note(format!("note: {path}: files of the former maps stay: {old}"));
        }
    }

    /// Ends a sweep with existing maps.
    fn end_complete(
        &self,
        ranking: &Ranking,
        sweeps: &[LayerSweep<'_>],
        workers: &Workers<'_>,
    ) -> Result<(), RunError> {
        let share = &self.settings.output.share;
        // Once for all sizes.
        if !self.unchanged.swap(true, Ordering::Relaxed) {
            self.inputs.check_unchanged(ranking, &self.output, share, &self.context)?;
        }
        self.context.note(format!("{}: already complete", self.output.path().display()));
        if share.is_whole() {
            self.verify_finished(sweeps, workers)?;
        }
        Ok(())
    }

    /// Computes the missing blocks, one at a time per device.
    fn work(
        &self,
        merge: &SweepMerge<'_>,
        layers: &[Layer<'_>],
        workers: &Workers<'_>,
    ) -> Result<(), RunError> {
        self.announce(merge, layers)?;
        let mut left = Vec::with_capacity(layers.len());
        let mut mine_of_all = 0;
        for (number, (layer, share)) in self.shares(merge, layers).enumerate() {
            let (mine, _) = share.divide(&layer.names);
            mine_of_all += mine.len();
            left.push(self.pass(merge.folder, layer, &mine, Taken::Try, workers)?);
            if share.is_whole() && left[number].is_empty() {
                merge.layers(|of| of.layer == layer.name, &self.context)?;
            }
        }
        if mine_of_all == 0 {
            self.context.note(format!(
                "note: shard {} has no block: there are fewer blocks than shards; a smaller --block \
                 makes more",
                self.settings.output.share.shard
            ));
        }
        if self.settings.output.share.rest == Rest::Help {
            self.help(merge, layers, workers)?;
        }
        let mut backoff = Backoff::new(&self.context);
        loop {
            for (layer, left) in layers.iter().zip(&mut left) {
                while !left.is_empty() {
                    backoff.wait()?;
                    *left = self.pass(merge.folder, layer, left, Taken::Try, workers)?;
                }
            }
            if !self.settings.output.share.is_whole() {
                self.context.note(self.output.shard_note(&self.settings.output.share));
                return Ok(());
            }
            match merge.layers(|_| true, &self.context)? {
                Merged::Done(()) => break,
                Merged::Taken => backoff.wait()?,
                Merged::Incomplete(blocks) => {
                    let again: BTreeSet<&String> = blocks.names().collect();
                    let ours =
                        |name: &&String| layers.iter().any(|layer| layer.names.contains(*name));
                    if !again.iter().any(ours) {
                        let folder = merge.folder.path().to_owned();
                        return Err(RunError::Incomplete { folder, blocks });
                    }
                    for (layer, left) in layers.iter().zip(&mut left) {
                        let again = |name: &&String| again.contains(*name);
                        *left = layer.names.iter().filter(again).cloned().collect();
                    }
                }
            }
        }
        self.context.note(format!("wrote {}", self.output.path().join(MAPS).display()));
        Ok(())
    }

    /// The process's share of each layer. Blocks are divided over all layers of the sweep, finished
    /// or not, so that all shards divide alike and small layers do not all go to the first shard.
    fn shares<'a, 'b>(
        &self,
        merge: &SweepMerge<'a>,
        layers: &'a [Layer<'b>],
    ) -> impl Iterator<Item = (&'a Layer<'b>, Share)> {
        let Share { shard, rest } = self.settings.output.share;
        let mut blocks = 0;
        merge.stored.configuration.layers.iter().filter_map(move |configured| {
            let share = Share { shard: shard.after(blocks), rest };
            blocks += configured.blocks().len();
            let layer = layers.iter().find(|layer| layer.name == configured.layer)?;
            Some((layer, share))
        })
    }

    /// Computes blocks of other shards that no process has begun. Blocks dropped by others in the
    /// meantime are free again.
    fn help(
        &self,
        merge: &SweepMerge<'_>,
        layers: &[Layer<'_>],
        workers: &Workers<'_>,
    ) -> Result<(), RunError> {
        let mut helped = true;
        while helped {
            helped = false;
            for (layer, share) in self.shares(merge, layers) {
                let (_, others) = share.divide(&layer.names);
                let free = merge.folder.free(&others)?;
                if !free.is_empty() {
                    self.pass(merge.folder, layer, &free, Taken::Leave, workers)?;
                    helped = true;
                }
            }
        }
        Ok(())
    }

    /// Computes the missing blocks of a layer, and returns those that other processes compute.
    fn pass(
        &self,
        folder: &BlockFolder,
        layer: &Layer<'_>,
        names: &[String],
        taken: Taken,
        workers: &Workers<'_>,
    ) -> Result<Vec<String>, RunError> {
        let done = folder.done()?;
        let missing = names.iter().filter(|name| !done.contains(*name));
        let total = missing.map(|name| layer.presentations(name)).sum();
        let progress = self.context.progress();
        let compute = |worker| {
            let progress = &progress;
            move |block: &str| workers.compute(self, worker, layer, block, progress)
        };
        let computing: Vec<_> = workers.devices.iter().map(compute).collect();
        let work = || folder.pass(names, taken, &computing);
        if total == 0 {
            return work();
        }
        let task = Task { label: &layer.name, counted: "presentations", total };
        Ok(self.context.track(&task, &progress, work)?.0)
    }

    /// Notes the amount of work over all layers, and unused options.
    fn announce(&self, merge: &SweepMerge<'_>, layers: &[Layer<'_>]) -> Result<(), RunError> {
        let extent: Extent = layers.iter().map(Layer::extent).sum();
        self.context.note(format!(
            "sweep: {} presentations for {} maps",
            count(extent.presentations),
            count(extent.maps)
        ));
        if extent.maps_without_occluders > 0 {
            let without = count(extent.maps_without_occluders);
            self.context.note(format!("note: {without} maps {WITHOUT}"));
        }
        for layer in layers {
            let rf = layer.sweep.geometry.projection.size;
            if let Some(note) = few_occluders_note(&layer.name, rf, layer.extent().most_occluders) {
                self.context.note(note);
            }
        }
        if self.settings.occlusion.parameters(0).statistics
            && layers.iter().any(|layer| layer.sweep.top < 2)
        {
            self.context
                .note("note: a standard error needs two images or more; of a single one it is NaN");
        }
        let done = merge.folder.done()?;
        let missing = layers.iter().flat_map(|layer| &layer.names);
        let missing = missing.filter(|name| !done.contains(*name)).count();
        let configured = &merge.stored.configuration.layers;
        let with_blocks = configured.iter().filter(|layer| {
            layers.iter().any(|ours| ours.name == layer.layer)
                || layer.blocks().iter().any(|block| done.contains(&block.name))
        });
        let all: usize = with_blocks.map(|layer| layer.blocks().len()).sum();
        let there = all - missing;
        if there > 0 {
            self.context.note(format!("sweep: {there} of {all} blocks already done"));
        }
        if !self.settings.output.share.shard.is_whole() {
            self.context.note(format!("sweep: shard {}", self.settings.output.share.shard));
        }
        Ok(())
    }
}
