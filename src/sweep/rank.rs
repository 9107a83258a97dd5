//! Ranking some images of a folder.

use std::ops::Range;
use std::thread;

use super::SweepError;
use crate::engine::{Extremes, Prepared, Watch};
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
        let mut found: Vec<OfImage> = Vec::new();
        loop {
            // An engine on a GPU leaves the processor free for the lists: those of one batch are
            // kept while it looks at the next.
            let before = std::mem::take(&mut found);
            let of_first = first - before.len();
            let batch: Vec<Image> =
                stream.take(engine.images_at_a_time(threads)).collect::<Result<_, _>>()?;
            let views: Vec<_> = batch.iter().map(|image| image.values.view()).collect();
            found = thread::scope(|scope| {
                scope.spawn(|| add(&mut collectors, &before, of_first));
                if views.is_empty() {
                    Ok(Vec::new())
                } else {
                    engine.extremes(&views, first, watch)
                }
            })?;
            if batch.is_empty() {
                return Ok(());
            }
            first += batch.len();
            digests.extend(batch.into_iter().map(|image| image.digest));
        }
    })?;
    Ok(Ranked { layers: collectors.into_iter().map(Collector::finish).collect(), digests })
}

/// Of an image the extremes of every unit of each layer.
type OfImage = Vec<Vec<Extremes>>;

/// Adds some images, the first of which has the index `first`, to the lists of each layer.
fn add(collectors: &mut [Collector], found: &[OfImage], first: usize) {
    for (place, layers) in found.iter().enumerate() {
        for (collector, units) in collectors.iter_mut().zip(layers) {
            collector.add((first + place) as u32, units);
        }
    }
}
