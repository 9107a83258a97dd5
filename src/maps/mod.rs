//! Discrepancy maps: summed, averaged, kept in blocks, and written.

mod configuration;
mod discrepancy;
mod layer;
mod manifest;
mod means;
mod merge;

pub use configuration::{
    BlockRecord, BlockUnits, ImageConfiguration, LayerConfiguration, ModelConfiguration,
    StoredSweep, SweepAbout, SweepConfiguration, units_a_block,
};
pub use discrepancy::discrepancy_map;
pub use layer::{LayerMaps, map_path};
pub use manifest::{
    ImageRecord, LayerRecord, Manifest, ModelRecord, SettingsRecord, VerificationRecord,
};
pub use means::{BlockMaps, Means};
pub use merge::{Merged, merge_layer};
