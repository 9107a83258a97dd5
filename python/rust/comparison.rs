//! Two sets of maps, compared.

use numpy::{PyReadonlyArray3, PyReadonlyArrayDyn};
use occlumap::analysis::{Extent, PairSettings};
use occlumap::report::comparison::{
    ComparisonSettings, MapArray, MapSource, SidePair, compare_sources, files as names, write,
};
use occlumap::sweep::UnitSelection;
use pyo3::prelude::*;

use crate::error::Failure;
use crate::findings::{Columns, Files, LeftOut, columns, left_out};
use crate::results::Results;
use crate::work::Work;

/// A folder, or an array of maps.
#[derive(FromPyObject)]
pub enum Set<'py> {
    /// A folder.
    Results(PyRef<'py, Results>),
    /// `[units, height, width]`.
    Array(PyReadonlyArray3<'py, f64>),
    /// An array of other axes.
    Other(PyReadonlyArrayDyn<'py, f64>),
}

/// How sets are compared.
#[derive(FromPyObject)]
pub struct Options {
    #[pyo3(item)]
    layers: Vec<String>,
    #[pyo3(item)]
    units: Option<String>,
    #[pyo3(item)]
    sides: Vec<String>,
    #[pyo3(item)]
    blurs: Option<Vec<f64>>,
    /// A share of the mass; half maximum where none is given.
    #[pyo3(item)]
    mass: Option<f64>,
    #[pyo3(item)]
    region_blur: f64,
    #[pyo3(item)]
    shuffles: usize,
    #[pyo3(item)]
    seed: u64,
}

impl Options {
    fn settings(self, two_sets: bool) -> Result<ComparisonSettings, Failure> {
        let sides = self.sides.iter().map(|sides| sides.parse::<SidePair>());
        let mut sides: Vec<SidePair> = sides.collect::<Result<_, _>>()?;
        if sides.is_empty() {
            sides = SidePair::usual(two_sets);
        }
        let usual = PairSettings::default();
        Ok(ComparisonSettings {
            pairs: PairSettings {
                blurs: self.blurs.unwrap_or(usual.blurs),
                region_blur: self.region_blur,
                extent: self.mass.map_or(Extent::HalfMaximum, Extent::Mass),
                shuffles: self.shuffles,
                seed: self.seed,
            },
            layers: self.layers,
            units: match self.units {
                Some(units) => units.parse()?,
                None => UnitSelection::default(),
            },
            ..ComparisonSettings::of(sides)
        })
    }
}

/// Compares two sets of maps; the second is the first where none is given. Writes the files of the
/// command line, if any are requested. Returns the rows of units, those of layers, and what
/// was left out: layer and reason.
#[pyfunction]
pub fn compare(
    py: Python<'_>,
    one: Set<'_>,
    other: Option<Set<'_>>,
    options: Options,
    files: Files,
    work: Work,
) -> PyResult<([Columns; 2], LeftOut)> {
    let settings = options.settings(other.is_some())?;
    let (one, other) = (one.owned("a")?, other.map(|other| other.owned("b")).transpose()?);
    work.run(py, |context| {
        let output = files.check(names)?;
        let comparison = compare_sources(&one, other.as_ref(), &settings, context)?;
        if let Some(output) = output {
            write(&comparison, &output.create("")?, 200.0)?;
        }
        let left = comparison.left_out.iter();
        let left = left_out(left.map(|left| (left.layer.as_str(), left.reason.clone())));
        Ok(([comparison.unit_table(), comparison.layer_table()].map(columns), left))
    })
}

impl Set<'_> {
    /// The set, without the interpreter; an array has a name.
    pub fn owned(self, name: &str) -> Result<MapSource, Failure> {
        match self {
            Self::Results(results) => Ok(MapSource::Results(Box::new(results.0.clone()))),
            Self::Array(array) => {
                Ok(MapSource::Array(MapArray::new(name, array.as_array().to_owned())?))
            }
            Self::Other(array) => {
                let shape = array.as_array().shape().to_vec();
                Err(Failure::usage(format!(
                    "{name} is an array of shape {shape:?}; expected maps, [units, height, width]"
                )))
            }
        }
    }
}
