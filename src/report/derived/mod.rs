//! Maps that are made of finished maps: both sides together, in units of the response or of their own
//! noise, and where they stand out of it.
//!
//! All are `float64 [units, rf, rf]`, each pixel with the value of its cell of the occluders' grid, NaN
//! where nothing was measured.

mod error;
mod files;
mod unit;

use std::ops::Range;

use rayon::prelude::*;

use crate::files::npy::F64Parts;
use crate::geometry::Deposit;
use crate::maps::Plane;
use crate::progress::Progress;
use crate::ranking::{Side, UnitRanking};
use crate::report::numbers::Cells;
use crate::report::results::{LayerResults, Results};

pub use error::DerivedError;
pub use files::{COLUMNS, write_columns, write_floors};
pub use unit::{FloorStatus, UnitFloor};

/// What is made.
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

/// How maps are made.
#[derive(Clone, Copy, Debug)]
pub struct Derivation<'a> {
    /// The maps.
    pub results: &'a Results,
    /// What is made.
    pub kinds: &'a [DerivedKind],
    /// The false discovery rate of pixels that exceed the floor, 0 to 1.
    pub rate: f64,
}

/// What is needed of one side of a layer.
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

impl Derivation<'_> {
    /// Checks that all kinds can be made of a layer's maps.
    ///
    /// # Errors
    /// What the sweep did not keep; a rate that is none.
    pub fn check(&self, layer: &LayerResults) -> Result<(), DerivedError> {
        if !(self.rate > 0.0 && self.rate < 1.0) {
            return Err(DerivedError::Rate(self.rate));
        }
        let settings = &self.results.configuration().settings;
        let name = || layer.name().to_owned();
        if self.kinds.contains(&DerivedKind::Exceeds) {
            if !settings.planes().contains(&Plane::StandardError) {
                return Err(DerivedError::NoErrors(name()));
            }
            if settings.deposit != Deposit::Centre {
                return Err(DerivedError::Area(name()));
            }
        }
        if self.kinds.contains(&DerivedKind::Relative) {
            let ranking = layer.ranking()?;
            let told = ranking.as_ref().is_some_and(|ranking| {
                ranking.iter().flat_map(|unit| &unit.top).all(|entry| entry.response.is_some())
            });
            if !told {
                return Err(DerivedError::NoResponses(name()));
            }
        }
        Ok(())
    }

    /// Makes the maps of a layer and writes them into `folder`, which is there; files of the same names
    /// are replaced. Returns the floor of each unit that was swept, of both sides. `progress` counts
    /// units.
    ///
    /// # Errors
    /// As [`check`](Self::check); maps that cannot be read; files that cannot be written;
    /// [`DerivedError::Stopped`].
    pub fn write(
        &self,
        layer: &LayerResults,
        folder: &std::path::Path,
        progress: &Progress<'_>,
    ) -> Result<Vec<[UnitFloor; 2]>, DerivedError> {
        self.check(layer)?;
        let settings = &self.results.configuration().settings;
        let cells = Cells::new(layer.configuration(), settings);
        let sources = [self.source(layer, Side::Top)?, self.source(layer, Side::Bottom)?];
        let mut writer = files::Maps::create(folder, layer, self.kinds)?;
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
