//! One forward pass of a batch of whole images.

use cudarc::driver::CudaSlice;

use super::cublas::{Cublas, Product};
use super::cudnn::{Convolve, Cudnn};
use crate::engine::cuda::kernels::image::finish::finish;
use crate::engine::cuda::kernels::image::gather::{Seen, View, gather};
use crate::engine::cuda::kernels::image::join::{Part, join};
use crate::engine::cuda::kernels::image::normalise::normalise;
use crate::engine::cuda::kernels::image::pool::pool;
use crate::engine::cuda::kernels::image::respond::respond;
use crate::engine::cuda::support::square;
use crate::engine::cuda::{CudaError, Device};
use crate::geometry::{ImageSize, SlidingWindow};
use crate::network::{Convolution, Input, LayerId, LocalResponseNorm, MaxPool, Model, Network, Op};
use crate::program::pass::{PassStep, Source, schedule};

/// Presentations whose responses are computed at a time, whatever the batch, which has no more: how
/// cuBLAS adds up may depend on a matrix's shape.
pub const BATCH: usize = 32;

/// A model's layers on a device, ready to run on batches of one size.
pub struct Pass {
    /// Images of a batch. It is always computed whole, so that the bytes of a response cannot
    /// depend on how many there are.
    pub batch: usize,
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
pub struct Asked {
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
    /// Values of an image of each input.
    inputs: Vec<usize>,
}

enum Work {
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
    Pool(MaxPool, ImageSize, ImageSize),
    Normalise(LocalResponseNorm),
    Add,
    /// Also of a single input: a copy.
    Concat,
    /// Done already, or nothing to do.
    Nothing,
}

/// Who convolves.
enum By {
    /// cuDNN.
    Convolution(Convolve),
    /// cuBLAS: the convolution is a product of matrices as it is. One image after the other, so
    /// that the order of its sums cannot depend on the batch.
    Product(Product),
}

impl By {
    fn new(
        cudnn: &Cudnn,
        conv: &Convolution,
        (batch, channels): (usize, usize),
        (input, output): (ImageSize, ImageSize),
    ) -> Result<Self, CudaError> {
        let Convolution { out_channels, groups, .. } = *conv;
        if groups == 1 && square(conv.window()) == SlidingWindow::SINGLE {
            return Ok(Self::Product(Product {
                rows: out_channels,
                columns: output.area(),
                depth: channels,
                transposed: false,
            }));
        }
        Convolve::new(cudnn, conv, (batch, channels), (input, output)).map(Self::Convolution)
    }

    /// Bytes that it needs to work in.
    fn workspace(&self) -> usize {
        match self {
            Self::Convolution(convolve) => convolve.workspace,
            Self::Product(_) => 0,
        }
    }
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
                    let by = By::new(&libraries.1, conv, (batch, inputs), between)?;
                    let view = View {
                        channels: inputs,
                        size: between.0,
                        depth: inputs / conv.groups,
                        kernel: square(conv.window()).kernel,
                    };
                    let (weight, bias) = model
                        .filters(step.layer)
                        .map_or((&[][..], &[][..]), |f| (&f.weight, &f.bias));
                    let bias = if bias.is_empty() { None } else { Some(device.upload(bias)?) };
                    let filters = device.upload(weight)?;
                    Work::Convolve { by, view, filters, bias, rectified: false }
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
                op => {
                    let layer = layer.name.clone();
                    let what = format!("it is a {}", op.kind());
                    return Err(CudaError::Unsupported { layer, what });
                }
            };
            stages.push(Stage { step, work, channels, area, inputs });
        }
        let room = stages.iter().map(|stage| match &stage.work {
            Work::Convolve { by, .. } => by.workspace(),
            _ => 0,
        });
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
        Ok(Self { batch, libraries, stages, buffers, workspace, patches, responses })
    }

    /// Runs a batch of images, `[image][3][height][width]`, through the layers up to `last`; `look`
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
        let Self { batch, libraries, stages, buffers, workspace, .. } = self;
        for stage in stages.iter().take_while(|stage| stage.step.layer <= last) {
            let taken = buffers[stage.step.output].take();
            // Each is put back below, also where a stage fails.
            let Some(mut output) = taken else { continue };
            let done = stage
                .run(device, *batch, libraries, (images, buffers), workspace, &mut output)
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
        asked: &[Asked],
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
        let window = square(conv.window());
        let at = |place: usize| window.first_input(place as isize) as i32;
        let mut seen: Vec<Seen> = asked
            .iter()
            .enumerate()
            .map(|(image, &Asked { unit, position: (y, x) })| Seen {
                image: image as u32,
                channel: (unit / units_of_a_group * view.depth) as u32,
                top: at(y),
                left: at(x),
            })
            .collect();
        // The rest of the matrix shows the first again, which nobody looks at.
        seen.resize(BATCH, seen[0]);
        gather(device, *view, &seen, stage.input(0, (images, buffers))?, patches)?;
        let units = stage.channels;
        let product = Product { rows: BATCH, columns: units, depth: view.taps(), transposed: true };
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
        batch: usize,
        (cublas, cudnn): &(Cublas, Cudnn),
        sources: (&CudaSlice<f32>, &[Option<CudaSlice<f32>>]),
        workspace: &mut CudaSlice<u8>,
        output: &mut CudaSlice<f32>,
    ) -> Result<(), CudaError> {
        let Self { channels, area, .. } = *self;
        let shape = (batch, channels, area);
        let input = |place: usize| self.input(place, sources);
        match &self.work {
            Work::Convolve { by, filters, bias, rectified, .. } => {
                let from = input(0)?;
                match by {
                    By::Convolution(convolve) => {
                        convolve.run((device, cudnn), from, filters, workspace, output)?;
                    }
                    By::Product(product) => {
                        let (read, written) = (self.inputs[0], channels * area);
                        for image in 0..batch {
                            let from = from.slice(image * read..(image + 1) * read);
                            let to = image * written..(image + 1) * written;
                            product.run(
                                (device, cublas),
                                filters,
                                &from,
                                &mut output.slice_mut(to),
                            )?;
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
