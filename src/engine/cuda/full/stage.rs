//! One layer's turn in a forward pass of a batch of whole images.

use cudarc::driver::{CudaSlice, CudaView, CudaViewMut};

use super::convolution::{By, DeviceConvolution};
use super::cublas::Cublas;
use super::cudnn::Cudnn;
use crate::engine::cuda::kernels::function::FunctionParameters;
use crate::engine::cuda::kernels::image::finish::finish;
use crate::engine::cuda::kernels::image::function::function;
use crate::engine::cuda::kernels::image::join::{Part, join};
use crate::engine::cuda::kernels::image::multiply::multiply;
use crate::engine::cuda::kernels::image::normalise::{ImageNormaliseParameters, normalise};
use crate::engine::cuda::kernels::image::pad::pad;
use crate::engine::cuda::kernels::image::pool::pool;
use crate::engine::cuda::kernels::image::window_sum::{ImageWindowSumParameters, window_sum};
use crate::engine::cuda::kernels::image::{Maps, Sizes};
use crate::engine::cuda::kernels::node::DeviceNumbers;
use crate::engine::cuda::support::no_kernel;
use crate::engine::cuda::{CudaError, Device};
use crate::program::{self, Node, Selection, Step};

/// The libraries that multiply and convolve.
pub(super) struct Libraries {
    pub cublas: Cublas,
    pub cudnn: Cudnn,
}

/// Images of a batch, and of one call of a library; a batch is a multiple.
#[derive(Clone, Copy, Debug)]
pub struct BatchSize {
    /// Images of a batch.
    pub batch: usize,
    /// Images of one call of a library.
    pub chunk: usize,
}

/// The pass of whole images with its weights on the device.
pub(super) type Pass = program::Pass<DeviceConvolution, DeviceNumbers>;

/// One node's turn.
pub(super) struct Stage<'a> {
    pub device: &'a Device,
    pub libraries: &'a Libraries,
    pub size: BatchSize,
    pub pass: &'a Pass,
    /// The images, `[image][channel][y][x]`.
    pub images: &'a CudaSlice<f32>,
    /// Activations, of the same layout; the buffer that is written is taken out.
    pub buffers: &'a [Option<CudaSlice<f32>>],
    /// The node.
    pub index: usize,
}

impl<'a> Stage<'a> {
    fn node(&self) -> &'a Node {
        &self.pass.nodes[self.index]
    }

    /// The values of an input, by its index among the node's inputs.
    pub fn input(&self, which: usize) -> Result<&'a CudaSlice<f32>, CudaError> {
        match self.node().inputs[which] {
            0 => Ok(self.images),
            input => {
                self.buffers[self.pass.buffers.of(input)].as_ref().ok_or_else(|| CudaError::Shape {
                    kernel: "forward pass",
                    problem: format!("node {} reads what it writes", self.index),
                })
            }
        }
    }

    /// Starts what the node computes.
    pub fn run(
        &self,
        workspace: &mut CudaSlice<u8>,
        output: &mut CudaSlice<f32>,
    ) -> Result<(), CudaError> {
        let Self { device, pass, size: BatchSize { batch, .. }, .. } = *self;
        let node = self.node();
        let first = &pass.nodes[node.inputs[0]];
        let sizes = Sizes { input: first.size, output: node.size };
        let maps = Maps { images: batch, channels: node.channels, area: node.size.area() };
        let step = &pass.steps[self.index];
        if step.is_in_place() && !pass.is_in_place(self.index) {
            self.join(false, output)?;
        }
        let mut apply = |parameters, numbers| function(device, parameters, numbers, maps, output);
        match step {
            Step::Relu { elsewhere: true } | Step::Copy => Ok(()),
            Step::Relu { elsewhere: false } => finish(device, maps, None, true, output),
            Step::Function(kind) => apply(FunctionParameters::new(*kind), None),
            Step::Slope(numbers) => apply(FunctionParameters::SLOPE, Some(numbers)),
            Step::Scale(numbers) => apply(FunctionParameters::SCALE, Some(numbers)),
            Step::Convolve { filters, rectify } => {
                self.convolve(filters, workspace, output)?;
                let bias = filters.bias.as_ref();
                if bias.is_some() || *rectify {
                    finish(device, maps, bias, *rectify, output)?;
                }
                Ok(())
            }
            Step::MaxPool { .. } => {
                pool(device, node.window, batch * node.channels, sizes, self.input(0)?, output)
            }
            &Step::Pad(padding) => {
                pad(device, padding, batch * node.channels, sizes, self.input(0)?, output)
            }
            Step::AveragePool(mean) => {
                let mean = ImageWindowSumParameters::mean(mean, node.channels, sizes);
                let input = self.input(0)?;
                // A mean reads no weights.
                window_sum(device, &mean, batch, input, input, output)
            }
            Step::Normalise(norm) => {
                let neighbours = ImageNormaliseParameters::neighbours(norm);
                normalise(device, &neighbours, None, maps, self.input(0)?, output)
            }
            Step::NormaliseChannels(norm, numbers) => {
                let all = ImageNormaliseParameters::all(*norm);
                normalise(device, &all, Some(numbers), maps, self.input(0)?, output)
            }
            Step::Multiply => {
                multiply(device, batch * node.values(), [self.input(0)?, self.input(1)?], output)
            }
            Step::Add => self.join(true, output),
            Step::Concatenate => self.join(false, output),
            &Step::Select(selection) => {
                let part = Part {
                    area: node.size.area(),
                    inputs: first.channels,
                    selection,
                    channels: node.channels,
                    first: 0,
                    added: false,
                };
                join(device, batch, part, self.input(0)?, output)
            }
            Step::Image
            | Step::Depthwise(_)
            | Step::Respond
            | Step::GlobalMean
            | Step::GroupNorm(..)
            | Step::Gate(_) => Err(no_kernel(self.index)),
        }
    }

    /// The sum of the inputs, or the inputs behind each other; of a single one a copy.
    fn join(&self, sum: bool, output: &mut CudaSlice<f32>) -> Result<(), CudaError> {
        let node = self.node();
        let (channels, area, mut first) = (node.channels, node.size.area(), 0);
        for (which, &input) in node.inputs.iter().enumerate() {
            let inputs = self.pass.nodes[input].channels;
            let (selection, added) = (Selection::all(inputs), sum && which > 0);
            let part = Part { area, inputs, selection, channels, first, added };
            join(self.device, self.size.batch, part, self.input(which)?, output)?;
            first += if sum { 0 } else { inputs };
        }
        Ok(())
    }

    /// Convolves the input; adds no bias.
    fn convolve(
        &self,
        DeviceConvolution { by, view, filters, .. }: &DeviceConvolution,
        workspace: &mut CudaSlice<u8>,
        output: &mut CudaSlice<f32>,
    ) -> Result<(), CudaError> {
        let Self { device, libraries: Libraries { cublas, cudnn }, size, .. } = *self;
        let (input, read) = (self.input(0)?, view.channels * view.size.area());
        match by {
            By::WindowSum(parameters) => {
                window_sum(device, parameters, size.batch, filters, input, output)
            }
            By::Convolution(convolve) => self.each_chunk(input, read, output, |from, to| {
                convolve.run(device, cudnn, from, filters, workspace, to)
            }),
            By::Product(product) => self.each_chunk(input, read, output, |from, to| {
                product.run(device, cublas, filters, from, to)
            }),
        }
    }

    /// Computes chunk by chunk, from so many values an image.
    fn each_chunk(
        &self,
        input: &CudaSlice<f32>,
        read: usize,
        output: &mut CudaSlice<f32>,
        mut run: impl FnMut(&CudaView<'_, f32>, &mut CudaViewMut<'_, f32>) -> Result<(), CudaError>,
    ) -> Result<(), CudaError> {
        let (BatchSize { batch, chunk }, written) = (self.size, self.node().values());
        for first in (0..batch).step_by(chunk) {
            let images = first..first + chunk;
            let from = input.slice(images.start * read..images.end * read);
            run(&from, &mut output.slice_mut(images.start * written..images.end * written))?;
        }
        Ok(())
    }
}
