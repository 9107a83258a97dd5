//! Jobs that are presented together, and what they share.

use std::ops::Range;

use ndarray::ArrayView3;

use super::{EngineError, check_finite};
use crate::geometry::Occluder;
use crate::network::{LayerId, Network};
use crate::noise::Fill;

/// Jobs that are presented together, with the images and placements that they share.
#[derive(Clone, Debug, Default)]
pub struct Batch<'a> {
    /// The images.
    pub images: Vec<BatchImage<'a>>,
    /// The placements of occluders.
    pub placements: Vec<BatchPlacement<'a>>,
    /// The jobs.
    pub jobs: Vec<Job<'a>>,
}

/// An image of a batch.
#[derive(Clone, Copy, Debug)]
pub struct BatchImage<'a> {
    /// Its values, `[channel, height, width]`.
    pub values: ArrayView3<'a, f32>,
    /// Its index in the image folder, by which its noise is drawn.
    pub index: u32,
}

/// Occluders in front of one position of the layer.
#[derive(Clone, Copy, Debug)]
pub struct BatchPlacement<'a> {
    /// The position `(y, x)` on the layer's output.
    pub position: (usize, usize),
    /// The occluders to present, each inside the image.
    pub occluders: &'a [Occluder],
}

/// One map to compute: an image, a unit at a position of the layer's output, and the occluders.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The image, an index into [`Batch::images`].
    pub image: usize,
    /// The position and the occluders, an index into [`Batch::placements`].
    pub placement: usize,
    /// The unit: a channel of the layer.
    pub unit: usize,
    /// What the occluders are filled with.
    pub fill: Fill<'a>,
}

/// A job with its image and placement.
#[derive(Clone, Copy, Debug)]
pub struct PlacedJob<'a> {
    /// The image, `[channel, height, width]`.
    pub image: ArrayView3<'a, f32>,
    /// The image's index in the image folder, by which its noise is drawn.
    pub image_index: u32,
    /// The unit.
    pub unit: usize,
    /// The position `(y, x)` on the layer's output.
    pub position: (usize, usize),
    /// The occluders to present, each inside the image.
    pub occluders: &'a [Occluder],
    /// What the occluders are filled with.
    pub fill: Fill<'a>,
}

impl PlacedJob<'_> {
    /// Checks a response of the job's unit.
    ///
    /// # Errors
    /// [`EngineError::NotFinite`].
    pub(super) fn check_finite(
        &self,
        network: &Network,
        layer: LayerId,
        response: f32,
    ) -> Result<(), EngineError> {
        check_finite(network, layer, self.unit, self.image_index as usize, response)
    }
}

/// One whole image to present.
#[derive(Clone, Copy, Debug)]
pub(super) struct WholeImage {
    /// The job, as the batch numbers them.
    pub job: usize,
    /// The occluder in front of it; `None` for the original image.
    pub occluder: Option<usize>,
}

impl WholeImage {
    /// All that some jobs present, each job's original image first.
    pub fn all(jobs: &[PlacedJob<'_>]) -> Vec<Self> {
        let of_job = |(job, placed): (usize, &PlacedJob<'_>)| {
            let occluded = (0..placed.occluders.len()).map(Some);
            std::iter::once(None).chain(occluded).map(move |occluder| Self { job, occluder })
        };
        jobs.iter().enumerate().flat_map(of_job).collect()
    }
}

impl<'a> Batch<'a> {
    /// Adds an image; returns its index.
    pub fn add_image(&mut self, values: &ArrayView3<'a, f32>, index: u32) -> usize {
        self.images.push(BatchImage { values: *values, index });
        self.images.len() - 1
    }

    /// Adds a placement; returns its index.
    pub fn add_placement(&mut self, position: (usize, usize), occluders: &'a [Occluder]) -> usize {
        self.placements.push(BatchPlacement { position, occluders });
        self.placements.len() - 1
    }

    /// A job with its image and placement.
    pub fn job(&self, number: usize) -> PlacedJob<'a> {
        let Job { image, placement, unit, fill } = self.jobs[number];
        let BatchImage { values, index } = self.images[image];
        let BatchPlacement { position, occluders } = self.placements[placement];
        PlacedJob { image: values, image_index: index, unit, position, occluders, fill }
    }

    /// All jobs with their images and placements.
    pub fn placed(&self) -> impl ExactSizeIterator<Item = PlacedJob<'a>> {
        (0..self.jobs.len()).map(|number| self.job(number))
    }

    /// The occluders of all jobs together.
    pub fn presentations(&self) -> usize {
        self.jobs.iter().map(|job| self.placements[job.placement].occluders.len()).sum()
    }

    /// Some of the jobs.
    #[must_use]
    pub fn part(&self, jobs: Range<usize>) -> Self {
        let Self { images, placements, .. } = self.clone();
        Self { images, placements, jobs: self.jobs[jobs].to_vec() }
    }
}

/// A batch of jobs in which equal images and equal placements are the same.
impl<'a> FromIterator<PlacedJob<'a>> for Batch<'a> {
    fn from_iter<I: IntoIterator<Item = PlacedJob<'a>>>(jobs: I) -> Self {
        let mut batch = Self::default();
        for PlacedJob { image, image_index, unit, position, occluders, fill } in jobs {
            let same = |known: &BatchImage<'_>| known.index == image_index && known.values == image;
            let known = batch.images.iter().position(same);
            let image = known.unwrap_or_else(|| batch.add_image(&image, image_index));
            let same = |known: &BatchPlacement<'_>| {
                (known.position, known.occluders) == (position, occluders)
            };
            let known = batch.placements.iter().position(same);
            let placement = known.unwrap_or_else(|| batch.add_placement(position, occluders));
            batch.jobs.push(Job { image, placement, unit, fill });
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;
    use crate::noise::Noise;

    fn occluders(count: usize) -> Vec<Occluder> {
        (0..count).map(|index| Occluder { index, top: index, left: 0, size: 1 }).collect()
    }

    #[test]
    fn equal_images_and_placements_are_one_and_others_are_not() {
        let images = [0.0, 0.0, 1.0].map(|value| Array3::from_elem((1, 2, 2), value));
        let (few, same, more) = (occluders(2), occluders(2), occluders(3));
        let job = |image: usize, image_index, position, occluders| PlacedJob {
            image: images[image].view(),
            image_index,
            unit: 3,
            position,
            occluders,
            fill: Noise::Philox { seed: 0, draw: 0 }.into(),
        };
        let jobs = [
            job(0, 5, (0, 1), &few[..]),
            // Equal in other memory.
            job(1, 5, (0, 1), &same[..]),
            // Another number draws other noise; other values are another image.
            job(0, 6, (0, 1), &more[..]),
            job(2, 5, (1, 1), &few[..]),
        ];
        let batch: Batch<'_> = jobs.into_iter().collect();
        let ids: Vec<_> = batch.jobs.iter().map(|job| (job.image, job.placement)).collect();
        assert_eq!(ids, [(0, 0), (0, 0), (1, 1), (2, 2)]);
        assert_eq!(batch.presentations(), 2 + 2 + 3 + 2);
        let part = batch.part(2..4);
        for (part, whole) in part.placed().zip(&jobs[2..]) {
            assert_eq!((part.image, part.image_index), (whole.image, whole.image_index));
            assert_eq!((part.position, part.occluders), (whole.position, whole.occluders));
        }
        assert_eq!((part.jobs.len(), part.presentations()), (2, 5));
    }
}
