//! A layer that the engine was prepared for, with its filters on the device.

use std::collections::HashMap;
use std::sync::Arc;

use crate::engine::cuda::kernels::respond::DeviceUnits;
use crate::engine::cuda::kernels::tap_product::DeviceFilters;
use crate::engine::cuda::{Device, Precision};
use crate::engine::{EngineError, target};
use crate::geometry::ImageSize;
use crate::network::{LayerId, Model};

/// A target with its filters.
pub(super) type Target = target::Target<Arc<DeviceFilters>, DeviceUnits>;

/// In which precision the convolution at `place` multiplies, where `asked` was asked for.
pub(super) fn precision_at(target: &Target, place: usize, asked: Precision) -> Precision {
    let nodes = target.lineage.nodes();
    let reads_pixels = nodes[place].inputs.iter().any(|&input| nodes[input].layer.is_none());
    if reads_pixels { asked.of_pixels() } else { asked }
}

/// A target; `filters` are those that other targets already needed.
pub(super) fn target(
    device: &Device,
    model: &Model,
    layer: LayerId,
    image: ImageSize,
    filters: &mut HashMap<LayerId, Arc<DeviceFilters>>,
) -> Result<Target, EngineError> {
    Target::new(
        model,
        layer,
        image,
        |(id, conv, weights, channels)| {
            if let Some(known) = filters.get(&id) {
                return Ok(Arc::clone(known));
            }
            let new = Arc::new(DeviceFilters::new(device, conv, weights, channels)?);
            filters.insert(id, Arc::clone(&new));
            Ok(new)
        },
        |(_, conv, weights, channels)| Ok(DeviceUnits::new(device, conv, weights, channels)?),
    )
}
