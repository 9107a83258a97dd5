//! Maps that are made of finished maps: both sides together, in units of the response or of their own
//! noise, and where they stand out of it.
//!
//! All are `float64 [units, rf, rf]`, each pixel with the value of its cell of the occluders' grid, NaN
//! where nothing was measured.

mod error;
mod files;
mod unit;

use std::ops::Range;
use std::path::Path;
use std::str::FromStr;

use rayon::prelude::*;

use crate::analysis::is_fraction;
use crate::error::ParseError;
use crate::files::escaped;
use crate::files::npy::F64Parts;
use crate::geometry::Deposit;
use crate::maps::Plane;
use crate::progress::Progress;
use crate::ranking::{Side, UnitRanking};
use crate::report::csv::Table;
use crate::report::numbers::Cells;
use crate::report::results::{LayerResults, Results};
use crate::report::units::swept_units;

use self::files::floor_table;
use self::unit::{FloorStatus, UnitFloor};

pub use error::DerivedError;

/// The kinds that are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum DerivedKind {
    /// Top and bottom maps together, each divided by its sum.
    Composite,
    /// Maps divided by the mean size of the responses to their images.
    Relative,
    /// Maps divided by their noise floor.
    Floor,
    /// 1 where a map exceeds its floor, 0 where not, NaN where that was not tested.
    Exceeds,
}

impl FromStr for DerivedKind {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            ParseError(format!("there is no kind `{}`; expected one of {known}", escaped(text)))
        })
    }
}

/// The table of floors, and what its columns mean.
pub const FLOORS: [&str; 2] = ["floors.csv", "floors_columns.csv"];

/// Which maps are made of which layers, and how.
#[derive(Debug)]
pub struct Derivation<'a> {
    results: &'a Results,
    layers: Vec<&'a LayerResults>,
    kinds: Vec<DerivedKind>,
    /// The false discovery rate of pixels that exceed the floor, 0 to 1.
    rate: f64,
    left_out: Vec<LeftOutKind>,
}

/// A kind that was not named and cannot be made.
#[derive(Debug)]
pub struct LeftOutKind {
    /// The kind.
    pub kind: DerivedKind,
    /// Why it cannot be made.
    pub error: DerivedError,
}

/// The data of one side of a layer.
struct SideSource {
    errors: Option<F64Parts>,
    /// The mean size of the responses to each unit's images.
    responses: Option<Vec<Option<f64>>>,
}

impl DerivedKind {
    /// All, in the order in which they are listed.
    pub const ALL: [Self; 4] = [Self::Composite, Self::Relative, Self::Floor, Self::Exceeds];

    /// The kind's part of a file name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Composite => "composite",
            Self::Relative => "relative",
            Self::Floor => "floor",
            Self::Exceeds => "exceeds",
        }
    }

    /// The files of a layer: `conv1_composite.npy`, `conv1_max_floor.npy`, ….
    pub fn files(self, layer: &str) -> Vec<String> {
        let name = self.name();
        match self {
            Self::Composite => vec![format!("{layer}_{name}.npy")],
            _ => Side::BOTH.map(|side| format!("{layer}_{}_{name}.npy", side.name())).into(),
        }
    }
}

impl<'a> Derivation<'a> {
    /// A derivation of some layers of `results`: of the kinds that are named, or, where none is, of all
    /// that the sweep has kept enough for. `rate` is the false discovery rate of pixels that exceed the
    /// floor.
    ///
    /// # Errors
    /// A rate that is none; a kind that is named and cannot be made of a layer.
    pub fn new(
        results: &'a Results,
        layers: Vec<&'a LayerResults>,
        named: &[DerivedKind],
        rate: f64,
    ) -> Result<Self, DerivedError> {
        if !is_fraction(rate) {
            return Err(DerivedError::Rate(rate));
        }
        let mut made = Self { results, layers, kinds: Vec::new(), rate, left_out: Vec::new() };
        for &kind in if named.is_empty() { &DerivedKind::ALL } else { named } {
            if made.kinds.contains(&kind) {
                continue;
            }
            match made.layers.iter().try_for_each(|layer| made.check(kind, layer)) {
                Ok(()) => made.kinds.push(kind),
                Err(error) if named.is_empty() => made.left_out.push(LeftOutKind { kind, error }),
                Err(error) => return Err(error),
            }
        }
        Ok(made)
    }

    /// The kinds that are made.
    pub fn kinds(&self) -> &[DerivedKind] {
        &self.kinds
    }

    /// The kinds that were not named and cannot be made.
    pub fn left_out(&self) -> &[LeftOutKind] {
        &self.left_out
    }

    /// The files that [`write`](Self::write) makes.
    pub fn files(&self) -> Vec<String> {
        let of_layer = |layer: &&LayerResults| -> Vec<String> {
            self.kinds.iter().flat_map(|kind| kind.files(layer.name())).collect()
        };
        self.layers.iter().flat_map(of_layer).chain(FLOORS.map(String::from)).collect()
    }

    /// Units whose maps are made.
    pub fn count(&self) -> u64 {
        swept_units(self.layers.iter().copied())
    }

    /// Makes the maps and writes them, with the table of floors, into `folder`, which is there; files of
    /// the same names are replaced. Returns the table. `progress` counts units.
    ///
    /// # Errors
    /// Maps that cannot be read; files that cannot be written; [`DerivedError::Stopped`].
    pub fn write(&self, folder: &Path, progress: &Progress<'_>) -> Result<Table, DerivedError> {
        let of_layer = |layer: &&LayerResults| -> Result<_, DerivedError> {
            Ok((layer.name().to_owned(), self.write_layer(layer, folder, progress)?))
        };
        let table = floor_table(&self.layers.iter().map(of_layer).collect::<Result<Vec<_>, _>>()?);
        table.write_with_legend(folder, FLOORS)?;
        Ok(table)
    }

    /// Checks that a kind can be made of a layer's maps.
    fn check(&self, kind: DerivedKind, layer: &LayerResults) -> Result<(), DerivedError> {
        let settings = &self.results.configuration().settings;
        let name = || layer.name().to_owned();
        match kind {
            DerivedKind::Exceeds if !settings.planes().contains(&Plane::StandardError) => {
                Err(DerivedError::NoErrors(name()))
            }
            DerivedKind::Exceeds if settings.deposit != Deposit::Centre => {
                Err(DerivedError::Area(name()))
            }
            DerivedKind::Relative => {
                let ranking = layer.ranking()?;
                let is_known = ranking.as_ref().is_some_and(|ranking| {
                    ranking.iter().flat_map(|unit| &unit.top).all(|entry| entry.response.is_some())
                });
                if is_known { Ok(()) } else { Err(DerivedError::NoResponses(name())) }
            }
            DerivedKind::Composite | DerivedKind::Floor | DerivedKind::Exceeds => Ok(()),
        }
    }

    /// Returns the floor of each unit that was swept, of both sides.
    fn write_layer(
        &self,
        layer: &LayerResults,
        folder: &Path,
        progress: &Progress<'_>,
    ) -> Result<Vec<[UnitFloor; 2]>, DerivedError> {
        let settings = &self.results.configuration().settings;
        let cells = Cells::new(layer.configuration(), settings);
        let sources = [self.source(layer, Side::Top)?, self.source(layer, Side::Bottom)?];
        let mut writer = files::Maps::create(folder, layer, &self.kinds)?;
        let mut floors = Vec::new();
        let swept = layer.swept();
        for chunk in chunks(swept.len(), layer.rf(), self.kinds.len()) {
            let make = |&unit: &usize| {
                if progress.is_cancelled() {
                    return Err(DerivedError::Stopped);
                }
                let made = unit::UnitMaps::make(self, layer, &cells, &sources, unit)?;
                progress.advance(1);
                Ok(made)
            };
            let made: Vec<_> = swept[chunk].par_iter().map(make).collect::<Result<_, _>>()?;
            for made in made {
                writer.write(&made)?;
                floors.push(made.floors);
            }
        }
        writer.finish()?;
        Ok(floors)
    }

    fn source(&self, layer: &LayerResults, side: Side) -> Result<SideSource, DerivedError> {
        let tested = self.kinds.contains(&DerivedKind::Exceeds);
        let errors = if tested { layer.plane(Plane::StandardError, side)? } else { None };
        let mean = |unit: &UnitRanking| -> Option<f64> {
            let entries = unit.side(side);
            let sizes = entries.iter().map(|entry| entry.response.map(f64::from));
            let sum = sizes.map(|size| size.map(f64::abs)).sum::<Option<f64>>()?;
            Some(sum / entries.len() as f64)
        };
        let relative = self.kinds.contains(&DerivedKind::Relative);
        let ranking = if relative { layer.ranking()? } else { None };
        let responses = ranking.map(|ranking| ranking.iter().map(mean).collect());
        Ok(SideSource { errors, responses })
    }
}

/// Units that are held at a time: of 64 MiB of maps.
fn chunks(units: usize, rf: usize, kinds: usize) -> Vec<Range<usize>> {
    let bytes = 2 * (kinds + 1) * rf * rf * size_of::<f64>();
    let chunk = ((64 << 20) / bytes.max(1)).max(1);
    (0..units).step_by(chunk).map(|first| first..(first + chunk).min(units)).collect()
}
