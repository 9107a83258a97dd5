//! Ranking some images of a folder.

use std::ops::Range;
use std::thread;

use ndarray::ArrayView3;

use super::SweepError;
use crate::engine::{EngineError, Extremes, Prepared, Watch};
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
    let mut rankings = Rankings::new(engine, units, n, range.start);
    let mut digests = Vec::with_capacity(range.len());
    let indices: Vec<usize> = range.collect();
    images.stream(&indices, threads, |stream| -> Result<(), SweepError> {
        loop {
            let batch: Vec<Image> =
                stream.take(engine.images_at_a_time(threads)).collect::<Result<_, _>>()?;
            if batch.is_empty() {
                return Ok(());
            }
            let views: Vec<_> = batch.iter().map(|image| image.values.view()).collect();
            rankings.add(&views, watch)?;
            digests.extend(batch.into_iter().map(|image| image.digest));
        }
    })?;
    Ok(Ranked { layers: rankings.finish(), digests })
}

/// Rankings in the making, one a layer, of images that follow each other.
pub struct Rankings<'e> {
    engine: &'e dyn Prepared,
    layers: Vec<Collector>,
    /// The index of the next image.
    next: usize,
    /// What the engine found in the last images, which is not in the rankings yet: of each the
    /// extremes of every unit of each layer.
    found: Vec<Vec<Vec<Extremes>>>,
}

impl<'e> Rankings<'e> {
    /// Rankings without images yet, the first of which will have the index `first`, of the layers
    /// that `engine` was prepared for; `units` counts the units of each. They keep the best `n` at
    /// either end.
    pub fn new(engine: &'e dyn Prepared, units: &[usize], n: usize, first: usize) -> Self {
        let layers = units.iter().map(|&units| Collector::new(units, n)).collect();
        Self { engine, layers, next: first, found: Vec::new() }
    }

    /// Ranks some more images.
    ///
    /// # Errors
    /// As [`Prepared::extremes`].
    pub fn add(
        &mut self,
        images: &[ArrayView3<'_, f32>],
        watch: &Watch<'_>,
    ) -> Result<(), EngineError> {
        let Self { engine, next, .. } = *self;
        // An engine on a GPU leaves the processor free: what it found before goes into the rankings
        // while it looks at these.
        let found = thread::scope(|scope| {
            // Where no thread is to be had it is done behind.
            let _ =
                thread::Builder::new().name("rankings".into()).spawn_scoped(scope, || self.keep());
            engine.extremes(images, next, watch)
        })?;
        self.keep();
        self.next += found.len();
        self.found = found;
        Ok(())
    }

    /// The rankings.
    pub fn finish(mut self) -> Vec<LayerRanking> {
        self.keep();
        self.layers.into_iter().map(Collector::finish).collect()
    }

    /// Keeps what was found in the last images.
    fn keep(&mut self) {
        let found = std::mem::take(&mut self.found);
        let first = self.next - found.len();
        for (image, layers) in (first..).zip(found) {
            for (layer, units) in self.layers.iter_mut().zip(&layers) {
                layer.add(image as u32, units);
            }
        }
    }
}
