//! Merging the blocks of a sweep.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::verify::verified_note;
use crate::blocks::{BlockError, BlockFolder, Incomplete, Merged};
use crate::files::remove_leftovers;
use crate::maps::{
    LayerConfiguration, LayerRecord, Manifest, StoredSweep, SweepConfiguration, merge_layer,
};
use crate::ranking::digests;
use crate::runs::layout::{BLOCKS, MAPS};
use crate::runs::{Context, OutputFolder, RunError};

/// A sweep with blocks to merge.
pub(in crate::runs) struct SweepMerge<'a> {
    pub output: &'a OutputFolder,
    /// The output folder's own blocks.
    pub folder: &'a BlockFolder,
    /// Blocks of the same configuration elsewhere.
    pub more: &'a [BlockFolder],
    pub stored: &'a StoredSweep,
    /// Whether existing maps of the same configuration are replaced, until the first of them are.
    anew: Cell<bool>,
}

impl<'a> SweepMerge<'a> {
    pub fn new(
        output: &'a OutputFolder,
        folder: &'a BlockFolder,
        more: &'a [BlockFolder],
        stored: &'a StoredSweep,
    ) -> Self {
        Self { output, folder, more, stored, anew: Cell::new(false) }
    }

    /// The same; the sweep starts anew if `force`.
    pub fn anew(self, force: bool) -> Self {
        Self { anew: Cell::new(force), ..self }
    }

    /// Whether the output folder has all maps of this configuration.
    ///
    /// # Errors
    /// Maps of another configuration.
    pub fn is_complete(output: &OutputFolder, stored: &StoredSweep) -> Result<bool, RunError> {
        let Some(there) = Self::extended(output, stored)? else { return Ok(false) };
        let mut layers = stored.configuration.layers.iter();
        Ok(layers.all(|layer| Self::has_maps(output, &there, layer)))
    }

    /// The layers of finished maps in the output folder that `stored` lacks.
    ///
    /// # Errors
    /// Maps of another sweep; a layer with a missing file.
    pub fn joined(
        output: &OutputFolder,
        stored: &StoredSweep,
    ) -> Result<Vec<LayerConfiguration>, RunError> {
        let Some(there) = Self::extended(output, stored)? else { return Ok(Vec::new()) };
        let is_finished = |layer: &&LayerConfiguration| {
            there.layers.contains_key(&layer.layer)
                && stored.configuration.layer(&layer.layer).is_none()
        };
        let joined = there.configuration.layers.iter().filter(is_finished);
        let joined: Vec<LayerConfiguration> = joined.cloned().collect();
        match joined.iter().find(|layer| !Self::has_maps(output, &there, layer)) {
            None => Ok(joined),
            Some(LayerConfiguration { layer, .. }) => Err(RunError::usage(format!(
                "{}: a file of {layer} is gone that {} names; sweep {layer} again first, or start \
                 anew with --force",
                output.path().join(MAPS).display(),
                Manifest::FILE
            ))),
        }
    }

    /// The manifest in the output folder, if there is one: of the same sweep, perhaps with other
    /// layers or units.
    ///
    /// # Errors
    /// Maps of another sweep.
    pub fn extended(
        output: &OutputFolder,
        stored: &StoredSweep,
    ) -> Result<Option<Manifest>, RunError> {
        let Some(there) = output.manifest()? else { return Ok(None) };
        Self::check_settings(output, &there, stored)?;
        if there.configuration.images_sha256 != stored.configuration.images_sha256 {
            return Err(RunError::usage(format!(
                "{}: holds maps of other images: files of the same names have changed since; choose \
                 another --out; `run`, `rank` and `sweep` with --force start anew",
                output.path().display()
            )));
        }
        for layer in &stored.configuration.layers {
            let other = there.configuration.layer(&layer.layer);
            let same_units = |there: &&LayerConfiguration| there.swept == layer.swept;
            if other.filter(same_units).is_some_and(|other| !other.same_maps(layer)) {
                return Err(Self::other_ranking(output, &layer.layer));
            }
        }
        Ok(Some(there))
    }

    /// The error of a layer with maps of another ranking.
    pub fn other_ranking(output: &OutputFolder, layer: &str) -> RunError {
        RunError::usage(format!(
            "{}: holds maps of {layer} that were made from another ranking; choose another --out; \
             `run`, `rank` and `sweep` with --force start anew",
            output.path().display()
        ))
    }

    /// Checks that existing maps have the same network, images and settings.
    pub fn check_settings(
        output: &OutputFolder,
        there: &Manifest,
        stored: &StoredSweep,
    ) -> Result<(), RunError> {
        let (there, here) = (there.configuration.comparable(), stored.configuration.comparable());
        Ok(BlockError::between(output.path(), &there, &here).map_or(Ok(()), Err)?)
    }

    /// Whether the maps of a layer exist.
    pub fn has_maps(
        output: &OutputFolder,
        manifest: &Manifest,
        layer: &LayerConfiguration,
    ) -> bool {
        let maps = output.path().join(MAPS);
        let there = |record: &LayerRecord| record.files.keys().all(|file| maps.join(file).exists());
        let configured = manifest.configuration.layer(&layer.layer);
        configured.is_some_and(|there| there.same_maps(layer))
            && manifest.layers.get(&layer.layer).is_some_and(there)
    }

    /// Whether all maps of a folder of blocks exist: a process was killed before it removed the
    /// blocks, or is removing them.
    pub fn is_merged(output: &OutputFolder, there: &Manifest, blocks: &StoredSweep) -> bool {
        let mut layers = blocks.configuration.layers.iter();
        layers.all(|layer| Self::has_maps(output, there, layer))
    }

    /// Removes blocks whose maps all exist.
    ///
    /// # Errors
    /// Files that cannot be read or removed.
    pub fn remove_merged(output: &OutputFolder) -> Result<(), RunError> {
        let found: Option<(BlockFolder, StoredSweep)> = BlockFolder::find(&output.blocks(MAPS))?;
        let (Some((folder, stored)), Some(there)) = (found, output.manifest()?) else {
            return Ok(());
        };
        if Self::is_merged(output, &there, &stored)
            && let Some(_lease) = folder.lease_merge()?
        {
            folder.remove()?;
        }
        Ok(())
    }

    /// Merges the layers of the configuration that are `requested` and not yet merged. Removes the
    /// blocks when all layers are merged.
    pub fn layers(
        &self,
        requested: impl Fn(&LayerConfiguration) -> bool,
        context: &Context<'_>,
    ) -> Result<Merged<()>, RunError> {
        let Self { output, folder, more, stored, .. } = *self;
        let lease = match folder.lease_merge() {
            // Another process has merged and removed the blocks.
            Err(BlockError::Gone { .. }) if Self::is_complete(output, stored)? => {
                return Ok(Merged::Done(()));
            }
            lease => lease?,
        };
        let Some(_lease) = lease else { return Ok(Merged::Taken) };
        let configuration = &stored.configuration;
        let earlier = if self.anew.take() { None } else { Manifest::read(output.path())? };
        let comparable = |of: &SweepConfiguration| serde_json::to_value(of.comparable()).ok();
        let earlier =
            earlier.filter(|there| comparable(&there.configuration) == comparable(configuration));
        let digest = folder.digest().clone();
        let about =
            earlier.as_ref().map_or_else(|| stored.about.clone(), |earlier| earlier.about.clone());
        let mut manifest = Manifest::new(configuration.clone(), digest, about);
        // A layer with a missing file is written again completely.
        if let Some(earlier) = &earlier {
            for layer in &configuration.layers {
                if Self::has_maps(output, earlier, layer) {
                    let record = earlier.layers[&layer.layer].clone();
                    manifest.layers.insert(layer.layer.clone(), record);
                }
            }
        }
        // From here on, files of an earlier manifest are replaced.
        let mut outdated = earlier.is_none_or(|earlier| earlier.layers != manifest.layers);
        let sources: Vec<&BlockFolder> = std::iter::once(folder).chain(more).collect();
        let mut incomplete = Incomplete::default();
        let maps = output.create(MAPS)?;
        for folder in [output.path(), &maps] {
            remove_leftovers(folder)?;
        }
        for layer in configuration.layers.iter().filter(|layer| requested(layer)) {
            if Self::has_maps(output, &manifest, layer) {
                continue;
            }
            context.check_cancelled()?;
            if std::mem::take(&mut outdated) {
                manifest.write(output.path())?;
            }
            match merge_layer(&sources, layer, &configuration.settings, &maps)? {
                Merged::Done(record) => {
                    if let Some(note) = stopped_note(&layer.layer, &record) {
                        context.note(note);
                    }
                    if let Some(verified) = &record.verified {
                        context.note(verified_note(&layer.layer, verified));
                    }
                    manifest.layers.insert(layer.layer.clone(), record);
                    manifest.complete = manifest.layers.len() == configuration.layers.len();
                    manifest.write(output.path())?;
                }
                // No other process can have it: the lease is held.
                Merged::Taken => {}
                Merged::Incomplete(blocks) => {
                    folder.check_configuration()?;
                    for (name, damage) in &blocks.damaged {
                        folder.set_aside(name)?;
                        let path = folder.block(name);
                        context.note(format!("{} {damage}; it counts as missing", path.display()));
                    }
                    incomplete.extend(blocks);
                }
            }
        }
        if !incomplete.is_empty() {
            let _ = std::fs::remove_dir(&maps);
            return Ok(Merged::Incomplete(incomplete));
        }
        manifest.complete = manifest.layers.len() == configuration.layers.len();
        if manifest.complete {
            let _ = std::fs::remove_file(digests::path(&output.path().join(BLOCKS)));
            folder.remove()?;
            BlockFolder::remove_leftovers(&output.path().join(BLOCKS));
        }
        Ok(Merged::Done(()))
    }
}

/// The note about the images at which the units of a layer stopped.
fn stopped_note(layer: &str, record: &LayerRecord) -> Option<String> {
    let images = record.images.as_ref()?;
    let of_side = |(side, counts): (&String, &BTreeMap<usize, usize>)| {
        let counts = counts.iter().map(|(images, units)| format!("{units} at {images}"));
        format!("{side} {}", counts.collect::<Vec<_>>().join(", "))
    };
    let sides: Vec<String> = images.iter().map(of_side).collect();
    Some(format!("{layer}: units stopped at these numbers of images: {}", sides.join("; ")))
}
