//! Merging a ranking's blocks.

use std::path::Path;

use super::{
    BlockImages, Collector, LayerFiles, RankingConfiguration, RankingError, RankingManifest,
    RankingRecord, block, digests,
};
use crate::blocks::{BlockFolder, Incomplete, Merged, read_whole};
use crate::files::{Digest, FileError};

/// Writes a ranking into `folder` from its blocks, each from the first of `sources` that has it
/// intact. The layers of `there`, the ranking already in the folder, stay. Otherwise `ranking.json`
/// is removed first, after a call of `before_writing`; it is written last. Returns the seconds of
/// the blocks' computation.
///
/// # Errors
/// Files that cannot be read or written.
pub fn merge_ranking<E: From<RankingError>>(
    sources: &[&BlockFolder],
    configuration: &RankingConfiguration,
    there: Option<&RankingConfiguration>,
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
    let mut all = configuration.clone();
    if let Some(there) = there {
        check_images(folder, configuration, &all_digests)?;
        let others =
            there.layers.iter().filter(|there| configuration.layer(&there.layer).is_none());
        all.layers.extend(others.cloned());
    } else {
        before_writing()?;
        // The manifest exists only together with the files that it describes.
        RankingManifest::remove(folder)?;
    }
    let write = || -> Result<(), RankingError> {
        for (layer, ranking) in configuration.layers.iter().zip(layers) {
            LayerFiles::new(folder, &layer.layer).write(&ranking.finish())?;
        }
        digests::write(folder, &configuration.images.names, &all_digests)?;
        RankingManifest::new(all).write(folder)
    };
    write()?;
    Ok(Merged::Done(seconds))
}

/// Checks that the layers in `folder` were ranked with the same images.
fn check_images(
    folder: &Path,
    configuration: &RankingConfiguration,
    digests: &[Digest],
) -> Result<(), RankingError> {
    let names = &configuration.images.names;
    let known = digests::read(folder, names)?.ok_or_else(|| {
        FileError::content(&digests::path(folder), "is not there; rank again, with --force")
    })?;
    match names.iter().zip(known.iter().zip(digests)).find(|(_, (known, now))| known != now) {
        None => Ok(()),
        Some((name, (known, now))) => Err(RankingError::MadeForOther {
            path: digests::path(folder),
            what: "an image",
            found: format!("{name} with SHA-256 {known}"),
            expected: format!("one with {now}"),
        }),
    }
}
