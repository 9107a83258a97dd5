//! The kernels of each step, for deltas and for original images: the one place of the incremental method
//! that knows the kinds of layers.

use std::sync::Arc;

use super::baselines::BaselineNode;
use super::program::Program;
use super::wave::{Started, no_buffer};
use crate::engine::cuda::kernels::function::FunctionParameters;
use crate::engine::cuda::kernels::join::Join;
use crate::engine::cuda::kernels::multiply::{Factor, Multiply};
use crate::engine::cuda::kernels::node::{DeviceNumbers, NodeGeometry, NodeLaunch};
use crate::engine::cuda::kernels::normalise::{NormaliseParameters, normalise};
use crate::engine::cuda::kernels::occlude::occlude;
use crate::engine::cuda::kernels::pad::pad;
use crate::engine::cuda::kernels::pointwise::pointwise;
use crate::engine::cuda::kernels::pool::{Pool, PoolBaselines};
use crate::engine::cuda::kernels::tap_product::{DeltaBuffers, DeviceFilters, Rectify};
use crate::engine::cuda::kernels::window_sum::{WindowSumParameters, window_sum};
use crate::engine::cuda::loaded::{Kernels, LoadedKernel};
use crate::engine::cuda::tables::layout::{Origin, Output};
use crate::engine::cuda::{CudaError, Device};
use crate::geometry::Border;
use crate::network::{AveragePool, Pad};
use crate::program::{Selection, Step};

/// How kernels compute a step. `F` are the filters of a convolution and `N` the numbers of another layer.
pub(in crate::engine::cuda) enum StepKernel<'a, F, N> {
    /// Noise in place of the image.
    Occlude,
    /// A convolution and, if `rectify`, the ReLU behind it.
    TapProduct { filters: &'a F, rectify: bool },
    /// Single units of the target.
    Respond,
    /// Maxima and, if `rectify`, the ReLU before them.
    Pool { rectify: bool },
    /// The product of two inputs.
    Multiply,
    /// Element by element, one input after the other.
    EachInput(InputKernel<'a, N>),
}

/// The kernel of one input.
pub(in crate::engine::cuda) enum InputKernel<'a, N> {
    /// Inputs `stacked` or added up; of a single one a copy, or a selection of channels.
    Join { stacked: bool, selection: Option<Selection> },
    /// A function of each value.
    Pointwise(FunctionParameters, Option<&'a N>),
    /// A normalisation across channels.
    Normalise(NormaliseParameters, Option<&'a N>),
    /// Sums of windows, channel by channel: a mean, or with weights.
    WindowSum(Option<&'a AveragePool>, Option<&'a N>),
    /// A padding with values of the map itself.
    Pad(Border),
}

impl<'a, F, N> StepKernel<'a, F, N> {
    /// The input as it is.
    pub const COPY: Self = Self::EachInput(InputKernel::Join { stacked: false, selection: None });

    /// The kernels of a step; `None` where there are none.
    pub fn of(step: &'a Step<F, N>) -> Option<Self> {
        use InputKernel::{Join, Normalise, Pointwise, WindowSum};
        Some(Self::EachInput(match step {
            Step::Image => return Some(Self::Occlude),
            &Step::Convolve { ref filters, rectify } => {
                return Some(Self::TapProduct { filters, rectify });
            }
            Step::Respond => return Some(Self::Respond),
            &Step::MaxPool { rectify } => return Some(Self::Pool { rectify }),
            Step::Multiply => return Some(Self::Multiply),
            Step::Copy | Step::Add => return Some(Self::COPY),
            Step::GlobalMean | Step::GroupNorm(..) | Step::Gate(_) => return None,
            Step::Concatenate => Join { stacked: true, selection: None },
            &Step::Select(channels) => Join { stacked: false, selection: Some(channels) },
            Step::Relu { .. } => Pointwise(FunctionParameters::RELU, None),
            Step::Function(kind) => Pointwise(FunctionParameters::new(*kind), None),
            Step::Scale(numbers) => Pointwise(FunctionParameters::SCALE, Some(numbers)),
            Step::Slope(numbers) => Pointwise(FunctionParameters::SLOPE, Some(numbers)),
            Step::Normalise(norm) => Normalise(NormaliseParameters::neighbours(norm), None),
            Step::NormaliseChannels(norm, numbers) => {
                Normalise(NormaliseParameters::all(*norm), Some(numbers))
            }
            Step::Depthwise(numbers) => WindowSum(None, Some(numbers)),
            Step::AveragePool(pool) => WindowSum(Some(pool), None),
            &Step::Pad(Pad { mode, .. }) => InputKernel::Pad(mode),
        }))
    }
}

/// A step of a program on a device.
type DeviceStep<'a> = StepKernel<'a, Arc<DeviceFilters>, DeviceNumbers>;

impl DeviceStep<'_> {
    /// The kernel of the deltas of so many channels; of a convolution, `halves` if it reads them in fp16.
    pub(super) fn of_deltas<'k>(
        &self,
        kernels: &'k Kernels,
        channels: usize,
        halves: bool,
    ) -> &'k LoadedKernel {
        match self {
            Self::Occlude => &kernels.occlude,
            Self::TapProduct { filters, .. } => filters.kernel(kernels, halves),
            Self::Respond => &kernels.respond_delta,
            Self::Pool { .. } => Pool::kernel(kernels, channels),
            Self::Multiply => &kernels.multiply_delta,
            Self::EachInput(InputKernel::Join { .. }) => &kernels.join_delta,
            Self::EachInput(InputKernel::Pointwise(..)) => &kernels.pointwise_delta,
            Self::EachInput(InputKernel::Normalise(..)) => &kernels.normalise_delta,
            Self::EachInput(InputKernel::WindowSum(..)) => &kernels.window_sum_delta,
            Self::EachInput(InputKernel::Pad(_)) => &kernels.pad_delta,
        }
    }

    /// Starts the deltas of a node; those of the target's units are not the wave's.
    pub(super) fn deltas(
        self,
        wave: &Started<'_>,
        index: usize,
        mut to: Output<'_>,
    ) -> Result<(), CudaError> {
        let (device, program, storage) =
            (wave.waves.device, wave.waves.program, wave.waves.storage);
        let nodes = program.subgraph.nodes();
        let (node, presentations) = (&nodes[index], wave.presentations);
        let geometry = |which: usize| NodeGeometry {
            input: Origin::of(&nodes[node.inputs[which]]),
            output: Origin::of(node),
            window: node.window,
            shift: program.subgraph.shift(index, which),
        };
        match self {
            Self::Occlude => {
                let image = (Origin::of(node), node.channels);
                let baseline = wave.baseline(index)?;
                occlude(device, image, presentations, baseline, wave.waves.stream, to)
            }
            Self::TapProduct { filters, rectify } => {
                let input = node.inputs[0];
                let patterns = wave.tables.patterns[index].as_ref().ok_or_else(no_buffer)?;
                let baseline = rectify.then(|| wave.baseline(index)).transpose()?;
                let origin = Origin::of(node);
                let rectify = baseline.map(|baselines| Rectify { origin, baselines });
                let scales = storage.of_convolution(input, index);
                let buffers = DeltaBuffers { from: wave.stored(input)?.values, to: to.values };
                filters.convolve_deltas(device, patterns, presentations, rectify, scales, buffers)
            }
            Self::Respond => Ok(()),
            Self::Pool { rectify } => {
                let (pooled, to_scale) = (program.pooled(index), storage.scale(index));
                let geometry = NodeGeometry { input: Origin::of(&nodes[pooled]), ..geometry(0) };
                let pool = Pool { geometry, channels: node.channels, rectify, to_scale };
                let (read, pooled) = (wave.baseline(pooled)?, wave.baseline(index)?);
                let baselines = PoolBaselines { read, pooled };
                pool.delta(device, presentations, baselines, wave.delta(node.inputs[0])?, to)
            }
            Self::Multiply => {
                let product =
                    Multiply { geometry: [geometry(0), geometry(1)], channels: node.channels };
                let input = |which: usize| -> Result<_, CudaError> {
                    let input = node.inputs[which];
                    Ok(Factor { baseline: wave.baseline(input)?, delta: wave.delta(input)? })
                };
                product.delta(device, presentations, [input(0)?, input(1)?], to)
            }
            Self::EachInput(kernel) => {
                let step = &program.steps[index];
                let is_read = step.reads_inputs() && !step.passes_on();
                for (which, &input) in node.inputs.iter().enumerate() {
                    let launch = kernel.launch(device, program, index, which, geometry(which))?;
                    // The baselines are kept of the inputs whose values a step reads.
                    let baseline = is_read.then(|| wave.baseline(input)).transpose()?;
                    let from = wave.delta(input)?;
                    launch.delta(device, presentations, baseline, from, to.reborrow())?;
                }
                Ok(())
            }
        }
    }

    /// Starts the activations of original images; the image's are copied to the device.
    pub(super) fn baselines(
        self,
        node: &BaselineNode<'_>,
        mut to: Output<'_>,
    ) -> Result<(), CudaError> {
        let BaselineNode { device, program, index, .. } = *node;
        let here = &program.subgraph.nodes()[index];
        let (channels, geometry) = (here.channels, NodeGeometry::of_map(here.window));
        match self {
            Self::Occlude | Self::Respond => Ok(()),
            Self::TapProduct { filters, .. } => node.convolve(filters, geometry, to.values),
            Self::Pool { .. } => {
                let pool = Pool { geometry, channels, rectify: false, to_scale: 0.0 };
                pool.baseline(device, node.input(0)?, to)
            }
            Self::Multiply => {
                let product = Multiply { geometry: [geometry; 2], channels };
                product.baseline(device, [node.input(0)?, node.input(1)?], to)
            }
            Self::EachInput(kernel) => {
                for which in 0..here.inputs.len() {
                    let launch = kernel.launch(device, program, index, which, geometry)?;
                    launch.baseline(device, node.input(which)?, to.reborrow())?;
                }
                Ok(())
            }
        }
    }
}

impl<'a> InputKernel<'a, DeviceNumbers> {
    /// The kernel of a node's input, `which` of them.
    fn launch(
        &self,
        device: &'a Device,
        program: &Program,
        index: usize,
        which: usize,
        geometry: NodeGeometry,
    ) -> Result<Box<dyn NodeLaunch + 'a>, CudaError> {
        let nodes = program.subgraph.nodes();
        let (inputs, channels) = (&nodes[index].inputs, nodes[index].channels);
        let input = &nodes[inputs[which]];
        Ok(match *self {
            Self::Join { stacked, selection } => {
                let before = inputs[..which].iter().map(|&input| nodes[input].channels).sum();
                let join = Join {
                    channels,
                    inputs: input.channels,
                    channel: if stacked { before } else { 0 },
                    selection: selection.unwrap_or(Selection::all(input.channels)),
                    add: !stacked && which > 0,
                };
                Box::new(join.kernel(device, geometry)?)
            }
            Self::Pointwise(function, numbers) => {
                Box::new(pointwise(device, function, geometry, channels, numbers))
            }
            Self::Normalise(parameters, numbers) => {
                Box::new(normalise(device, parameters, geometry, channels, numbers))
            }
            Self::WindowSum(mean, numbers) => {
                let mean = mean.map(|pool| WindowSumParameters::mean(pool, input.size));
                let parameters = mean.unwrap_or_default();
                Box::new(window_sum(device, parameters, geometry, channels, numbers))
            }
            Self::Pad(border) => Box::new(pad(device, border, geometry, channels, input.size)),
        })
    }
}
