//! Two sets of maps, compared.

use std::path::PathBuf;

use numpy::{PyReadonlyArray3, PyReadonlyArrayDyn};
use occlumap::analysis::{Extent, PairSettings};
use occlumap::progress::Progress;
use occlumap::report::comparison::{
    Comparison, ComparisonSettings, MapArray, MapSet, SidePair, Table, compare as run, count,
    files, write,
};
use occlumap::runs::{OutputFolder, Task};
use occlumap::sweep::UnitSelection;
use pyo3::prelude::*;

use crate::error::Failure;
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

/// Columns with their unit and meaning, and rows.
type Columns = (Vec<[String; 3]>, Vec<Vec<String>>);

/// Columns with their meanings.
type Descriptions = Vec<(String, String)>;

impl Options {
    fn settings(self) -> Result<ComparisonSettings, Failure> {
        let sides = self.sides.iter().map(|sides| sides.parse::<SidePair>());
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
            ..ComparisonSettings::of(sides.collect::<Result<_, _>>()?)
        })
    }
}

/// Compares two sets of maps; the second is the first where none is given. Writes the files of the
/// command line into `out`, where that is given. Returns the rows of units, those of layers, and what
/// was left out: layer and reason.
#[pyfunction]
pub fn compare(
    py: Python<'_>,
    one: Set<'_>,
    other: Option<Set<'_>>,
    options: Options,
    out: Option<PathBuf>,
    force: bool,
    work: Work,
) -> PyResult<(Columns, Columns, Descriptions)> {
    let settings = options.settings()?;
    let arrays = [array_of(Some(&one), "a")?, array_of(other.as_ref(), "b")?];
    let result = |set: Option<&Set<'_>>| match set {
        Some(Set::Results(results)) => Some(results.0.clone()),
        _ => None,
    };
    let results = [result(Some(&one)), result(other.as_ref())];
    drop((one, other));
    let compared = work.run(py, |context| {
        let set = |which: usize| match (&results[which], &arrays[which]) {
            (Some(results), _) => Some(MapSet::Results(results)),
            (None, Some(array)) => Some(MapSet::Array(array)),
            (None, None) => None,
        };
        let [one, other] = [set(0), set(1)];
        let one = one.ok_or_else(|| Failure::usage("there are no maps to compare"))?;
        let sets = [&one, other.as_ref().unwrap_or(&one)];
        let output = out
            .as_ref()
            .map(|out| OutputFolder::check_files(out, files(out), force))
            .transpose()?;
        let progress = Progress::new(context.observer.cancel_token());
        let task = Task { label: "compare", counted: "units", total: count(sets, &settings)? };
        let compare = || context.pool.install(|| run(sets, &settings, &progress));
        let (comparison, _) = context.track(&task, &progress, compare)?;
        if let Some(output) = output {
            write(&comparison, &output.create("")?, 200.0)?;
        }
        Ok(tables(&comparison))
    })?;
    Ok(compared)
}

fn tables(comparison: &Comparison) -> (Columns, Columns, Vec<(String, String)>) {
    let [units, layers] = [comparison.unit_table(), comparison.layer_table()]
        .map(|Table { columns, rows }| (columns, rows));
    let left_out = comparison.left_out.iter();
    let left_out = left_out.map(|left| (left.layer.clone(), left.reason.clone())).collect();
    (units, layers, left_out)
}

fn array_of(set: Option<&Set<'_>>, name: &str) -> Result<Option<MapArray>, Failure> {
    match set {
        Some(Set::Array(array)) => Ok(Some(MapArray::new(name, array.as_array().to_owned())?)),
        Some(Set::Other(array)) => {
            let shape = array.as_array().shape().to_vec();
            Err(Failure::usage(format!(
                "{name} is an array of shape {shape:?}; expected maps, [units, height, width]"
            )))
        }
        Some(Set::Results(_)) | None => Ok(None),
    }
}
