//! The two halves of the main job: rank the images for every unit, then sweep the units.

mod batches;
mod estimate;
mod fill;
mod layer;
mod memory;
mod present;
mod rank;
mod rounds;
mod summed;
mod units;
mod verification;

use thiserror::Error;

use crate::engine::EngineError;
use crate::error::{ErrorKind, HasKind};
use crate::geometry::GeometryError;
use crate::images::ImageError;
use crate::network::NetworkError;

pub use estimate::{
    LayerUnits, MultiplyAdds, Occluders, Trial, activation_bytes, calibrate, count_multiply_adds,
    count_occluders, count_work, try_out,
};
pub use fill::{Original, SweepFill};
pub use layer::{Extent, Finished, LayerSweep};
pub use memory::{MemoryShares, TooLittleMemory};
pub use rank::{ImageRange, Ranked, Rankings, rank};
pub use rounds::UnitSide;
pub use summed::Summed;
pub use units::UnitSelection;
pub use verification::{Sample, Sampled, Verification};

/// Errors of a sweep.
#[derive(Debug, Error)]
pub enum SweepError {
    /// An image cannot be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The engine cannot compute.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The network cannot be run on images of this size.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The occluders cannot be placed.
    #[error(transparent)]
    Geometry(#[from] GeometryError),
    /// A fill of pictures has none for an image and a draw.
    #[error("no picture fills the occluders on an image; this is a fault of occlumap")]
    NoPicture,
    /// The ranking tells of another response than the engine finds.
    #[error(
        "unit {unit} responds to image {image} ({name}) at position {position} with {found}, and \
         the ranking says {ranked}: it was made with other weights or images; rank again"
    )]
    RankedOtherwise {
        /// The unit.
        unit: usize,
        /// The image's index.
        image: u32,
        /// The image's file name.
        name: String,
        /// The flat position.
        position: u32,
        /// The engine's response.
        found: f32,
        /// The ranking's.
        ranked: f32,
    },
}

impl HasKind for SweepError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Image(error) => error.kind(),
            Self::Engine(error) => error.kind(),
            Self::Network(error) => error.kind(),
            Self::Geometry(error) => error.kind(),
            Self::NoPicture => ErrorKind::Internal,
            Self::RankedOtherwise { .. } => ErrorKind::Input,
        }
    }
}
