//! Discrepancy maps: sums, means, blocks and files.

mod block;
mod check;
mod configuration;
mod coverage;
mod frames;
mod image;
mod layer;
mod manifest;
mod merge;
mod options;
mod payload;
mod plane;
mod statistics;
mod sums;

pub use block::BlockMaps;
pub use configuration::{
    BlockRecord, BlockUnits, LayerConfiguration, StoredSweep, SweepAbout, SweepConfiguration,
    SweepParameters, units_a_block,
};
pub use coverage::{Coverage, Rectangles};
pub use frames::{MapFrames, frames_path};
pub use image::{ImageMap, Pixel};
pub use layer::LayerMaps;
pub use manifest::{LayerRecord, Manifest, VerificationRecord};
pub use merge::merge_layer;
pub use options::SweepOption;
pub use payload::{Payload, SideMaps};
pub use plane::{CURVE, MeanOver, Plane, map_path, reliability_path};
pub use statistics::Statistics;
pub use sums::Sums;
