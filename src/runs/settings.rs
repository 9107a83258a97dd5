//! What a caller decides about a run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{ComputeSettings, DeviceChoice, RunError, Share};
use crate::geometry::{Deposit, FrameRule, GridRule, ImageSize};
use crate::images::{ImageSource, Preprocessing};
use crate::maps::MeanOver;
use crate::network::{Model, ModelError, Network, NetworkError};
use crate::sweep::UnitSelection;

/// A network with weights, layers of it, and images.
#[derive(Clone, Debug)]
pub struct InputSettings {
    /// The network with its weights.
    pub model: ModelSource,
    /// What the names of the tensors begin with, where the weight file has several copies of the
    /// network.
    pub weights_prefix: Option<String>,
    /// The images.
    pub images: ImageSource,
    /// The images' preprocessing; `None` for that of their kind
    /// ([`ImageFolder::open`](crate::images::ImageFolder::open)).
    pub preprocessing: Option<Preprocessing>,
    /// The images' size; `None` for that of the first.
    pub image_size: Option<ImageSize>,
    /// Whether images that cannot be read are passed over.
    pub skip_unreadable: bool,
    /// Convolutions by name; all where none is named.
    pub layers: Vec<String>,
}

impl InputSettings {
    /// All convolutions of a model of files, on images with the preprocessing of their kind.
    pub fn new(
        model: impl Into<String>,
        weights: impl Into<PathBuf>,
        images: impl Into<ImageSource>,
    ) -> Self {
        Self::of(ModelSource::Files { model: model.into(), weights: weights.into() }, images.into())
    }

    /// All convolutions of a model, on images with the preprocessing of their kind.
    pub const fn of(model: ModelSource, images: ImageSource) -> Self {
        Self {
            model,
            weights_prefix: None,
            images,
            preprocessing: None,
            image_size: None,
            skip_unreadable: false,
            layers: Vec::new(),
        }
    }
}

/// Where a network and its weights come from.
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
    /// The network.
    ///
    /// # Errors
    /// A model that is none.
    pub fn network(&self) -> Result<Network, NetworkError> {
        match self {
            Self::Files { model, .. } => Network::named(model),
            Self::Given(model) => Ok(model.network().clone()),
        }
    }

    /// Gives `network`, which is its own, the weights; of a file those below `prefix`, where one is
    /// given.
    ///
    /// # Errors
    /// Weights that cannot be read, or do not go with the network.
    pub fn load(&self, network: Network, prefix: Option<&str>) -> Result<Arc<Model>, ModelError> {
        match self {
            Self::Files { weights, .. } => {
                Model::load_below(network, weights, prefix).map(Arc::new)
            }
            Self::Given(model) if network.taps().is_empty() => Ok(Arc::clone(model)),
            Self::Given(model) => Ok(Arc::new(model.with_network(network))),
        }
    }

    /// The weight file, where there is one.
    pub fn weights(&self) -> Option<&Path> {
        match self {
            Self::Files { weights, .. } => Some(weights),
            Self::Given(_) => None,
        }
    }

    /// The weights, for the manifest: the path of their file, or what stands for it.
    pub(super) fn weights_label(&self) -> String {
        match self {
            Self::Files { weights, .. } => weights.display().to_string(),
            Self::Given(_) => "in memory".into(),
        }
    }
}

/// Where results go.
#[derive(Clone, Debug)]
pub struct OutputSettings {
    /// The output folder.
    pub folder: PathBuf,
    /// Whether to start anew, and replace files of the same names.
    pub force: bool,
    /// Which blocks this process computes.
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

    /// All results, into a folder that may hold some of them already.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), force: false, share: Share::WHOLE }
    }
}

/// A ranking.
#[derive(Clone, Debug)]
pub struct RankSettings {
    /// What is ranked.
    pub input: InputSettings,
    /// Images a unit, from either end.
    pub top: usize,
    /// Where it goes.
    pub output: OutputSettings,
    /// Where responses are computed.
    pub device: DeviceChoice,
}

impl RankSettings {
    /// A ranking of the first `top` images of each unit, from either end.
    pub fn new(input: InputSettings, top: usize, output: OutputSettings) -> Self {
        Self { input, top, output, device: DeviceChoice::default() }
    }
}

/// Where occluders go, and what is kept of their effect.
#[derive(Clone, Debug)]
pub struct OcclusionSettings {
    /// How occluders are laid out.
    pub grid: GridRule,
    /// Every so many-th occluder of the grid is presented; at least 1.
    pub every: usize,
    /// Where an occluder's effect is added to the map.
    pub deposit: Deposit,
    /// Which pixel of the image is the map's first.
    pub frame: FrameRule,
    /// The seed of the noise.
    pub seed: u64,
    /// Draws of the noise for each occluder; from 1 to [`Noise::DRAWS`](crate::noise::Noise::DRAWS).
    pub repeats: usize,
    /// Over which images a pixel's mean is taken.
    pub mean_over: MeanOver,
    /// Whether standard errors and counts are kept; they are with more than one draw.
    pub statistics: bool,
    /// Whether means of signed and of squared differences are kept.
    pub moments: bool,
    /// Whether reliabilities of the first 2, 4, 8, … images are kept. Each image is added on the host
    /// then.
    pub reliability_curve: bool,
}

impl Default for OcclusionSettings {
    fn default() -> Self {
        Self {
            grid: GridRule::REFERENCE,
            every: 1,
            deposit: Deposit::default(),
            frame: FrameRule::default(),
            seed: 0,
            repeats: 1,
            mean_over: MeanOver::default(),
            statistics: false,
            moments: false,
            reliability_curve: false,
        }
    }
}

/// A sweep.
#[derive(Clone, Debug)]
pub struct SweepSettings {
    /// What is swept.
    pub input: InputSettings,
    /// Units of each layer.
    pub units: UnitSelection,
    /// Where the maps go.
    pub output: OutputSettings,
    /// The occluders, and what is kept.
    pub occlusion: OcclusionSettings,
    /// Maps computed together; `None` for as many as suit the engine. The result does not depend
    /// on it.
    pub batch: Option<usize>,
    /// Memory to use at most, in bytes; `None` for [`MEMORY`](Self::MEMORY), or for what the threads
    /// need, as far as the machine has it. The result does not depend on it.
    pub memory: Option<u64>,
    /// Whether fewer threads than the pool has will do where the memory does not hold all.
    pub fewer_threads: bool,
    /// Presentations of each layer that are presented again, whole and in 64 bits.
    pub verify: u64,
    /// Units a block; `None` for about two million presentations.
    pub block: Option<usize>,
    /// How responses are computed.
    pub compute: ComputeSettings,
}

impl SweepSettings {
    /// The usual memory in bytes: enough for any of the presets on a few cores.
    pub const MEMORY: u64 = 2 << 30;

    /// A sweep of all units of `input`, with the usual occluders.
    pub fn new(input: InputSettings, output: OutputSettings) -> Self {
        Self {
            input,
            units: UnitSelection::default(),
            output,
            occlusion: OcclusionSettings::default(),
            batch: None,
            memory: None,
            fewer_threads: true,
            verify: 0,
            block: None,
            compute: ComputeSettings::default(),
        }
    }
}

/// A ranking, then a sweep of it.
#[derive(Clone, Debug)]
pub struct RunSettings {
    /// The sweep.
    pub sweep: SweepSettings,
    /// Images a unit, from either end of its ranking.
    pub top: usize,
    /// Whether to stop after the ranking.
    pub rank_only: bool,
}
