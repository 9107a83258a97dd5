//! Networks: of files, or given with their weights as arrays.

use std::path::PathBuf;
use std::sync::Arc;

use ndarray::{Array2, Axis};
use numpy::{IntoPyArray, PyArray2, PyReadonlyArray4, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use occlumap::engine::{Extremes, RankingEngine, ReferenceEngine};
use occlumap::files::write_text;
use occlumap::geometry::ImageSize;
use occlumap::network::weights::Tensor;
use occlumap::network::{LayerId, Model, Network as Graph, PRESETS};
use occlumap::runs::{ChosenLayers, ModelSource};
use pyo3::prelude::*;

use crate::error::Failure;
use crate::settings::named;
use crate::work::Work;

/// A network, with weights or not.
#[pyclass(frozen, module = "occlumap._occlumap")]
pub struct Network {
    pub source: ModelSource,
    graph: Graph,
}

/// The largest and the smallest response of each unit to each image, and where: `[images, units]`.
type LayerExtremes<'py> = (
    Bound<'py, PyArray2<f32>>,
    Bound<'py, PyArray2<u32>>,
    Bound<'py, PyArray2<f32>>,
    Bound<'py, PyArray2<u32>>,
);

#[pymethods]
impl Network {
    /// Names of the presets.
    #[classattr]
    const PRESETS: [&'static str; PRESETS.len()] = PRESETS;

    /// A preset, or a model of a file, with the weights of another.
    #[staticmethod]
    fn of_files(model: String, weights: PathBuf) -> PyResult<Self> {
        let graph = Graph::named(&model).map_err(Failure::from)?;
        Ok(Self { source: ModelSource::Files { model, weights }, graph })
    }

    /// A model description (JSON) or a preset, with weights by name.
    #[staticmethod]
    fn of_arrays(
        py: Python<'_>,
        model: &str,
        tensors: Vec<(String, PyReadonlyArrayDyn<'_, f32>)>,
    ) -> PyResult<Self> {
        let tensor = |(name, array): (String, PyReadonlyArrayDyn<'_, f32>)| {
            let data = array.as_array().iter().copied().collect();
            (name, Tensor { shape: array.shape().to_vec(), data })
        };
        let tensors: Vec<(String, Tensor)> = tensors.into_iter().map(tensor).collect();
        py.detach(|| -> Result<Self, Failure> {
            let graph = if PRESETS.contains(&model) {
                Graph::preset(model)?
            } else {
                Graph::from_description(model.as_bytes())?
            };
            let model = Model::of_tensors(graph.clone(), tensors)?;
            Ok(Self { source: ModelSource::Given(Arc::new(model)), graph })
        })
        .map_err(Into::into)
    }

    /// The network's name.
    #[getter]
    fn name(&self) -> &str {
        self.graph.name()
    }

    /// The network as a model description, JSON.
    fn description(&self) -> String {
        self.graph.description().to_string()
    }

    /// Of each convolution its name, its short name, its units and the side length of its RF.
    fn layers(&self) -> Vec<(String, String, usize, usize)> {
        self.graph.convolutions().map(|(id, _)| summary(&self.graph, id)).collect()
    }

    /// Of each layer that is named, or of each convolution, its name, its short name, its units and
    /// the side length of its RF; in the order in which they are mapped.
    fn named_layers(
        &self,
        layers: Vec<String>,
        response: &str,
    ) -> PyResult<Vec<(String, String, usize, usize)>> {
        let response = named("response", response)?;
        let chosen = ChosenLayers::responding(self.graph.clone(), &layers, response);
        let chosen = chosen.map_err(Failure::from)?;
        Ok(chosen.layers.iter().map(|&id| summary(&chosen.network, id)).collect())
    }

    /// Writes the network and its weights as files that the command line reads.
    fn save(&self, py: Python<'_>, description: PathBuf, weights: PathBuf) -> PyResult<()> {
        py.detach(|| -> Result<(), Failure> {
            let ModelSource::Given(model) = &self.source else {
                return Err(Failure::usage("the network is one of files already"));
            };
            let text = serde_json::to_string_pretty(&self.graph.description())
                .map_err(|error| Failure::usage(error.to_string()))?;
            write_text(&description, &text)?;
            Ok(model.save_weights(&weights)?)
        })
        .map_err(Into::into)
    }

    /// The extremes of all units of some layers, for images `float32 [n, 3, height, width]`, in the
    /// order of `named_layers`.
    fn extremes<'py>(
        &self,
        py: Python<'py>,
        layers: Vec<String>,
        images: PyReadonlyArray4<'py, f32>,
        work: Work,
    ) -> PyResult<Vec<LayerExtremes<'py>>> {
        let images = images.as_array().to_owned();
        let found = work.run(py, |context| {
            let (_, _, height, width) = images.dim();
            let chosen = ChosenLayers::of(self.graph.clone(), &layers)?;
            let ChosenLayers { network, layers, .. } = chosen;
            let model = self.source.load(network, None)?;
            let views: Vec<_> = images.axis_iter(Axis(0)).collect();
            let token = context.observer.cancel_token();
            let progress = occlumap::progress::Progress::new(token);
            context.pool.install(|| {
                let size = ImageSize::new(height, width);
                let engine = ReferenceEngine.ranker(&model, &layers, size)?;
                Ok(engine.extremes(&views, 0, &progress)?)
            })
        })?;
        let layers = found.first().map_or(0, Vec::len);
        Ok((0..layers).map(|layer| arrays(py, &found, layer)).collect())
    }
}

/// A layer's name, short name, units and RF.
fn summary(graph: &Graph, id: LayerId) -> (String, String, usize, usize) {
    let name = graph.layer(graph.tapped(id)).name.clone();
    (name, graph.short_name(id), graph.channels(id), graph.projection(id).size)
}

fn arrays<'py>(py: Python<'py>, found: &[Vec<Vec<Extremes>>], layer: usize) -> LayerExtremes<'py> {
    fn table<T>(
        found: &[Vec<Vec<Extremes>>],
        layer: usize,
        of: impl Fn(&Extremes) -> T,
    ) -> Array2<T> {
        let units = found.first().map_or(0, |image| image[layer].len());
        Array2::from_shape_fn((found.len(), units), |(image, unit)| of(&found[image][layer][unit]))
    }
    (
        table(found, layer, |extremes| extremes.max).into_pyarray(py),
        table(found, layer, |extremes| extremes.max_at).into_pyarray(py),
        table(found, layer, |extremes| extremes.min).into_pyarray(py),
        table(found, layer, |extremes| extremes.min_at).into_pyarray(py),
    )
}

impl Network {
    /// The network.
    pub const fn graph(&self) -> &Graph {
        &self.graph
    }
}
