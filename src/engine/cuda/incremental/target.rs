//! A layer that the engine was prepared for, with its filters on the device.

use std::collections::HashMap;
use std::sync::Arc;

use crate::engine::EngineError;
use crate::engine::cuda::kernels::respond::DeviceUnits;
use crate::engine::cuda::kernels::tap_product::DeviceFilters;
use crate::engine::cuda::{Device, Precision};
use crate::engine::target::{self, Leading, Packing};
use crate::geometry::ImageSize;
use crate::network::{Input, LayerId, Model, Network, Op};

/// A target with its filters.
pub(super) type Target = target::Target<Arc<DeviceFilters>, DeviceUnits>;

/// A target, to be multiplied in the precision that was asked for; `filters` are those that other
/// targets already needed.
pub(super) fn target(
    device: &Device,
    model: &Model,
    layer: LayerId,
    image: ImageSize,
    asked: Precision,
    filters: &mut HashMap<LayerId, Arc<DeviceFilters>>,
) -> Result<Target, EngineError> {
    let before = convolutions_before(model.network());
    let packing = Packing {
        convolution: |(id, conv, weights, channels): Leading<'_>| {
            if let Some(known) = filters.get(&id) {
                return Ok(Arc::clone(known));
            }
            let precision = asked.behind(before[id.0]);
            let new = DeviceFilters::new(device, conv, weights, channels, precision)?;
            let new = Arc::new(new);
            filters.insert(id, Arc::clone(&new));
            Ok(new)
        },
        units: |(_, conv, weights, channels): Leading<'_>| {
            Ok(DeviceUnits::new(device, conv, weights, channels)?)
        },
        depthwise: false,
    };
    Target::new(model, layer, image, packing)
}

/// Of each layer, how many convolutions are before it on the longest way from the pixels.
fn convolutions_before(network: &Network) -> Vec<usize> {
    let mut before: Vec<usize> = Vec::new();
    for layer in network.layers() {
        let through = |input: &Input| match *input {
            Input::Image => 0,
            Input::Layer(id) => {
                before[id.0] + usize::from(matches!(network.layer(id).op, Op::Conv(_)))
            }
        };
        let most = layer.inputs.iter().map(through).max().unwrap_or(0);
        before.push(most);
    }
    before
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cuda::Precision::{Bf16, Fp16, Fp32, Tf32};

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
