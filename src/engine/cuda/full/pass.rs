//! One forward pass of a batch of whole images.

use cudarc::driver::CudaSlice;

use super::cublas::{Cublas, Product};
use super::cudnn::Cudnn;
use super::work::{By, LayerOf, Work};
use crate::engine::cuda::kernels::image::Sizes;
use crate::engine::cuda::kernels::image::finish::finish;
use crate::engine::cuda::kernels::image::function::function;
use crate::engine::cuda::kernels::image::gather::{Sight, gather};
use crate::engine::cuda::kernels::image::join::{Part, join};
use crate::engine::cuda::kernels::image::multiply::multiply;
use crate::engine::cuda::kernels::image::normalise::normalise;
use crate::engine::cuda::kernels::image::pad::pad;
use crate::engine::cuda::kernels::image::pool::pool;
use crate::engine::cuda::kernels::image::respond::respond;
use crate::engine::cuda::kernels::image::window_sum::window_sum;
use crate::engine::cuda::{CudaError, Device};
use crate::geometry::{Axis, ImageSize};
use crate::network::{Convolution, Input, LayerId, Model, Network, Op};
use crate::program::Selection;
use crate::program::pass::{PassStep, Source, schedule};

/// Presentations whose responses are computed at a time, whatever the batch, which has no more: how
/// cuBLAS adds up may depend on a matrix's shape.
pub const BATCH: usize = 32;

/// Images of one call of cuDNN or cuBLAS, at most.
const CHUNK: usize = 16;
/// Values of the largest layer of such a call, at most: cuDNN takes tensors of less than 2^31.
const CHUNK_VALUES: usize = 1 << 26;

/// Images of one call of cuDNN or cuBLAS: a power of two, of the network and the image size alone. How
/// these libraries add up may depend on the number of images, which free memory must not choose.
pub fn chunk(
    network: &Network,
    targets: &[LayerId],
    (image, sizes): (ImageSize, &[ImageSize]),
) -> usize {
    let steps = schedule(network, targets);
    let values = steps.iter().map(|step| network.channels(step.layer) * sizes[step.layer.0].area());
    let largest = values.chain([network.image_channels() * image.area()]).max().unwrap_or(1);
    let mut chunk = CHUNK;
    while chunk > 1 && chunk * largest > CHUNK_VALUES {
        chunk /= 2;
    }
    chunk
}

/// A model's layers on a device, ready to run on batches of one size.
pub struct Pass {
    /// Images of a batch. It is always computed whole, so that the bytes of a response cannot
    /// depend on how many there are.
    pub batch: usize,
    /// Images of one call of a library; a batch is a multiple.
    chunk: usize,
    libraries: (Cublas, Cudnn),
    stages: Vec<Stage>,
    /// Activations, `[image][channel][y][x]`; the one that is written is taken out meanwhile.
    buffers: Vec<Option<CudaSlice<f32>>>,
    workspace: CudaSlice<u8>,
    /// What units see of their layer's input, `[BATCH][values]`.
    patches: CudaSlice<f32>,
    /// Responses of all units of a layer to that, `[BATCH][unit]`.
    responses: CudaSlice<f32>,
}

/// A unit's position on the layer's output, of each image of a batch: what its response is asked
/// for.
#[derive(Clone, Copy, Debug)]
pub struct UnitPosition {
    /// The unit.
    pub unit: usize,
    /// The position `(y, x)`.
    pub position: (usize, usize),
}

/// One layer's turn.
struct Stage {
    step: PassStep,
    work: Work,
    /// Channels and positions of its output.
    channels: usize,
    area: usize,
    /// Channels of each input.
    inputs: Vec<usize>,
}

impl Pass {
    /// Layers up to `targets`, whose outputs are needed as they are, for batches of `batch` images, a
    /// multiple of `chunk` ([`chunk`]).
    ///
    /// # Errors
    /// Out of memory among them: then a smaller batch may fit.
    pub fn new(
        device: &Device,
        model: &Model,
        targets: &[LayerId],
        (image, sizes): (ImageSize, &[ImageSize]),
        [batch, chunk]: [usize; 2],
    ) -> Result<Self, CudaError> {
        let libraries = (Cublas::open(device)?, Cudnn::open(device)?);
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
            floats[step.output] = floats[step.output].max(batch * channels * area);
            let sizes = Sizes { input: size(&layer.inputs[0]), output: sizes[step.layer.0] };
            // A ReLU in place, right behind the convolution that it cuts, is done with it; not
            // behind a target, whose responses are those before it.
            let before = match stages.last_mut() {
                Some(Stage { step: before, work: Work::Convolve { rectified, .. }, .. })
                    if layer.inputs == [Input::Layer(before.layer)]
                        && !targets.contains(&before.layer) =>
                {
                    Some(rectified)
                }
                _ => None,
            };
            let work = match (&layer.op, before) {
                (Op::Relu, Some(rectified)) if step.in_place => {
                    *rectified = true;
                    Work::Nothing
                }
                (op, _) => {
                    let (numbers, in_place) = (model.filters(step.layer), step.in_place);
                    let inputs = network.channels_of(layer.inputs[0]);
                    let layer = LayerOf { op, numbers, inputs, sizes, chunk, in_place };
                    layer.work(device, &libraries.1)?
                }
            };
            let inputs = layer.inputs.iter().map(|&input| network.channels_of(input)).collect();
            stages.push(Stage { step, work, channels, area, inputs });
        }
        let room = stages.iter().map(|stage| stage.work.workspace());
        let seen = stages.iter().filter(|stage| targets.contains(&stage.step.layer));
        let seen = seen.map(|stage| match &stage.work {
            Work::Convolve { view, .. } => (view.taps(), stage.channels),
            _ => (0, 0),
        });
        let (taps, units) = seen.fold((1, 1), |(t, u), (taps, units)| (taps.max(t), units.max(u)));
        // Memory of no bytes is none.
        let workspace = device.allocate(room.max().unwrap_or(0).max(1))?;
        let buffers = floats
            .into_iter()
            .map(|floats| device.allocate(floats).map(Some))
            .collect::<Result<_, _>>()?;
        let (patches, responses) =
            (device.allocate(BATCH * taps)?, device.allocate(BATCH * units)?);
        Ok(Self { batch, chunk, libraries, stages, buffers, workspace, patches, responses })
    }

    /// Runs a batch of images, `[image][channel][height][width]`, through the layers up to `last`; `look`
    /// sees each layer's output, `[image]` of so many values, as soon as it is there.
    ///
    /// # Errors
    /// Of `look`, and [`CudaError::Driver`].
    pub fn run(
        &mut self,
        device: &Device,
        images: &CudaSlice<f32>,
        last: LayerId,
        mut look: impl FnMut(LayerId, &CudaSlice<f32>) -> Result<(), CudaError>,
    ) -> Result<(), CudaError> {
        let Self { batch, chunk, libraries, stages, buffers, workspace, .. } = self;
        for stage in stages.iter().take_while(|stage| stage.step.layer <= last) {
            let taken = buffers[stage.step.output].take();
            // Each is put back below, also where a stage fails.
            let Some(mut output) = taken else { continue };
            let done = stage
                .run(device, [*batch, *chunk], libraries, (images, buffers), workspace, &mut output)
                .and_then(|()| look(stage.step.layer, &output));
            buffers[stage.step.output] = Some(output);
            done?;
        }
        Ok(())
    }

    /// Runs a batch of images through the layers before `layer`, one of the targets, and returns what
    /// each is asked for: the response of one unit at one position, for each of the first images.
    ///
    /// Of the layer itself nothing else is computed: what the units see is gathered, and cuBLAS
    /// multiplies it by the filters.
    ///
    /// # Errors
    /// As [`Pass::run`]; [`CudaError::Shape`] where more is asked for than there are images.
    pub fn respond(
        &mut self,
        device: &Device,
        images: &CudaSlice<f32>,
        (layer, conv): (LayerId, &Convolution),
        asked: &[UnitPosition],
    ) -> Result<CudaSlice<f32>, CudaError> {
        if let Some(before) = layer.0.checked_sub(1) {
            self.run(device, images, LayerId(before), |_, _| Ok(()))?;
        }
        let Self { libraries, stages, buffers, patches, responses, .. } = self;
        let found = stages.iter().find(|stage| stage.step.layer == layer);
        let shape = |problem: &str| CudaError::Shape {
            kernel: "forward pass",
            problem: problem.to_owned(),
        };
        let Some((stage, Work::Convolve { view, filters, bias, .. })) =
            found.map(|stage| (stage, &stage.work))
        else {
            return Err(shape("responses of what is no convolution"));
        };
        if asked.is_empty() || asked.len() > self.batch {
            return Err(shape("as many responses as images are asked for, or fewer"));
        }
        let units_of_a_group = conv.out_channels / conv.groups;
        let window = conv.window().axes;
        let at = |axis: Axis, at: usize| window.of(axis).first_input(at as isize) as i32;
        let mut seen: Vec<Sight> = asked
            .iter()
            .enumerate()
            .map(|(image, &UnitPosition { unit, position: (y, x) })| Sight {
                image: image as u32,
                channel: (unit / units_of_a_group * view.depth) as u32,
                top: at(Axis::Y, y),
                left: at(Axis::X, x),
            })
            .collect();
        // The rest of the matrix shows the first again, which nobody looks at.
        seen.resize(BATCH, seen[0]);
        gather(device, *view, &seen, stage.input(0, (images, buffers))?, patches)?;
        let units = stage.channels;
        let product =
            Product { rows: BATCH, columns: units, depth: view.taps(), transposed: true, count: 1 };
        product.run((device, &libraries.0), patches, filters, responses)?;
        if bias.is_some() {
            finish(device, (BATCH, units, 1), bias.as_ref(), false, responses)?;
        }
        let places: Vec<u32> = asked.iter().map(|asked| asked.unit as u32).collect();
        respond(device, &places, units, responses)
    }
}

impl Stage {
    fn input<'b>(
        &self,
        place: usize,
        (images, buffers): (&'b CudaSlice<f32>, &'b [Option<CudaSlice<f32>>]),
    ) -> Result<&'b CudaSlice<f32>, CudaError> {
        match self.step.inputs[place] {
            Source::Image => Ok(images),
            Source::Buffer(buffer) => buffers[buffer].as_ref().ok_or(CudaError::Shape {
                kernel: "forward pass",
                problem: "a layer reads what it writes".into(),
            }),
        }
    }

    fn run(
        &self,
        device: &Device,
        [batch, chunk]: [usize; 2],
        (cublas, cudnn): &(Cublas, Cudnn),
        sources: (&CudaSlice<f32>, &[Option<CudaSlice<f32>>]),
        workspace: &mut CudaSlice<u8>,
        output: &mut CudaSlice<f32>,
    ) -> Result<(), CudaError> {
        let Self { channels, area, .. } = *self;
        let shape = (batch, channels, area);
        let input = |place: usize| self.input(place, sources);
        match &self.work {
            Work::Convolve { by, view, filters, bias, rectified } => {
                let from = input(0)?;
                let (read, written) = (view.channels * view.size.area(), channels * area);
                for first in (0..batch).step_by(chunk) {
                    let images = first..first + chunk;
                    let some = from.slice(images.start * read..images.end * read);
                    let mut to = output.slice_mut(images.start * written..images.end * written);
                    match by {
                        By::Convolution(convolve) => {
                            convolve.run((device, cudnn), &some, filters, workspace, &mut to)?;
                        }
                        By::Product(product) => {
                            product.run((device, cublas), filters, &some, &mut to)?;
                        }
                        By::WindowSum(parameters) => {
                            window_sum(device, parameters, batch, filters, from, output)?;
                            break;
                        }
                    }
                }
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
            Work::Function(parameters, numbers) => {
                if !self.step.in_place {
                    self.join(device, batch, input, false, output)?;
                }
                function(device, *parameters, numbers.as_ref(), shape, output)
            }
            Work::MaxPool(window, sizes) => {
                pool(device, *window, batch * channels, *sizes, input(0)?, output)
            }
            &Work::Pad(padding, sizes) => {
                pad(device, padding, batch * channels, sizes, input(0)?, output)
            }
            Work::Mean(parameters, nothing) => {
                window_sum(device, parameters, batch, nothing, input(0)?, output)
            }
            Work::Normalise(norm, numbers) => {
                normalise(device, norm, numbers.as_ref(), shape, input(0)?, output)
            }
            Work::Multiply => {
                multiply(device, batch * channels * area, [input(0)?, input(1)?], output)
            }
            Work::Add => self.join(device, batch, input, true, output),
            Work::Concatenate => self.join(device, batch, input, false, output),
            &Work::Select(selection) => {
                let inputs = self.inputs[0];
                let part = Part { area, inputs, selection, channels, first: 0, added: false };
                join(device, batch, part, input(0)?, output)
            }
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
        let (channels, area, mut first) = (self.channels, self.area, 0);
        for (place, &inputs) in self.inputs.iter().enumerate() {
            let (selection, added) = (Selection::all(inputs), sum && place > 0);
            let part = Part { area, inputs, selection, channels, first, added };
            join(device, batch, part, input(place)?, output)?;
            first += if sum { 0 } else { inputs };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk_of(preset: &str, side: usize) -> usize {
        let network = Network::named(preset).unwrap();
        let target = network.convolutions().map(|(id, _)| id).last().unwrap();
        let image = ImageSize::square(side);
        let sizes = network.sizes_for(image, &[target]).unwrap();
        chunk(&network, &[target], (image, &sizes))
    }

    #[test]
    fn a_call_of_a_library_has_less_than_two_to_the_31_values() {
        assert_eq!(chunk_of("alexnet", 227), 16);
        assert_eq!(chunk_of("vgg16", 224), 16);
        // 64 channels of 2^20 positions are 2^26 values.
        assert_eq!(chunk_of("vgg16", 1024), 1);
        assert_eq!(chunk_of("vgg16", 512), 4);
    }
}
