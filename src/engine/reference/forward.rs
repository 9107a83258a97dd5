//! One forward pass of one image.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::ArrayView3;

use super::convolve::{Convolve, RealFilters, convolve};
use super::elementwise::{
    add, apply, concatenate, gate, group_norm, mean, multiply, normalise, normalise_channels, relu,
    scale, select, slope,
};
use super::pad::pad;
use super::pool::Pooling;
use crate::engine::EngineError;
use crate::engine::real::Real;
use crate::geometry::ImageSize;
use crate::network::{Convolution, LayerId, Model, Network};
use crate::program::{ConvolutionFilters, Pass, Step};

/// A model's layers, ready to run on images of one size.
pub(crate) struct Forward<'m, T: Real> {
    pub image: ImageSize,
    network: &'m Network,
    pass: Pass<ConvolutionNumbers<'m, T>, RealFilters<'m, T>>,
}

/// A convolution and its filters.
struct ConvolutionNumbers<'m, T: Real> {
    conv: &'m Convolution,
    filters: RealFilters<'m, T>,
}

/// The buffers of one forward pass; activations are `[channel, y, x]`.
#[derive(Default)]
pub(crate) struct Scratch<T> {
    /// The image that is presented, `[channel, y, x]`.
    pub image: Vec<f32>,
    /// The image in the arithmetic of the pass.
    input: Vec<T>,
    buffers: Vec<Vec<T>>,
    columns: Vec<T>,
    /// Outputs instead of those of a pass: gates of the original image.
    pub frozen: Option<Arc<Gates<T>>>,
}

/// Outputs of layers that gates read.
pub(crate) type Gates<T> = BTreeMap<LayerId, Vec<T>>;

impl<T> Scratch<T> {
    pub fn set_image(&mut self, image: &ArrayView3<'_, f32>) {
        self.image.clear();
        match image.as_slice() {
            Some(pixels) => self.image.extend_from_slice(pixels),
            None => self.image.extend(image.iter()),
        }
    }
}

impl<'m, T: Real> Forward<'m, T> {
    pub fn new(
        model: &'m Model,
        targets: &[LayerId],
        image: ImageSize,
    ) -> Result<Self, EngineError> {
        let network = model.network();
        let convolution = |ConvolutionFilters { conv, filters, .. }: ConvolutionFilters<'m>| {
            Ok::<_, EngineError>(ConvolutionNumbers { conv, filters: filters.into() })
        };
        let pass = Pass::new(network, targets, image)?;
        let pass =
            pass.with_weights(model, convolution, |numbers, _| Ok(RealFilters::owned(numbers)))?;
        Ok(Self { image, network, pass })
    }

    pub fn size(&self, layer: LayerId) -> ImageSize {
        self.pass.size(layer)
    }

    pub fn channels(&self, layer: LayerId) -> usize {
        self.network.channels(layer)
    }

    pub fn network(&self) -> &Network {
        self.network
    }

    /// Runs the image in `scratch` through the layers up to `last`; `look` sees each layer's
    /// output as soon as it is there.
    pub fn run(
        &self,
        scratch: &mut Scratch<T>,
        last: LayerId,
        mut look: impl FnMut(LayerId, &[T]),
    ) {
        scratch.input.clear();
        scratch.input.extend(scratch.image.iter().map(|&pixel| T::from(pixel)));
        let Pass { nodes, buffers, .. } = &self.pass;
        scratch.buffers.resize_with(buffers.count, Vec::new);
        for (node, layer) in nodes.iter().enumerate().filter_map(|(n, node)| Some((n, node.layer?)))
        {
            if layer > last {
                break;
            }
            let mut output = std::mem::take(&mut scratch.buffers[buffers.of(node)]);
            let frozen = scratch.frozen.as_ref().and_then(|frozen| frozen.get(&layer));
            if let Some(values) = frozen {
                output.clear();
                output.extend_from_slice(values);
            } else {
                let Scratch { input, buffers, columns, .. } = &mut *scratch;
                self.step(node, &Inputs { image: input, buffers }, columns, &mut output);
            }
            look(layer, &output);
            scratch.buffers[buffers.of(node)] = output;
        }
    }

    /// Computes one node.
    fn step(&self, index: usize, from: &Inputs<'_, T>, columns: &mut Vec<T>, output: &mut Vec<T>) {
        let Pass { nodes, steps, buffers } = &self.pass;
        let (node, step) = (&nodes[index], &steps[index]);
        let input = |&input: &usize| match input {
            0 => from.image,
            _ => &from.buffers[buffers.of(input)],
        };
        let inputs: Vec<&[T]> = node.inputs.iter().map(input).collect();
        let (first, area) = (inputs[0], node.size.area());
        let (input_channels, input_size) = {
            let input = &nodes[node.inputs[0]];
            (input.channels, input.size)
        };
        if !self.pass.is_in_place(index) {
            output.resize(node.values(), T::default());
            if step.is_in_place() {
                output.copy_from_slice(first);
            }
        }
        let pooling = |output| Pooling { input: first, input_size, output, output_size: node.size };
        match step {
            Step::Convolve { filters: ConvolutionNumbers { conv, filters }, .. } => {
                let shape = Convolve { conv, input_channels, input: input_size, output: node.size };
                convolve(&shape, filters, first, output, columns);
            }
            Step::MaxPool { .. } => pooling(output).max(node.window),
            Step::AveragePool(pool) => pooling(output).average(pool),
            Step::Pad(padding) => pad(padding, first, input_size, node.size, output),
            Step::Normalise(norm) => normalise(norm, first, area, output),
            Step::NormaliseChannels(norm, numbers) => {
                normalise_channels(*norm, numbers, first, area, output);
            }
            Step::GlobalMean => mean(first, input_size.area(), output),
            Step::GroupNorm(norm, numbers) => group_norm(*norm, numbers, first, output),
            Step::Gate(join) => gate(*join, first, inputs[1], area, output),
            Step::Add => add(&inputs, output),
            Step::Multiply => multiply(first, inputs[1], output),
            Step::Concatenate => concatenate(&inputs, output),
            Step::Select(selection) => select(*selection, first, area, output),
            Step::Relu { .. } => relu(output),
            Step::Function(function) => apply(*function, output),
            Step::Slope(numbers) => slope(numbers, area, output),
            Step::Scale(numbers) => scale(numbers, area, output),
            Step::Copy => {}
            Step::Image | Step::Depthwise(_) | Step::Respond => {
                unreachable!("a pass of whole images has no step of single channels or units")
            }
        }
    }
}

/// Where the inputs of a layer are.
struct Inputs<'a, T> {
    image: &'a [T],
    buffers: &'a [Vec<T>],
}
