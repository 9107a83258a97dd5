//! Discrepancy maps: summed, averaged and written.

mod accumulation;
mod file;
mod manifest;

pub use accumulation::{MeanMaps, discrepancy_map};
pub use file::{map_path, write_layer};
pub use manifest::{ImageRecord, LayerRecord, Manifest, ModelRecord, SettingsRecord};
