//! The program of a layer with its weights on the device.

use std::collections::HashMap;
use std::sync::Arc;

use crate::engine::cuda::kernels::node::DeviceNumbers;
use crate::engine::cuda::kernels::respond::DeviceUnits;
use crate::engine::cuda::kernels::tap_product::DeviceFilters;
use crate::engine::cuda::{Device, Precision};
use crate::engine::{EngineError, convolutions_before};
use crate::geometry::ImageSize;
use crate::network::{Filters, LayerId, Model};
use crate::program::{self, ConvolutionFilters, Packing};

/// The program of a layer.
pub(super) type Program = program::Program<Arc<DeviceFilters>, DeviceNumbers, DeviceUnits>;

/// What the programs of several layers share.
pub(super) struct Shared<'a> {
    pub device: &'a Device,
    /// The precision of products.
    pub precision: Precision,
    /// The filters that other programs already needed.
    pub filters: HashMap<LayerId, Arc<DeviceFilters>>,
}

impl Shared<'_> {
    /// The program of a layer.
    pub fn program(
        &mut self,
        model: &Model,
        layer: LayerId,
        image: ImageSize,
    ) -> Result<Program, EngineError> {
        let before = convolutions_before(model.network());
        let device = self.device;
        let packing = Packing {
            convolution: |ConvolutionFilters { layer, conv, filters, inputs, .. }| {
                if let Some(known) = self.filters.get(&layer) {
                    return Ok(Arc::clone(known));
                }
                let precision = self.precision.behind(before[layer.0]);
                let new = Arc::new(DeviceFilters::new(device, conv, filters, inputs, precision)?);
                self.filters.insert(layer, Arc::clone(&new));
                Ok(new)
            },
            numbers: |numbers: &Filters, channels| {
                Ok(DeviceNumbers::new(device, numbers, channels)?)
            },
            units: |ConvolutionFilters { conv, filters, inputs, .. }| {
                Ok(DeviceUnits::new(device, conv, filters, inputs)?)
            },
        };
        program::Program::new(model.network(), layer, image)?.with_weights(model, packing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cuda::Precision::{Bf16, Fp16, Fp32, Tf32};
    use crate::network::Network;

    #[test]
    fn some_convolutions_are_in_the_next_better_precision() {
        let network = Network::preset("alexnet").unwrap();
        let before = convolutions_before(&network);
        let of = |asked: Precision| -> Vec<Precision> {
            network.convolutions().map(|(id, _)| asked.behind(before[id.0])).collect()
        };
        assert_eq!(of(Fp32), [Fp32; 5]);
        assert_eq!(of(Tf32), [Fp32, Tf32, Tf32, Tf32, Tf32]);
        assert_eq!(of(Fp16), [Fp32, Fp16, Fp16, Fp16, Fp16]);
        assert_eq!(of(Bf16), [Tf32, Bf16, Tf32, Bf16, Tf32]);
    }
}
