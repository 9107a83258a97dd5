//! The cost of a sweep, before anything is computed.

use std::time::{Duration, Instant};

use ndarray::Array3;

use super::SweepError;
use super::summed::Slots;
use crate::engine::deposit::{Summation, SummedImage};
use crate::engine::{Batch, Job, KernelWork, Presenter};
use crate::geometry::{Axis, Deposit, GeometryError, LayerGeometry, Placement, Span};
use crate::images::ImageError;
use crate::network::{LayerId, Network, NetworkError};
use crate::noise::{Noise, philox4x32_10};
use crate::program::{Planner, Subgraph};
use crate::progress::Progress;

/// Multiply-adds of a presentation to one layer, on average.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MultiplyAdds {
    /// Of whole images through all layers up to this one.
    pub full: f64,
    /// Of the positions that the occluder can change and the unit depends on.
    pub windows: f64,
    /// Of these, with only the taps that meet a difference.
    pub taps: f64,
}

/// Occluders of a layer's maps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Occluders {
    /// Of a map, on average over all positions of the layer: where on the layer an image drives a
    /// unit is known only when the images are ranked.
    pub mean: f64,
    /// Of a map whose RF the image does not cut.
    pub most: usize,
    /// Number of positions.
    pub positions: usize,
    /// Positions whose RF the image cuts to less than an occluder.
    pub positions_without: usize,
}

/// Positions spread over a layer, the same each time.
struct Positions {
    geometry: LayerGeometry,
    next: u32,
}

impl Positions {
    const fn new(geometry: LayerGeometry) -> Self {
        Self { geometry, next: 0 }
    }
}

impl Iterator for Positions {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let [word, ..] = philox4x32_10([self.next, 0, 0, 0], [0, 0]);
        self.next += 1;
        Some(self.geometry.position((word as usize % self.geometry.output.area()) as u32))
    }
}

/// Counts the occluders of all of a layer's positions.
///
/// # Errors
/// Occluders that cannot be placed.
pub fn count_occluders(geometry: &LayerGeometry) -> Result<Occluders, GeometryError> {
    let (mut sum, mut most, mut positions_without) = (0, 0, 0);
    let positions = geometry.output.area();
    for flat in 0..positions {
        let (y, x) = geometry.position(flat as u32);
        let occluders = geometry.placement(y, x)?.occluders.len();
        sum += occluders;
        most = most.max(occluders);
        positions_without += usize::from(occluders == 0);
    }
    Ok(Occluders { mean: sum as f64 / positions as f64, most, positions, positions_without })
}

/// Counts the multiply-adds of presentations at `count` random positions.
///
/// # Errors
/// Images too small for the layer; occluders that cannot be placed.
pub fn count_multiply_adds(
    network: &Network,
    layer: LayerId,
    geometry: &LayerGeometry,
    count: usize,
) -> Result<MultiplyAdds, SweepError> {
    let subgraph = Subgraph::new(network, layer, geometry.image)?;
    let mut planner = Planner::new(&subgraph);
    let (mut presentations, mut windows, mut taps) = (0_u64, 0_u64, 0_u64);
    for (y, x) in Positions::new(*geometry).take(count) {
        if subgraph.through_gates() {
            // Positions share no plans, and plans of whole maps are large.
            planner = Planner::new(&subgraph);
        }
        for occluder in geometry.placement(y, x)?.occluders {
            let key = planner.key((y, x), &occluder);
            let plan = planner.plan(key);
            for node in 0..subgraph.nodes().len() {
                windows += plan.multiply_adds_of_window(node);
                taps += plan.multiply_adds(node);
            }
            presentations += 1;
        }
    }
    let full: usize = subgraph
        .nodes()
        .iter()
        .filter_map(|node| {
            let inputs = subgraph.nodes()[*node.inputs.first()?].channels / node.groups?;
            Some(node.values() * inputs * node.window.y.kernel * node.window.x.kernel)
        })
        .sum();
    let mean = |sum: u64| sum as f64 / presentations.max(1) as f64;
    Ok(MultiplyAdds { full: full as f64, windows: mean(windows), taps: mean(taps) })
}

/// The work of each kernel of an engine for a presentation, the mean of `count` random positions;
/// the image is any.
///
/// # Errors
/// Occluders that cannot be placed; what the engine says.
pub fn count_work(
    engine: &dyn Presenter,
    layer: LayerId,
    geometry: &LayerGeometry,
    image: &Array3<f32>,
    count: usize,
) -> Result<Vec<KernelWork>, SweepError> {
    let sampled = sampled(geometry, count)?;
    let mut batch = Batch::default();
    let (image, fill) =
        (batch.add_image(&image.view(), 0), Noise::Philox { seed: 0, draw: 0 }.into());
    for (position, placement) in &sampled {
        let placement = batch.add_placement(*position, &placement.occluders);
        batch.jobs.push(Job { image, placement, unit: 0, fill });
    }
    Ok(engine.work(layer, &batch)?)
}

/// A position and its occluders.
type SampledPosition = ((usize, usize), Placement);

/// Random positions and their occluders.
fn sampled(geometry: &LayerGeometry, count: usize) -> Result<Vec<SampledPosition>, GeometryError> {
    let sample = |(y, x)| geometry.placement(y, x).map(|placement| ((y, x), placement));
    Positions::new(*geometry).take(count).map(sample).collect()
}

/// Bytes of one image's activations that a unit in the middle of a layer depends on, at most.
///
/// # Errors
/// Images too small for the layer.
pub fn activation_bytes(
    network: &Network,
    layer: LayerId,
    geometry: &LayerGeometry,
) -> Result<usize, NetworkError> {
    let subgraph = Subgraph::new(network, layer, geometry.image)?;
    let middle = (geometry.output.height / 2, geometry.output.width / 2);
    let y = subgraph.baseline(Axis::Y, Span::at(middle.0));
    let x = subgraph.baseline(Axis::X, Span::at(middle.1));
    let kept = network.floats_kept(layer);
    let nodes = subgraph.nodes().iter().zip(y.iter().zip(&x));
    let floats = nodes.map(|(node, (y, x))| {
        let each = node.layer.map_or(1, &kept);
        each * y.len() * x.len() * node.channels
    });
    let floats: usize = floats.sum();
    Ok(floats * size_of::<f32>())
}

/// Presentations that were made, and how long they took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trial {
    /// Maps of a batch: each is all presentations of one unit to one image.
    pub maps: usize,
    /// How often the batch was presented.
    pub times: usize,
    /// Presentations of all times together.
    pub presentations: usize,
    /// Seconds of all times together, baselines included.
    pub seconds: f64,
}

impl Trial {
    /// Presentations a second.
    pub fn rate(&self) -> f64 {
        self.presentations as f64 / self.seconds
    }
}

/// A layer, and its number of units.
#[derive(Clone, Copy, Debug)]
pub struct LayerUnits {
    /// The layer.
    pub layer: LayerId,
    /// Number of units.
    pub units: usize,
}

/// Presents occluders for about `time`, to units at random positions, on the first of `images`: as
/// many maps at a time as a sweep hands over, or fewer where those take long.
///
/// # Errors
/// Images that cannot be read, as `images` says; otherwise as [`try_out`].
pub fn calibrate(
    engine: &dyn Presenter,
    layer: LayerUnits,
    geometry: &LayerGeometry,
    images: &mut dyn Iterator<Item = Result<Array3<f32>, ImageError>>,
    time: Duration,
    progress: &Progress<'_>,
) -> Result<Trial, SweepError> {
    const MOST_IMAGES: usize = 16;
    let mut held: Vec<Array3<f32>> = Vec::new();
    let (mut maps, most) = (1, engine.maps_at_a_time());
    loop {
        while held.len() < maps.min(MOST_IMAGES) {
            let Some(image) = images.next() else { break };
            held.push(image?);
        }
        let at_least = if maps < most { Duration::ZERO } else { time };
        let trial = try_out(engine, layer, geometry, &held, maps, at_least, progress)?;
        // Few maps share few plans, so small trials are slower than a sweep.
        if trial.seconds >= 0.5 * time.as_secs_f64() {
            return Ok(trial);
        }
        let factor = (0.8 * time.as_secs_f64() / trial.seconds).clamp(2.0, 8.0);
        maps = ((maps as f64 * factor) as usize).min(most);
    }
}

/// Presents the occluders of this many maps of a layer of this many units, at random positions, the
/// same each time; once, or again and again until `at_least` has passed.
///
/// # Errors
/// Responses that are not finite; occluders that cannot be placed;
/// [`EngineError::Stopped`](crate::engine::EngineError::Stopped).
pub fn try_out(
    engine: &dyn Presenter,
    layer: LayerUnits,
    geometry: &LayerGeometry,
    images: &[Array3<f32>],
    maps: usize,
    at_least: Duration,
    progress: &Progress<'_>,
) -> Result<Trial, SweepError> {
    let LayerUnits { layer, units } = layer;
    let sampled = sampled(geometry, maps)?;
    let mut batch = Batch::default();
    for (index, image) in (0..).zip(images) {
        batch.add_image(&image.view(), index);
    }
    for (map, (position, placement)) in sampled.iter().enumerate() {
        let placement = batch.add_placement(*position, &placement.occluders);
        let (image, unit) = (map % images.len(), map % units);
        let fill = Noise::Philox { seed: 0, draw: 0 }.into();
        batch.jobs.push(Job { image, placement, unit, fill });
    }
    let presentations = batch.presentations();
    let mut kept = engine.keep(layer, presentations)?;
    let (firsts, summation) = summation(&sampled);
    let (start, mut times) = (Instant::now(), 0);
    while times == 0 || start.elapsed() < at_least {
        match &mut kept {
            Some(kept) => {
                kept.clear()?;
                kept.present(&batch, &firsts, progress)?;
                kept.sum(&summation)?;
            }
            None => drop(engine.present(layer, &batch, progress)?),
        }
        times += 1;
    }
    let seconds = start.elapsed().as_secs_f64().max(1e-9);
    Ok(Trial { maps, times, presentations: times * presentations, seconds })
}

/// Where the differences of each placement begin, and how they are summed where they are kept: as a
/// sweep does it, over the images of a unit.
fn summation(sampled: &[SampledPosition]) -> (Vec<usize>, Summation) {
    const IMAGES: usize = 100;
    let (mut slots, mut deposits) = (Slots::default(), Vec::new());
    let (mut firsts, mut images, mut next) = (Vec::new(), Vec::new(), 0);
    for (which, (_, placement)) in sampled.iter().enumerate() {
        deposits.push(slots.deposits(placement, Deposit::default()));
        let occluders = placement.occluders.len();
        images.push(SummedImage { deposits: which, differences: next, occluders });
        firsts.push(next);
        next += occluders;
    }
    let maps = images.chunks(IMAGES).map(<[_]>::to_vec).collect();
    let slots = slots.pixels.len();
    (firsts, Summation { slots, draws: 1, moments: false, deposits, maps })
}
