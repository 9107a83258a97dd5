//! Merging a layer's blocks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{
    BlockRecord, BlockUnits, LayerConfiguration, LayerMaps, LayerRecord, Payload, SweepParameters,
};
use crate::blocks::{BlockError, BlockFolder, Incomplete, Merged, read_whole};
use crate::ranking::Side;

/// Writes a layer's maps into `folder` from blocks of a sweep with these `settings`, each from the first of
/// `sources` that has it intact. One block is held at a time. Existing files are replaced on
/// success and stay otherwise.
///
/// # Errors
/// Files that cannot be read or written.
pub fn merge_layer(
    sources: &[&BlockFolder],
    layer: &LayerConfiguration,
    settings: &SweepParameters,
    folder: &Path,
) -> Result<Merged<LayerRecord>, BlockError> {
    let mut incomplete = Incomplete::default();
    let planes = &settings.planes();
    let mut maps = LayerMaps::create(folder, &layer.layer, layer.units, layer.rf, planes)?;
    let mut images: BTreeMap<String, BTreeMap<usize, usize>> = BTreeMap::new();
    let mut records: Vec<BlockRecord> = Vec::new();
    for BlockUnits { name, units } in layer.blocks() {
        let decode = |_: &BlockRecord, bytes: Vec<u8>| {
            let mut payload = Payload::of(layer.rf, planes, &bytes);
            let whole = units.iter().all(|_| payload.unit().is_some()) && payload.is_empty();
            whole.then_some(bytes)
        };
        let read = read_whole(sources, &name, decode)?;
        let Some((record, bytes)) = incomplete.take(name, read) else { continue };
        // After a missing or damaged block the others are only checked.
        if incomplete.is_empty() {
            let mut payload = Payload::of(layer.rf, planes, &bytes);
            for &unit in &units {
                if let Some(unit_maps) = payload.unit() {
                    for (side, maps) in Side::BOTH.into_iter().zip(&unit_maps) {
                        let units = images.entry(side.name().to_owned()).or_default();
                        *units.entry(maps.frames.len()).or_default() += 1;
                    }
                    maps.write(unit, &unit_maps)?;
                }
            }
            records.push(record);
        }
    }
    if !incomplete.is_empty() {
        return Ok(Merged::Incomplete(incomplete));
    }
    let files = maps.finish()?;
    let sum = |of: fn(&BlockRecord) -> u64| records.iter().map(of).sum();
    let verified = records.iter().filter_map(|record| record.verified.clone());
    Ok(Merged::Done(LayerRecord {
        presentations: sum(|record| record.presentations),
        images: settings.until_reliable.map(|_| images),
        maps_without_occluders: sum(|record| record.maps_without_occluders),
        seconds: records.iter().map(|record| record.seconds).sum(),
        threads: records.iter().map(|record| record.threads).collect::<BTreeSet<_>>(),
        devices: records.iter().map(|record| record.device.clone()).collect(),
        files,
        verified: verified.reduce(|all, one| all.join(&one)),
    }))
}
