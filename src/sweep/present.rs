//! Handing the maps of a sweep to an engine, image by image.

use std::collections::btree_map::Entry::Vacant;
use std::collections::{BTreeMap, HashMap};

use ndarray::Array3;

use super::batches::batches;
use super::fill::{Original, PictureKey};
use super::layer::Target;
use super::{LayerSweep, SweepError};
use crate::engine::{Batch, EngineError, Job};
use crate::geometry::Placement;
use crate::images::{Image, ImageError};
use crate::ranking::Entry;

/// An image to be read, before the jobs of this key.
#[derive(Clone, Copy)]
struct ToRead {
    index: usize,
    key: PictureKey,
    /// Whether it fills occluders, instead of being occluded.
    is_fill: bool,
}

/// Images that are held, and pictures that fill their occluders, sorted by their keys.
#[derive(Default)]
struct Held {
    images: Vec<(u32, Array3<f32>)>,
    pictures: Vec<(PictureKey, Array3<f32>)>,
}

impl LayerSweep<'_> {
    /// Hands the maps of some targets, one for each draw of the noise, to `present`, in batches and
    /// image by image: each image is read once, ahead of the work. A map's index is that of its
    /// target times the draws, plus its draw. `present` returns the response of each job's unit to
    /// the original image.
    pub(super) fn in_batches(
        &self,
        targets: &[Target],
        mut present: impl FnMut(&[usize], &Batch<'_>) -> Result<Vec<f32>, EngineError>,
    ) -> Result<(), SweepError> {
        let repeats = self.fill.draws();
        let key = |slot: usize| self.fill.key(targets[slot / repeats].entry.image, slot % repeats);
        let mut order: Vec<usize> = (0..targets.len() * repeats).collect();
        order.sort_by_key(|&slot| key(slot));
        let keys: Vec<PictureKey> = order.iter().map(|&slot| key(slot)).collect();
        let to_read = self.reads_of(&keys);
        let indices: Vec<usize> = to_read.iter().map(|read| read.index).collect();

        let readers = rayon::current_num_threads();
        let most_images = self.memory.images_at_a_time(self.images.channels(), self.geometry.image);
        let most = (most_images / self.fill.pictures()).max(1);
        self.images.stream(&indices, readers, |stream| -> Result<(), SweepError> {
            let (mut held, mut to_read) = (Held::default(), to_read.into_iter().peekable());
            for batch in batches(&keys, self.batch.max(1), most) {
                let (slots, keys) = (&order[batch.clone()], &keys[batch]);
                let (first, last) = (keys[0], keys[keys.len() - 1]);
                // Images come in the order of their indices.
                held.images.retain(|(image, _)| *image >= first.0);
                held.pictures.retain(|(key, _)| *key >= first);
                while let Some(read) = to_read.next_if(|read| read.key <= last) {
                    let Some(image) = stream.next() else { break };
                    self.hold(&mut held, read, image)?;
                }
                self.one_batch(targets, slots, &held, &mut present)?;
            }
            Ok(())
        })
    }

    /// The images of some keys, and those that fill their occluders, in the order of the keys.
    fn reads_of(&self, keys: &[PictureKey]) -> Vec<ToRead> {
        let mut to_read: Vec<ToRead> = Vec::new();
        for (slot, &key) in keys.iter().enumerate() {
            let before = slot.checked_sub(1).map(|before| keys[before]);
            if before == Some(key) {
                continue;
            }
            let (image, draw) = key;
            if before.is_none_or(|before| before.0 != image) {
                to_read.push(ToRead { index: image as usize, key, is_fill: false });
            }
            if let Some(other) = self.fill.other(image, draw, self.images.len()) {
                to_read.push(ToRead { index: other as usize, key, is_fill: true });
            }
        }
        to_read
    }

    /// Holds an image that was read.
    fn hold(
        &self,
        held: &mut Held,
        read: ToRead,
        image: Result<Image, ImageError>,
    ) -> Result<(), SweepError> {
        let (values, key) = (image?.values, read.key);
        if read.is_fill {
            held.pictures.push((key, values));
            return Ok(());
        }
        let occluder = self.occluder_size()?;
        let original = Original { values: values.view(), index: key.0, occluder };
        held.pictures.extend(self.fill.blurred(original).map(|picture| (key, picture)));
        held.images.push((key.0, values));
        Ok(())
    }

    /// Hands one batch over.
    fn one_batch(
        &self,
        targets: &[Target],
        slots: &[usize],
        held: &Held,
        present: &mut impl FnMut(&[usize], &Batch<'_>) -> Result<Vec<f32>, EngineError>,
    ) -> Result<(), SweepError> {
        let repeats = self.fill.draws();
        let targets_and_draws =
            || slots.iter().map(|&slot| (&targets[slot / repeats], slot % repeats));
        let mut placements: BTreeMap<u32, Placement> = BTreeMap::new();
        for (target, _) in targets_and_draws() {
            if let Vacant(new) = placements.entry(target.entry.position) {
                new.insert(self.placement(target)?);
            }
        }
        let Held { images, pictures } = held;
        let mut batch = Batch::default();
        for (index, image) in images {
            batch.add_image(&image.view(), *index);
        }
        let mut placement_of = HashMap::new();
        for (&position, placement) in &placements {
            let at = self.geometry.position(position);
            placement_of.insert(position, batch.add_placement(at, &placement.occluders));
        }
        for (target, draw) in targets_and_draws() {
            let Entry { image, position, .. } = target.entry;
            let key = self.fill.key(image, draw);
            let picture = pictures.binary_search_by_key(&key, |(key, _)| *key).ok();
            batch.jobs.push(Job {
                image: images.partition_point(|&(index, _)| index < image),
                placement: placement_of[&position],
                unit: target.unit,
                fill: self.fill.of(draw, picture.map(|slot| &pictures[slot].1))?,
            });
        }
        let responses = present(slots, &batch)?;
        for ((target, _), response) in targets_and_draws().zip(responses) {
            self.check_response(target, response)?;
        }
        Ok(())
    }
}
