//! How often each pixel of a map was looked at.

use crate::geometry::{Deposit, Frame, GeometryError, LayerGeometry, Placement};
use crate::maps::{Coverage, MeanOver};

/// The occluders over each pixel of one side's mean map, `[rf, rf]` row by row.
///
/// A map's value is a mean over images. Where no image covers the receptive field nothing was
/// measured, and the map has a zero; where few do, their sum was divided by the number of all.
/// [`MapCoverage::sum`] undoes that.
#[derive(Clone, Debug, PartialEq)]
pub struct MapCoverage {
    /// Images of the map.
    images: usize,
    over: MeanOver,
    /// Images that cover the pixel: that have it in the box of their receptive field.
    covering: Vec<i32>,
    /// Occluders, of all images, that are deposited on the pixel.
    occluders: Vec<i32>,
}

impl MapCoverage {
    /// The coverage of the mean, `over` these images, of maps with these placements.
    pub fn new<'p>(
        rf: usize,
        deposit: Deposit,
        over: MeanOver,
        placements: impl IntoIterator<Item = &'p Placement>,
    ) -> Self {
        let (mut coverage, mut images) = (Coverage::new(rf), 0);
        for placement in placements {
            coverage.add(deposit, placement);
            images += 1;
        }
        let [mut occluders, others] = coverage.occluders.map(|half| half.counts());
        occluders.iter_mut().zip(others).for_each(|(one, other)| *one += other);
        Self { images, over, covering: coverage.images.counts(), occluders }
    }

    /// The coverage of a map whose images have these frames.
    ///
    /// # Errors
    /// Occluders that cannot be placed.
    pub fn of_frames(
        geometry: &LayerGeometry,
        deposit: Deposit,
        over: MeanOver,
        frames: &[Frame],
    ) -> Result<Self, GeometryError> {
        let placements: Vec<Placement> =
            frames.iter().map(|&frame| geometry.placement_of(frame)).collect::<Result<_, _>>()?;
        Ok(Self::new(geometry.projection.size, deposit, over, &placements))
    }

    /// Number of images whose mean the map is.
    pub const fn images(&self) -> usize {
        self.images
    }

    /// Number of images that cover a pixel.
    pub fn covering(&self, pixel: usize) -> usize {
        self.covering[pixel] as usize
    }

    /// Number of occluders that are deposited on a pixel, over all images.
    pub fn occluders(&self, pixel: usize) -> usize {
        self.occluders[pixel] as usize
    }

    /// Number of images whose mean a pixel's value is.
    pub fn averaged(&self, pixel: usize) -> usize {
        match self.over {
            MeanOver::Images => self.images,
            MeanOver::Covering => self.covering(pixel),
        }
    }

    /// The sum over images at a pixel whose mean is `value`.
    pub fn sum(&self, pixel: usize, value: f64) -> f64 {
        value * self.averaged(pixel) as f64
    }

    /// Whether any occluder is deposited on the map.
    pub fn has_occluders(&self) -> bool {
        self.occluders.iter().any(|&occluders| occluders > 0)
    }

    /// The part of the receptive field that any image covers, 0 to 1.
    pub fn covered(&self) -> f64 {
        let covered = self.covering.iter().filter(|&&images| images > 0).count();
        covered as f64 / self.covering.len().max(1) as f64
    }
}
