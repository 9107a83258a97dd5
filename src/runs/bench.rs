//! Speed of a machine, without weights or images.

use std::time::{Duration, Instant};

use ndarray::{Array3, ArrayView3};
use serde::Serialize;

use super::{ChosenLayers, ComputeSettings, Context, Method, RunError};
use crate::VERSION;
use crate::engine::{Engine, EngineError, EngineName, Presenter, Profiler};
use crate::geometry::{GridRule, ImageSize, LayerGeometry};
use crate::network::{LayerId, Model, Network, Response};
use crate::noise::TorchStream;
use crate::sweep::{
    LayerUnits, Occluders, Rankings, SweepError, Trial, calibrate, count_multiply_adds,
    count_occluders, count_work, try_out,
};

/// Settings of a measurement.
#[derive(Clone, Debug)]
pub struct BenchSettings {
    /// The name of a preset, or the path of a model description.
    pub model: String,
    /// Convolutions by name; empty for all.
    pub layers: Vec<String>,
    /// From where the responses of convolutions are taken.
    pub response: Response,
    /// The size of the images.
    pub image: ImageSize,
    /// Images per unit, from either end of its ranking, for the time of all units.
    pub top: usize,
    /// Duration of measuring each layer, and ranking.
    pub time: Duration,
    /// The rule for grids.
    pub grid: GridRule,
    /// Every N-th occluder of the grid is presented.
    pub every: usize,
    /// Method, precision and device.
    pub compute: ComputeSettings,
}

/// Number of images that maps are computed on in turn.
const IMAGES: usize = 16;
/// Number of positions whose multiply-adds are counted.
const POSITIONS: usize = 64;

/// Results of a measurement.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    /// Version of the program.
    pub version: &'static str,
    /// The network's name.
    pub model: String,
    /// The size of the images.
    pub image: ImageSize,
    /// The engine.
    pub engine: EngineName,
    /// The device.
    pub device: String,
    /// The instructions of its products; `None` where there is no choice.
    pub instructions: Option<&'static str>,
    /// Number of threads.
    pub threads: usize,
    /// Images ranked per second, including the lists of the best, without reading files.
    pub ranking_rate: f64,
    /// The layers.
    pub layers: Vec<LayerBench>,
    /// Presentations of all units of these layers.
    pub presentations: f64,
    /// Seconds for these presentations at the measured rates.
    pub seconds: f64,
}

/// Results for a layer.
#[derive(Clone, Debug, Serialize)]
pub struct LayerBench {
    /// The layer's short name.
    pub layer: String,
    /// Number of units.
    pub units: usize,
    /// Mean number of occluders of a map.
    pub occluders: f64,
    /// Maps in the batch.
    pub maps: usize,
    /// Repetitions of the batch.
    pub times: usize,
    /// Presentations in all repetitions.
    pub presentations: usize,
    /// Seconds of all repetitions.
    pub seconds: f64,
    /// Presentations per second.
    pub rate: f64,
    /// Millions of multiply-adds per presentation: only the taps that meet a delta, or, for the
    /// full method, whole images.
    pub multiply_adds: f64,
    /// Times of a device's kernels.
    pub kernels: Vec<KernelBench>,
    /// Lower bound of the time; `None` if the device's rates are unknown.
    pub floor: Option<Floor>,
}

/// Lower bound of a presentation's time: the sum, over the kernels, of the longer of the time of
/// the bytes and the time of the products.
#[derive(Clone, Debug, Serialize)]
pub struct Floor {
    /// Bytes per presentation.
    pub bytes: f64,
    /// Operations of products per presentation.
    pub operations: f64,
    /// Microseconds per presentation.
    pub microseconds: f64,
    /// The bound as a part of the measured time.
    pub share: f64,
}

/// Time of a kernel, by the device's clock.
#[derive(Clone, Debug, Serialize)]
pub struct KernelBench {
    /// Name of the kernel.
    pub kernel: &'static str,
    /// Number of launches.
    pub starts: usize,
    /// Seconds.
    pub seconds: f64,
    /// Microseconds per presentation.
    pub microseconds: f64,
    /// Bytes that it has to move for a presentation; 0 where they are not counted.
    pub bytes: f64,
    /// Operations of products that it has to do for a presentation; 0 likewise.
    pub operations: f64,
}

/// Measures the rate of presentations, with random weights and images.
///
/// # Errors
/// Unusable settings; errors of the engine.
pub fn bench(settings: &BenchSettings, context: &Context<'_>) -> Result<BenchReport, RunError> {
    let network = Network::named(&settings.model)?;
    let chosen = ChosenLayers::responding(network, &settings.layers, settings.response)?;
    chosen.check_grid(settings.grid)?;
    if let Some(note) = chosen.note() {
        context.note(note);
    }
    let ChosenLayers { network, layers, .. } = chosen;
    let BenchSettings { image, grid, every, .. } = *settings;
    let geometry = |&layer: &LayerId| LayerGeometry::new(&network, layer, image, grid, every);
    let geometries = layers.iter().map(geometry).collect::<Result<Vec<_>, _>>()?;
    let compute = settings.compute.open(&network, &layers, context)?;
    let (engines, rankers) = (compute.engines(None), compute.rankers(context)?);
    let ([engine], [ranker, ..]) = (&engines[..], &rankers[..]) else {
        return Err(RunError::usage("bench measures one device; give --device one GPU"));
    };
    context.pool.install(|| {
        let model = Model::random(network, 0)?;
        let prepared = engine.prepare(&model, &layers, image)?;
        let images: Vec<Array3<f32>> = (0..IMAGES as u32)
            .map(|seed| noise_image(model.network().image_channels(), image, seed))
            .collect();
        let ranking_rate = {
            let prepared = ranker.ranker(&model, &layers, image)?;
            let units: Vec<usize> =
                layers.iter().map(|&layer| model.network().channels(layer)).collect();
            let progress = context.progress();
            let rankings = Rankings::new(&*prepared, &units, settings.top, 0, &progress);
            let count = prepared.images_at_a_time(context.threads());
            ranking_rate(rankings, &images, count, settings.time)?
        };
        let run = BenchRun {
            settings,
            context,
            engine: &**engine,
            prepared: &*prepared,
            model: &model,
            images: &images,
        };
        let mut reports = Vec::with_capacity(layers.len());
        for (&layer, geometry) in layers.iter().zip(&geometries) {
            context.note(format!("{}…", model.network().short_name(layer)));
            reports.push(run.measure(layer, geometry)?);
        }
        let of_layer =
            |layer: &LayerBench| (2 * settings.top * layer.units) as f64 * layer.occluders;
        Ok(BenchReport {
            version: VERSION,
            model: model.network().name().to_owned(),
            image,
            engine: engine.name(),
            device: engine.device(),
            instructions: engine.instructions(),
            threads: context.threads(),
            ranking_rate,
            presentations: reports.iter().map(of_layer).sum(),
            seconds: reports.iter().map(|layer| of_layer(layer) / layer.rate).sum(),
            layers: reports,
        })
    })
}

/// The inputs of measuring a layer.
struct BenchRun<'a> {
    settings: &'a BenchSettings,
    context: &'a Context<'a>,
    engine: &'a dyn Engine,
    prepared: &'a dyn Presenter,
    model: &'a Model,
    images: &'a [Array3<f32>],
}

impl BenchRun<'_> {
    fn measure(&self, layer: LayerId, geometry: &LayerGeometry) -> Result<LayerBench, RunError> {
        let Self { settings, context, engine, prepared, model, images } = *self;
        let network = model.network();
        let units = network.channels(layer);
        let of_layer = LayerUnits { layer, units };
        let progress = &context.progress();
        // One-time work, such as transforming weights, happens before the clock starts.
        let once =
            |maps| try_out(prepared, of_layer, geometry, images, maps, Duration::ZERO, progress);
        once(1)?;
        let mut some = images.iter().cloned().map(Ok);
        let trial = calibrate(prepared, of_layer, geometry, &mut some, settings.time, progress)?;
        let Trial { maps, times, presentations, seconds } = trial;
        // The first call has succeeded, so later errors are the engine's.
        let mut failed = Ok(());
        let mut again = || match once(maps) {
            Err(SweepError::Engine(error)) => Err(error),
            other => {
                failed = other.map(drop);
                Ok(())
            }
        };
        // Only if the engine has kernels.
        let kernels = match engine.profiler() {
            Some(profiler) => profiler.time_kernels(&mut again)?,
            None => vec![],
        };
        failed?;
        let work = match engine.profiler() {
            Some(_) => count_work(prepared, layer, geometry, &images[0], POSITIONS)?,
            None => vec![],
        };
        let kernels = kernels.into_iter().map(|time| {
            let same = || work.iter().filter(|work| work.kernel == time.name);
            KernelBench {
                kernel: time.name,
                starts: time.starts,
                seconds: time.seconds,
                microseconds: 1e6 * time.seconds * times as f64 / presentations as f64,
                bytes: same().fold(0.0, |sum, work| sum + work.bytes),
                operations: same().fold(0.0, |sum, work| sum + work.operations),
            }
        });
        let Occluders { mean, .. } = count_occluders(geometry)?;
        let counted = count_multiply_adds(network, layer, geometry, POSITIONS)?;
        let floor = match engine.profiler().and_then(Profiler::rates) {
            Some(rates) => {
                let microseconds = 1e6 * work.iter().map(|work| work.floor(rates)).sum::<f64>();
                (!work.is_empty()).then(|| Floor {
                    bytes: work.iter().map(|work| work.bytes).sum(),
                    operations: work.iter().map(|work| work.operations).sum(),
                    microseconds,
                    share: 1e-6 * microseconds * trial.rate(),
                })
            }
            None => None,
        };
        let multiply_adds =
            if settings.compute.method == Method::Full { counted.full } else { counted.taps };
        Ok(LayerBench {
            layer: network.short_name(layer),
            units,
            occluders: mean,
            maps,
            times,
            presentations,
            seconds,
            rate: trial.rate(),
            multiply_adds: 1e-6 * multiply_adds,
            kernels: kernels.collect(),
            floor,
        })
    }
}

/// Images ranked per second, `count` at a time, including the lists of the best, measured for about
/// `time`.
fn ranking_rate(
    mut rankings: Rankings<'_>,
    images: &[Array3<f32>],
    count: usize,
    time: Duration,
) -> Result<f64, EngineError> {
    let views: Vec<ArrayView3<'_, f32>> =
        images.iter().cycle().take(count).map(|image| image.view()).collect();
    // Twice, because a batch is waited for when the next one has begun.
    rankings.add(&views[..1])?;
    rankings.add(&views[..1])?;
    let (start, mut ranked) = (Instant::now(), 0);
    while ranked == 0 || start.elapsed() < time {
        rankings.add(&views)?;
        ranked += count;
    }
    rankings.finish()?;
    Ok(ranked as f64 / start.elapsed().as_secs_f64().max(1e-9))
}

/// An image of noise on [-1, 1).
fn noise_image(channels: usize, size: ImageSize, seed: u32) -> Array3<f32> {
    let mut pixels = TorchStream::new(seed).map(|value| 2.0 * value - 1.0);
    Array3::from_shape_simple_fn((channels, size.height, size.width), || {
        // The stream never ends.
        pixels.next().unwrap_or_default()
    })
}
