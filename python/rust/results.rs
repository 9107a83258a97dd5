//! Output folders that are opened.

use std::path::PathBuf;

use ndarray::{Array2, Array3};
use numpy::{IntoPyArray, PyArray2, PyArray3};
use occlumap::engine::EngineError;
use occlumap::images::{ImageFolder, ImageSource};
use occlumap::maps::{Plane, map_path, reliability_path};
use occlumap::progress::Progress;
use occlumap::ranking::Side;
use occlumap::report::comparison::{ComparisonSettings, MapSet, MapSource, SidePair, compare_in};
use occlumap::report::drawing::ShownImage;
use occlumap::report::numbers::{Cells, Measured, layer_table, measure};
use occlumap::report::of_both_sides;
use occlumap::report::page::{Report, ReproduceCommand};
use occlumap::report::results::{LayerResults, Results as Opened};
use occlumap::runs::ImageChoice;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::comparison::Set;
use crate::error::Failure;
use crate::findings::{Columns, columns, watched};
use crate::images::{Cause, Images};
use crate::work::Work;

/// A folder of maps.
#[pyclass(frozen, module = "occlumap._occlumap")]
pub struct Results(pub Opened);

/// Cells of a map: values `[count, count]`, the first pixel, the step, and how far a cell's mark lies
/// up and left of what it stands for.
type MapCells<'py> = (Bound<'py, PyArray2<f64>>, usize, usize, f64);

#[pymethods]
impl Results {
    /// Opens an output folder; `ranking` is the folder of its rankings, where that is elsewhere.
    #[new]
    fn open(py: Python<'_>, folder: PathBuf, ranking: Option<PathBuf>) -> PyResult<Self> {
        let open = || Opened::open(&folder, ranking.as_deref()).map_err(Failure::from);
        Ok(Self(py.detach(open)?))
    }

    /// Whether all layers that were asked for are there.
    #[getter]
    fn complete(&self) -> bool {
        self.0.is_complete()
    }

    /// The size of all images.
    #[getter]
    fn image_size(&self) -> (usize, usize) {
        let size = self.0.image_size();
        (size.height, size.width)
    }

    /// The folder of rankings, where there is one.
    #[getter]
    fn ranking(&self) -> Option<PathBuf> {
        self.0.ranking_folder().map(Into::into)
    }

    /// The names of the images.
    #[getter]
    fn image_names(&self) -> Vec<String> {
        self.0.configuration().images.names.clone()
    }

    /// The manifest, as JSON.
    fn manifest(&self) -> PyResult<String> {
        serde_json::to_string(self.0.manifest())
            .map_err(|error| Failure::usage(error.to_string()).into())
    }

    /// The options of the sweep that are not the defaults, each with its name and value, as JSON.
    fn options(&self) -> PyResult<String> {
        serde_json::to_string(&self.0.configuration().settings.options())
            .map_err(|error| Failure::usage(error.to_string()).into())
    }

    /// The layers, in the network's order.
    fn layers<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let layer = |layer: &LayerResults| {
            let (configuration, geometry) = (layer.configuration(), layer.geometry());
            let dict = PyDict::new(py);
            dict.set_item("short_name", layer.name())?;
            let network = self.0.network();
            dict.set_item("name", &network.layer(network.tapped(layer.id())).name)?;
            dict.set_item("units", layer.units())?;
            dict.set_item("swept", layer.swept())?;
            dict.set_item("rf", layer.rf())?;
            let step = geometry.projection.step;
            dict.set_item("step", (step.y, step.x))?;
            dict.set_item("output", (geometry.output.height, geometry.output.width))?;
            dict.set_item("occluder_size", configuration.occluder_size)?;
            dict.set_item("occluder_stride", configuration.occluder_stride)?;
            Ok(dict)
        };
        self.0.layers().iter().map(layer).collect()
    }

    /// The name of the layer with maps that a name, a short name or a module's path stands for; `None`
    /// where there are no maps of it.
    fn layer_named(&self, name: &str) -> Option<String> {
        let layer = self.layer(name).ok()?;
        let network = self.0.network();
        Some(network.layer(network.tapped(layer.id())).name.clone())
    }

    /// The file of what is kept of a layer's maps of a side, checked against the manifest's SHA-256.
    fn file(&self, py: Python<'_>, layer: &str, side: &str, what: &str) -> PyResult<PathBuf> {
        let (layer, side) = (self.layer(layer)?, side_of(side)?);
        let folder = self.0.folder().join(occlumap::runs::layout::MAPS);
        let path = match what {
            "map" => map_path(&folder, layer.name(), side),
            "reliability" => reliability_path(&folder, layer.name(), side),
            "frames" => occlumap::maps::frames_path(&folder, layer.name(), side),
            "sem" => Plane::StandardError.path(&folder, layer.name(), side),
            "counts" => Plane::Counts.path(&folder, layer.name(), side),
            "signed" => Plane::Signed.path(&folder, layer.name(), side),
            "curve" => Plane::ReliabilityCurve.path(&folder, layer.name(), side),
            "squared" => Plane::Squared.path(&folder, layer.name(), side),
            other => return Err(Failure::usage(format!("nothing is called `{other}`")).into()),
        };
        py.detach(|| layer.record().check_file(&path).map_err(Failure::from))?;
        Ok(path)
    }

    /// The cells of a unit's map; NaN where no image has an occluder.
    #[pyo3(signature = (layer, unit, side, blur))]
    fn cells<'py>(
        &self,
        py: Python<'py>,
        layer: &str,
        unit: usize,
        side: &str,
        blur: bool,
    ) -> PyResult<MapCells<'py>> {
        let (layer, side) = (self.layer(layer)?, side_of(side)?);
        let cells = Cells::new(layer.configuration(), &self.0.configuration().settings);
        let map = py.detach(|| layer.map(unit, side).map_err(Failure::from))?;
        let grid = match map {
            occlumap::report::UnitMap::Values { map, coverage } => {
                let map = cells.of(&map.view(), &coverage);
                if blur { cells.blurred_grid(&map) } else { cells.grid(&map) }
            }
            occlumap::report::UnitMap::Silent => Array2::zeros((cells.count(), cells.count())),
            _ => Array2::from_elem((cells.count(), cells.count()), f64::NAN),
        };
        Ok((grid.into_pyarray(py), cells.first(), cells.step(), cells.shift()))
    }

    /// The numbers of all swept units, as `occlumap plot` tells them: name, unit and meaning of each
    /// column, and the rows.
    fn numbers(&self, py: Python<'_>, layer: &str, blur: bool, work: Work) -> PyResult<Columns> {
        let layer = self.layer(layer)?;
        work.run(py, |context| {
            let units = layer.swept();
            watched(context, layer.name(), units.len() as u64, |progress| {
                self.numbers_of(layer, &units, blur, progress)
            })
        })
    }

    /// An image of those that the maps were made from, for the eye: `uint8 [height, width, 3]`.
    fn picture<'py>(
        &self,
        py: Python<'py>,
        index: usize,
        images: Option<Images>,
    ) -> PyResult<Bound<'py, PyArray3<u8>>> {
        let (source, cause) = source_of(images);
        let picture = py.detach(|| -> Result<_, Failure> {
            let images = self.images(source.as_ref())?;
            Ok(ShownImage::read(&images, &ImageChoice::Index(index))?.picture())
        });
        let picture = picture.map_err(|error| cause.of(py, error.into()))?;
        let (height, width) = (picture.height() as usize, picture.width() as usize);
        let pixels = Array3::from_shape_vec((height, width, 3), picture.into_raw())
            .map_err(|error| Failure::usage(error.to_string()))?;
        Ok(pixels.into_pyarray(py))
    }

    /// Writes the page for a browser. `commands` holds, of each layer, the call that computes a unit
    /// again: what stands before the unit's number, and what between it and its second mention.
    #[allow(clippy::too_many_arguments, reason = "keywords of Python")]
    fn report(
        &self,
        py: Python<'_>,
        file: PathBuf,
        images: Option<Images>,
        compare: Option<Set<'_>>,
        examples: usize,
        blur: bool,
        force: bool,
        commands: Vec<[String; 2]>,
        work: Work,
    ) -> PyResult<()> {
        let (source, cause) = source_of(images);
        let other = compare.map(|other| other.owned("b")).transpose()?;
        let written = work.run(py, |context| {
            Report::check(&file, force)?;
            let images = match examples {
                0 => Err("none were asked for".into()),
                _ => self.0.report_images(source.as_ref())?,
            };
            let command = |layer: &LayerResults| {
                let is = |other: &LayerResults| other.name() == layer.name();
                let index = self.0.layers().iter().position(is);
                index.and_then(|index| commands.get(index).cloned()).unwrap_or_default()
            };
            let compared = |other: &MapSource| {
                let settings = ComparisonSettings::of(SidePair::SAME.into());
                compare_in([&MapSet::Results(&self.0), &other.set()], &settings, context)
            };
            let comparison = other.as_ref().map(compared).transpose()?;
            let report = Report {
                results: &self.0,
                images: images.as_ref().map_err(Clone::clone),
                examples,
                comparison: comparison.as_ref(),
                blurred: blur,
                split: false,
                reproduce: ReproduceCommand { command: &command, note: None },
            };
            report.write_in(&file, context)?;
            Ok(())
        });
        written.map_err(|error| cause.of(py, error))
    }
}

impl Results {
    fn layer(&self, name: &str) -> Result<&LayerResults, Failure> {
        let layers = self.0.layers_named(&[name.to_owned()])?;
        layers.first().copied().ok_or_else(|| Failure::usage(format!("there is no layer `{name}`")))
    }

    fn images(&self, source: Option<&ImageSource>) -> Result<ImageFolder, Failure> {
        Ok(match source {
            Some(source) => self.0.images_of(source)?,
            None => self.0.images(None)?,
        })
    }

    fn numbers_of(
        &self,
        layer: &LayerResults,
        units: &[usize],
        blur: bool,
        progress: &Progress<'_>,
    ) -> Result<Columns, Failure> {
        let cells = Cells::new(layer.configuration(), &self.0.configuration().settings);
        let stopped = || Failure::from(EngineError::Stopped);
        let of = |unit, side| -> Result<Measured, Failure> {
            Ok(measure(&layer.map(unit, side)?, &cells, blur))
        };
        let found = of_both_sides(units, progress, stopped, of)?;
        Ok(columns(layer_table(layer, units, &found)?))
    }
}

fn side_of(name: &str) -> Result<Side, Failure> {
    let side = Side::BOTH.into_iter().find(|side| side.name() == name);
    side.ok_or_else(|| Failure::usage(format!("there is no side `{name}`; expected max or min")))
}

fn source_of(images: Option<Images>) -> (Option<ImageSource>, Cause) {
    match images.map(Images::source) {
        Some((source, cause)) => (Some(source), cause),
        None => (None, Cause::default()),
    }
}
