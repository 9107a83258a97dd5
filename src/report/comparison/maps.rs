//! The maps of a layer, as fields, wherever they come from.

use std::path::Path;

use thiserror::Error;

use super::{ComparisonError, MapArray, MapSide};
use crate::analysis::{Field, Raster, Ticks};
use crate::ranking::Side;
use crate::report::numbers::Cells;
use crate::report::results::{LayerResults, Results, UnitMap};

/// A set of maps.
#[derive(Clone, Debug)]
pub enum MapSet<'a> {
    /// A folder of results.
    Results(&'a Results),
    /// The maps of one layer.
    Array(&'a MapArray),
}

/// An opened set of maps.
#[derive(Clone, Debug)]
pub enum MapSource {
    /// A folder of results.
    Results(Box<Results>),
    /// The maps of one layer.
    Array(MapArray),
}

impl MapSource {
    /// Opens an output folder, or an array of maps (`.npy`).
    ///
    /// # Errors
    /// A folder or a file that cannot be read or holds no maps.
    pub fn open(path: &Path) -> Result<Self, ComparisonError> {
        let is_array = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npy"));
        if is_array && !path.is_dir() {
            return Ok(Self::Array(MapArray::open(path)?));
        }
        Ok(Self::Results(Box::new(Results::open(path, None)?)))
    }

    /// The set.
    pub fn set(&self) -> MapSet<'_> {
        match self {
            Self::Results(results) => MapSet::Results(results),
            Self::Array(array) => MapSet::Array(array),
        }
    }
}

/// Why a unit has no map to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Absent {
    /// The unit was not swept, or its map is NaN.
    #[error("not swept")]
    NotSwept,
    /// No image has an occluder in its receptive field.
    #[error("not covered by any image")]
    NotCovered,
    /// Its map is zero everywhere.
    #[error("silent")]
    Silent,
}

/// The maps of a layer.
#[derive(Clone, Debug)]
pub(super) enum LayerSet<'a> {
    Results { layer: &'a LayerResults, cells: Cells, side: MapSide },
    Array { array: &'a MapArray, raster: Raster },
}

impl MapSet<'_> {
    /// Its name: that of its folder or file.
    pub fn name(&self) -> String {
        match self {
            Self::Results(results) => results.folder().display().to_string(),
            Self::Array(array) => array.name().to_owned(),
        }
    }
}

impl<'a> LayerSet<'a> {
    pub fn of_results(results: &Results, layer: &'a LayerResults, side: MapSide) -> Self {
        let cells = Cells::new(layer.configuration(), &results.configuration().settings);
        Self::Results { layer, cells, side }
    }

    /// Maps that lie over an RF of this many pixels.
    pub fn of_array(array: &'a MapArray, [height, width]: [usize; 2]) -> Self {
        let [_, rows, columns] = array.shape();
        let y = Ticks::over(height as f64, rows);
        Self::Array { array, raster: Raster { y, x: Ticks::over(width as f64, columns) } }
    }

    pub fn units(&self) -> usize {
        match self {
            Self::Results { layer, .. } => layer.units(),
            Self::Array { array, .. } => array.shape()[0],
        }
    }

    pub fn raster(&self) -> Raster {
        match self {
            Self::Results { cells, .. } => cells.raster(),
            Self::Array { raster, .. } => *raster,
        }
    }

    /// The reliability of each unit's map, where it is known.
    pub fn reliability(&self) -> Result<Vec<Option<f64>>, ComparisonError> {
        match self {
            Self::Results { layer, side: MapSide::Of(side), .. } => Ok(layer.reliability(*side)?),
            Self::Results { .. } | Self::Array { .. } => Ok(vec![None; self.units()]),
        }
    }

    /// A unit's map on the cells of `raster`, or why there is none.
    pub fn field(
        &self,
        unit: usize,
        raster: &Raster,
    ) -> Result<Result<Field, Absent>, ComparisonError> {
        let field = match self {
            Self::Results { layer, cells, side: MapSide::Of(side) } => {
                of_side(layer, cells, unit, *side)?
            }
            Self::Results { layer, cells, side: MapSide::Composite } => {
                let [top, bottom] =
                    [Side::Top, Side::Bottom].map(|side| of_side(layer, cells, unit, side));
                composite(top?, bottom?, cells)
            }
            Self::Array { array, raster } => {
                let field = Field::new(*raster, array.map(unit)?);
                let known = field.measured.iter().any(|known| *known);
                known.then_some(field).ok_or(Absent::NotSwept)
            }
        };
        let field = field.map(|field| field.onto(raster));
        Ok(field.and_then(|field| if field.is_silent() { Err(Absent::Silent) } else { Ok(field) }))
    }
}

fn of_side(
    layer: &LayerResults,
    cells: &Cells,
    unit: usize,
    side: Side,
) -> Result<Result<Field, Absent>, ComparisonError> {
    Ok(match layer.map(unit, side)? {
        UnitMap::NotSwept => Err(Absent::NotSwept),
        UnitMap::NotCovered => Err(Absent::NotCovered),
        UnitMap::Silent => Err(Absent::Silent),
        UnitMap::Values { map, coverage } => Ok(cells.field(&cells.of(&map.view(), &coverage))),
    })
}

/// The maps of both sides together; one that is silent adds nothing.
fn composite(
    top: Result<Field, Absent>,
    bottom: Result<Field, Absent>,
    cells: &Cells,
) -> Result<Field, Absent> {
    let zeros = || Field::new(cells.raster(), vec![0.0; cells.count() * cells.count()]);
    let or_zeros = |field: Result<Field, Absent>| match field {
        Err(Absent::Silent) => Ok(zeros()),
        field => field,
    };
    or_zeros(top)?.composite(&or_zeros(bottom)?).ok_or(Absent::Silent)
}
