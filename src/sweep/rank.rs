//! Ranking some images of a folder.

use std::ops::Range;
use std::thread;

use ndarray::ArrayView3;

use super::SweepError;
use crate::engine::{EngineError, Extremes, PendingExtremes, Ranker};
use crate::files::Digest;
use crate::images::{Image, ImageFolder};
use crate::progress::Progress;
use crate::ranking::{Collector, LayerRanking};

/// Some images, ranked among themselves.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// For each layer.
    pub layers: Vec<LayerRanking>,
    /// The SHA-256 of each image's file.
    pub digests: Vec<Digest>,
}

/// Consecutive images of a folder.
#[derive(Clone, Debug)]
pub struct ImageRange<'a> {
    /// The folder.
    pub images: &'a ImageFolder,
    /// Indices of the images.
    pub range: Range<usize>,
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
    engine: &dyn Ranker,
    units: &[usize],
    images: ImageRange<'_>,
    n: usize,
    threads: usize,
    progress: &Progress<'_>,
) -> Result<Ranked, SweepError> {
    let ImageRange { images, range } = images;
    let mut rankings = Rankings::new(engine, units, n, range.start, progress);
    let mut digests = Vec::with_capacity(range.len());
    let indices: Vec<usize> = range.collect();
    images.stream(&indices, threads, |stream| {
        loop {
            let batch: Result<Vec<Image>, _> =
                stream.take(engine.images_at_a_time(threads)).collect();
            let batch = match batch {
                Ok(batch) if batch.is_empty() => {
                    return Ok(Ranked { layers: rankings.finish()?, digests });
                }
                Ok(batch) => batch,
                Err(unreadable) => {
                    // Images before it may give responses that are not finite.
                    rankings.finish()?;
                    return Err(unreadable.into());
                }
            };
            let views: Vec<_> = batch.iter().map(|image| image.values.view()).collect();
            rankings.add(&views)?;
            digests.extend(batch.into_iter().map(|image| image.digest));
        }
    })
}

/// Rankings in the making, one a layer, of images that follow each other.
pub struct Rankings<'e> {
    engine: &'e dyn Ranker,
    progress: &'e Progress<'e>,
    /// The index of the next image.
    next: usize,
    /// The engine's work in flight on the last images.
    begun: Option<PendingExtremes<'e>>,
    lists: Lists,
}

/// The best of the images so far.
struct Lists {
    layers: Vec<Collector>,
    /// The index of the next image to be kept.
    next: usize,
    /// The extremes in images that are not in the lists yet: of each image those of every
    /// unit of each layer.
    found: Vec<Vec<Vec<Extremes>>>,
}

impl<'e> Rankings<'e> {
    /// Rankings without images yet, the first of which will have the index `first`, of the layers
    /// that `engine` was prepared for; `units` counts the units of each. They keep the best `n` at
    /// either end.
    pub fn new(
        engine: &'e dyn Ranker,
        units: &[usize],
        n: usize,
        first: usize,
        progress: &'e Progress<'e>,
    ) -> Self {
        let layers = units.iter().map(|&units| Collector::new(units, n)).collect();
        let lists = Lists { layers, next: first, found: Vec::new() };
        Self { engine, progress, next: first, begun: None, lists }
    }

    /// Ranks some more images, which are not needed afterwards.
    ///
    /// # Errors
    /// As [`Ranker::extremes`], of these images or of those before.
    pub fn add(&mut self, images: &[ArrayView3<'_, f32>]) -> Result<(), EngineError> {
        let Self { engine, progress, next, begun, lists } = self;
        // A device begins with these images before those before are waited for, so that it always has
        // something to do. It also leaves the processor free: what was found even before goes into the
        // lists meanwhile.
        let found = thread::scope(|scope| {
            // Where no thread is to be had it is done behind.
            let _ =
                thread::Builder::new().name("rankings".into()).spawn_scoped(scope, || lists.keep());
            let before = begun.replace(engine.begin_extremes(images, *next, progress)?);
            before.map_or(Ok(Vec::new()), |before| before())
        })?;
        *next += images.len();
        lists.keep();
        lists.found = found;
        Ok(())
    }

    /// The rankings.
    ///
    /// # Errors
    /// As [`Rankings::add`].
    pub fn finish(self) -> Result<Vec<LayerRanking>, EngineError> {
        let Self { begun, mut lists, .. } = self;
        lists.keep();
        if let Some(begun) = begun {
            lists.found = begun()?;
            lists.keep();
        }
        Ok(lists.layers.into_iter().map(Collector::finish).collect())
    }
}

impl Lists {
    /// Keeps what was found.
    fn keep(&mut self) {
        for found in std::mem::take(&mut self.found) {
            for (layer, units) in self.layers.iter_mut().zip(&found) {
                layer.add(self.next as u32, units);
            }
            self.next += 1;
        }
    }
}
