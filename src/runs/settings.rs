//! Settings of runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{ComputeSettings, DeviceChoice, RunError, Share};
use crate::files::escaped;
use crate::geometry::{Deposit, FrameRule, GridRule, ImageSize};
use crate::images::{ImageSource, Preprocessing};
use crate::maps::MeanOver;
use crate::network::{MapContext, Model, ModelError, Network, NetworkError, Response, is_onnx};
use crate::noise::FillRule;
use crate::sweep::UnitSelection;

/// A network with weights, its layers, and images.
#[derive(Clone, Debug)]
pub struct InputSettings {
    /// The network with its weights.
    pub model: ModelSource,
    /// Prefix of the tensors' names, for a weight file with several copies of the network.
    pub weights_prefix: Option<String>,
    /// The images.
    pub images: ImageSource,
    /// The preprocessing; `None` for the default of the images' kind
    /// ([`ImageFolder::open`](crate::images::ImageFolder::open)).
    pub preprocessing: Option<Preprocessing>,
    /// The size of the images; `None` for that of the first.
    pub image_size: Option<ImageSize>,
    /// Whether unreadable images are skipped.
    pub skip_unreadable: bool,
    /// Layers by name; empty for all convolutions.
    pub layers: Vec<String>,
    /// The layer that gives a convolution's responses.
    pub response: Response,
    /// Treatment of gates during a presentation.
    pub context: MapContext,
}

impl InputSettings {
    /// All convolutions of a model in files, on images with default preprocessing.
    pub fn new(
        model: impl Into<String>,
        weights: impl Into<PathBuf>,
        images: impl Into<ImageSource>,
    ) -> Self {
        Self::of(ModelSource::Files { model: model.into(), weights: weights.into() }, images.into())
    }

    /// All convolutions of a model, on images with default preprocessing.
    pub const fn of(model: ModelSource, images: ImageSource) -> Self {
        Self {
            model,
            weights_prefix: None,
            images,
            preprocessing: None,
            image_size: None,
            skip_unreadable: false,
            layers: Vec::new(),
            response: Response::Conv,
            context: MapContext::Exact,
        }
    }
}

/// The source of a network and its weights.
#[derive(Clone, Debug)]
pub enum ModelSource {
    /// Files.
    Files {
        /// The name of a preset, or the path of a model description.
        model: String,
        /// The weight file.
        weights: PathBuf,
    },
    /// A model of the calling program.
    Given(Arc<Model>),
}

impl ModelSource {
    /// A network of a preset, a description or an ONNX file, with the weights in a file; without one,
    /// those inside the ONNX file.
    ///
    /// # Errors
    /// An invalid model; no weight file, and no ONNX file.
    pub fn files(model: String, weights: Option<PathBuf>) -> Result<Self, RunError> {
        let inside = || is_onnx(Path::new(&model)).then(|| model.clone().into());
        if let Some(weights) = weights.or_else(inside) {
            return Ok(Self::Files { model, weights });
        }
        // A name that is no network's says so first.
        Network::named(&model)?;
        Err(RunError::usage(format!(
            "--weights: expected the weight file of `{}`; only an ONNX file holds its own",
            escaped(&model)
        )))
    }

    /// The network.
    ///
    /// # Errors
    /// An invalid model.
    pub fn network(&self) -> Result<Network, NetworkError> {
        match self {
            Self::Files { model, .. } => Network::named(model),
            Self::Given(model) => Ok(model.network().clone()),
        }
    }

    /// Loads the weights of `network`, which must be this source's; from a file, those below
    /// `prefix` if one is given.
    ///
    /// # Errors
    /// Unreadable weights; weights of another network.
    pub fn load(&self, network: Network, prefix: Option<&str>) -> Result<Arc<Model>, ModelError> {
        match self {
            Self::Files { weights, .. } => {
                Model::load_below(network, weights, prefix).map(Arc::new)
            }
            Self::Given(model) if network.taps().is_empty() => Ok(Arc::clone(model)),
            Self::Given(model) => Ok(Arc::new(model.with_network(network))),
        }
    }

    /// The weight file, if there is one.
    pub fn weights(&self) -> Option<&Path> {
        match self {
            Self::Files { weights, .. } => Some(weights),
            Self::Given(_) => None,
        }
    }

    /// The weights in the manifest: the path of the file, or a description.
    pub(super) fn weights_label(&self) -> String {
        match self {
            Self::Files { weights, .. } => weights.display().to_string(),
            Self::Given(_) => "in memory".into(),
        }
    }
}

/// Where results are written, and by whom.
#[derive(Clone, Debug)]
pub struct OutputSettings {
    /// The output folder.
    pub folder: PathBuf,
    /// Whether to start anew and replace existing files.
    pub force: bool,
    /// The blocks that this process computes.
    pub share: Share,
}

impl OutputSettings {
    /// Checks that a process that starts anew does all of the work.
    pub(super) fn check(&self) -> Result<(), RunError> {
        if self.force && self.share != Share::WHOLE {
            return Err(RunError::usage(
                "--force with --shard: each shard would remove what the others have done; remove \
                 the folder beforehand",
            ));
        }
        Ok(())
    }

    /// All results, into a folder that may have some of them.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), force: false, share: Share::WHOLE }
    }
}

/// Settings of a ranking.
#[derive(Clone, Debug)]
pub struct RankSettings {
    /// Network and images.
    pub input: InputSettings,
    /// Images per unit, from either end.
    pub top: usize,
    /// The output folder.
    pub output: OutputSettings,
    /// The device.
    pub device: DeviceChoice,
}

impl RankSettings {
    /// A ranking of the first `top` images of each unit, from either end.
    pub fn new(input: InputSettings, top: usize, output: OutputSettings) -> Self {
        Self { input, top, output, device: DeviceChoice::default() }
    }
}

/// Occluders, and the statistics of their effect.
#[derive(Clone, Debug)]
pub struct OcclusionSettings {
    /// The rule for grids.
    pub grid: GridRule,
    /// Every N-th occluder of the grid is presented; at least 1.
    pub every: usize,
    /// The part of a map to which an occluder's effect is added.
    pub deposit: Deposit,
    /// The rule for the maps' frames.
    pub frame: FrameRule,
    /// Fill of the occluders.
    pub fill: FillRule,
    /// The seed of the noise.
    pub seed: u64,
    /// Draws of the noise per occluder; from 1 to [`Noise::DRAWS`](crate::noise::Noise::DRAWS).
    pub repeats: usize,
    /// The images over which the mean of a pixel is taken.
    pub mean_over: MeanOver,
    /// Whether standard errors and counts are stored; always with more than one draw.
    pub statistics: bool,
    /// Whether means of signed and of squared differences are stored.
    pub moments: bool,
    /// Whether reliabilities of the first 2, 4, 8, … images are kept. Each image is added on the host
    /// then.
    pub reliability_curve: bool,
    /// The split-half reliability at which a side of a unit stops, checked at 2, 4, 8, … images; above 0
    /// and below 1. Each image is added on the host then.
    pub until_reliable: Option<f64>,
}

impl Default for OcclusionSettings {
    fn default() -> Self {
        Self {
            grid: GridRule::REFERENCE,
            every: 1,
            deposit: Deposit::default(),
            frame: FrameRule::default(),
            fill: FillRule::default(),
            seed: 0,
            repeats: 1,
            mean_over: MeanOver::default(),
            statistics: false,
            moments: false,
            reliability_curve: false,
            until_reliable: None,
        }
    }
}

/// Settings of a sweep.
#[derive(Clone, Debug)]
pub struct SweepSettings {
    /// Network and images.
    pub input: InputSettings,
    /// Units of each layer.
    pub units: UnitSelection,
    /// The output folder.
    pub output: OutputSettings,
    /// Occluders and statistics.
    pub occlusion: OcclusionSettings,
    /// Grids that are swept one after the other instead of that of `occlusion`, each in a folder of the
    /// output folder; empty for a single one in the output folder itself.
    pub sizes: Vec<GridRule>,
    /// Maps computed together; `None` for the engine's preferred number. The result does not depend
    /// on it.
    pub batch: Option<usize>,
    /// Limit of memory in bytes; `None` for [`MEMORY`](Self::MEMORY), or the need of the threads as
    /// far as the machine has it. The result does not depend on it.
    pub memory: Option<u64>,
    /// Whether fewer threads than the pool's are acceptable if memory is short.
    pub fewer_threads: bool,
    /// Presentations of each layer to verify, with whole images in 64 bits.
    pub verify: u64,
    /// Units per block; `None` for about two million presentations.
    pub block: Option<usize>,
    /// Method, precision and device.
    pub compute: ComputeSettings,
}

impl SweepSettings {
    /// Default limit of memory in bytes: enough for any preset on a few cores.
    pub const MEMORY: u64 = 2 << 30;

    /// A sweep of all units of `input`, with default occluders.
    pub fn new(input: InputSettings, output: OutputSettings) -> Self {
        Self {
            input,
            units: UnitSelection::default(),
            output,
            occlusion: OcclusionSettings::default(),
            sizes: Vec::new(),
            batch: None,
            memory: None,
            fewer_threads: true,
            verify: 0,
            block: None,
            compute: ComputeSettings::default(),
        }
    }
}

/// Settings of a ranking followed by its sweep.
#[derive(Clone, Debug)]
pub struct RunSettings {
    /// The sweep.
    pub sweep: SweepSettings,
    /// Images per unit, from either end of its ranking.
    pub top: usize,
    /// Whether to stop after the ranking.
    pub rank_only: bool,
}
