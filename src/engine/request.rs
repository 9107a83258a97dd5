//! Whether a request fits what an engine was prepared for.

use ndarray::ArrayView3;
use thiserror::Error;

use super::{Batch, BatchPlacement, EngineError, Job};
use crate::geometry::{ImageSize, Occluder};
use crate::network::{LayerId, Network};
use crate::noise::Fill;

/// A request that an engine cannot meet.
#[derive(Debug, Error)]
pub enum RequestError {
    /// Units are the channels of convolutions; those of other layers are the channels of
    /// [`Network::units_of`].
    #[error("layer `{layer}` is a {kind}; an engine is prepared for convolutions")]
    NotConvolution {
        /// The layer's name.
        layer: String,
        /// What the layer is.
        kind: &'static str,
    },
    /// The noise counter gives a coordinate 16 bits.
    #[error("images of {0}; a side can have {most} pixels at most", most = ImageSize::MAX_SIDE)]
    ImageTooLarge(ImageSize),
    /// An image of another size than the engine was prepared for.
    #[error("an image of shape {found:?}; the engine was prepared for {expected:?}")]
    Image {
        /// The image's shape.
        found: Vec<usize>,
        /// The shape that the engine was prepared for.
        expected: [usize; 3],
    },
    /// A layer that the engine was not prepared for.
    #[error("layer `{0}` was not prepared")]
    NotPrepared(String),
    /// A unit that the layer does not have.
    #[error("unit {unit}; the layer has {units} units")]
    Unit {
        /// The unit.
        unit: usize,
        /// Units of the layer.
        units: usize,
    },
    /// A position that the layer does not have.
    #[error("position ({}, {}); the layer has {output} positions", .position.0, .position.1)]
    Position {
        /// The position `(y, x)`.
        position: (usize, usize),
        /// Size of the layer's output.
        output: ImageSize,
    },
    /// An occluder that the image does not hold.
    #[error(
        "an occluder of {size}×{size} pixels at ({top}, {left}); expected one inside the image of \
         {image}", size = .occluder.size, top = .occluder.top, left = .occluder.left
    )]
    Occluder {
        /// The occluder.
        occluder: Occluder,
        /// Size of the image.
        image: ImageSize,
    },
    /// An image or a placement that the batch does not have.
    #[error("a job of image {image} and placement {placement}, which its batch does not have")]
    Index {
        /// The image.
        image: usize,
        /// The placement.
        placement: usize,
    },
    /// More differences than there is room for.
    #[error("{wanted} differences; there is room for {room}")]
    Room {
        /// Differences of the request.
        wanted: usize,
        /// Differences that are held.
        room: usize,
    },
}

/// Checks that an engine can be prepared for these layers and images.
pub(super) fn check_layers(
    network: &Network,
    layers: &[LayerId],
    image: ImageSize,
) -> Result<(), EngineError> {
    for &id in layers {
        let layer = network.layer(id);
        if layer.op.convolution().is_none() {
            let (layer, kind) = (layer.name.clone(), layer.op.kind());
            return Err(RequestError::NotConvolution { layer, kind }.into());
        }
    }
    if image.height.max(image.width) > ImageSize::MAX_SIDE {
        return Err(RequestError::ImageTooLarge(image).into());
    }
    Ok(())
}

/// The images that an engine was prepared for.
#[derive(Clone, Copy, Debug)]
pub(super) struct PreparedImages {
    pub channels: usize,
    pub size: ImageSize,
}

impl PreparedImages {
    /// Checks an image.
    pub fn check(self, image: &ArrayView3<'_, f32>) -> Result<(), EngineError> {
        let expected = [self.channels, self.size.height, self.size.width];
        if image.shape() == expected {
            return Ok(());
        }
        Err(RequestError::Image { found: image.shape().to_vec(), expected }.into())
    }

    /// Checks the images of a batch, and of each job its unit and position against a layer of `units` units and
    /// `output` positions, and its occluders against the image.
    pub fn check_jobs(
        self,
        batch: &Batch<'_>,
        units: usize,
        output: ImageSize,
    ) -> Result<(), EngineError> {
        batch.images.iter().try_for_each(|image| self.check(&image.values))?;
        for placement in &batch.placements {
            self.check_placement(placement, output)?;
        }
        for job in &batch.jobs {
            let &Job { image, placement, unit, fill } = job;
            if image >= batch.images.len() || placement >= batch.placements.len() {
                return Err(RequestError::Index { image, placement }.into());
            }
            if unit >= units {
                return Err(RequestError::Unit { unit, units }.into());
            }
            if let Fill::Picture(picture) = fill {
                self.check(&picture.view())?;
            }
        }
        Ok(())
    }

    fn check_placement(
        self,
        &BatchPlacement { position, occluders }: &BatchPlacement<'_>,
        output: ImageSize,
    ) -> Result<(), EngineError> {
        if position.0 >= output.height || position.1 >= output.width {
            return Err(RequestError::Position { position, output }.into());
        }
        let image = self.size;
        let outside = |occluder: &&Occluder| {
            occluder.size == 0
                || occluder.top + occluder.size > image.height
                || occluder.left + occluder.size > image.width
        };
        match occluders.iter().find(outside) {
            Some(&occluder) => Err(RequestError::Occluder { occluder, image }.into()),
            None => Ok(()),
        }
    }
}

/// The error of a layer that an engine was not prepared for.
pub(super) fn not_prepared(network: &Network, layer: LayerId) -> EngineError {
    RequestError::NotPrepared(network.short_name(layer)).into()
}
