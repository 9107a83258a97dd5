//! The cost of a run, before it runs.

use std::time::{Duration, Instant};

use ndarray::ArrayView3;

use super::{Context, Inputs, RunError, RunSettings, SweepRun};
use crate::engine::{EngineError, Presenter, Ranker};
use crate::geometry::ImageSize;
use crate::maps::Plane;
use crate::network::LayerId;
use crate::program::{self, Program};
use crate::sweep::{
    LayerUnits, MultiplyAdds, Occluders, activation_bytes, calibrate, count_multiply_adds,
    count_occluders,
};

/// The cost of a run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The network's name.
    pub model: String,
    /// Number of images.
    pub images: usize,
    /// Size of the images.
    pub image_size: ImageSize,
    /// Number of threads.
    pub threads: usize,
    /// The layers.
    pub layers: Vec<LayerPlan>,
    /// Seconds of the ranking.
    pub ranking_seconds: f64,
    /// Estimated memory in bytes.
    pub memory: usize,
    /// Limit of memory in bytes.
    pub memory_limit: u64,
    /// Whether units stop once they are reliable: presentations and times are those of all images.
    pub stops: bool,
}

/// The cost of a layer.
#[derive(Clone, Debug)]
pub struct LayerPlan {
    /// The layer's short name; of several sizes of occluders behind the folder's, `size7/conv1`.
    pub name: String,
    /// Number of maps.
    pub maps: usize,
    /// Draws of the noise per occluder.
    pub repeats: usize,
    /// Numbers of occluders.
    pub occluders: Occluders,
    /// Multiply-adds per presentation.
    pub multiply_adds: MultiplyAdds,
    /// Presentations per second.
    pub rate: f64,
    /// Seconds of reading images.
    pub reading: f64,
    /// Size of the files in bytes.
    pub bytes: usize,
    /// Memory in bytes, beside what every layer needs.
    working: usize,
}

/// Duration of measuring each layer.
const CALIBRATION: Duration = Duration::from_secs(1);
/// Number of positions whose multiply-adds are counted.
const POSITIONS: usize = 64;

impl LayerPlan {
    /// Presentations, with positions spread evenly over the layer.
    pub fn presentations(&self) -> f64 {
        (self.maps * self.repeats) as f64 * self.occluders.mean
    }

    /// Presentations, if no image cuts a receptive field.
    pub fn most_presentations(&self) -> f64 {
        (self.maps * self.repeats * self.occluders.most) as f64
    }

    /// Seconds of the layer.
    pub fn seconds(&self) -> f64 {
        self.presentations() / self.rate + self.reading
    }
}

/// Estimates what [`run`](super::run()) would take. Checks everything that `run` checks before it
/// starts, and measures for about a second per layer. Writes nothing.
///
/// # Errors
/// As for `run` before it starts.
pub fn plan(settings: &RunSettings, context: &Context<'_>) -> Result<Plan, RunError> {
    let sized = settings.sweep.sized()?;
    let names = settings.sweep.size_names();
    let run = SweepRun::open(&settings.sweep, &[], context)?;
    let sizes = run.of_sizes(&sized)?;
    let top = run.inputs.at_most(settings.top, context)?;
    let rankers = run.compute.rankers(context)?;
    context.pool.install(|| {
        let Inputs { model, layers, images } = &run.inputs;
        let (reading, ranking) = {
            let ranker = rankers[0].ranker(model, layers, images.size())?;
            rank_some(&run, &*ranker)?
        };
        let engines = run.engines();
        let prepared = engines[0].prepare(model, layers, images.size())?;
        let mut planned = Vec::with_capacity(layers.len());
        for (number, run) in run.or_sizes(&sizes).enumerate() {
            for (&layer, units) in layers.iter().zip(&run.units) {
                let mut of_layer = plan_layer(run, &*prepared, layer, units.len(), top, reading)?;
                if number == 0 {
                    // Of each ranked image two indices and two positions in int64, and two responses in
                    // float32.
                    of_layer.bytes += model.network().channels(layer) * top * (4 * 8 + 2 * 4);
                }
                if let Some(size) = names.get(number) {
                    of_layer.name = format!("{size}/{}", of_layer.name);
                }
                let rf = model.network().projection(layer).size;
                for note in of_layer.occluders.notes(&of_layer.name, rf) {
                    context.note(note);
                }
                // Devices share the work, and each holds its share.
                of_layer.rate *= engines.len() as f64;
                of_layer.working *= engines.len();
                planned.push(of_layer);
            }
        }
        let working = planned.iter().map(|layer| layer.working).max().unwrap_or(0);
        Ok(Plan {
            model: model.network().name().into(),
            images: images.len(),
            image_size: images.size(),
            threads: run.budget.threads,
            layers: planned,
            ranking_seconds: images.len() as f64 * ranking,
            memory: run.memory.fixed + working,
            memory_limit: run.budget.memory,
            stops: settings.sweep.occlusion.until_reliable.is_some(),
        })
    })
}

/// The program of each layer that [`run`](super::run()) would sweep, with the layer's short name.
///
/// # Errors
/// As for `run` before it starts.
pub fn programs(
    settings: &RunSettings,
    context: &Context<'_>,
) -> Result<Vec<(String, Vec<program::Row>)>, RunError> {
    let run = SweepRun::open(&settings.sweep, &[], context)?;
    let Inputs { model, layers, images } = &run.inputs;
    let network = model.network();
    let rows = |&layer: &LayerId| {
        let program = Program::new(network, layer, images.size()).map_err(EngineError::from)?;
        Ok((network.short_name(layer), program.rows(network)))
    };
    layers.iter().map(rows).collect()
}

/// Ranks some images; returns the seconds per image of reading, on all threads together, and of
/// reading and ranking.
fn rank_some(run: &SweepRun<'_>, engine: &dyn Ranker) -> Result<(f64, f64), RunError> {
    let (images, threads) = (&run.inputs.images, run.context.threads());
    let some: Vec<usize> = (0..images.len().min(engine.images_at_a_time(threads))).collect();
    let start = Instant::now();
    let read = images.stream(&some, threads, |stream| {
        stream.map(|read| read.map(|image| image.values)).collect::<Result<Vec<_>, _>>()
    })?;
    let reading = start.elapsed().as_secs_f64();
    let views: Vec<ArrayView3<'_, f32>> = read.iter().map(|image| image.view()).collect();
    engine.extremes(&views, 0, &run.context.progress())?;
    let both = start.elapsed().as_secs_f64();
    let one = 1.0 / some.len().max(1) as f64;
    Ok((reading * one, both * one))
}

fn plan_layer(
    run: &SweepRun<'_>,
    engine: &dyn Presenter,
    layer: LayerId,
    swept: usize,
    top: usize,
    reading: f64,
) -> Result<LayerPlan, RunError> {
    let (inputs, network, occlusion) = (&run.inputs, run.inputs.network(), &run.settings.occlusion);
    let geometry = occlusion.geometry(inputs, layer)?;
    let (units, rf) = (network.channels(layer), geometry.projection.size);
    let occluders = count_occluders(&geometry)?;
    let (maps, repeats) = (2 * top * swept, occlusion.repeats);
    let images = maps.min(inputs.images.len());
    let held = images.min(run.settings.batch.unwrap_or_else(|| engine.maps_at_a_time()));
    let image = 3 * geometry.image.area() * size_of::<f32>();
    let responses = ((maps * repeats) as f64 * occluders.mean) as usize * size_of::<f32>();
    let pixel: usize = occlusion.planes().into_iter().map(Plane::bytes).sum();
    let activations = held * activation_bytes(network, layer, &geometry)?;
    let mut some = (0..inputs.images.len()).map(|image| inputs.images.read(image));
    let progress = run.context.progress();
    let trial = calibrate(
        engine,
        LayerUnits { layer, units },
        &geometry,
        &mut some,
        CALIBRATION,
        &progress,
    )?;
    Ok(LayerPlan {
        name: network.short_name(layer),
        maps,
        repeats,
        occluders,
        multiply_adds: count_multiply_adds(network, layer, &geometry, POSITIONS)?,
        rate: trial.rate(),
        reading: images as f64 * reading,
        // Two sides, with all planes of each pixel, the reliability in float64 and a frame of two
        // int32 per image.
        bytes: 2 * units * (rf * rf * pixel + size_of::<f64>() + top * 2 * size_of::<i32>()),
        working: activations.min(run.memory.activations)
            + (held * image).min(run.memory.images)
            + responses.min(run.memory.responses),
    })
}
