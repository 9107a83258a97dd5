//! The full method on a GPU: every occluded image goes through the network whole, as the reference
//! does it.
//!
//! Occluded copies are made on the device, convolutions are cuDNN's, or cuBLAS' where they are
//! products of matrices as they are; the other layers are our own kernels. Of the unit's own layer
//! only the position that it is asked for is computed, by cuBLAS. It shares formulas with the
//! incremental engine (functions, windows), but no deltas; the CPU is the independent check of both.

mod batches;
mod convolution;
mod cublas;
mod cudnn;
mod pass;
mod presenting;
mod ranking;
mod stage;

use std::sync::{Arc, Mutex};

use ndarray::ArrayView3;

use self::batches::{Workspace, Workspaces};
use self::pass::{DevicePass, chunk};
use self::presenting::Presenting;
use self::ranking::Ranking;
use self::stage::BatchSize;
use super::support::check_support;
use super::{CudaError, Device};
use crate::engine::request::{PreparedImages, check_layers};
use crate::engine::{
    Batch, Engine, EngineError, EngineName, Extremes, JobResult, KernelTime, PendingExtremes,
    Presenter, Profiler, Ranker, RankingEngine, Rates,
};
use crate::geometry::ImageSize;
use crate::network::{LayerId, Model};
use crate::program::Pass;
use crate::progress::Progress;

/// The full method on a GPU, in 32-bit arithmetic.
#[derive(Clone, Debug)]
pub struct CudaFullEngine {
    /// The device.
    pub device: Arc<Device>,
}

impl Engine for CudaFullEngine {
    fn name(&self) -> EngineName {
        EngineName::CudaFull
    }

    fn device(&self) -> String {
        self.device.info().to_string()
    }

    fn profiler(&self) -> Option<&dyn Profiler> {
        Some(self)
    }

    fn prepare<'m>(
        &self,
        model: &'m Model,
        layers: &[LayerId],
        image: ImageSize,
    ) -> Result<Box<dyn Presenter + 'm>, EngineError> {
        Ok(Box::new(Full::new(&self.device, model, layers, image)?))
    }
}

impl RankingEngine for CudaFullEngine {
    fn ranker<'m>(
        &self,
        model: &'m Model,
        layers: &[LayerId],
        image: ImageSize,
    ) -> Result<Box<dyn Ranker + 'm>, EngineError> {
        Ok(Box::new(Full::new(&self.device, model, layers, image)?))
    }
}

impl Profiler for CudaFullEngine {
    fn time_kernels(
        &self,
        work: &mut dyn FnMut() -> Result<(), EngineError>,
    ) -> Result<Vec<KernelTime>, EngineError> {
        self.device.time_kernels(work)
    }

    fn rates(&self) -> Option<Rates> {
        None
    }
}

struct Full<'m> {
    model: &'m Model,
    image: ImageSize,
    layers: Vec<LayerId>,
    pass: Pass,
    /// Images of one call of cuDNN or cuBLAS.
    chunk: usize,
    device: Arc<Device>,
    /// What one batch at a time is computed in.
    rooms: Mutex<Workspaces>,
}

impl<'m> Full<'m> {
    fn new(
        device: &Arc<Device>,
        model: &'m Model,
        layers: &[LayerId],
        image: ImageSize,
    ) -> Result<Self, EngineError> {
        check_layers(model.network(), layers, image)?;
        check_support(model.network(), layers)?;
        let pass = Pass::new(model.network(), layers, image)?.fused(layers);
        let chunk = chunk(&pass);
        let (device, layers) = (Arc::clone(device), layers.to_vec());
        let full = Self { model, image, layers, pass, chunk, device, rooms: Mutex::default() };
        // So that what is missing shows now. A ranking gives this back before it allocates its own.
        let presenting = Some(full.largest(Presenting::most(&full))?);
        Ok(Self { rooms: Mutex::new(Workspaces { presenting, ranking: None }), ..full })
    }
}

impl Full<'_> {
    fn images(&self) -> PreparedImages {
        PreparedImages { channels: self.channels(), size: self.image }
    }

    /// Channels of an image.
    fn channels(&self) -> usize {
        self.model.network().image_channels()
    }

    /// Values of an image.
    fn pixels(&self) -> usize {
        self.channels() * self.image.area()
    }

    /// The layers, for batches of `batch` images.
    fn pass(&self, batch: usize) -> Result<DevicePass, CudaError> {
        let size = BatchSize { batch, chunk: self.chunk };
        DevicePass::new(&self.device, self.model, &self.pass, &self.layers, size)
    }
}

impl Ranker for Full<'_> {
    fn images_at_a_time(&self, _threads: usize) -> usize {
        // One batch: the device has the one before to work on while this is read.
        Ranking::most(self)
    }

    fn extremes(
        &self,
        images: &[ArrayView3<'_, f32>],
        first: usize,
        progress: &Progress<'_>,
    ) -> Result<Vec<Vec<Vec<Extremes>>>, EngineError> {
        self.rank(images, first, progress)?()
    }

    fn begin_extremes<'e>(
        &'e self,
        images: &[ArrayView3<'_, f32>],
        first: usize,
        progress: &'e Progress<'_>,
    ) -> Result<PendingExtremes<'e>, EngineError> {
        self.rank(images, first, progress)
    }
}

impl Presenter for Full<'_> {
    fn present(
        &self,
        layer: LayerId,
        batch: &Batch<'_>,
        progress: &Progress<'_>,
    ) -> Result<Vec<JobResult>, EngineError> {
        self.respond_to_all(layer, batch, progress)
    }
}
