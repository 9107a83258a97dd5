//! `occlumap plan`: what a run will take, before anything runs.

use std::time::{Duration, Instant};

use bytesize::ByteSize;
use clap::Args;
use indicatif::{HumanCount, HumanDuration};
use ndarray::ArrayView3;

use super::arguments::at_least_one;
use super::failure::{Failure, OrUsage};
use super::sweep::{SweepArguments, Work};
use super::table::table;
use super::{STOP, console};
use crate::engine::{Prepared, Watch};
use crate::maps::Plane;
use crate::network::LayerId;
use crate::sweep::{
    LayerGeometry, MultiplyAdds, Occluders, activation_bytes, calibrate, count_multiply_adds,
    count_occluders,
};

/// Tell what `run` would take with the same options: presentations, multiply-adds, time, memory
/// and disk
///
/// Checks everything that `run` checks before it starts, and measures for about a second a layer.
/// Writes nothing. Where on a layer an image drives a unit is known only when the images are
/// ranked: positions are taken to be spread evenly.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  occlumap plan --model alexnet --weights alexnet.safetensors --images photos/ --out out/")]
pub(super) struct Plan {
    /// Images a unit, from either end of its ranking
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = at_least_one)]
    top: usize,
    #[command(flatten)]
    common: SweepArguments,
}

/// How long each layer is measured.
const CALIBRATION: Duration = Duration::from_secs(1);
/// Positions whose multiply-adds are counted.
const POSITIONS: usize = 64;

/// What one layer will take.
struct LayerPlan {
    name: String,
    maps: usize,
    /// Draws of the noise for each occluder.
    repeats: usize,
    occluders: Occluders,
    multiply_adds: MultiplyAdds,
    /// Presentations a second.
    rate: f64,
    /// Seconds spent on reading images.
    reading: f64,
    /// Of its files.
    bytes: usize,
    /// Of memory, beside what is there whatever is swept.
    working: usize,
}

impl LayerPlan {
    fn presentations(&self) -> f64 {
        (self.maps * self.repeats) as f64 * self.occluders.mean
    }

    fn seconds(&self) -> f64 {
        self.presentations() / self.rate + self.reading
    }
}

impl Plan {
    pub fn execute(self) -> Result<(), Failure> {
        let work = Work::open(self.common, &[])?;
        work.inputs.check_top(self.top)?;
        let engines = work.engines();
        let prepared = engines[0].prepare(
            &work.inputs.model,
            &work.inputs.layers,
            work.inputs.images.size(),
        )?;
        let (reading, ranking) = {
            let ranker = &work.chosen.place.rankers(work.progress)?[0];
            let (model, layers) = (&work.inputs.model, &work.inputs.layers);
            rank_some(&work, &*ranker.prepare(model, layers, work.inputs.images.size())?)?
        };
        let mut layers = Vec::with_capacity(work.inputs.layers.len());
        for (&layer, units) in work.inputs.layers.iter().zip(&work.settings.units) {
            let maps = 2 * self.top * units.len();
            let mut planned = plan_layer(&work, &*prepared, layer, (maps, self.top), reading)?;
            // Devices share the work, and each holds its share of what is worked on.
            planned.rate *= engines.len() as f64;
            planned.working *= engines.len();
            layers.push(planned);
        }
        console::print(report(&work, &layers, ranking).as_bytes())
    }
}

/// Ranks some images, and returns the seconds that one takes to read, on all threads together,
/// and to read and rank.
fn rank_some(work: &Work, engine: &dyn Prepared) -> Result<(f64, f64), Failure> {
    let images = &work.inputs.images;
    let some: Vec<usize> = (0..images.len().min(engine.images_at_a_time(work.threads))).collect();
    let start = Instant::now();
    let read = images.stream(&some, work.threads, |stream| {
        stream.map(|read| read.map(|image| image.values)).collect::<Result<Vec<_>, _>>()
    })?;
    let reading = start.elapsed().as_secs_f64();
    let views: Vec<ArrayView3<'_, f32>> = read.iter().map(|image| image.view()).collect();
    engine.extremes(&views, 0, &Watch::new(&STOP))?;
    let both = start.elapsed().as_secs_f64();
    let one = 1.0 / some.len().max(1) as f64;
    Ok((reading * one, both * one))
}

fn plan_layer(
    work: &Work,
    engine: &dyn Prepared,
    layer: LayerId,
    (maps, top): (usize, usize),
    reading: f64,
) -> Result<LayerPlan, Failure> {
    let (inputs, network) = (&work.inputs, work.inputs.network());
    let geometry: LayerGeometry = work.settings.geometry(inputs, layer)?;
    let (units, rf) = (network.channels(layer), geometry.projection.size);
    let occluders = count_occluders(&geometry).or_usage()?;
    let watch = Watch::new(&STOP);
    let images = maps.min(inputs.images.len());
    let held = images.min(work.settings.batch.unwrap_or_else(|| engine.maps_at_a_time()));
    let image = 3 * geometry.image.area() * size_of::<f32>();
    let repeats = work.settings.draws.len();
    let responses = ((maps * repeats) as f64 * occluders.mean) as usize * size_of::<f32>();
    let pixel: usize = work.settings.planes().into_iter().map(Plane::bytes).sum();
    let activations = held * activation_bytes(network, layer, &geometry)?;
    let mut some = (0..inputs.images.len()).map(|image| inputs.images.read(image));
    let trial = calibrate(engine, (layer, units), &geometry, &mut some, CALIBRATION, &watch)?;
    Ok(LayerPlan {
        name: network.short_name(layer),
        maps,
        repeats,
        occluders,
        multiply_adds: count_multiply_adds(network, layer, &geometry, POSITIONS)?,
        rate: trial.rate(),
        reading: images as f64 * reading,
        // Of two sides, all that is told of each pixel and the reliability in float64; two indices
        // and two positions in int64 and two responses in float32 for each of the ranked images.
        bytes: 2 * units * (rf * rf * pixel + size_of::<f64>()) + units * top * (4 * 8 + 2 * 4),
        working: activations.min(work.memory.activations)
            + (held * image).min(work.memory.images)
            + responses.min(work.memory.responses),
    })
}

fn report(work: &Work, layers: &[LayerPlan], ranking: f64) -> String {
    let mut rows = vec![
        ["layer", "maps", "presentations", "full", "cones", "deltas", "per second", "time", "disk"]
            .map(String::from),
    ];
    let millions = |count: f64| format!("{:.*}", if count < 1e6 { 3 } else { 1 }, count * 1e-6);
    let count = |count: f64| HumanCount(count.round() as u64).to_string();
    for layer in layers {
        let MultiplyAdds { full, windows, taps } = layer.multiply_adds;
        rows.push([
            layer.name.clone(),
            count(layer.maps as f64),
            count(layer.presentations()),
            millions(full),
            millions(windows),
            millions(taps),
            count(layer.rate),
            duration(layer.seconds()),
            ByteSize(layer.bytes as u64).to_string(),
        ]);
    }
    let sum = |of: fn(&LayerPlan) -> f64| layers.iter().map(of).sum::<f64>();
    let bytes = sum(|layer| layer.bytes as f64) as u64;
    rows.push([
        "all".into(),
        count(sum(|layer| layer.maps as f64)),
        count(sum(LayerPlan::presentations)),
        String::new(),
        String::new(),
        String::new(),
        String::new(),
        duration(sum(LayerPlan::seconds)),
        ByteSize(bytes).to_string(),
    ]);
    let images = work.inputs.images.len();
    let seconds = images as f64 * ranking;
    let most = sum(|layer| (layer.maps * layer.repeats * layer.occluders.most) as f64);
    let working = layers.iter().map(|layer| layer.working).max().unwrap_or(0);
    format!(
        "{} on {} images of {}, {} threads\n\n{}\n\
         full, cones, deltas: million multiply-adds of a presentation, of whole images, of what the\n  \
         occluder can change and the unit depends on, and with only the taps that meet a change\n\
         ranking {} images: {}; together {}\n\
         presentations, if no image cuts a receptive field: {}\n\
         memory: about {}, at most {} (--memory)\n",
        work.inputs.network().name(),
        count(images as f64),
        work.inputs.images.size(),
        work.threads,
        table(&rows, 1),
        count(images as f64),
        duration(seconds),
        duration(seconds + sum(LayerPlan::seconds)),
        count(most),
        ByteSize((work.memory.fixed + working) as u64),
        work.arguments.memory,
    )
}

/// Seconds in words.
fn duration(seconds: f64) -> String {
    if seconds < 1.0 {
        return "under 1 second".into();
    }
    HumanDuration(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)).to_string()
}
