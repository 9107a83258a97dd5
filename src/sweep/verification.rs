//! Presenting some of a sweep's occluders again, by the book.

use std::collections::BTreeSet;
use std::ops::Range;

use ndarray::Array3;

use super::layer::Target;
use super::{Finished, LayerSweep, Original, SweepError};
use crate::engine::{Batch, JobResult, PlacedJob, Presenter};
use crate::geometry::Occluder;
use crate::noise::philox4x32_10;
use crate::progress::Progress;
use crate::ranking::Entry;

/// A random choice of a sweep's presentations, and what the sweep found for them.
#[derive(Debug)]
pub struct Sample {
    /// The numbers of those still to be seen, ascending from the end.
    chosen: Vec<u64>,
    /// Presentations seen so far.
    seen: u64,
    taken: Vec<Sampled>,
}

/// A presentation of a [`Sample`].
#[derive(Clone, Copy, Debug)]
pub struct Sampled {
    /// The unit.
    pub unit: usize,
    /// The image, and the position on the layer's output.
    pub entry: Entry,
    /// The occluder.
    pub occluder: Occluder,
    /// Which draw of the noise it was filled with, of those of the sweep.
    pub draw: usize,
    /// The difference of the response that the sweep found.
    pub difference: f32,
    /// The largest difference of the same map and draw, by its size.
    pub largest: f32,
}

/// The result of presenting a sample again.
#[derive(Clone, Copy, Debug)]
pub struct Verification {
    /// Number of presentations that were repeated.
    pub presentations: u64,
    /// The error of a difference that is allowed, as a part of the largest difference of its map.
    pub tolerance: f64,
    /// The largest error of a difference, as a part of the largest difference of its map. Maps
    /// without any difference are left out.
    pub largest_error: f64,
    /// The presentation with the largest error in terms of what is allowed, where that is more
    /// than allowed, and the difference that it should have.
    pub beyond: Option<(Sampled, f32)>,
}

impl Sample {
    /// Chooses `count` of a sweep's `all` presentations, the same for the same seed.
    pub fn new(count: u64, all: u64, seed: u64) -> Self {
        let chosen = if count >= all {
            (0..all).rev().collect()
        } else {
            let mut chosen = BTreeSet::new();
            let mut draw = 0_u64;
            while (chosen.len() as u64) < count {
                let counter = [draw as u32, (draw >> 32) as u32, 0, 0];
                let [high, low, ..] = philox4x32_10(counter, [seed as u32, (seed >> 32) as u32]);
                chosen.insert((u64::from(high) << 32 | u64::from(low)) % all);
                draw += 1;
            }
            chosen.into_iter().rev().collect()
        };
        Self { chosen, seen: 0, taken: Vec::new() }
    }

    /// Only what was chosen of presentations `range`, the first of which is seen next.
    #[must_use]
    pub fn within(mut self, range: Range<u64>) -> Self {
        self.chosen.retain(|number| range.contains(number));
        Self { seen: range.start, ..self }
    }

    /// Takes what was chosen of the sweep's next map.
    pub fn see(&mut self, finished: &Finished<'_>) {
        let Finished { unit, entry, placement, presented, .. } = *finished;
        let size = |largest: f32, difference: &f32| largest.max(difference.abs());
        for (draw, JobResult { differences, .. }) in presented.iter().enumerate() {
            let first = self.seen;
            self.seen += differences.len() as u64;
            while let Some(number) = self.chosen.pop_if(|number| *number < self.seen) {
                let which = (number - first) as usize;
                self.taken.push(Sampled {
                    unit,
                    entry,
                    occluder: placement.occluders[which],
                    draw,
                    difference: differences[which],
                    largest: differences.iter().fold(0.0, size),
                });
            }
        }
    }
}

impl LayerSweep<'_> {
    /// A random choice of the sweep's presentations, the same for the same seed: `count`, or all
    /// where there are no more. Only the maps that they belong to are computed.
    ///
    /// # Errors
    /// As [`LayerSweep::run`].
    pub fn sample(
        &self,
        count: u64,
        seed: u64,
        progress: &Progress<'_>,
    ) -> Result<Sample, SweepError> {
        self.take(Sample::new(count, self.extent()?.presentations, seed), progress)
    }

    /// A sample with its presentations among those of the sweep, the first of which is seen next. Only
    /// the maps that they belong to are computed.
    ///
    /// # Errors
    /// As [`LayerSweep::run`].
    pub fn take(&self, mut sample: Sample, progress: &Progress<'_>) -> Result<Sample, SweepError> {
        let mut first = sample.seen;
        let mut chosen = Vec::new();
        for target in self.targets(self.units) {
            let occluders = self.placement(&target)?.occluders.len();
            let presentations = (occluders * self.fill.draws()) as u64;
            let of_target = first..first + presentations;
            // The numbers ascend from the end.
            let before = sample.chosen.partition_point(|number| *number >= of_target.end);
            if sample.chosen.get(before).is_some_and(|number| of_target.contains(number)) {
                chosen.push((target, first));
            }
            first += presentations;
        }
        let targets: Vec<Target> = chosen.iter().map(|(target, _)| *target).collect();
        let mut chosen = chosen.into_iter();
        self.run_targets(&targets, progress, |finished| {
            if let Some((_, first)) = chosen.next() {
                sample.seen = first;
                sample.see(&finished);
            }
            Ok::<(), SweepError>(())
        })?;
        Ok(sample)
    }
}

impl Verification {
    /// The additional tolerance, as a part of the response: sums of that size have some rounding in
    /// 32 bits, which shows where an occluder, or the few that are presented of a map, hardly
    /// changes anything. That is so in every precision: baselines have 32 bits in each.
    const OF_RESPONSE: f64 = 1e-6;

    /// Presents a sample of `sweep` again through `plain`; `tolerance` is what the precision of the
    /// sweep's engine allows ([`Precision::limits`](crate::engine::cuda::Precision::limits)).
    ///
    /// # Errors
    /// As [`LayerSweep::run`].
    pub fn of(
        sweep: &LayerSweep<'_>,
        mut sample: Sample,
        plain: &dyn Presenter,
        tolerance: f64,
        progress: &Progress<'_>,
    ) -> Result<Self, SweepError> {
        let presentations = sample.taken.len() as u64;
        sample.taken.sort_by_key(|sampled| sampled.entry.image);
        let mut found = Self { presentations, tolerance, largest_error: 0.0, beyond: None };
        let mut worst = 1.0;
        // As many at a time as keep all threads at work.
        for some in sample.taken.chunks(4 * rayon::current_num_threads()) {
            let images: Vec<Array3<f32>> = some
                .iter()
                .map(|sampled| sweep.images.read(sampled.entry.image as usize))
                .collect::<Result<_, _>>()?;
            let occluder = sweep.occluder_size()?;
            let picture = |(sampled, image): (&Sampled, &Array3<f32>)| {
                let index = sampled.entry.image;
                let original = Original { values: image.view(), index, occluder };
                sweep.fill.picture(sweep.images, original, sampled.draw)
            };
            let pictures: Vec<Option<Array3<f32>>> =
                some.iter().zip(&images).map(picture).collect::<Result<_, _>>()?;
            let batch: Batch<'_> = some
                .iter()
                .zip(&images)
                .zip(&pictures)
                .map(|((sampled, image), picture)| {
                    Ok(PlacedJob {
                        image: image.view(),
                        image_index: sampled.entry.image,
                        unit: sampled.unit,
                        position: sweep.geometry.position(sampled.entry.position),
                        occluders: std::slice::from_ref(&sampled.occluder),
                        fill: sweep.fill.of(sampled.draw, picture.as_ref())?,
                    })
                })
                .collect::<Result<_, SweepError>>()?;
            for (sampled, presented) in
                some.iter().zip(plain.present(sweep.layer, &batch, progress)?)
            {
                let expected = presented.differences[0];
                let error = (f64::from(sampled.difference) - f64::from(expected)).abs();
                let largest = f64::from(sampled.largest);
                if largest > 0.0 {
                    found.largest_error = found.largest_error.max(error / largest);
                }
                let allowed =
                    tolerance * largest + Self::OF_RESPONSE * f64::from(presented.response).abs();
                let share = error / allowed;
                if error != 0.0 && (share > worst || share.is_nan()) {
                    worst = share;
                    found.beyond = Some((*sampled, expected));
                }
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Frame, Placement};
    use crate::ranking::Side;

    /// The presentations that a sample takes of ten maps with seven each, cut into `blocks` of maps.
    fn taken_of(blocks: &[Range<usize>], count: u64, seed: u64) -> Vec<(usize, f32)> {
        let occluder = |index| Occluder { index, top: 0, left: index, size: 1 };
        let placement = Placement {
            rf: 1,
            pixels: None,
            frame: Frame { y: 0, x: 0 },
            occluders: (0..7).map(occluder).collect(),
        };
        let about = |sampled: &Sampled| {
            assert_eq!(sampled.largest, (10 * sampled.unit + 6) as f32);
            assert_eq!(sampled.difference, (10 * sampled.unit + sampled.occluder.left) as f32);
            (sampled.unit, sampled.difference)
        };
        let mut taken = Vec::new();
        for block in blocks {
            let range = 7 * block.start as u64..7 * block.end as u64;
            let mut sample = Sample::new(count, 70, seed).within(range);
            for unit in block.clone() {
                let differences = (0..7).map(|which| (10 * unit + which) as f32).collect();
                let presented = [JobResult { response: 0.0, differences }];
                let entry = Entry { image: 0, position: 0, response: None };
                let (side, placement, presented) = (Side::Top, &placement, &presented);
                sample.see(&Finished { unit, side, entry, placement, presented });
            }
            assert!(sample.chosen.is_empty());
            taken.extend(sample.taken.iter().map(about));
        }
        taken
    }

    fn taken(count: u64, seed: u64) -> Vec<(usize, f32)> {
        taken_of(std::slice::from_ref(&(0..10)), count, seed)
    }

    #[test]
    fn blocks_take_together_what_the_whole_takes() {
        for blocks in [&[0..3, 3..4, 4..10][..], &[0..1, 1..9, 9..10]] {
            assert_eq!(taken_of(blocks, 20, 1), taken(20, 1));
        }
    }

    #[test]
    fn so_many_different_presentations_are_taken_from_all_over_the_sweep() {
        let twenty = taken(20, 1);
        let different: BTreeSet<u32> = twenty.iter().map(|(_, d)| *d as u32).collect();
        assert_eq!((twenty.len(), different.len()), (20, 20));
        assert!(twenty[0].0 < 3 && twenty[19].0 > 6, "{twenty:?}");
        assert_eq!(twenty, taken(20, 1));
        assert_ne!(twenty, taken(20, 2));
        assert_eq!(taken(70, 0).len(), 70);
        assert_eq!(taken(1000, 0).len(), 70);
        assert_eq!(taken(0, 0), []);
    }
}
