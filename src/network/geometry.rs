//! The geometry of a network's layers.

use super::{LayerId, Network, NetworkError};
use crate::geometry::{FrameRule, GridRule, ImageSize, LayerGeometry};

impl LayerGeometry {
    /// The geometry of a layer for images of size `image`.
    ///
    /// # Errors
    /// Images too small for the layer.
    pub fn new(
        network: &Network,
        layer: LayerId,
        image: ImageSize,
        rule: GridRule,
        every: usize,
    ) -> Result<Self, NetworkError> {
        let sizes = network.sizes(image, layer)?;
        let (projection, output) = (network.projection(layer), sizes[layer.0]);
        Ok(Self { projection, output, image, rule, every, frame: FrameRule::default() })
    }
}
