//! Engines present occluded images to a network and measure responses.
//!
//! An engine knows no files. It is prepared once for a model, some of its layers and an image
//! size, where every error of shape shows; then it runs batches of images and of jobs.

mod batch;
pub mod cpu;
pub mod cuda;
pub mod deposit;
mod maximum;
mod name;
mod order;
mod real;
pub mod reference;
mod request;
mod rounding;
mod scratch;

use ndarray::ArrayView3;
use thiserror::Error;

use self::cuda::CudaError;
use self::deposit::{MapSums, Summation};
use crate::error::{ErrorKind, HasKind};
use crate::geometry::ImageSize;
use crate::network::{LayerId, Model, Network, NetworkError};
use crate::program::MissingFilters;
use crate::progress::Progress;

pub use batch::{Batch, BatchImage, BatchPlacement, Job, PlacedJob};
pub use cpu::CpuEngine;
pub use cuda::{CudaEngine, CudaFullEngine};
pub use name::EngineName;
pub use reference::{Float64Engine, ReferenceEngine};
pub use request::RequestError;
pub use rounding::{Limits, convolutions_before};

/// What can go wrong in an engine.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The network cannot be run on images of this size.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A GPU cannot do its work.
    #[error(transparent)]
    Cuda(#[from] CudaError),
    /// A request that does not fit what was prepared.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// A layer without numbers.
    #[error(transparent)]
    Filters(#[from] MissingFilters),
    /// A response that is no number.
    #[error(
        "unit {unit} of `{layer}` responds with {value} to image {image}: the weights or the \
         image's values are too large for {arithmetic}; check the preprocessing"
    )]
    NotFinite {
        /// The layer's name.
        layer: String,
        /// The unit.
        unit: usize,
        /// The image's index.
        image: usize,
        /// The response.
        value: f32,
        /// What it was computed in, and what to take instead where there is something.
        arithmetic: &'static str,
    },
    /// The caller asked to stop.
    #[error("stopped")]
    Stopped,
}

impl HasKind for EngineError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Network(error) => error.kind(),
            Self::Cuda(error) => error.kind(),
            Self::Request(_) | Self::Filters(_) => ErrorKind::Internal,
            Self::NotFinite { .. } => ErrorKind::Input,
            Self::Stopped => ErrorKind::Stopped,
        }
    }
}

/// What responses are computed in, but for fp16.
const ARITHMETIC: &str = "32-bit arithmetic";

/// Checks a response of a unit of `layer` to an image.
fn check_finite(
    network: &Network,
    layer: LayerId,
    unit: usize,
    image: usize,
    value: f32,
) -> Result<(), EngineError> {
    if value.is_finite() {
        return Ok(());
    }
    let (layer, arithmetic) = (network.short_name(layer), ARITHMETIC);
    Err(EngineError::NotFinite { layer, unit, image, value, arithmetic })
}

/// Checks the responses of all units of `layer` to an image: a NaN or an infinity anywhere is an extreme.
fn check_extremes(
    network: &Network,
    layer: LayerId,
    image: usize,
    units: &[Extremes],
) -> Result<(), EngineError> {
    for (unit, extremes) in units.iter().enumerate() {
        check_finite(network, layer, unit, image, extremes.max)?;
        check_finite(network, layer, unit, image, extremes.min)?;
    }
    Ok(())
}

/// The outcome of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct JobResult {
    /// The unit's response to the original image.
    pub response: f32,
    /// Per occluder, `response(occluded) - response(original)`, signed.
    pub differences: Vec<f32>,
}

/// A unit's largest and smallest response to one image, and the flat index `y * width + x` of
/// the first position, in row-major order, where each occurs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
pub struct Extremes {
    /// Largest response.
    pub max: f32,
    /// Where.
    pub max_at: u32,
    /// Smallest response.
    pub min: f32,
    /// Where.
    pub min_at: u32,
}

/// How long one of an engine's kernels took, by the clock of the device that it ran on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KernelTime {
    /// The kernel, or the function of a library that started it.
    pub name: &'static str,
    /// How often it was started.
    pub starts: usize,
    /// Seconds of all starts together.
    pub seconds: f64,
}

/// What one of an engine's kernels has to do, whatever the time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct KernelWork {
    /// The kernel, under the name by which it is timed.
    pub kernel: &'static str,
    /// Floating-point operations of products, two a multiply-add.
    pub operations: f64,
    /// Bytes that it reads from the device's memory and writes there, each once.
    pub bytes: f64,
}

impl KernelWork {
    /// The seconds that it takes at the least: of its bytes or of its operations.
    pub fn floor(&self, rates: Rates) -> f64 {
        (self.bytes / rates.bytes).max(self.operations / rates.operations)
    }
}

/// What a device can do at most in a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Bytes between its memory and its processors.
    pub bytes: f64,
    /// Operations of products, in the engine's precision.
    pub operations: f64,
}

/// A way to compute responses.
pub trait Engine: Sync {
    /// The engine's name, for the manifest.
    fn name(&self) -> EngineName;

    /// What it runs on, for the manifest.
    fn device(&self) -> String {
        "cpu".into()
    }

    /// The instructions of its products, where processors differ in them: results do not tell.
    fn instructions(&self) -> Option<&'static str> {
        None
    }

    /// What measures the engine's kernels, where it runs kernels on a device.
    fn profiler(&self) -> Option<&dyn Profiler> {
        None
    }

    /// Bytes of `model`'s weights in the orders in which the engine reads them for `layers`, at
    /// most, beside the model itself: none where it reads that, or a device's memory.
    fn weight_bytes(&self, _model: &Model, _layers: &[LayerId]) -> usize {
        0
    }

    /// Prepares the engine to run `model` up to `layers`, convolutions all, on images of size
    /// `image`.
    ///
    /// # Errors
    /// Images too small for one of the layers; a layer that is no convolution.
    fn prepare<'m>(
        &self,
        model: &'m Model,
        layers: &[LayerId],
        image: ImageSize,
    ) -> Result<Box<dyn Presenter + 'm>, EngineError>;
}

/// A way to find where units respond most and least.
pub trait RankingEngine: Engine {
    /// Prepares the engine to rank images of size `image` by the units of `layers`, convolutions all.
    ///
    /// # Errors
    /// Images too small for one of the layers; a layer that is no convolution.
    fn ranker<'m>(
        &self,
        model: &'m Model,
        layers: &[LayerId],
        image: ImageSize,
    ) -> Result<Box<dyn Ranker + 'm>, EngineError>;
}

/// Extremes that are computed, or about to be: `[image][layer][unit]`.
pub type PendingExtremes<'e> =
    Box<dyn FnOnce() -> Result<Vec<Vec<Vec<Extremes>>>, EngineError> + 'e>;

/// An engine prepared to rank images.
///
/// Results are the same bytes for any number of threads and any division into batches.
pub trait Ranker: Send + Sync {
    /// Preferred number of images of a call, where `threads` threads read them: enough that no
    /// thread waits long for others at the end, few enough to hold.
    fn images_at_a_time(&self, threads: usize) -> usize {
        4 * threads
    }

    /// The extremes of every unit: `[image][layer][unit]`, layers in the order in which they were
    /// prepared. `first` is the index of the first image, for messages.
    ///
    /// # Errors
    /// An image of another size, a response that is not finite, [`EngineError::Stopped`].
    fn extremes(
        &self,
        images: &[ArrayView3<'_, f32>],
        first: usize,
        progress: &Progress<'_>,
    ) -> Result<Vec<Vec<Vec<Extremes>>>, EngineError>;

    /// Starts [`Ranker::extremes`] without waiting for a device: a caller that starts the next images
    /// before it calls the result keeps the device busy. The images are no longer needed then.
    ///
    /// # Errors
    /// As [`Ranker::extremes`], now or when the result is called.
    fn begin_extremes<'e>(
        &'e self,
        images: &[ArrayView3<'_, f32>],
        first: usize,
        progress: &'e Progress<'_>,
    ) -> Result<PendingExtremes<'e>, EngineError> {
        let found = self.extremes(images, first, progress)?;
        Ok(Box::new(|| Ok(found)))
    }
}

/// Measures the kernels of an engine's device.
pub trait Profiler {
    /// Runs `work`, and returns the time of each kernel that it started on the device.
    ///
    /// # Errors
    /// Those of `work`; a device without a clock.
    fn time_kernels(
        &self,
        work: &mut dyn FnMut() -> Result<(), EngineError>,
    ) -> Result<Vec<KernelTime>, EngineError>;

    /// Peak rates of the device, where its maker's figures are known.
    fn rates(&self) -> Option<Rates>;
}

/// An engine prepared to present occluded images.
///
/// Results are the same bytes for any number of threads and any division into batches.
pub trait Presenter: Send + Sync {
    /// Preferred number of jobs of a batch: enough that many presentations share a plan, few enough
    /// to hold.
    fn maps_at_a_time(&self) -> usize {
        256
    }

    /// Presents every occluder of every job to `layer`, one of those prepared.
    ///
    /// # Errors
    /// A job that does not fit the layer or the image, a response that is not finite,
    /// [`EngineError::Stopped`].
    fn present(
        &self,
        layer: LayerId,
        batch: &Batch<'_>,
        progress: &Progress<'_>,
    ) -> Result<Vec<JobResult>, EngineError>;

    /// The work of each kernel for a presentation, the mean of all presentations of a batch; empty
    /// without kernels.
    ///
    /// # Errors
    /// A job that does not fit the layer or the image.
    fn work(&self, layer: LayerId, batch: &Batch<'_>) -> Result<Vec<KernelWork>, EngineError> {
        let _ = (layer, batch);
        Ok(Vec::new())
    }

    /// Room for so many differences of presentations to `layer` on the device that computes them, to
    /// be summed there; `None` where there is none: then [`Presenter::present`] hands them over.
    ///
    /// # Errors
    /// A layer that was not prepared; a device that fails.
    fn keep(
        &self,
        layer: LayerId,
        differences: usize,
    ) -> Result<Option<Box<dyn Kept + '_>>, EngineError> {
        let _ = (layer, differences);
        Ok(None)
    }
}

/// Differences that stay where they were computed until they are summed.
pub trait Kept {
    /// Forgets what was kept.
    ///
    /// # Errors
    /// A device that fails.
    fn clear(&mut self) -> Result<(), EngineError>;

    /// Presents every occluder of every job; the differences of each job go, in the order of its
    /// occluders, to where `firsts` says. Returns the jobs' responses to the original images.
    ///
    /// # Errors
    /// As [`Presenter::present`], but for differences that are not finite; differences for which
    /// there is no room.
    fn present(
        &mut self,
        batch: &Batch<'_>,
        firsts: &[usize],
        progress: &Progress<'_>,
    ) -> Result<Vec<f32>, EngineError>;

    /// The sums of each map.
    ///
    /// # Errors
    /// A difference that is not finite; differences that are not there; a device that fails.
    fn sum(&self, asked: &Summation) -> Result<Vec<MapSums>, EngineError>;
}
