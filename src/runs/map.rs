//! Maps of single images.

use std::path::Path;

use ndarray::{Array2, Array3};

use super::fill::fill_values;
use super::{ComputeSettings, Context, InputSettings, Inputs, OcclusionSettings, RunError, Task};
use crate::engine::{Batch, Engine, Job, JobResult, Presenter};
use crate::files::FileError;
use crate::geometry::{Deposit, ImageSize, Placement};
use crate::images::ImageFolder;
use crate::maps::{ImageMap, SweepConfiguration};
use crate::network::{LayerId, Model, Network};
use crate::noise::Noise;
use crate::program::check_fields;
use crate::progress::{CancelToken, Progress};
use crate::sweep::{Original, SweepError, SweepFill};

/// The settings of a map of one unit on one image.
#[derive(Clone, Debug)]
pub struct MapSettings {
    /// Network and images; `layers` has exactly one layer.
    pub input: InputSettings,
    /// The unit: a channel of the layer, from 0.
    pub unit: usize,
    /// The image.
    pub image: ImageChoice,
    /// The position `(y, x)` on the layer's output.
    pub position: (usize, usize),
    /// The noise of the first draw.
    pub noise: Noise,
    /// Grid, fill, deposit and frame; the seed is that of `noise`.
    pub occlusion: OcclusionSettings,
    /// Method, precision and device.
    pub compute: ComputeSettings,
}

/// An image of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageChoice {
    /// By its index, from 0.
    Index(usize),
    /// By its file name.
    Name(String),
}

impl From<&str> for ImageChoice {
    /// A number is an index, any other text a name.
    fn from(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Name(text.into()), Self::Index)
    }
}

impl ImageChoice {
    /// The image's index in a folder.
    ///
    /// # Errors
    /// An image that does not exist.
    pub fn index_in(&self, images: &ImageFolder) -> Result<usize, RunError> {
        let (count, last) = (images.len(), images.len() - 1);
        let found = match self {
            Self::Index(index) => Some(*index).filter(|&index| index < count),
            Self::Name(name) => images.names().iter().position(|other| other == name),
        };
        found.ok_or_else(|| {
            RunError::usage(match self {
                Self::Index(index) => {
                    format!("there is no image {index}; the {count} images are 0 to {last}")
                }
                Self::Name(name) => format!(
                    "there is no image `{name}`; the {count} images are {} to {}",
                    images.names()[0],
                    images.names()[last]
                ),
            })
        })
    }
}

/// A map of one unit on one image, with its inputs.
#[derive(Clone, Debug)]
pub struct UnitMap {
    /// The image's index.
    pub image_index: usize,
    /// The image's file name.
    pub image: String,
    /// The occluders.
    pub placement: Placement,
    /// The unit's response to the original image.
    pub response: f32,
    /// Signed differences of the response, in grid order, for each draw of the noise.
    pub differences: Vec<Vec<f32>>,
    /// The map `[rf, rf]`.
    pub map: Array2<f64>,
}

impl UnitMap {
    /// The largest size of a difference.
    pub fn largest(&self) -> f32 {
        self.differences
            .iter()
            .flatten()
            .fold(0.0, |largest, difference| largest.max(difference.abs()))
    }
}

/// An image that units are mapped on.
#[derive(Clone, Copy, Debug)]
pub struct MapImage<'a> {
    /// Its index, which determines the noise.
    pub index: u32,
    /// Its values.
    pub values: &'a Array3<f32>,
    /// All images: some may fill the occluders of others.
    pub folder: &'a ImageFolder,
}

/// A unit to be mapped.
#[derive(Clone, Copy, Debug)]
pub struct MapTarget<'a> {
    /// The unit.
    pub unit: usize,
    /// The position `(y, x)` on the layer's output.
    pub position: (usize, usize),
    /// The occluders.
    pub placement: &'a Placement,
}

/// Computes one map.
///
/// # Errors
/// Unusable settings, images and weights; errors of the engine.
pub fn map(settings: &MapSettings, context: &Context<'_>) -> Result<UnitMap, RunError> {
    let MapSettings { input, unit, image, position, occlusion, .. } = settings;
    let (unit, (y, x)) = (*unit, *position);
    let [name] = &input.layers[..] else {
        return Err(RunError::usage("--layer: expected one layer"));
    };
    let chosen = input.choose_layers()?;
    let layer = chosen.layers[0];
    let units = chosen.network.channels(layer);
    if unit >= units {
        let last = units - 1;
        let problem = format!("{name} has no unit {unit}; its units are 0 to {last}");
        return Err(RunError::usage(problem));
    }
    occlusion.check()?;
    chosen.check_grid(occlusion.grid)?;
    let draws = draws(settings)?;
    let compute = settings.compute.open(&chosen.network, &chosen.layers, context)?;
    let compute = compute.with_fill(occlusion.fill, context)?;
    let inputs = Inputs::load(chosen, input, context)?;
    let Inputs { model, layers, images } = &inputs;
    let image = image.index_in(images)?;
    let geometry = occlusion.geometry(&inputs, layer)?;
    geometry.check_position(name, y, x)?;
    check_fields(inputs.network(), layer, images.size(), Some((y, x)))?;
    let first = if let Noise::Philox { draw, .. } = settings.noise { draw } else { 0 };
    occlusion.check_fill(images, usize::from(first) + occlusion.repeats)?;
    let values = fill_values(occlusion.fill, images, context)?;
    let fill = SweepFill::new(occlusion.fill, draws, &values.unwrap_or_default(), images.size());
    let placement = geometry.placement(y, x)?;
    if placement.occluders.is_empty() {
        context.note(
            "note: the map has no occluder, since the image cuts the receptive field to less than one",
        );
    }
    let (progress, values) = (context.progress(), images.read(image)?);
    let total = (placement.occluders.len() * fill.draws()) as u64;
    let task = Task { label: name, counted: "presentations", total };
    let target = MapTarget { unit, position: (y, x), placement: &placement };
    let work = || {
        context.pool.install(|| {
            let engine = compute.engines(None)[0].prepare(model, layers, images.size())?;
            let image = MapImage { index: image as u32, values: &values, folder: images };
            present(&*engine, layer, Shown { image, fill: &fill }, &[target], &progress)
        })
    };
    let (presented, _) = context.track(&task, &progress, work)?;
    Ok(UnitMap {
        image_index: image,
        image: images.names()[image].clone(),
        response: presented[0].response,
        map: mean_map(occlusion.deposit, &placement, &presented),
        differences: presented.into_iter().map(|draw| draw.differences).collect(),
        placement,
    })
}

/// The noise of each draw.
fn draws(settings: &MapSettings) -> Result<Vec<Noise>, RunError> {
    let MapSettings { noise, occlusion: OcclusionSettings { repeats, fill, .. }, .. } = settings;
    if matches!(noise, Noise::Torch { .. }) && !fill.is_noise() {
        return Err(RunError::usage(format!(
            "--noise {noise} with --fill {}: torch.rand draws uniform noise; give --noise \
             philox:SEED, or leave --fill out",
            fill.name()
        )));
    }
    let draw = |draw| {
        noise.draw_after(draw).ok_or_else(|| {
            RunError::usage(format!(
                "--repeats {repeats}: {noise} has no further draws for the same occluder; leave \
                 --repeats out, or give --noise philox:SEED, which has {}",
                Noise::DRAWS
            ))
        })
    };
    (0..*repeats).map(draw).collect()
}

/// Presents all occluders of some targets on one image; returns the results of each target in each
/// draw of the fill.
fn present(
    engine: &dyn Presenter,
    layer: LayerId,
    shown: Shown<'_>,
    targets: &[MapTarget<'_>],
    progress: &Progress<'_>,
) -> Result<Vec<JobResult>, SweepError> {
    let Shown { image: MapImage { index, values, folder }, fill } = shown;
    if targets.is_empty() {
        return Ok(Vec::new());
    }
    // Where no occluder fits, none is filled.
    let any = targets.iter().find_map(|target| target.placement.occluders.first());
    let occluder = any.map_or(1, |any| any.size);
    let original = Original { values: values.view(), index, occluder };
    let picture = |draw| fill.picture(folder, original, draw);
    let pictures = (0..fill.draws()).map(picture).collect::<Result<Vec<_>, _>>()?;
    let mut batch = Batch::default();
    let image = batch.add_image(&values.view(), index);
    for target in targets {
        let placement = batch.add_placement(target.position, &target.placement.occluders);
        for (draw, picture) in pictures.iter().enumerate() {
            let fill = fill.of(draw, picture.as_ref())?;
            batch.jobs.push(Job { image, placement, unit: target.unit, fill });
        }
    }
    Ok(engine.present(layer, &batch, progress)?)
}

/// An image, and what fills its occluders.
#[derive(Clone, Copy)]
struct Shown<'a> {
    image: MapImage<'a>,
    fill: &'a SweepFill,
}

/// The map of one target: the mean over the draws.
fn mean_map(deposit: Deposit, placement: &Placement, draws: &[JobResult]) -> Array2<f64> {
    let differences: Vec<&[f32]> = draws.iter().map(|draw| &draw.differences[..]).collect();
    let mut map = ImageMap::new(placement.rf);
    map.set(deposit, placement, &differences);
    map.absolute()
}

/// Recomputes maps of single images of a sweep.
pub struct OwnMaps {
    model: Model,
    engine: Box<dyn Engine>,
    fill: SweepFill,
    deposit: Deposit,
}

/// [`OwnMaps`] with an engine prepared for some layers.
pub struct PreparedMaps<'a> {
    own: &'a OwnMaps,
    engine: Box<dyn Presenter + 'a>,
    cancel: &'a CancelToken,
}

/// The weight file of a sweep.
#[derive(Clone, Copy, Debug)]
pub struct SweptWeights<'a> {
    /// The file.
    pub path: &'a Path,
    /// Prefix of the tensors' names, if the sweep had one.
    pub prefix: Option<&'a str>,
}

impl OwnMaps {
    /// Reads the weights of a sweep of `network`.
    ///
    /// # Errors
    /// Unreadable weights, or weights of another sweep; an unusable device.
    pub fn open(
        network: &Network,
        sweep: &SweepConfiguration,
        weights: SweptWeights<'_>,
        compute: &ComputeSettings,
        context: &Context<'_>,
    ) -> Result<Self, RunError> {
        let SweptWeights { path: weights, prefix } = weights;
        let model = Model::load_below(network.clone(), weights, prefix)?;
        if *model.digest() != sweep.model.weights_sha256 {
            let (found, expected) = (model.digest(), &sweep.model.weights_sha256);
            let problem = format!(
                "is not what the maps were made with: its SHA-256 is {found}, and the manifest \
                 has {expected}"
            );
            return Err(FileError::content(weights, problem).into());
        }
        let layers: Vec<LayerId> = sweep
            .layers
            .iter()
            .filter_map(|known| network.layer_of_results(&known.layer))
            .collect();
        let compute = compute.open(network, &layers, context)?;
        let compute = compute.with_fill(sweep.settings.fill, context)?;
        let engine = compute.engines(None).swap_remove(0);
        let fill = sweep.settings.sweep_fill(sweep.images.size, network.image_channels())?;
        Ok(Self { model, engine, fill, deposit: sweep.settings.deposit })
    }

    /// Prepares the engine for `layers` on images of size `image`.
    ///
    /// # Errors
    /// Errors of the engine.
    pub fn prepare<'a>(
        &'a self,
        layers: &[LayerId],
        image: ImageSize,
        context: &Context<'a>,
    ) -> Result<PreparedMaps<'a>, RunError> {
        let prepare = || self.engine.prepare(&self.model, layers, image);
        let engine = context.pool.install(prepare)?;
        Ok(PreparedMaps { own: self, engine, cancel: context.observer.cancel_token() })
    }
}

impl PreparedMaps<'_> {
    /// The sweep's rule for deposits.
    pub fn deposit(&self) -> Deposit {
        self.own.deposit
    }

    /// The maps of some targets on one image, each `[rf, rf]`.
    ///
    /// # Errors
    /// Errors of the engine; another image of the folder that cannot be read.
    pub fn compute(
        &self,
        layer: LayerId,
        image: MapImage<'_>,
        targets: &[MapTarget<'_>],
    ) -> Result<Vec<Array2<f64>>, SweepError> {
        let (fill, progress) = (&self.own.fill, Progress::new(self.cancel));
        let presented = present(&*self.engine, layer, Shown { image, fill }, targets, &progress)?;
        let of_targets = targets.iter().zip(presented.chunks(fill.draws().max(1)));
        let map = |(target, draws): (&MapTarget<'_>, &[JobResult])| {
            mean_map(self.own.deposit, target.placement, draws)
        };
        Ok(of_targets.map(map).collect())
    }
}
