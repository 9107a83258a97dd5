//! Handing the maps of a sweep to an engine, image by image.

use std::collections::btree_map::Entry::Vacant;
use std::collections::{BTreeMap, HashMap};

use ndarray::Array3;

use super::batches::batches;
use super::layer::Target;
use super::{LayerSweep, SweepError};
use crate::engine::{Batch, EngineError, Job};
use crate::geometry::Placement;
use crate::ranking::Entry;

impl LayerSweep<'_> {
    /// Hands the maps of some targets, one for each draw of the noise, to `present`, in batches and
    /// image by image: each image is read once, ahead of the work. A map's place is that of its
    /// target times the draws, plus its draw. `present` returns the response of each job's unit to
    /// the original image.
    pub(super) fn in_batches(
        &self,
        targets: &[Target],
        mut present: impl FnMut(&[usize], &Batch<'_>) -> Result<Vec<f32>, EngineError>,
    ) -> Result<(), SweepError> {
        let repeats = self.draws.len();
        let image = |place: usize| targets[place / repeats].entry.image;
        let mut order: Vec<usize> = (0..targets.len() * repeats).collect();
        order.sort_by_key(|&place| image(place));
        let image_of: Vec<u32> = order.iter().map(|&place| image(place)).collect();
        let mut wanted: Vec<usize> = image_of.iter().map(|&image| image as usize).collect();
        wanted.dedup();

        let readers = rayon::current_num_threads();
        let most_images = self.memory.images_at_a_time(self.images.channels(), self.geometry.image);
        self.images.stream(&wanted, readers, |stream| -> Result<(), SweepError> {
            let mut held: Vec<(u32, Array3<f32>)> = Vec::new();
            for batch in batches(&image_of, self.batch.max(1), most_images) {
                let (places, images) = (&order[batch.clone()], &image_of[batch]);
                // Images come in the order of their indices.
                held.retain(|(image, _)| *image >= images[0]);
                while held.last().is_none_or(|(image, _)| *image < images[images.len() - 1]) {
                    let Some(read) = stream.next() else { break };
                    let image = read?;
                    held.push((image.index as u32, image.values));
                }
                self.one_batch(targets, places, &held, &mut present)?;
            }
            Ok(())
        })
    }

    /// Hands one batch over; `images` are sorted by their index.
    fn one_batch(
        &self,
        targets: &[Target],
        places: &[usize],
        images: &[(u32, Array3<f32>)],
        present: &mut impl FnMut(&[usize], &Batch<'_>) -> Result<Vec<f32>, EngineError>,
    ) -> Result<(), SweepError> {
        let repeats = self.draws.len();
        let targets_and_draws =
            || places.iter().map(|&place| (&targets[place / repeats], place % repeats));
        let mut placements: BTreeMap<u32, Placement> = BTreeMap::new();
        for (target, _) in targets_and_draws() {
            if let Vacant(new) = placements.entry(target.entry.position) {
                new.insert(self.placement(target)?);
            }
        }
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
            batch.jobs.push(Job {
                image: images.partition_point(|&(index, _)| index < image),
                placement: placement_of[&position],
                unit: target.unit,
                noise: self.draws[draw],
            });
        }
        let responses = present(places, &batch)?;
        for ((target, _), response) in targets_and_draws().zip(responses) {
            self.check_response(target, response)?;
        }
        Ok(())
    }
}
