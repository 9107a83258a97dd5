//! How the memory that a sweep may take is shared out.

use thiserror::Error;

use crate::engine::Engine;
use crate::engine::cpu::PLAN_BYTES;
use crate::engine::cuda::PINNED_BYTES;
use crate::geometry::{Axis, ImageSize};
use crate::network::{LayerId, Model, Network};

/// Too little memory for a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{found} bytes of memory are too few; this network needs at least {needed}")]
pub struct TooLittleMemory {
    /// Bytes that are needed at least.
    pub needed: usize,
    /// Bytes that there are.
    pub found: usize,
}

/// The memory that a sweep may hold at a time, in bytes. The result does not depend on it, and neither does
/// the memory that it takes depend on the number of units or images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryShares {
    /// Memory of any sweep: weights, in the orders in which engines read them, and the
    /// buffers of each thread.
    pub fixed: usize,
    /// Activations of original images; 0 where they are on devices.
    pub activations: usize,
    /// Images.
    pub images: usize,
    /// Responses that wait for the maps of their units.
    pub responses: usize,
}

/// Buffers of a thread that holds differences: a batch of presentations through all layers.
const BYTES_A_THREAD: usize = 64 << 20;
/// Plans behind exact gates: [`PLAN_BYTES`], and those of the job beyond them.
const BYTES_OF_PLANS: usize = 2 * PLAN_BYTES;
/// The program, the names of the images, the ranking.
const BYTES_OF_THE_PROGRAM: usize = 64 << 20;

impl MemoryShares {
    /// Shares out `total` bytes for sweeps by `engines` of `layers` on images of size `image`.
    ///
    /// # Errors
    /// If less than half of it, or than what a few images need, would be left for the work.
    pub fn of(
        total: usize,
        engines: &[&dyn Engine],
        model: &Model,
        layers: &[LayerId],
        image: ImageSize,
        threads: usize,
    ) -> Result<Self, TooLittleMemory> {
        let network = model.network();
        let weights = model.weights() * size_of::<f32>()
            + engines.iter().map(|engine| engine.weight_bytes(model, layers)).sum::<usize>();
        // A thread of the plain engine, which ranks and verifies, holds a layer's input and output
        // of a whole image, in 32 or 64 bits. One that computes an image's activations for the
        // incremental engine holds those of all layers until it knows which to keep.
        let mut largest = 0;
        let mut together = 0;
        for &layer in layers {
            let leading = network.leading_to(&[layer]);
            let sizes = network.sizes(image, layer).unwrap_or_default();
            let kept = network.floats_kept(layer);
            let floats =
                sizes.iter().enumerate().filter(|&(id, _)| leading[id]).map(|(id, size)| {
                    let floats = network.channels(LayerId(id)) * size.area();
                    largest = largest.max(floats);
                    floats * kept(LayerId(id))
                });
            together = together.max(floats.sum());
        }
        // Taps that lie far apart need padding beyond all activations.
        let padded = padded_floats(network, layers, image).saturating_sub(largest);
        let plain = 3 * (size_of::<f32>() + size_of::<f64>()) * largest + padded * size_of::<f32>();
        let baseline = size_of::<f32>() * together;
        // Engines on devices hold all that in their memory.
        let on_devices = engines.iter().all(|engine| engine.profiler().is_some());
        let (buffers, baseline) =
            if on_devices { (0, 0) } else { (BYTES_A_THREAD + plain + baseline, baseline) };
        let thread = buffers + READ_AHEAD * image_bytes(network.image_channels(), image);
        let gated = layers.iter().any(|&layer| network.has_exact_gates_before(layer));
        let plans = if gated && !on_devices { BYTES_OF_PLANS } else { 0 };
        let devices = engines.iter().filter(|engine| engine.profiler().is_some()).count();
        let fixed =
            BYTES_OF_THE_PROGRAM + devices * PINNED_BYTES + plans + weights + threads * thread;
        let least = 16 * image_bytes(network.image_channels(), image) + baseline;
        if total < fixed + least {
            return Err(TooLittleMemory { needed: fixed + least, found: total });
        }
        // The buffers of threads grow with the windows of deep layers, and what is given back to
        // the system is not all usable again at once.
        let rest = (total - fixed) / 10 * 7;
        let activations = if on_devices { 0 } else { rest / 2 };
        let responses = rest / 4;
        Ok(Self { fixed, activations, images: rest - activations - responses, responses })
    }

    /// The memory of each of several sweeps that share it.
    #[must_use]
    pub fn among(self, sweeps: usize) -> Self {
        let Self { fixed, activations, images, responses } = self;
        let [activations, images, responses] =
            [activations, images, responses].map(|share| share / sweeps.max(1));
        Self { fixed, activations, images, responses }
    }

    /// Number of images with this number of channels that may be held.
    pub fn images_at_a_time(&self, channels: usize, image: ImageSize) -> usize {
        (self.images / image_bytes(channels, image)).max(1)
    }
}

/// Values of the largest input of a convolution that leads to one of `layers`, with its padding.
fn padded_floats(network: &Network, layers: &[LayerId], image: ImageSize) -> usize {
    let leading = network.leading_to(layers);
    let sizes = network.sizes_for(image, layers).unwrap_or_default();
    let padded = network.all_convolutions().filter(|(id, _)| leading[id.0]).map(|(id, conv)| {
        let along = |axis: Axis| {
            let window = conv.window().axes.of(axis);
            let outputs = sizes.get(id.0).map_or(0, |&size| axis.of(size));
            outputs.saturating_sub(1) * window.stride + window.extent()
        };
        let area = along(Axis::Y).saturating_mul(along(Axis::X));
        area.saturating_mul(network.input_channels(id))
    });
    // Far beyond any machine, and small enough to be added up.
    padded.max().unwrap_or(0).min(1 << 50)
}

/// Images that each thread reads ahead.
const READ_AHEAD: usize = 3;

fn image_bytes(channels: usize, ImageSize { height, width }: ImageSize) -> usize {
    channels * height * width * size_of::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{
        CpuEngine, EngineError, EngineName, KernelTime, Presenter, Profiler, Rates, ReferenceEngine,
    };
    use crate::network::Network;

    /// Stands in for an engine of a GPU.
    struct OnDevice;

    impl Engine for OnDevice {
        fn name(&self) -> EngineName {
            EngineName::CudaIncremental
        }

        fn profiler(&self) -> Option<&dyn Profiler> {
            Some(self)
        }

        fn weight_bytes(&self, _: &Model, _: &[LayerId]) -> usize {
            0
        }

        fn prepare<'m>(
            &self,
            model: &'m Model,
            layers: &[LayerId],
            image: ImageSize,
        ) -> Result<Box<dyn Presenter + 'm>, EngineError> {
            ReferenceEngine.prepare(model, layers, image)
        }
    }

    impl Profiler for OnDevice {
        fn time_kernels(
            &self,
            _: &mut dyn FnMut() -> Result<(), EngineError>,
        ) -> Result<Vec<KernelTime>, EngineError> {
            Ok(Vec::new())
        }

        fn rates(&self) -> Option<Rates> {
            None
        }
    }

    #[test]
    fn shares_fit_into_the_whole_and_too_little_says_what_is_needed() {
        let network = Network::preset("alexnet").unwrap();
        let layers = [network.convolution("conv5").unwrap()];
        let model = Model::random(network, 0).unwrap();
        let image = ImageSize::square(227);
        let among = |engines: &[&dyn Engine], total, threads| {
            MemoryShares::of(total, engines, &model, &layers, image, threads)
        };
        let of = |total, threads| among(&[&CpuEngine::default()], total, threads);
        let MemoryShares { fixed, activations, images, responses } = of(2 << 30, 2).unwrap();
        assert!(fixed + activations + images + responses <= 2 << 30);
        assert!(activations > images && images >= responses && responses > 100 << 20);
        let TooLittleMemory { needed, found } = of(1 << 20, 2).unwrap_err();
        assert_eq!(found, 1 << 20);
        assert!(of(needed - 1, 2).is_err());
        assert!(of(needed, 2).unwrap().images_at_a_time(3, image) >= 1);
        assert!(of(needed, 3).is_err());
        // On a GPU a batch is to have thousands of maps, each perhaps on an image of its own.
        let on_gpu = among(&[&OnDevice], 2 << 30, 16).unwrap();
        assert_eq!(on_gpu.activations, 0);
        assert!(on_gpu.images_at_a_time(3, image) > 1_500);
        // Verification is the processor's.
        let both = among(&[&OnDevice, &CpuEngine::default()], (2 << 30) + PINNED_BYTES, 2).unwrap();
        let without_pinned = MemoryShares { fixed: both.fixed - PINNED_BYTES, ..both };
        assert_eq!(among(&[&CpuEngine::default()], 2 << 30, 2).unwrap(), without_pinned);
    }

    #[test]
    fn padding_between_taps_that_lie_far_apart_counts() {
        let network = |dilation: usize| {
            let json = format!(
                r#"{{"name": "far", "layers": [
                    {{"op": "conv", "out_channels": 2, "kernel": 2, "dilation": {dilation},
                      "padding": {padding}}},
                    {{"op": "conv", "out_channels": 2, "kernel": 1}}
                ]}}"#,
                padding = dilation.div_ceil(2)
            );
            Network::from_description(json.as_bytes()).unwrap()
        };
        let needed = |dilation| {
            let model = Model::random(network(dilation), 0).unwrap();
            let engines: [&dyn Engine; 1] = [&CpuEngine::default()];
            let image = ImageSize::square(8);
            MemoryShares::of(1, &engines, &model, &[LayerId(1)], image, 1).unwrap_err().needed
        };
        assert!(needed(65_535) > needed(1) + (3 * 65_535_usize.pow(2) * 4));
    }
}
