//! The first delta: the occluder's pixels instead of the image's.

use super::delta::{Delta, Presentation};
use super::program::Program;
use super::simd::{Kernel, Vector, prefetch, prefetch_all};
use crate::geometry::Axis;

/// Writes the occluder's pixels minus the image's into `output`, the image's window. `patch` is scratch.
pub(super) struct Occlude<'a> {
    pub program: &'a Program,
    pub batch: &'a [Presentation<'a>],
    pub patch: &'a mut Vec<f32>,
    pub output: Delta<&'a mut [f32]>,
}

impl Kernel for Occlude<'_> {
    type Output = ();

    /// Vectors are the compiler's: drawing the noise is what takes the time.
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { program, batch, patch, output } = self;
        let (each, channels) = (output.each(), output.channels);
        let image = &program.subgraph.nodes()[0];
        let width = output.x.len();
        for (which, values) in output.values.chunks_exact_mut(each).enumerate() {
            let presentation = &batch[which];
            if let Some(next) = batch.get(which + 1) {
                for y in output.y.start..output.y.end {
                    prefetch_all(next.baseline_row(program, 0, y, output.x.start, width));
                }
            }
            // Occluders are found by the order of plans, so each lies far from the one before.
            if let Some(after) = batch.get(which + 2) {
                prefetch(after.occluder);
            }
            presentation.patches.draw(presentation.which, patch);
            let occluder = presentation.occluder;
            let (size, area) = (occluder.size, occluder.size.pow(2));
            let top = image.origin(Axis::Y, presentation.position.0) - occluder.top as isize;
            let left = image.origin(Axis::X, presentation.position.1) - occluder.left as isize;
            let rows = values.chunks_exact_mut(width * channels);
            for (row, y) in rows.zip(output.y.start..output.y.end) {
                // The window may be a part of the occluder: the rest cannot reach the unit.
                let first = (y + top) as usize * size + (output.x.start + left) as usize;
                let baseline = presentation.baseline_row(program, 0, y, output.x.start, width);
                for channel in 0..channels {
                    let noise = &patch[channel * area + first..][..width];
                    let row = row[channel..].iter_mut().step_by(channels);
                    let baseline = baseline[channel..].iter().step_by(channels);
                    for ((delta, noise), baseline) in row.zip(noise).zip(baseline) {
                        *delta = noise - baseline;
                    }
                }
            }
        }
    }
}
