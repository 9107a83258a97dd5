//! A convolution of the full method, with its filters on the device.

use cudarc::driver::CudaSlice;

use super::cublas::Product;
use super::cudnn::{Convolve, Cudnn};
use crate::engine::cuda::kernels::image::Sizes;
use crate::engine::cuda::kernels::image::gather::View;
use crate::engine::cuda::kernels::image::window_sum::ImageWindowSumParameters;
use crate::engine::cuda::{CudaError, Device};
use crate::geometry::Axis;
use crate::network::{Filters, Window};
use crate::program::ConvolutionFilters;

/// A convolution with its filters.
pub(super) struct DeviceConvolution {
    pub by: By,
    /// What a unit sees of the input.
    pub view: View,
    pub filters: CudaSlice<f32>,
    pub bias: Option<CudaSlice<f32>>,
    /// Units of a group of channels.
    pub units_of_a_group: usize,
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

impl DeviceConvolution {
    /// The convolution of maps of some sizes, `chunk` images at a time.
    pub fn new(
        device: &Device,
        cudnn: &Cudnn,
        ConvolutionFilters { conv, filters, inputs, .. }: ConvolutionFilters<'_>,
        sizes: Sizes,
        chunk: usize,
    ) -> Result<Self, CudaError> {
        let window = conv.window();
        let even = |axis: &Axis| window.axes.of(*axis).padding == window.padding_after.of(*axis);
        let by = if conv.groups == 1 && window == Window::SINGLE {
            By::Product(Product {
                rows: conv.out_channels,
                columns: sizes.output.area(),
                depth: inputs,
                transposed: false,
                count: chunk,
            })
        } else if Axis::BOTH.iter().all(even) {
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
        let Filters { weight, bias } = filters;
        let bias = if bias.is_empty() { None } else { Some(device.upload(bias)?) };
        let filters = device.upload(weight)?;
        let units_of_a_group = conv.out_channels / conv.groups;
        Ok(Self { by, view, filters, bias, units_of_a_group })
    }

    /// Bytes that it needs to work in.
    pub fn workspace(&self) -> usize {
        match &self.by {
            By::Convolution(convolve) => convolve.workspace,
            By::Product(_) | By::WindowSum(_) => 0,
        }
    }
}
