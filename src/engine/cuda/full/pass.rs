//! One forward pass of a batch of whole images.

use cudarc::driver::CudaSlice;

use super::cudnn::{Convolve, Cudnn};
use crate::engine::cuda::kernels::image::finish::finish;
use crate::engine::cuda::kernels::image::join::{Part, join};
use crate::engine::cuda::kernels::image::normalise::normalise;
use crate::engine::cuda::kernels::image::pool::pool;
use crate::engine::cuda::{CudaError, Device};
use crate::engine::reference::schedule::{Source, Step, schedule};
use crate::geometry::ImageSize;
use crate::network::{
    IMAGE_CHANNELS, Input, LayerId, LocalResponseNorm, MaxPool, Model, Network, Op,
};

/// A model's layers on a device, ready to run on batches of one size.
pub struct Pass {
    /// Images of a batch. It is always computed whole, so that the bytes of a response cannot
    /// depend on how many there are.
    pub batch: usize,
    /// The images, `[image][3][height][width]`.
    pub images: CudaSlice<f32>,
    cudnn: Cudnn,
    stages: Vec<Stage>,
    /// Activations, `[image][channel][y][x]`; the one that is written is taken out meanwhile.
    buffers: Vec<Option<CudaSlice<f32>>>,
    workspace: CudaSlice<u8>,
}

/// One layer's turn.
struct Stage {
    step: Step,
    work: Work,
    /// Channels and positions of its output.
    channels: usize,
    area: usize,
    /// Values of an image of each input.
    inputs: Vec<usize>,
}

enum Work {
    Convolve {
        convolve: Convolve,
        filters: CudaSlice<f32>,
        bias: Option<CudaSlice<f32>>,
        /// Whether the ReLU behind it is done with it.
        rectified: bool,
    },
    Rectify,
    Pool(MaxPool, ImageSize, ImageSize),
    Normalise(LocalResponseNorm),
    Add,
    /// Also of a single input: a copy.
    Concat,
    /// Done already, or nothing to do.
    Nothing,
}

impl Pass {
    /// Layers up to `targets`, whose outputs are needed as they are, for batches of `batch`.
    ///
    /// # Errors
    /// Out of memory among them: then a smaller batch may fit.
    pub fn new(
        device: &Device,
        model: &Model,
        targets: &[LayerId],
        (image, sizes): (ImageSize, &[ImageSize]),
        batch: usize,
    ) -> Result<Self, CudaError> {
        let cudnn = Cudnn::open(device)?;
        let network = model.network();
        let steps = schedule(network, targets);
        let mut floats = vec![0; steps.iter().map(|step| step.output + 1).max().unwrap_or(0)];
        let mut stages: Vec<Stage> = Vec::with_capacity(steps.len());
        for step in steps {
            let layer = network.layer(step.layer);
            let (channels, area) = (network.channels(step.layer), sizes[step.layer.0].area());
            let size = |input: &Input| match *input {
                Input::Image => image,
                Input::Layer(LayerId(id)) => sizes[id],
            };
            let inputs: Vec<usize> = layer
                .inputs
                .iter()
                .map(|input| network.channels_of(*input) * size(input).area())
                .collect();
            floats[step.output] = floats[step.output].max(batch * channels * area);
            let between = (size(&layer.inputs[0]), sizes[step.layer.0]);
            // A ReLU in place, right behind the convolution that it cuts, is done with it; not
            // behind a target, whose responses are those before it.
            let joined = step.in_place
                && stages.last().is_some_and(|last| {
                    matches!(last.work, Work::Convolve { .. })
                        && layer.inputs == [Input::Layer(last.step.layer)]
                        && !targets.contains(&last.step.layer)
                });
            let work = match &layer.op {
                Op::Conv(conv) => {
                    let inputs = network.channels_of(layer.inputs[0]);
                    let convolve = Convolve::new(&cudnn, conv, (batch, inputs), between)?;
                    let (weight, bias) = model
                        .filters(step.layer)
                        .map_or((&[][..], &[][..]), |f| (&f.weight, &f.bias));
                    let bias = if bias.is_empty() { None } else { Some(device.upload(bias)?) };
                    let filters = device.upload(weight)?;
                    Work::Convolve { convolve, filters, bias, rectified: false }
                }
                Op::Relu if joined => {
                    if let Some(Stage { work: Work::Convolve { rectified, .. }, .. }) =
                        stages.last_mut()
                    {
                        *rectified = true;
                    }
                    Work::Nothing
                }
                Op::Relu => Work::Rectify,
                Op::Dropout if step.in_place => Work::Nothing,
                Op::MaxPool(pool) => Work::Pool(pool.clone(), between.0, between.1),
                Op::LocalResponseNorm(norm) => Work::Normalise(norm.clone()),
                Op::Add => Work::Add,
                Op::Dropout | Op::Concat => Work::Concat,
            };
            stages.push(Stage { step, work, channels, area, inputs });
        }
        let room = stages.iter().map(|stage| match &stage.work {
            Work::Convolve { convolve, .. } => convolve.workspace,
            _ => 0,
        });
        // Memory of no bytes is none.
        let workspace = device.allocate(room.max().unwrap_or(0).max(1))?;
        let buffers = floats
            .into_iter()
            .map(|floats| device.allocate(floats).map(Some))
            .collect::<Result<_, _>>()?;
        let images = device.allocate(batch * IMAGE_CHANNELS * image.area())?;
        Ok(Self { batch, images, cudnn, stages, buffers, workspace })
    }

    /// Runs `images` through the layers up to `last`; `look` sees each layer's output, `[image]` of
    /// so many values, as soon as it is there.
    ///
    /// # Errors
    /// Of `look`, and [`CudaError::Driver`].
    pub fn run(
        &mut self,
        device: &Device,
        last: LayerId,
        mut look: impl FnMut(LayerId, &CudaSlice<f32>) -> Result<(), CudaError>,
    ) -> Result<(), CudaError> {
        let Self { batch, images, cudnn, stages, buffers, workspace } = self;
        for stage in stages.iter().take_while(|stage| stage.step.layer <= last) {
            let taken = buffers[stage.step.output].take();
            // Each is put back below, also where a stage fails.
            let Some(mut output) = taken else { continue };
            let done = stage
                .run(device, *batch, cudnn, (images, buffers), workspace, &mut output)
                .and_then(|()| look(stage.step.layer, &output));
            buffers[stage.step.output] = Some(output);
            done?;
        }
        Ok(())
    }
}

impl Stage {
    fn run(
        &self,
        device: &Device,
        batch: usize,
        cudnn: &Cudnn,
        (images, buffers): (&CudaSlice<f32>, &[Option<CudaSlice<f32>>]),
        workspace: &mut CudaSlice<u8>,
        output: &mut CudaSlice<f32>,
    ) -> Result<(), CudaError> {
        let Self { channels, area, .. } = *self;
        let shape = (batch, channels, area);
        let input = |place: usize| match self.step.inputs[place] {
            Source::Image => Ok(images),
            Source::Buffer(buffer) => buffers[buffer].as_ref().ok_or(CudaError::Shape {
                kernel: "forward pass",
                problem: "a layer reads what it writes".into(),
            }),
        };
        match &self.work {
            Work::Convolve { convolve, filters, bias, rectified } => {
                convolve.run(cudnn, input(0)?, filters, workspace, output)?;
                if bias.is_some() || *rectified {
                    finish(device, shape, bias.as_ref(), *rectified, output)?;
                }
                Ok(())
            }
            Work::Rectify => {
                if !self.step.in_place {
                    self.join(device, batch, input, false, output)?;
                }
                finish(device, shape, None, true, output)
            }
            Work::Pool(layer, from, to) => {
                pool(device, layer, batch * channels, (*from, *to), input(0)?, output)
            }
            Work::Normalise(norm) => normalise(device, norm, shape, input(0)?, output),
            Work::Add => self.join(device, batch, input, true, output),
            Work::Concat => self.join(device, batch, input, false, output),
            Work::Nothing => Ok(()),
        }
    }

    /// The sum of the inputs, or the inputs behind each other.
    fn join<'b>(
        &self,
        device: &Device,
        batch: usize,
        input: impl Fn(usize) -> Result<&'b CudaSlice<f32>, CudaError>,
        sum: bool,
        output: &mut CudaSlice<f32>,
    ) -> Result<(), CudaError> {
        let to_values = self.channels * self.area;
        let mut first = 0;
        for (place, &values) in self.inputs.iter().enumerate() {
            let part = Part { values, to_values, first, added: sum && place > 0 };
            join(device, batch, part, input(place)?, output)?;
            first += if sum { 0 } else { values };
        }
        Ok(())
    }
}

/// Bytes of the activations of one image, at a time, for messages of too little memory.
pub fn bytes_of_an_image(network: &Network, targets: &[LayerId], sizes: &[ImageSize]) -> usize {
    let steps = schedule(network, targets);
    let mut floats = vec![0; steps.iter().map(|step| step.output + 1).max().unwrap_or(0)];
    for step in &steps {
        let values = network.channels(step.layer) * sizes[step.layer.0].area();
        floats[step.output] = floats[step.output].max(values);
    }
    floats.iter().sum::<usize>() * size_of::<f32>()
}
