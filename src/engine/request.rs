//! Whether a request fits what an engine was prepared for.

use ndarray::ArrayView3;

use super::{EngineError, Job};
use crate::geometry::{ImageSize, Occluder};
use crate::network::{IMAGE_CHANNELS, LayerId, Network, Op};

/// Checks that an engine can be prepared for these layers and images.
pub(super) fn check_layers(
    network: &Network,
    layers: &[LayerId],
    image: ImageSize,
) -> Result<(), EngineError> {
    for &id in layers {
        let layer = network.layer(id);
        if !matches!(layer.op, Op::Conv(_)) {
            let (name, kind) = (&layer.name, layer.op.kind());
            return Err(EngineError::Request(format!(
                "layer `{name}` is a {kind}; an engine is prepared for convolutions"
            )));
        }
    }
    // The noise counter gives a coordinate 16 bits.
    if image.height.max(image.width) > ImageSize::MAX_SIDE {
        let most = ImageSize::MAX_SIDE;
        let problem = format!("images of {image}; a side can have {most} pixels at most");
        return Err(EngineError::Request(problem));
    }
    Ok(())
}

/// Checks the size of an image.
pub(super) fn check_image(
    image: &ArrayView3<'_, f32>,
    prepared: ImageSize,
) -> Result<(), EngineError> {
    let ImageSize { height, width } = prepared;
    if image.shape() == [IMAGE_CHANNELS, height, width] {
        return Ok(());
    }
    Err(EngineError::Request(format!(
        "an image of shape {:?}; the engine was prepared for [{IMAGE_CHANNELS}, {height}, {width}]",
        image.shape()
    )))
}

/// What to tell of a layer that an engine was not prepared for.
pub(super) fn not_prepared(network: &Network, layer: LayerId) -> EngineError {
    EngineError::Request(format!("layer `{}` was not prepared", network.short_name(layer)))
}

/// Checks of each job the size of its image, its unit and position against a layer of `units` units
/// and `output` positions, and its occluders against the image.
pub(super) fn check_jobs(
    jobs: &[Job<'_>],
    units: usize,
    output: ImageSize,
    image: ImageSize,
) -> Result<(), EngineError> {
    jobs.iter().try_for_each(|job| {
        check_image(&job.image, image)?;
        check_job(job, units, output, image)
    })
}

fn check_job(
    job: &Job<'_>,
    units: usize,
    output: ImageSize,
    image: ImageSize,
) -> Result<(), EngineError> {
    let (y, x) = job.position;
    if job.unit >= units || y >= output.height || x >= output.width {
        return Err(EngineError::Request(format!(
            "unit {} at position ({y}, {x}); the layer has {units} units of {output} positions",
            job.unit
        )));
    }
    let outside = |occluder: &&Occluder| {
        occluder.size == 0
            || occluder.top + occluder.size > image.height
            || occluder.left + occluder.size > image.width
    };
    match job.occluders.iter().find(outside) {
        Some(Occluder { top, left, size, .. }) => Err(EngineError::Request(format!(
            "an occluder of {size}×{size} pixels at ({top}, {left}); expected one inside the image \
             of {image}"
        ))),
        None => Ok(()),
    }
}
