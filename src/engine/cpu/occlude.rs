//! The first change: noise instead of the image.

use super::change::{Change, Presentation};
use super::target::Target;

/// Writes noise minus image into `output`, the image's window. `patch` is scratch.
pub(super) fn occlude(
    target: &Target,
    batch: &[Presentation<'_>],
    patch: &mut Vec<f32>,
    output: &mut Change,
) {
    let each = output.each();
    if each == 0 {
        return;
    }
    let image = &target.lineage.nodes()[0];
    for (presentation, values) in batch.iter().zip(output.values.chunks_exact_mut(each)) {
        presentation.patches.draw(presentation.which, patch);
        let occluder = presentation.occluder;
        let (size, area) = (occluder.size, occluder.size.pow(2));
        let (top, left) =
            (image.origin(presentation.position.0), image.origin(presentation.position.1));
        let rows = values.chunks_exact_mut(output.x.len() * output.channels);
        for (row, y) in rows.zip(output.y.start + top..output.y.end + top) {
            // The window may be a part of the occluder: the rest cannot reach the unit.
            let x = output.x.start + left;
            let original = presentation.base.node(0).row(y, x, output.x.len());
            let first =
                (y - occluder.top as isize) as usize * size + (x - occluder.left as isize) as usize;
            let pixels = row.chunks_exact_mut(output.channels);
            for ((pixel, original), place) in
                pixels.zip(original.chunks_exact(output.channels)).zip(first..)
            {
                for (channel, (difference, original)) in pixel.iter_mut().zip(original).enumerate()
                {
                    *difference = patch[channel * area + place] - original;
                }
            }
        }
    }
}
