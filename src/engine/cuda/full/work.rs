//! What a layer of the full method has to do on the device.

use cudarc::driver::CudaSlice;

use super::cublas::Product;
use super::cudnn::{Convolve, Cudnn};
use crate::engine::cuda::kernels::function::FunctionParameters;
use crate::engine::cuda::kernels::image::Sizes;
use crate::engine::cuda::kernels::image::gather::View;
use crate::engine::cuda::kernels::image::normalise::ImageNormaliseParameters;
use crate::engine::cuda::kernels::image::window_sum::ImageWindowSumParameters;
use crate::engine::cuda::kernels::node::DeviceNumbers;
use crate::engine::cuda::support::no_kernel;
use crate::engine::cuda::{CudaError, Device};
use crate::geometry::{Axis, PerAxis, SlidingWindow};
use crate::network::{Convolution, Filters, Op, Pad, Window};
use crate::program::Selection;

/// What a layer has to do.
pub(super) enum Work {
    Convolve {
        by: By,
        /// What a unit sees of the input.
        view: View,
        filters: CudaSlice<f32>,
        bias: Option<CudaSlice<f32>>,
        /// Whether the ReLU behind it is done with it.
        rectified: bool,
    },
    Rectify,
    Function(FunctionParameters, Option<DeviceNumbers>),
    MaxPool(PerAxis<SlidingWindow>, Sizes),
    Pad(Pad, Sizes),
    /// The means, and filters that are not read.
    Mean(ImageWindowSumParameters, CudaSlice<f32>),
    Normalise(ImageNormaliseParameters, Option<DeviceNumbers>),
    Add,
    Multiply,
    /// Also of a single input: a copy.
    Concatenate,
    Select(Selection),
    /// Done already, or nothing to do.
    Nothing,
}

/// Who convolves.
pub(super) enum By {
    /// cuDNN.
    Convolution(Convolve),
    /// cuBLAS: the convolution of each image is a product of matrices as it is.
    Product(Product),
    /// A kernel of our own, of a padding that differs before and behind the input.
    WindowSum(ImageWindowSumParameters),
}

/// A layer that leads to a target.
pub(super) struct LayerOf<'m> {
    pub op: &'m Op,
    /// Its numbers, if it has any.
    pub numbers: Option<&'m Filters>,
    /// Channels of the first input.
    pub inputs: usize,
    pub sizes: Sizes,
    /// Images of one call of a library.
    pub chunk: usize,
    /// Whether it writes over its input.
    pub in_place: bool,
}

impl LayerOf<'_> {
    /// What it has to do; a ReLU that is done with the convolution before it is not asked.
    pub fn work(&self, device: &Device, cudnn: &Cudnn) -> Result<Work, CudaError> {
        let Self { inputs, sizes, .. } = *self;
        let numbers = || -> Result<Option<DeviceNumbers>, CudaError> {
            self.numbers.map(|numbers| DeviceNumbers::new(device, numbers, inputs)).transpose()
        };
        let function = |parameters| Ok(Work::Function(parameters, numbers()?));
        Ok(match self.op {
            Op::Conv(conv) => return self.convolve(device, cudnn, conv),
            Op::Relu => Work::Rectify,
            Op::Prelu => return function(FunctionParameters::SLOPE),
            Op::BatchNorm(_) | Op::Scale(_) => return function(FunctionParameters::SCALE),
            Op::Pointwise(kind) => return function(FunctionParameters::new(*kind)),
            Op::Dropout if self.in_place => Work::Nothing,
            Op::MaxPool(pool) => Work::MaxPool(pool.window().axes, sizes),
            Op::Pad(pad) => Work::Pad(*pad, sizes),
            Op::AvgPool(pool) => {
                let mean = ImageWindowSumParameters::mean(pool, inputs, sizes);
                Work::Mean(mean, device.upload(&[0.0])?)
            }
            Op::LocalResponseNorm(norm) => {
                Work::Normalise(ImageNormaliseParameters::neighbours(norm), None)
            }
            Op::ChannelNorm(norm) => {
                Work::Normalise(ImageNormaliseParameters::all(*norm), numbers()?)
            }
            Op::Add => Work::Add,
            Op::Mul => Work::Multiply,
            Op::Dropout | Op::Concat => Work::Concatenate,
            Op::Slice(slice) => Work::Select(Selection::slice(slice)),
            Op::Shuffle(shuffle) => Work::Select(Selection::shuffle(shuffle, inputs)),
            Op::GlobalAvgPool | Op::GroupNorm(_) | Op::Gate(_) => return Err(no_kernel(0)),
        })
    }

    fn convolve(
        &self,
        device: &Device,
        cudnn: &Cudnn,
        conv: &Convolution,
    ) -> Result<Work, CudaError> {
        let Self { inputs, sizes, chunk, .. } = *self;
        let window = conv.window();
        let by = if conv.groups == 1 && window == Window::SINGLE {
            By::Product(Product {
                rows: conv.out_channels,
                columns: sizes.output.area(),
                depth: inputs,
                transposed: false,
                count: chunk,
            })
        } else if Axis::BOTH
            .iter()
            .all(|&axis| window.axes.of(axis).padding == window.padding_after.of(axis))
        {
            By::Convolution(Convolve::new(cudnn, conv, (chunk, inputs), sizes)?)
        } else {
            By::WindowSum(ImageWindowSumParameters::convolution(conv, inputs, sizes))
        };
        let view = View {
            channels: inputs,
            size: sizes.input,
            depth: inputs / conv.groups,
            window: window.axes,
        };
        let none = Filters { weight: Vec::new(), bias: Vec::new() };
        let Filters { weight, bias } = self.numbers.unwrap_or(&none);
        let bias = if bias.is_empty() { None } else { Some(device.upload(bias)?) };
        let filters = device.upload(weight)?;
        Ok(Work::Convolve { by, view, filters, bias, rectified: false })
    }
}

impl Work {
    /// Bytes that it needs to work in.
    pub fn workspace(&self) -> usize {
        match self {
            Self::Convolve { by: By::Convolution(convolve), .. } => convolve.workspace,
            _ => 0,
        }
    }
}
