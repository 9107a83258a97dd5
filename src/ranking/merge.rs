//! Putting a ranking's blocks together.

use std::path::Path;

use super::{
    BlockImages, Collector, LayerFiles, RankingConfiguration, RankingError, RankingManifest,
    RankingRecord, block, digests,
};
use crate::blocks::{BlockFolder, Incomplete, Merged, read_whole};

/// Writes a ranking into `folder` from its blocks, each taken from the first of `sources` that has
/// it whole; `ranking.json` is removed first and written last. Returns the seconds that the blocks
/// took. `before_writing` is called when all blocks are there.
///
/// # Errors
/// Files that cannot be read or written.
pub fn merge_ranking<E: From<RankingError>>(
    sources: &[&BlockFolder],
    configuration: &RankingConfiguration,
    before_writing: impl FnOnce() -> Result<(), E>,
    folder: &Path,
) -> Result<Merged<f64>, E> {
    let (units, top) = (configuration.units(), configuration.top);
    let mut layers: Vec<Collector> =
        units.iter().map(|&units| Collector::new(units, top)).collect();
    let mut incomplete = Incomplete::default();
    let (mut all_digests, mut seconds) = (Vec::new(), 0.0);
    for BlockImages { name, images } in configuration.blocks() {
        let decoded = |record: &RankingRecord, payload: Vec<u8>| {
            block::decode(&payload, &units).filter(|_| record.digests.len() == images.len())
        };
        let read = read_whole(sources, &name, decoded).map_err(RankingError::from)?;
        if let Some((record, rankings)) = incomplete.take(name, read) {
            for (layer, ranking) in layers.iter_mut().zip(&rankings) {
                layer.add_ranking(ranking);
            }
            seconds += record.seconds;
            all_digests.extend(record.digests);
        }
    }
    if !incomplete.is_empty() {
        return Ok(Merged::Incomplete(incomplete));
    }
    before_writing()?;
    let write = || -> Result<(), RankingError> {
        // What the manifest vouches for is there when the manifest is, and nothing older.
        RankingManifest::remove(folder)?;
        for (layer, ranking) in configuration.layers.iter().zip(layers) {
            LayerFiles::new(folder, &layer.layer).write(&ranking.finish())?;
        }
        digests::write(folder, &configuration.images.names, &all_digests)?;
        RankingManifest::new(configuration.clone()).write(folder)
    };
    write()?;
    Ok(Merged::Done(seconds))
}
