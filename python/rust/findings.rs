//! Findings of finished maps: derived maps, summaries, shapes, sizes, reliability.

use std::path::{Path, PathBuf};

use occlumap::progress::Progress;
use occlumap::report::derived::Derivation;
use occlumap::report::{Table, models as shapes, reliability, sizes as widths, summary as depth};
use occlumap::runs::{self, Context, OutputFolder, Task};
use pyo3::prelude::*;

use crate::error::Failure;
use crate::options::in_python;
use crate::results::Results;
use crate::work::Work;

/// Columns with their unit and meaning, and rows.
pub type Columns = (Vec<[String; 3]>, Vec<Vec<String>>);

/// The parts that were left out, each with the reason.
pub type LeftOut = Vec<(String, String)>;

/// Where files go, if anywhere.
#[derive(FromPyObject)]
pub struct Files {
    #[pyo3(item)]
    out: Option<PathBuf>,
    #[pyo3(item)]
    force: bool,
}

impl Files {
    /// Checks that files of these names can be written, if any are requested.
    pub fn check<N: AsRef<Path>>(
        &self,
        names: impl FnOnce(&Path) -> Vec<N>,
    ) -> Result<Option<OutputFolder>, Failure> {
        let check = |out: &PathBuf| OutputFolder::check_files(out, names(out), self.force);
        Ok(self.out.as_ref().map(check).transpose()?)
    }
}

/// A table, as Python takes it.
pub fn columns(table: Table) -> Columns {
    let column = |[name, unit, meaning]: [String; 3]| [name, unit, in_python(&meaning)];
    (table.columns.into_iter().map(column).collect(), table.rows)
}

/// Parts that were left out, each with the reason in Python's words.
pub fn left_out<'a>(parts: impl IntoIterator<Item = (&'a str, String)>) -> LeftOut {
    parts.into_iter().map(|(part, reason)| (part.to_owned(), in_python(&reason))).collect()
}

/// Computes on all threads, watched: `total` units.
pub fn watched<T: Send, E: Into<Failure> + Send>(
    context: &Context<'_>,
    label: &str,
    total: u64,
    compute: impl FnOnce(&Progress<'_>) -> Result<T, E> + Send,
) -> Result<T, Failure> {
    context.compute(&Task { label, counted: "units", total }, compute).map_err(Into::into)
}

/// Makes derived maps of some layers and writes them into the folder of `files`, which there must be.
/// Returns the table of floors, the kinds that were made, and those that were left out, with reasons.
#[pyfunction]
#[allow(clippy::too_many_arguments, reason = "keywords of Python")]
pub fn derive(
    py: Python<'_>,
    results: PyRef<'_, Results>,
    layers: Vec<String>,
    only: Vec<String>,
    rate: f64,
    files: Files,
    work: Work,
) -> PyResult<(Columns, Vec<&'static str>, LeftOut)> {
    let results = results.0.clone();
    work.run(py, |context| {
        let layers = results.layers_named(&layers)?;
        let only = only.iter().map(|kind| kind.parse()).collect::<Result<Vec<_>, _>>()?;
        let derivation = Derivation::new(&results, layers, &only, rate)?;
        let output = files.check(|_| derivation.files())?;
        let output = output.ok_or_else(|| Failure::usage("derived maps need a folder"))?;
        let folder = output.create("")?;
        let table = watched(context, "derive", derivation.count(), |progress| {
            derivation.write(&folder, progress)
        })?;
        let left = derivation.left_out().iter();
        let left = left_out(left.map(|left| (left.kind.name(), left.error.to_string())));
        let made = derivation.kinds().iter().map(|kind| kind.name()).collect();
        Ok((columns(table), made, left))
    })
}

/// Summarises folders, each with the name of its network. Returns the measures, the orientations and the
/// reliabilities of layers, and what each measure means.
#[pyfunction]
pub fn summary(
    py: Python<'_>,
    folders: Vec<(Option<String>, PyRef<'_, Results>)>,
    blur: bool,
    files: Files,
    work: Work,
) -> PyResult<(Vec<Columns>, LeftOut)> {
    let open = |(name, results): (Option<String>, PyRef<'_, Results>)| {
        let model = &results.0.configuration().model.name;
        (name.unwrap_or_else(|| model.clone()), results.0.clone())
    };
    let opened: Vec<_> = folders.into_iter().map(open).collect();
    work.run(py, |context| {
        let named: Vec<_> = opened.iter().map(|(name, results)| (name.clone(), results)).collect();
        let output = files.check(|_| depth::FILES.into())?;
        let summary = watched(context, "summary", depth::count(&named), |progress| {
            depth::summarise(&named, blur, progress)
        })?;
        if let Some(output) = output {
            depth::write(&summary, &output.create("")?, 200.0)?;
        }
        let meanings = depth::MEASURES.iter();
        let meanings = meanings.map(|of| (of.name.to_owned(), of.meaning.to_owned())).collect();
        Ok((summary.tables().map(columns).into(), meanings))
    })
}

/// Fits shapes to the maps of some layers: a row a unit and side.
#[pyfunction]
pub fn models(
    py: Python<'_>,
    results: PyRef<'_, Results>,
    layers: Vec<String>,
    files: Files,
    work: Work,
) -> PyResult<Columns> {
    let results = results.0.clone();
    work.run(py, |context| {
        let layers = results.layers_named(&layers)?;
        let output = files.check(|_| shapes::FILES.into())?;
        let table = watched(context, "models", shapes::count(&layers), |progress| {
            shapes::models(&results, &layers, progress)
        })?;
        if let Some(output) = output {
            table.write_with_legend(&output.create("")?, shapes::FILES)?;
        }
        Ok(columns(table))
    })
}

/// The folders of several sizes of occluders in an output folder; none in any other.
#[pyfunction]
pub fn sized_folders(out: PathBuf) -> PyResult<Vec<PathBuf>> {
    Ok(runs::sized_folders(&out).map_err(Failure::from)?)
}

/// Extrapolates widths over folders whose occluders differ in size: a row a unit and side.
#[pyfunction]
pub fn sizes(
    py: Python<'_>,
    folders: Vec<PyRef<'_, Results>>,
    files: Files,
    work: Work,
) -> PyResult<Columns> {
    let folders: Vec<_> = folders.iter().map(|results| results.0.clone()).collect();
    work.run(py, |context| {
        let layers = widths::layers(&folders)?;
        let output = files.check(|_| widths::FILES.into())?;
        let table = watched(context, "sizes", widths::count(&layers), |progress| {
            widths::sizes(&layers, progress)
        })?;
        if let Some(output) = output {
            table.write_with_legend(&output.create("")?, widths::FILES)?;
        }
        Ok(columns(table))
    })
}

/// The reliability by the number of images: of each unit, and of each layer over its units.
#[pyfunction]
pub fn reliability_curve(
    py: Python<'_>,
    results: PyRef<'_, Results>,
    layers: Vec<String>,
) -> PyResult<[Columns; 2]> {
    let results = results.0.clone();
    let read = || -> Result<_, Failure> {
        Ok(reliability::tables(&results, &results.layers_named(&layers)?)?)
    };
    Ok(py.detach(read)?.map(columns))
}
