//! Putting a layer's blocks together.

use std::collections::BTreeSet;
use std::path::Path;

use super::{BlockRecord, BlockUnits, LayerConfiguration, LayerMaps, LayerRecord, Payload, Plane};
use crate::blocks::{Block, BlockError, BlockFolder, Damage};

/// What has become of a layer's blocks.
#[derive(Debug)]
pub enum Merged {
    /// The layer's files.
    Layer(LayerRecord),
    /// Blocks that cannot be put together.
    Incomplete {
        /// The names of those that are not there.
        missing: Vec<String>,
        /// Those that are there, and what is wrong with them.
        damaged: Vec<(String, Damage)>,
    },
}

/// Writes a layer's maps into `folder` from its blocks, which hold `planes`, each taken from the
/// first of `sources` that has it whole. One block is held at a time. Files of the same names are
/// replaced when all is well, and stay as they are otherwise.
///
/// # Errors
/// Files that cannot be read or written.
pub fn merge_layer(
    sources: &[&BlockFolder],
    layer: &LayerConfiguration,
    planes: &[Plane],
    folder: &Path,
) -> Result<Merged, BlockError> {
    let mut missing = Vec::new();
    let mut damaged = Vec::new();
    let mut maps = LayerMaps::create(folder, &layer.layer, layer.units, layer.rf, planes)?;
    let mut records: Vec<BlockRecord> = Vec::new();
    for block in layer.blocks() {
        match read(sources, &block, layer.rf, planes.len())? {
            None => missing.push(block.name),
            Some(Err(damage)) => damaged.push((block.name, damage)),
            // Once a block is amiss, the others are only looked at.
            Some(Ok(_)) if !missing.is_empty() || !damaged.is_empty() => {}
            Some(Ok(Block { record, payload })) => {
                let mut payload = Payload::new(layer.rf, planes.len(), &payload);
                for &unit in &block.units {
                    if let Some(unit_maps) = payload.unit() {
                        maps.write(unit, &unit_maps)?;
                    }
                }
                records.push(record);
            }
        }
    }
    if !missing.is_empty() || !damaged.is_empty() {
        return Ok(Merged::Incomplete { missing, damaged });
    }
    let files = maps.finish()?;
    let sum = |of: fn(&BlockRecord) -> u64| records.iter().map(of).sum();
    let verified = records.iter().filter_map(|record| record.verified.clone());
    Ok(Merged::Layer(LayerRecord {
        name: layer.name.clone(),
        units: layer.units,
        swept: layer.swept.clone(),
        rf: layer.rf,
        occluder_size: layer.occluder_size,
        occluder_stride: layer.occluder_stride,
        presentations: sum(|record| record.presentations),
        maps_without_occluders: sum(|record| record.maps_without_occluders),
        seconds: records.iter().map(|record| record.seconds).sum(),
        threads: records.iter().map(|record| record.threads).collect::<BTreeSet<_>>(),
        devices: records.iter().map(|record| record.device.clone()).collect(),
        files,
        verified: verified.reduce(|all, one| all.join(&one)),
    }))
}

/// A block from the first source that has it whole; `None` where none has it at all.
fn read(
    sources: &[&BlockFolder],
    wanted: &BlockUnits,
    rf: usize,
    planes: usize,
) -> Result<Option<Result<Block<BlockRecord>, Damage>>, BlockError> {
    let BlockUnits { name, units } = wanted;
    let mut found = None;
    for source in sources.iter().filter(|source| source.has(name)) {
        let block = source.read::<BlockRecord>(name)?.and_then(|block| {
            let mut payload = Payload::new(rf, planes, &block.payload);
            let whole = units.iter().all(|_| payload.unit().is_some()) && payload.is_empty();
            whole.then_some(block).ok_or_else(|| Damage::Content("it holds other maps".into()))
        });
        if block.is_ok() {
            return Ok(Some(block));
        }
        found = Some(block);
    }
    Ok(found)
}
