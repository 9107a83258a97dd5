//! `occlumap bench`: how fast this machine is, without weights or images.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::HumanCount;
use ndarray::{Array3, ArrayView3};
use serde::Serialize;

use super::arguments::{
    LayerArguments, NetworkArguments, OccluderArguments, RunningArguments, at_least_one,
};
use super::failure::{Failure, OrUsage};
use super::method::MethodArguments;
use super::progress::Progress;
use super::table::table;
use super::{STOP, console, threads};
use crate::VERSION;
use crate::engine::{Engine, EngineError, Prepared, Watch};
use crate::files::write_text;
use crate::geometry::ImageSize;
use crate::network::{IMAGE_CHANNELS, LayerId, Model, Network};
use crate::noise::TorchStream;
use crate::sweep::{
    LayerGeometry, Occluders, Rankings, SweepError, Trial, calibrate, count_multiply_adds,
    count_occluders, count_work, try_out,
};

/// Measure how fast this machine presents occluders
///
/// With random weights and random images, which are made in memory: the time does not depend on
/// them. Of each layer, presentations a second at random positions, original images included, and
/// how long all units of all layers would take at that rate. On a GPU also the time of each kernel,
/// from a second run, since taking it costs time itself.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  occlumap bench --model alexnet")]
pub(super) struct Bench {
    #[command(flatten)]
    network: NetworkArguments,
    #[command(flatten)]
    layers: LayerArguments,
    /// Size of the images: 227, or HEIGHTxWIDTH
    #[arg(long, value_name = "SIZE", default_value = "227")]
    image_size: ImageSize,
    /// Images a unit, from either end of its ranking, for the time of all units
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = at_least_one)]
    top: usize,
    /// Measure each layer, and ranking, for about so long
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    time: Duration,
    /// Write all figures to this file too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    occluders: OccluderArguments,
    #[command(flatten)]
    method: MethodArguments,
    #[command(flatten)]
    running: RunningArguments,
}

/// Images that maps are computed on in turn.
const IMAGES: usize = 16;
/// Positions whose multiply-adds are counted.
const POSITIONS: usize = 64;

/// All that was measured.
#[derive(Debug, Serialize)]
struct Report {
    version: &'static str,
    model: String,
    image: ImageSize,
    engine: &'static str,
    device: String,
    threads: usize,
    /// Images ranked a second, the lists of the best included, reading them not.
    ranking_rate: f64,
    layers: Vec<LayerReport>,
    /// Presentations of all units of these layers, and the seconds that they would take.
    presentations: f64,
    seconds: f64,
}

/// What was measured of a layer.
#[derive(Debug, Serialize)]
struct LayerReport {
    layer: String,
    units: usize,
    occluders: f64,
    /// Maps of a batch, and how often it was presented.
    maps: usize,
    times: usize,
    /// Of all times together.
    presentations: usize,
    seconds: f64,
    /// Presentations a second.
    rate: f64,
    /// Millions a presentation, with only the taps that meet a difference; of the full method those
    /// of whole images.
    multiply_adds: f64,
    kernels: Vec<KernelReport>,
    /// Where the device's rates are known.
    floor: Option<Floor>,
}

/// What a presentation takes at the least: of each kernel, the longer of the time of its bytes and of
/// its products.
#[derive(Debug, Serialize)]
struct Floor {
    bytes: f64,
    operations: f64,
    microseconds: f64,
    /// Of the time that a presentation took.
    share: f64,
}

/// What was measured of a kernel, on the device's clock.
#[derive(Debug, Serialize)]
struct KernelReport {
    kernel: &'static str,
    starts: usize,
    seconds: f64,
    /// Microseconds a presentation.
    microseconds: f64,
}

impl Bench {
    pub fn execute(self) -> Result<(), Failure> {
        let network = Network::named(&self.network.model).or_usage()?;
        let layers = self.layers.of(&network)?;
        let rule = self.occluders.rule(&network, &layers)?;
        let geometry = |layer| {
            let every = self.occluders.every;
            LayerGeometry::new(&network, layer, self.image_size, rule, every).or_usage()
        };
        let geometries = layers.iter().map(|&l| geometry(l)).collect::<Result<Vec<_>, _>>()?;
        let progress = Progress::new(self.running.quiet);
        let chosen = self.method.choose(progress)?;
        let (engines, rankers) = (chosen.engines(None), chosen.place.rankers(progress)?);
        let ([engine], [ranker, ..]) = (&engines[..], &rankers[..]) else {
            return Err(Failure::usage("bench measures one device; give --device one GPU"));
        };
        let threads = threads::start(self.running.threads)?;
        let model = Model::random(network, 0)?;
        let prepared = engine.prepare(&model, &layers, self.image_size)?;
        let images: Vec<Array3<f32>> = (0..IMAGES as u32)
            .map(|seed| image(self.image_size, seed))
            .collect::<Result<_, _>>()
            .map_err(anyhow::Error::from)?;
        let ranking_rate = {
            let prepared = ranker.prepare(&model, &layers, self.image_size)?;
            let units: Vec<usize> =
                layers.iter().map(|&layer| model.network().channels(layer)).collect();
            let watch = Watch::new(&STOP);
            let rankings = Rankings::new(&*prepared, &units, self.top, 0, &watch);
            ranking_rate(rankings, &images, prepared.images_at_a_time(threads), self.time)?
        };
        let mut reports = Vec::with_capacity(layers.len());
        for (&layer, geometry) in layers.iter().zip(&geometries) {
            progress.say(format!("{}…", model.network().short_name(layer)));
            reports.push(self.measure(&**engine, &*prepared, &model, layer, geometry, &images)?);
        }
        let of_layer = |layer: &LayerReport| (2 * self.top * layer.units) as f64 * layer.occluders;
        let report = Report {
            version: VERSION,
            model: model.network().name().to_owned(),
            image: self.image_size,
            engine: engine.name(),
            device: engine.device(),
            threads,
            ranking_rate,
            presentations: reports.iter().map(of_layer).sum(),
            seconds: reports.iter().map(|layer| of_layer(layer) / layer.rate).sum(),
            layers: reports,
        };
        if let Some(path) = &self.json {
            let text = serde_json::to_string_pretty(&report)?;
            write_text(path, &format!("{text}\n"))?;
        }
        console::print(report.table(self.top).as_bytes())
    }

    fn measure(
        &self,
        engine: &dyn Engine,
        prepared: &dyn Prepared,
        model: &Model,
        layer: LayerId,
        geometry: &LayerGeometry,
        images: &[Array3<f32>],
    ) -> Result<LayerReport, Failure> {
        let network = model.network();
        let units = network.channels(layer);
        let watch = Watch::new(&STOP);
        // What is done once, such as transforming weights, is done before the clock starts.
        let once = |maps| {
            let batch = (maps, Duration::ZERO);
            try_out(prepared, (layer, units), geometry, images, batch, &watch)
        };
        once(1)?;
        let mut some = images.iter().cloned().map(Ok);
        let trial = calibrate(prepared, (layer, units), geometry, &mut some, self.time, &watch)?;
        let Trial { maps, times, presentations, seconds } = trial;
        let mut again = || {
            once(maps).map(|_| ()).map_err(|error| match error {
                SweepError::Engine(error) => error,
                error => EngineError::Request(error.to_string()),
            })
        };
        // Only where there is something to be told.
        let kernels = if engine.has_kernels() { engine.time_kernels(&mut again)? } else { vec![] };
        let kernels = kernels.into_iter().map(|time| KernelReport {
            kernel: time.name,
            starts: time.starts,
            seconds: time.seconds,
            microseconds: 1e6 * time.seconds * times as f64 / presentations as f64,
        });
        let Occluders { mean, .. } = count_occluders(geometry).or_usage()?;
        let counted = count_multiply_adds(network, layer, geometry, POSITIONS)?;
        let floor = match engine.rates() {
            Some(rates) => {
                let work = count_work(prepared, layer, geometry, &images[0], POSITIONS)?;
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
        let multiply_adds = if self.method.is_full() { counted.full } else { counted.taps };
        Ok(LayerReport {
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

impl Report {
    fn table(&self, top: usize) -> String {
        let count = |count: f64| HumanCount(count.round() as u64).to_string();
        let mut rows = vec![
            ["layer", "units", "occluders", "per second", "M multiply-adds", "GFLOP/s"]
                .map(String::from),
        ];
        for layer in &self.layers {
            rows.push([
                layer.layer.clone(),
                layer.units.to_string(),
                format!("{:.1}", layer.occluders),
                count(layer.rate),
                format!("{:.3}", layer.multiply_adds),
                format!("{:.1}", 2e-3 * layer.multiply_adds * layer.rate),
            ]);
        }
        let mut text = format!(
            "occlumap {}, {} on images of {}, {} on {}, {} threads\n\n{}\n\
             ranking: {} images a second, reading them not included\n\
             all units, {top} images from either end: {} presentations, {:.3} hours\n",
            self.version,
            self.model,
            self.image,
            self.engine,
            self.device,
            self.threads,
            table(&rows, 1),
            count(self.ranking_rate),
            count(self.presentations),
            self.seconds / 3600.0,
        );
        let mut rows =
            vec![["layer", "kernel", "starts", "µs a presentation", "of all"].map(String::from)];
        for layer in &self.layers {
            let all = 1e6 / layer.rate;
            rows.extend(layer.kernels.iter().map(|kernel| {
                [
                    layer.layer.clone(),
                    kernel.kernel.to_owned(),
                    kernel.starts.to_string(),
                    format!("{:.4}", kernel.microseconds),
                    format!("{:.1} %", 100.0 * kernel.microseconds / all),
                ]
            }));
        }
        if rows.len() > 1 {
            text.extend(["\n", &table(&rows, 2), "\nof all: of the time of a presentation\n"]);
        }
        let mut rows =
            vec![["layer", "MFLOP", "kB", "floor, µs", "of a presentation"].map(String::from)];
        for layer in &self.layers {
            rows.extend(layer.floor.iter().map(|floor| {
                [
                    layer.layer.clone(),
                    format!("{:.3}", 1e-6 * floor.operations),
                    format!("{:.1}", 1e-3 * floor.bytes),
                    format!("{:.4}", floor.microseconds),
                    format!("{:.1} %", 100.0 * floor.share),
                ]
            }));
        }
        if rows.len() > 1 {
            text.extend(["\n", &table(&rows, 1), "\n"]);
            text += "floor: of each kernel its bytes or its products, at the device's rates\n";
        }
        text
    }
}

/// Images ranked a second, `count` at a time, the lists of the best included, measured for about `time`.
fn ranking_rate(
    mut rankings: Rankings<'_>,
    images: &[Array3<f32>],
    count: usize,
    time: Duration,
) -> Result<f64, EngineError> {
    let views: Vec<ArrayView3<'_, f32>> =
        images.iter().cycle().take(count).map(|image| image.view()).collect();
    // Twice, since what is begun is waited for when the next is.
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
fn image(size: ImageSize, seed: u32) -> Result<Array3<f32>, ndarray::ShapeError> {
    let pixels = TorchStream::new(seed).map(|value| 2.0 * value - 1.0);
    let pixels = pixels.take(IMAGE_CHANNELS * size.area()).collect();
    Array3::from_shape_vec((IMAGE_CHANNELS, size.height, size.width), pixels)
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if (0.001..=3600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("expected seconds, 0.001 to 3600".into()),
    }
}
