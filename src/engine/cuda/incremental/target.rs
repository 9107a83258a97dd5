//! A layer that the engine was prepared for, with its filters on the device.

use std::collections::HashMap;
use std::sync::Arc;

use crate::engine::cuda::kernels::respond::DeviceUnits;
use crate::engine::cuda::kernels::tap_product::DeviceFilters;
use crate::engine::cuda::{Device, Precision};
use crate::engine::{EngineError, target};
use crate::geometry::ImageSize;
use crate::network::{Input, LayerId, Model};

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
    Target::new(
        model,
        layer,
        image,
        |(id, conv, weights, channels)| {
            if let Some(known) = filters.get(&id) {
                return Ok(Arc::clone(known));
            }
            let reads_pixels = model.network().layer(id).inputs.contains(&Input::Image);
            let precision = if reads_pixels { asked.of_pixels() } else { asked };
            let new = DeviceFilters::new(device, conv, weights, channels, precision)?;
            let new = Arc::new(new);
            filters.insert(id, Arc::clone(&new));
            Ok(new)
        },
        |(_, conv, weights, channels)| Ok(DeviceUnits::new(device, conv, weights, channels)?),
    )
}
