//! Ranking a folder of images.

use ndarray::Array3;

use super::SweepError;
use crate::engine::{Prepared, Watch};
use crate::images::ImageFolder;
use crate::ranking::{Collector, LayerRanking};

/// Images handed to the engine at a time, for each thread: enough that threads seldom wait for
/// each other at the end of a batch, few enough to hold.
const IMAGES_A_THREAD: usize = 4;

/// Ranks all images for every unit of every layer that `engine` was prepared for; `units` counts
/// the units of each. Keeps the best `n` at either end.
///
/// Images are read ahead by `threads` threads while the engine works, and never all held.
///
/// # Errors
/// The first image, in order, that cannot be read or gives a response that is not finite;
/// [`crate::engine::EngineError::Stopped`].
pub fn rank(
    engine: &dyn Prepared,
    units: &[usize],
    images: &ImageFolder,
    n: usize,
    threads: usize,
    watch: &Watch<'_>,
) -> Result<Vec<LayerRanking>, SweepError> {
    let mut collectors: Vec<Collector> =
        units.iter().map(|&units| Collector::new(units, n)).collect();
    let all: Vec<usize> = (0..images.len()).collect();
    images.stream(&all, threads, |stream| -> Result<(), SweepError> {
        let mut first = 0;
        loop {
            let batch: Vec<Array3<f32>> = stream
                .take(IMAGES_A_THREAD * threads)
                .map(|read| read.map(|(_, image)| image))
                .collect::<Result<_, _>>()?;
            if batch.is_empty() {
                return Ok(());
            }
            let views: Vec<_> = batch.iter().map(|image| image.view()).collect();
            for (place, layers) in engine.extremes(&views, first, watch)?.iter().enumerate() {
                for (collector, units) in collectors.iter_mut().zip(layers) {
                    collector.add((first + place) as u32, units);
                }
            }
            first += batch.len();
        }
    })?;
    Ok(collectors.into_iter().map(Collector::finish).collect())
}
