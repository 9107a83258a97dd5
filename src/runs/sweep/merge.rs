//! Putting the blocks of a sweep together.

use std::cell::Cell;

use crate::blocks::{BlockError, BlockFolder, Incomplete, Merged};
use crate::files::remove_leftovers;
use crate::maps::{LayerRecord, Manifest, StoredSweep, merge_layer};
use crate::ranking::digests;
use crate::runs::layout::{BLOCKS, MAPS};
use crate::runs::text::count;
use crate::runs::{Context, OutputFolder, RunError};

/// A sweep whose blocks can be put together.
pub(in crate::runs) struct SweepMerge<'a> {
    pub output: &'a OutputFolder,
    /// The output folder's own blocks.
    pub folder: &'a BlockFolder,
    /// Blocks of the same configuration elsewhere.
    pub more: &'a [BlockFolder],
    pub stored: &'a StoredSweep,
    /// Whether maps of this very configuration that are there already are to be replaced: until
    /// the first are.
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

    /// The same, of a sweep that starts anew if `force`.
    pub fn anew(self, force: bool) -> Self {
        Self { anew: Cell::new(force), ..self }
    }

    /// Whether the output folder holds all maps of this configuration.
    ///
    /// # Errors
    /// Maps of another one.
    pub fn is_complete(output: &OutputFolder, stored: &StoredSweep) -> Result<bool, RunError> {
        let Some(there) = Manifest::read(output.path())? else { return Ok(false) };
        let digest = BlockFolder::digest_of(&stored.configuration)?;
        if there.configuration_sha256 == digest {
            let layers = &stored.configuration.layers;
            return Ok(there.complete
                && layers.iter().all(|layer| Self::has_maps(output, &there, &layer.layer)));
        }
        Self::check_settings(output, &there, stored)?;
        Err(RunError::usage(format!(
            "{}: holds maps of other layers or units, or made from another ranking; choose another \
             --out; where results are computed, --force starts anew",
            output.path().display()
        )))
    }

    /// Checks that the maps that are there were made from the same network, images and settings.
    pub fn check_settings(
        output: &OutputFolder,
        there: &Manifest,
        stored: &StoredSweep,
    ) -> Result<(), RunError> {
        let (there, here) = (there.configuration.comparable(), stored.configuration.comparable());
        Ok(BlockError::between(output.path(), &there, &here).map_or(Ok(()), Err)?)
    }

    fn has_maps(output: &OutputFolder, manifest: &Manifest, layer: &str) -> bool {
        let maps = output.path().join(MAPS);
        let there = |record: &LayerRecord| record.files.keys().all(|file| maps.join(file).exists());
        manifest.layers.get(layer).is_some_and(there)
    }

    /// Puts those of some layers together that are not yet, given by their number in the
    /// configuration. When all of the configuration's are, the blocks are removed.
    pub fn layers(&self, numbers: &[usize], context: &Context<'_>) -> Result<Merged<()>, RunError> {
        let Self { output, folder, more, stored, .. } = *self;
        let lease = match folder.claim_merge() {
            // Another process has put everything together and removed the blocks.
            Err(BlockError::Gone { .. }) if Self::is_complete(output, stored)? => {
                return Ok(Merged::Done(()));
            }
            lease => lease?,
        };
        let Some(_lease) = lease else { return Ok(Merged::Taken) };
        let configuration = &stored.configuration;
        let there = Manifest::read(output.path())?
            .filter(|manifest| manifest.configuration_sha256 == *folder.digest())
            .filter(|_| !self.anew.take());
        let fresh = there.is_none();
        let mut manifest = there.unwrap_or_else(|| {
            let (digest, about) = (folder.digest().clone(), stored.about.clone());
            Manifest::new(configuration.clone(), digest, about)
        });
        // Of a layer whose files are not all there any more everything is written again. Blocks are
        // needed until then, even if the sweep was complete once.
        let told = manifest.clone();
        manifest.layers.retain(|layer, _| Self::has_maps(output, &told, layer));
        manifest.complete &= manifest.layers.len() == told.layers.len();
        let sources: Vec<&BlockFolder> = std::iter::once(folder).chain(more).collect();
        let mut incomplete = Incomplete::default();
        let planes = configuration.settings.planes();
        let maps = output.create(MAPS)?;
        for folder in [output.path(), &maps] {
            remove_leftovers(folder)?;
        }
        for layer in numbers.iter().filter_map(|&number| configuration.layers.get(number)) {
            if Self::has_maps(output, &manifest, &layer.layer) {
                continue;
            }
            context.check_cancelled()?;
            if fresh && manifest.layers.is_empty() {
                // Files are replaced from here on: the manifest of an earlier sweep no longer
                // holds.
                manifest.write(output.path())?;
            }
            match merge_layer(&sources, layer, &planes, &maps)? {
                Merged::Done(record) => {
                    if let Some(verified) = &record.verified {
                        context.note(format!(
                            "{}: {} presentations agree with whole images within {:.1e} of their \
                             maps' largest difference (tolerance {:.0e})",
                            layer.layer,
                            count(verified.presentations),
                            verified.largest_error,
                            verified.tolerance
                        ));
                    }
                    manifest.layers.insert(layer.layer.clone(), record);
                    manifest.complete = manifest.layers.len() == configuration.layers.len();
                    manifest.write(output.path())?;
                }
                // Another process cannot have it: the lease is held.
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
        if manifest.complete {
            let _ = std::fs::remove_file(digests::path(&output.path().join(BLOCKS)));
            folder.remove()?;
            BlockFolder::remove_leftovers(&output.path().join(BLOCKS));
        }
        Ok(Merged::Done(()))
    }
}
