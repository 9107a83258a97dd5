//! Discrepancy maps: summed, averaged and written.

mod discrepancy;
mod layer;
mod manifest;

pub use discrepancy::discrepancy_map;
pub use layer::{LayerMaps, map_path};
pub use manifest::{
    ImageRecord, LayerRecord, Manifest, ModelRecord, SettingsRecord, VerificationRecord,
};
