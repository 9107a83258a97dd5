//! The functions of `occlumap::runs`.

use std::path::PathBuf;

use ndarray::Array2;
use numpy::{IntoPyArray, PyArray2};
use occlumap::runs::{self, MapSettings, Plan, RankSettings, RunSettings, UnitMap};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::Failure;
use crate::geometry::placement;
use crate::options::in_python;
use crate::settings::{Compute, Input, Occlusion, Output, Sweep, noise};
use crate::work::Work;

/// Ranks images, and writes the ranking. Returns whether it is finished.
#[pyfunction]
pub fn rank(
    py: Python<'_>,
    input: Input<'_>,
    output: Output,
    top: usize,
    compute: Compute,
    work: Work,
) -> PyResult<bool> {
    let (input, cause) = input.settings()?;
    let mut settings = RankSettings::new(input, top, output.settings()?);
    settings.device = compute.settings()?.device;
    let ranked = work.run(py, |context| Ok(runs::rank(&settings, context)?.is_some()));
    ranked.map_err(|error| cause.of(py, error))
}

/// Ranks images, then sweeps units, and writes all.
#[pyfunction]
pub fn run(
    py: Python<'_>,
    sweep: Sweep<'_>,
    top: usize,
    rank_only: bool,
    work: Work,
) -> PyResult<()> {
    let (sweep, cause) = sweep.settings()?;
    let settings = RunSettings { sweep, top, rank_only };
    let run = work.run(py, |context| Ok(runs::run(&settings, context)?));
    run.map_err(|error| cause.of(py, error))
}

/// Sweeps units over a ranking that is there.
#[pyfunction]
#[pyo3(name = "sweep")]
pub fn sweep(
    py: Python<'_>,
    sweep: Sweep<'_>,
    ranking: PathBuf,
    top: Option<usize>,
    work: Work,
) -> PyResult<()> {
    let (settings, cause) = sweep.settings()?;
    let run = work.run(py, |context| Ok(runs::sweep(&settings, &ranking, top, context)?));
    run.map_err(|error| cause.of(py, error))
}

/// Puts together what shards have computed.
#[pyfunction]
pub fn merge(py: Python<'_>, out: PathBuf, sources: Vec<PathBuf>, work: Work) -> PyResult<()> {
    work.run(py, |context| Ok(runs::merge(&out, &sources, context)?))
}

/// How far the work in an output folder is, as JSON.
#[pyfunction]
pub fn status(py: Python<'_>, out: PathBuf, work: Work) -> PyResult<String> {
    let status = work.run(py, |context| Ok(runs::status(&out, context)?))?;
    serde_json::to_string(&status).map_err(|error| Failure::usage(error.to_string()).into())
}

/// The problems of finished files of an output folder.
#[pyfunction]
pub fn check_files(py: Python<'_>, out: PathBuf, work: Work) -> PyResult<Vec<String>> {
    let errors = work.run(py, |context| Ok(runs::check_files(&out, context)?))?;
    Ok(errors.iter().map(|error| in_python(&error.to_string())).collect())
}

/// The cost of a run.
#[pyfunction]
pub fn plan<'py>(
    py: Python<'py>,
    sweep: Sweep<'_>,
    top: usize,
    work: Work,
) -> PyResult<Bound<'py, PyDict>> {
    let (sweep, cause) = sweep.settings()?;
    let settings = RunSettings { sweep, top, rank_only: false };
    let plan = work.run(py, |context| Ok(runs::plan(&settings, context)?));
    let plan = plan.map_err(|error| cause.of(py, error))?;
    let Plan { model, images, image_size, threads, layers, .. } = &plan;
    let dict = PyDict::new(py);
    dict.set_item("model", model)?;
    dict.set_item("images", images)?;
    dict.set_item("image_size", (image_size.height, image_size.width))?;
    dict.set_item("threads", threads)?;
    dict.set_item("ranking_seconds", plan.ranking_seconds)?;
    dict.set_item("memory", plan.memory)?;
    let layer = |layer: &runs::LayerPlan| -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("layer", &layer.name)?;
        dict.set_item("maps", layer.maps)?;
        dict.set_item("presentations", layer.presentations())?;
        dict.set_item("most_presentations", layer.most_presentations())?;
        dict.set_item("rate", layer.rate)?;
        dict.set_item("seconds", layer.seconds())?;
        dict.set_item("bytes", layer.bytes)?;
        Ok(dict)
    };
    dict.set_item("layers", layers.iter().map(layer).collect::<PyResult<Vec<_>>>()?)?;
    Ok(dict)
}

/// A map of one unit on one image: the map, the differences `[draws, occluders]`, the response, the
/// image's name, and where the occluders were.
type FoundMap<'py> =
    (Bound<'py, PyArray2<f64>>, Bound<'py, PyArray2<f32>>, f32, String, Bound<'py, PyDict>);

/// Computes one map.
#[pyfunction]
#[allow(clippy::too_many_arguments, reason = "keywords of Python")]
pub fn map_unit<'py>(
    py: Python<'py>,
    input: Input<'_>,
    unit: usize,
    image: usize,
    position: (usize, usize),
    first_noise: &str,
    occlusion: Occlusion,
    compute: Compute,
    work: Work,
) -> PyResult<FoundMap<'py>> {
    let (input, cause) = input.settings()?;
    let settings = MapSettings {
        input,
        unit,
        image: runs::ImageChoice::Index(image),
        position,
        noise: noise(first_noise)?,
        occlusion: occlusion.settings()?,
        compute: compute.settings()?,
    };
    let found = work.run(py, |context| Ok(runs::map(&settings, context)?));
    let found = found.map_err(|error| cause.of(py, error))?;
    let UnitMap { image, placement: placed, response, differences, map, .. } = found;
    let shape = (differences.len(), placed.occluders.len());
    let differences = Array2::from_shape_fn(shape, |(draw, index)| differences[draw][index]);
    let placement = placement(py, &placed)?;
    Ok((map.into_pyarray(py), differences.into_pyarray(py), response, image, placement))
}
