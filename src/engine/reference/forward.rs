//! One forward pass of one image.

use ndarray::ArrayView3;

use super::convolve::{Convolve, convolve};
use super::elementwise::{add, concatenate, normalise, relu};
use super::pool::max_pool;
use super::schedule::{Source, Step, schedule};
use crate::geometry::ImageSize;
use crate::network::{IMAGE_CHANNELS, Input, LayerId, Model, Network, NetworkError, Op};

/// A model's layers, ready to run on images of one size.
pub(in crate::engine) struct Forward<'m> {
    pub image: ImageSize,
    model: &'m Model,
    sizes: Vec<ImageSize>,
    steps: Vec<Step>,
}

/// The buffers of one forward pass; activations are `[channel, y, x]`.
#[derive(Default)]
pub(in crate::engine) struct Scratch {
    /// The image that is presented, `[3, height, width]`.
    pub image: Vec<f32>,
    buffers: Vec<Vec<f32>>,
    columns: Vec<f32>,
}

impl Scratch {
    pub fn set_image(&mut self, image: &ArrayView3<'_, f32>) {
        self.image.clear();
        match image.as_slice() {
            Some(pixels) => self.image.extend_from_slice(pixels),
            None => self.image.extend(image.iter()),
        }
    }
}

impl<'m> Forward<'m> {
    pub fn new(
        model: &'m Model,
        targets: &[LayerId],
        image: ImageSize,
    ) -> Result<Self, NetworkError> {
        let sizes = match targets.iter().max() {
            Some(&last) => model.network().sizes(image, last)?,
            None => Vec::new(),
        };
        Ok(Self { image, model, sizes, steps: schedule(model.network(), targets) })
    }

    pub fn size(&self, layer: LayerId) -> ImageSize {
        self.sizes[layer.0]
    }

    pub fn channels(&self, layer: LayerId) -> usize {
        self.model.network().channels(layer)
    }

    pub fn network(&self) -> &Network {
        self.model.network()
    }

    /// Runs the image in `scratch` through the layers up to `last`; `look` sees each layer's
    /// output as soon as it is there.
    pub fn run(&self, scratch: &mut Scratch, last: LayerId, mut look: impl FnMut(LayerId, &[f32])) {
        let buffers = self.steps.iter().map(|step| step.output + 1).max().unwrap_or(0);
        scratch.buffers.resize_with(buffers, Vec::new);
        for step in self.steps.iter().take_while(|step| step.layer <= last) {
            let mut output = std::mem::take(&mut scratch.buffers[step.output]);
            self.step(step, &scratch.image, &scratch.buffers, &mut scratch.columns, &mut output);
            look(step.layer, &output);
            scratch.buffers[step.output] = output;
        }
    }

    fn step(
        &self,
        step: &Step,
        image: &[f32],
        buffers: &[Vec<f32>],
        columns: &mut Vec<f32>,
        output: &mut Vec<f32>,
    ) {
        let network = self.model.network();
        let layer = network.layer(step.layer);
        let inputs: Vec<&[f32]> = step
            .inputs
            .iter()
            .map(|source| match *source {
                Source::Image => image,
                Source::Buffer(buffer) => &buffers[buffer],
            })
            .collect();
        let (channels, size) = (self.channels(step.layer), self.size(step.layer));
        if !step.in_place {
            output.resize(channels * size.area(), 0.0);
        }
        let input_size = match layer.inputs[0] {
            Input::Image => self.image,
            Input::Layer(id) => self.size(id),
        };
        match &layer.op {
            Op::Conv(conv) => {
                // A model has filters for each of its convolutions: what makes it sees to that.
                if let Some(filters) = self.model.filters(step.layer) {
                    let shape = Convolve {
                        conv,
                        input_channels: inputs[0].len() / input_size.area(),
                        input: input_size,
                        output: size,
                    };
                    convolve(&shape, filters, inputs[0], output, columns);
                }
            }
            Op::MaxPool(pool) => max_pool(pool, inputs[0], input_size, output, size),
            Op::LocalResponseNorm(norm) => normalise(norm, inputs[0], size.area(), output),
            Op::Relu | Op::Dropout => {
                if !step.in_place {
                    output.copy_from_slice(inputs[0]);
                }
                if layer.op == Op::Relu {
                    relu(output);
                }
            }
            Op::Add => add(&inputs, output),
            Op::Concat => concatenate(&inputs, output),
        }
        debug_assert_eq!(output.len(), channels * size.area());
        debug_assert_eq!(image.len(), IMAGE_CHANNELS * self.image.area());
    }
}
