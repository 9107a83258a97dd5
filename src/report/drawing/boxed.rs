//! The occluders of a box that is drawn: of a unit at a position, or of any box.

use crate::geometry::{GridRule, ImageSize, LayerGeometry, Occluder, PixelBox, every_nth};
use crate::runs::{ChosenLayers, RunError};

/// The occluders that are presented.
#[derive(Clone, Copy, Debug)]
pub struct SampledGrid {
    /// The rule for the grid.
    pub rule: GridRule,
    /// Every N-th occluder of the grid.
    pub every: usize,
}

/// A box and its occluders.
#[derive(Clone, Debug)]
pub struct BoxOccluders {
    /// Name of the box.
    pub title: String,
    /// Side length of the receptive field in pixels.
    pub rf: usize,
    /// The part of the receptive field inside the image.
    pub pixels: PixelBox,
    /// The occluders, in grid order.
    pub occluders: Vec<Occluder>,
}

impl BoxOccluders {
    /// The box of a layer's unit at the position `[y, x]` of its output.
    ///
    /// # Errors
    /// A model or a layer that does not exist; a position without occluders.
    pub fn of_unit(
        model: &str,
        layer: &str,
        position: [usize; 2],
        size: ImageSize,
        grid: SampledGrid,
    ) -> Result<Self, RunError> {
        let chosen = ChosenLayers::new(model, &[layer.into()])?;
        chosen.check_grid(grid.rule)?;
        let (network, id) = (&chosen.network, chosen.layers[0]);
        let geometry = LayerGeometry::new(network, id, size, grid.rule, grid.every)?;
        let [y, x] = position;
        geometry.check_position(layer, y, x)?;
        let placement = geometry.placement(y, x)?;
        let Some(pixels) = placement.pixels else {
            return Err(RunError::usage(format!(
                "the receptive field of {layer} at {y},{x} lies in the padding: it has no occluders"
            )));
        };
        let title = format!("{} {}, position {y},{x}", network.name(), network.short_name(id));
        Ok(Self { title, rf: placement.rf, pixels, occluders: placement.occluders })
    }

    /// A box of a receptive field of `rf` pixels.
    ///
    /// # Errors
    /// A box that is not inside the image, or larger than the receptive field.
    pub fn of_box(
        pixels: PixelBox,
        rf: usize,
        size: ImageSize,
        grid: SampledGrid,
    ) -> Result<Self, RunError> {
        let PixelBox { y_min, x_min, y_max, x_max } = pixels;
        if y_min > y_max || x_min > x_max || y_max >= size.height || x_max >= size.width {
            return Err(RunError::usage(format!(
                "--box {y_min},{x_min},{y_max},{x_max}: expected the first row, first column, last \
                 row and last column of a box in an image of {size}"
            )));
        }
        let occluders = every_nth(grid.rule.occluders(&pixels, rf, size)?, grid.every);
        let title = format!("box from y {y_min}, x {x_min} to y {y_max}, x {x_max}");
        Ok(Self { title, rf, pixels, occluders })
    }
}
