//! A layer's maps as they are drawn: by the cells of the occluders' grid.

use image::RgbImage;
use ndarray::Array2;
use rayon::prelude::*;

use crate::ranking::Side;
use crate::report::colours::ColourMap;
use crate::report::numbers::Cells;
use crate::report::{LayerResults, ResultsError, UnitMap};

/// Pixels that a map's picture has at least, so that viewers that smooth pictures leave the edges
/// of cells sharp.
const LEAST_PIXELS: usize = 96;

/// The mean map of a unit that was swept.
#[derive(Clone, Debug)]
pub enum Map {
    /// Zero everywhere.
    Silent,
    /// Nothing was measured.
    NotCovered,
    /// By cells.
    Values {
        /// `[cells, cells]`; NaN where no image has an occluder.
        values: Array2<f64>,
        /// The same, blurred by a 30th of the RF; NaN where no image covers the RF.
        blurred: Array2<f64>,
        /// The largest value.
        peak: f64,
    },
}

/// The maps of a layer's units that were swept: of each, those over the top and over the bottom
/// images.
#[derive(Clone, Debug)]
pub struct LayerMaps {
    cells: Cells,
    units: Vec<usize>,
    maps: Vec<[Map; 2]>,
}

impl LayerMaps {
    /// Reads the maps of `units`, all of which were swept. What is held is a number an occluder,
    /// not a pixel.
    ///
    /// # Errors
    /// Maps that cannot be read.
    pub fn read(
        layer: &LayerResults,
        cells: Cells,
        units: Vec<usize>,
    ) -> Result<Self, ResultsError> {
        let read = |unit: usize, side| -> Result<Map, ResultsError> {
            let (map, coverage) = match layer.map(unit, side)? {
                UnitMap::Values { map, coverage } => (map, coverage),
                UnitMap::NotCovered => return Ok(Map::NotCovered),
                UnitMap::Silent | UnitMap::NotSwept => return Ok(Map::Silent),
            };
            let found = cells.of(&map.view(), &coverage);
            let peak = found.peak().map_or(0.0, |cell| cell.value);
            let blurred = cells.blurred_grid(&found);
            Ok(Map::Values { values: cells.grid(&found), blurred, peak })
        };
        let both = |&unit: &usize| Ok([read(unit, Side::Top)?, read(unit, Side::Bottom)?]);
        let maps = units.par_iter().map(both).collect::<Result<_, ResultsError>>()?;
        Ok(Self { cells, units, maps })
    }

    /// The cells.
    pub const fn cells(&self) -> &Cells {
        &self.cells
    }

    /// The units, ascending.
    pub fn units(&self) -> &[usize] {
        &self.units
    }

    /// The map of the unit with an index in [`units`](Self::units).
    pub fn map(&self, index: usize, side: Side) -> &Map {
        &self.maps[index][side as usize]
    }

    /// Whether there are cells in which no image has an occluder.
    pub fn has_not_covered(&self) -> bool {
        let not_covered = |map: &Map| match map {
            Map::Silent => false,
            Map::NotCovered => true,
            Map::Values { values, .. } => values.iter().any(|value| value.is_nan()),
        };
        self.maps.iter().flatten().any(not_covered)
    }

    /// Whether there are maps of zeros.
    pub fn has_silent(&self) -> bool {
        self.maps.iter().flatten().any(|map| matches!(map, Map::Silent))
    }

    /// The highest peak of all.
    pub fn peak(&self) -> f64 {
        self.maps.iter().flatten().map(Map::peak).fold(0.0, f64::max)
    }

    /// A map in colours up to `largest`, a pixel for each of the RF or several.
    pub fn picture(&self, map: &Map, colours: ColourMap, largest: f64) -> RgbImage {
        let cells = self.cells.of_pixels();
        let factor = LEAST_PIXELS.div_ceil(cells.len());
        let cells: Vec<usize> =
            cells.into_iter().flat_map(|cell| std::iter::repeat_n(cell, factor)).collect();
        let nothing = Array2::from_elem((self.cells.count(), self.cells.count()), f64::NAN);
        let values = if let Map::Values { values, .. } = map { values } else { &nothing };
        colours.picture(&values.view(), &cells, largest)
    }
}

impl Map {
    /// The largest value; 0 of a map that has none.
    pub const fn peak(&self) -> f64 {
        match self {
            Self::Silent | Self::NotCovered => 0.0,
            Self::Values { peak, .. } => *peak,
        }
    }
}
