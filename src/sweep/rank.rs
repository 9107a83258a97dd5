//! Ranking some images of a folder.

use std::ops::Range;

use ndarray::ArrayView3;

use super::SweepError;
use crate::engine::{EngineError, Prepared, Watch};
use crate::files::Digest;
use crate::images::{Image, ImageFolder};
use crate::ranking::{Collector, LayerRanking};

/// Some images, ranked among themselves.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// For each layer.
    pub layers: Vec<LayerRanking>,
    /// The SHA-256 of each image's file.
    pub digests: Vec<Digest>,
}

/// Ranks the images of `range` for every unit of every layer that `engine` was prepared for;
/// `units` counts the units of each. Keeps the best `n` at either end.
///
/// Images are read ahead by `threads` threads while the engine works, and never all held.
///
/// # Errors
/// The first image, in order, that cannot be read or gives a response that is not finite;
/// [`crate::engine::EngineError::Stopped`].
pub fn rank(
    engine: &dyn Prepared,
    units: &[usize],
    (images, range): (&ImageFolder, Range<usize>),
    n: usize,
    threads: usize,
    watch: &Watch<'_>,
) -> Result<Ranked, SweepError> {
    let mut collectors: Vec<Collector> =
        units.iter().map(|&units| Collector::new(units, n)).collect();
    let mut digests = Vec::with_capacity(range.len());
    let mut first = range.start;
    let indices: Vec<usize> = range.collect();
    images.stream(&indices, threads, |stream| -> Result<(), SweepError> {
        loop {
            let batch: Vec<Image> =
                stream.take(engine.images_at_a_time(threads)).collect::<Result<_, _>>()?;
            if batch.is_empty() {
                return Ok(());
            }
            let views: Vec<_> = batch.iter().map(|image| image.values.view()).collect();
            rank_batch(engine, &mut collectors, &views, first, watch)?;
            first += batch.len();
            digests.extend(batch.into_iter().map(|image| image.digest));
        }
    })?;
    Ok(Ranked { layers: collectors.into_iter().map(Collector::finish).collect(), digests })
}

/// Ranks some images that follow each other, the first with index `first`, among those that
/// `collectors`, one a layer, have seen.
///
/// # Errors
/// As [`Prepared::extremes`].
pub fn rank_batch(
    engine: &dyn Prepared,
    collectors: &mut [Collector],
    images: &[ArrayView3<'_, f32>],
    first: usize,
    watch: &Watch<'_>,
) -> Result<(), EngineError> {
    for (place, layers) in engine.extremes(images, first, watch)?.iter().enumerate() {
        for (collector, units) in collectors.iter_mut().zip(layers) {
            collector.add((first + place) as u32, units);
        }
    }
    Ok(())
}
