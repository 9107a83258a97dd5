//! The files of derived maps.

use std::path::Path;

use super::unit::UnitMaps;
use super::{DerivedKind, FloorStatus, UnitFloor};
use crate::files::FileError;
use crate::files::npy::Writer;
use crate::report::csv::{Column, MAP, Table, map_fields, number};
use crate::report::results::LayerResults;

/// The columns of `floors.csv` after the map's.
const COLUMNS: [Column; 10] = [
    (
        "status",
        "",
        "ok; silent: the map is zero everywhere; not_covered: no image has an occluder in the receptive field",
    ),
    (
        "floor",
        "response",
        "median of the map's cells but for those that stand out: the mean change by an occluder where the unit responds no more than elsewhere",
    ),
    ("floor_se", "response", "its standard error, by the spread of these cells"),
    ("floor_cells", "", "how many cells these are"),
    ("peak", "response", "largest value of a cell"),
    ("peak_over_floor", "", "the peak over the floor"),
    ("response", "response", "mean size of the responses to the map's images"),
    ("tested", "", "cells that were tested"),
    (
        "exceeding",
        "",
        "cells whose mean exceeds the floor, by a one-sided t-test over images at the given false discovery rate",
    ),
    ("exceeding_area", "pixels^2", "their area"),
];

/// The map files of a layer, that are written unit by unit.
#[derive(Debug)]
pub(super) struct Maps {
    files: Vec<Vec<Writer<f64>>>,
    pixels: usize,
    units: usize,
    /// The next unit; all before it are written.
    unit: usize,
}

impl Maps {
    pub fn create(
        folder: &Path,
        layer: &LayerResults,
        kinds: &[DerivedKind],
    ) -> Result<Self, FileError> {
        let shape = [layer.units(), layer.rf(), layer.rf()];
        let of_kind = |kind: &DerivedKind| -> Result<Vec<Writer<f64>>, FileError> {
            let names = kind.files(layer.name());
            names.iter().map(|name| Writer::create(&folder.join(name), &shape)).collect()
        };
        let files = kinds.iter().map(of_kind).collect::<Result<_, _>>()?;
        Ok(Self { files, pixels: layer.rf() * layer.rf(), units: layer.units(), unit: 0 })
    }

    /// Writes a unit's maps. Units come in ascending order; those that are left out are NaN.
    pub fn write(&mut self, made: &UnitMaps) -> Result<(), FileError> {
        self.leave_out(made.unit)?;
        for (files, maps) in self.files.iter_mut().zip(&made.maps) {
            for (file, map) in files.iter_mut().zip(maps) {
                file.extend(map.iter().copied())?;
            }
        }
        self.unit = made.unit + 1;
        Ok(())
    }

    /// Gives the files their names.
    pub fn finish(mut self) -> Result<(), FileError> {
        self.leave_out(self.units)?;
        for file in self.files.into_iter().flatten() {
            file.finish()?;
        }
        Ok(())
    }

    fn leave_out(&mut self, unit: usize) -> Result<(), FileError> {
        let missing = unit.saturating_sub(self.unit) * self.pixels;
        for file in self.files.iter_mut().flatten() {
            file.extend(std::iter::repeat_n(f64::NAN, missing))?;
        }
        Ok(())
    }
}

/// The floors of some layers, each with its name: a row a unit and side.
pub(super) fn floor_table(layers: &[(String, Vec<[UnitFloor; 2]>)]) -> Table {
    let of_layer = |(layer, units): &(String, Vec<[UnitFloor; 2]>)| -> Vec<_> {
        units.iter().flatten().map(|floor| row(layer, floor)).collect()
    };
    Table::of_maps(&COLUMNS, layers.iter().flat_map(of_layer))
}

fn row(layer: &str, floor: &UnitFloor) -> Vec<String> {
    let status = match floor.status {
        FloorStatus::Ok => "ok",
        FloorStatus::NotCovered => "not_covered",
        FloorStatus::Silent => "silent",
    };
    let mut fields = map_fields(layer, floor.unit, floor.side);
    fields.push(status.to_owned());
    match &floor.floor {
        Some(found) => {
            fields.extend([number(found.level), number(found.error), found.cells.to_string()]);
            fields.extend([floor.peak, floor.peak / found.level].map(number));
        }
        None => fields.resize(9, String::new()),
    }
    fields.push(number(floor.response));
    match floor.tested {
        0 => fields.resize(MAP.len() + COLUMNS.len(), String::new()),
        tested => {
            fields.extend([tested, floor.exceeding].map(|count| count.to_string()));
            fields.push(number(floor.area));
        }
    }
    fields
}
