//! One forward pass of one image.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::ArrayView3;

use super::convolve::{Convolve, RealFilters, convolve};
use super::elementwise::{
    add, apply, concatenate, gate, group_norm, mean, multiply, normalise, normalise_channels, relu,
    scale, shuffle, slope,
};
use super::pad::pad;
use super::pool::Pooling;
use crate::engine::real::Real;
use crate::geometry::ImageSize;
use crate::network::{
    ChannelShuffle, ChannelSlice, Gate, Input, LayerId, Model, Network, NetworkError, Op,
};
use crate::program::pass::{PassStep, Source, schedule};

/// A model's layers, ready to run on images of one size.
pub(crate) struct Forward<'m, T: Real> {
    pub image: ImageSize,
    network: &'m Network,
    filters: BTreeMap<LayerId, RealFilters<'m, T>>,
    sizes: Vec<ImageSize>,
    steps: Vec<PassStep>,
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
    /// Outputs that take the place of those of a pass: gates of the original image.
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
    ) -> Result<Self, NetworkError> {
        let network = model.network();
        let sizes = match targets.iter().max() {
            Some(_) => network.sizes_for(image, targets)?,
            None => Vec::new(),
        };
        let steps = schedule(network, targets);
        let filters = steps
            .iter()
            .filter_map(|step| Some((step.layer, model.filters(step.layer)?.into())))
            .collect();
        Ok(Self { image, network, filters, sizes, steps })
    }

    pub fn size(&self, layer: LayerId) -> ImageSize {
        self.sizes[layer.0]
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
        let buffers = self.steps.iter().map(|step| step.output + 1).max().unwrap_or(0);
        scratch.buffers.resize_with(buffers, Vec::new);
        for step in self.steps.iter().take_while(|step| step.layer <= last) {
            let mut output = std::mem::take(&mut scratch.buffers[step.output]);
            let frozen = scratch.frozen.as_ref().and_then(|frozen| frozen.get(&step.layer));
            if let Some(values) = frozen {
                output.clear();
                output.extend_from_slice(values);
            } else {
                let Scratch { input, buffers, columns, .. } = &mut *scratch;
                self.step(step, input, buffers, columns, &mut output);
            }
            look(step.layer, &output);
            scratch.buffers[step.output] = output;
        }
    }

    fn step(
        &self,
        step: &PassStep,
        image: &[T],
        buffers: &[Vec<T>],
        columns: &mut Vec<T>,
        output: &mut Vec<T>,
    ) {
        let layer = self.network.layer(step.layer);
        let inputs: Vec<&[T]> = step
            .inputs
            .iter()
            .map(|source| match *source {
                Source::Image => image,
                Source::Buffer(buffer) => &buffers[buffer],
            })
            .collect();
        let (channels, size) = (self.channels(step.layer), self.size(step.layer));
        if !step.in_place {
            output.resize(channels * size.area(), T::default());
        }
        let input_size = match layer.inputs[0] {
            Input::Image => self.image,
            Input::Layer(id) => self.size(id),
        };
        let pooling = |input, output| Pooling { input, input_size, output, output_size: size };
        match &layer.op {
            Op::Conv(conv) => {
                // A model has filters for each of its convolutions: what makes it sees to that.
                if let Some(filters) = self.filters.get(&step.layer) {
                    let shape = Convolve {
                        conv,
                        input_channels: inputs[0].len() / input_size.area(),
                        input: input_size,
                        output: size,
                    };
                    convolve(&shape, filters, inputs[0], output, columns);
                }
            }
            Op::MaxPool(pool) => pooling(inputs[0], output).max(pool),
            Op::AvgPool(pool) => pooling(inputs[0], output).average(pool),
            Op::Pad(padding) => pad(padding, inputs[0], input_size, size, output),
            Op::LocalResponseNorm(norm) => normalise(norm, inputs[0], size.area(), output),
            Op::ChannelNorm(norm) => {
                if let Some(numbers) = self.filters.get(&step.layer) {
                    normalise_channels(*norm, numbers, inputs[0], size.area(), output);
                }
            }
            Op::GlobalAvgPool => mean(inputs[0], input_size.area(), output),
            Op::GroupNorm(norm) => {
                if let Some(numbers) = self.filters.get(&step.layer) {
                    group_norm(*norm, numbers, inputs[0], output);
                }
            }
            Op::Gate(Gate { join }) => gate(*join, inputs[0], inputs[1], size.area(), output),
            Op::Add => add(&inputs, output),
            Op::Mul => multiply(inputs[0], inputs[1], output),
            Op::Concat => concatenate(&inputs, output),
            &Op::Slice(ChannelSlice { start, end }) => {
                output.copy_from_slice(&inputs[0][start * size.area()..end * size.area()]);
            }
            &Op::Shuffle(ChannelShuffle { groups }) => {
                shuffle(groups, inputs[0], size.area(), output);
            }
            op @ (Op::Relu
            | Op::Dropout
            | Op::Prelu
            | Op::BatchNorm(_)
            | Op::Scale(_)
            | Op::Pointwise(_)) => {
                if !step.in_place {
                    output.copy_from_slice(inputs[0]);
                }
                let area = size.area();
                match (op, self.filters.get(&step.layer)) {
                    (Op::Relu, _) => relu(output),
                    (Op::Pointwise(function), _) => apply(*function, output),
                    (Op::Prelu, Some(numbers)) => slope(numbers, area, output),
                    (Op::BatchNorm(_) | Op::Scale(_), Some(numbers)) => {
                        scale(numbers, area, output);
                    }
                    _ => {}
                }
            }
        }
        debug_assert_eq!(output.len(), channels * size.area());
        debug_assert_eq!(image.len(), self.network.image_channels() * self.image.area());
    }
}
