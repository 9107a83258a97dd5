//! A layer that the engine was prepared for.

use std::collections::HashMap;
use std::sync::Arc;

use super::weights::{Packed, UnitFilters};
use crate::engine::{EngineError, target};
use crate::geometry::ImageSize;
use crate::network::{LayerId, Model};

/// A target with its filters in the order in which this engine reads them.
pub(super) type Target = target::Target<Arc<Packed>, UnitFilters>;
/// What a node of its lineage computes.
pub(super) type Step = target::Step<Arc<Packed>, UnitFilters>;

/// A target; `packed` has the filters that other targets already needed, `direct` is as in
/// [`Packed::new`].
pub(super) fn target(
    model: &Model,
    layer: LayerId,
    image: ImageSize,
    direct: bool,
    packed: &mut HashMap<LayerId, Arc<Packed>>,
) -> Result<Target, EngineError> {
    Target::new(
        model,
        layer,
        image,
        |(id, conv, filters, channels)| {
            let new = || Arc::new(Packed::new(conv, filters, channels, direct));
            Ok(Arc::clone(packed.entry(id).or_insert_with(new)))
        },
        |(_, conv, filters, channels)| Ok(UnitFilters::new(conv, filters, channels)),
    )
}
