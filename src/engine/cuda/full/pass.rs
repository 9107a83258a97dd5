//! One forward pass of a batch of whole images.

use cudarc::driver::CudaSlice;

use super::convolution::DeviceConvolution;
use super::cublas::{Cublas, Product};
use super::cudnn::Cudnn;
use super::stage::{BatchSize, Libraries, Pass, Stage};
use crate::engine::cuda::kernels::image::finish::finish;
use crate::engine::cuda::kernels::image::gather::{Sight, gather};
use crate::engine::cuda::kernels::image::respond::respond;
use crate::engine::cuda::kernels::image::{Maps, Sizes};
use crate::engine::cuda::kernels::node::DeviceNumbers;
use crate::engine::cuda::{CudaError, Device};
use crate::geometry::Axis;
use crate::network::{Filters, LayerId, Model};
use crate::program::{self, ConvolutionFilters, Node};

/// Presentations whose responses are computed at a time, whatever the batch, which has no more: how
/// cuBLAS adds up may depend on a matrix's shape.
pub const BATCH: usize = 32;

/// Images of one call of cuDNN or cuBLAS, at most.
const CHUNK: usize = 16;
/// Values of the largest layer of such a call, at most: cuDNN takes tensors of less than 2^31.
const CHUNK_VALUES: usize = 1 << 26;

/// Images of one call of cuDNN or cuBLAS: a power of two, of the network and the image size alone. How
/// these libraries add up may depend on the number of images, which free memory must not choose.
pub fn chunk(pass: &program::Pass) -> usize {
    let largest = pass.nodes.iter().map(Node::values).max().unwrap_or(1);
    let mut chunk = CHUNK;
    while chunk > 1 && chunk * largest > CHUNK_VALUES {
        chunk /= 2;
    }
    chunk
}

/// A model's layers on a device, ready to run on batches of one size.
pub struct DevicePass {
    /// A batch is always computed whole, so that the bytes of a response cannot depend on how many images
    /// there are.
    pub size: BatchSize,
    libraries: Libraries,
    pass: Pass,
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

impl DevicePass {
    /// The layers of a pass to `targets`.
    ///
    /// # Errors
    /// Out of memory among them: then a smaller batch may fit.
    pub fn new(
        device: &Device,
        model: &Model,
        pass: &program::Pass,
        targets: &[LayerId],
        size: BatchSize,
    ) -> Result<Self, CudaError> {
        let libraries = Libraries { cublas: Cublas::open(device)?, cudnn: Cudnn::open(device)? };
        let convolution = |filters: ConvolutionFilters<'_>| {
            let node = &pass.nodes[filters.node];
            let input = pass.nodes[node.inputs[0]].size;
            let sizes = Sizes { input, output: node.size };
            DeviceConvolution::new(device, &libraries.cudnn, filters, sizes, size.chunk)
        };
        let numbers = |numbers: &Filters, channels| DeviceNumbers::new(device, numbers, channels);
        let weighted = pass.clone().with_weights(model, convolution, numbers)?;
        let (mut workspace, mut taps, mut units) = (1, 1, 1);
        for (node, step) in weighted.nodes.iter().zip(&weighted.steps) {
            let Some(filters) = step.filters() else { continue };
            workspace = filters.workspace().max(workspace);
            if node.layer.is_some_and(|layer| targets.contains(&layer)) {
                taps = filters.view.taps().max(taps);
                units = node.channels.max(units);
            }
        }
        let buffers = weighted.buffer_values().into_iter();
        let buffers = buffers.map(|values| device.allocate(size.batch * values).map(Some));
        Ok(Self {
            size,
            libraries,
            buffers: buffers.collect::<Result<_, _>>()?,
            pass: weighted,
            workspace: device.allocate(workspace)?,
            patches: device.allocate(BATCH * taps)?,
            responses: device.allocate(BATCH * units)?,
        })
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
        let Self { size, libraries, pass, buffers, workspace, .. } = self;
        for (index, node) in pass.nodes.iter().enumerate() {
            let Some(layer) = node.layer.filter(|&layer| layer <= last) else { continue };
            let buffer = pass.buffers.of(index);
            // Each is put back below, also where a stage fails.
            let Some(mut output) = buffers[buffer].take() else { continue };
            let stage = Stage { device, libraries, size: *size, pass, images, buffers, index };
            let done = stage.run(workspace, &mut output).and_then(|()| look(layer, &output));
            buffers[buffer] = Some(output);
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
    /// As [`DevicePass::run`]; [`CudaError::Shape`] where more is asked for than there are images.
    pub fn respond(
        &mut self,
        device: &Device,
        images: &CudaSlice<f32>,
        layer: LayerId,
        asked: &[UnitPosition],
    ) -> Result<CudaSlice<f32>, CudaError> {
        if let Some(before) = layer.0.checked_sub(1) {
            self.run(device, images, LayerId(before), |_, _| Ok(()))?;
        }
        let Self { size, libraries, pass, buffers, patches, responses, .. } = self;
        let shape = |problem: &str| CudaError::Shape {
            kernel: "forward pass",
            problem: problem.to_owned(),
        };
        let found = pass.node_of(layer);
        let found = found.and_then(|index| Some((index, pass.steps[index].filters()?)));
        let Some((index, convolution)) = found else {
            return Err(shape("responses of what is no convolution"));
        };
        if asked.is_empty() || asked.len() > size.batch {
            return Err(shape("as many responses as images are asked for, or fewer"));
        }
        let DeviceConvolution { view, filters, bias, units_of_a_group, .. } = convolution;
        let at = |axis: Axis, at: usize| view.window.of(axis).first_input(at as isize) as i32;
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
        let stage = Stage { device, libraries, size: *size, pass, images, buffers, index };
        gather(device, *view, &seen, stage.input(0)?, patches)?;
        let units = pass.nodes[index].channels;
        let product =
            Product { rows: BATCH, columns: units, depth: view.taps(), transposed: true, count: 1 };
        product.run(device, &libraries.cublas, patches, filters, responses)?;
        if bias.is_some() {
            let maps = Maps { images: BATCH, channels: units, area: 1 };
            finish(device, maps, bias.as_ref(), false, responses)?;
        }
        let units_asked: Vec<u32> = asked.iter().map(|asked| asked.unit as u32).collect();
        respond(device, &units_asked, units, responses)
    }
}

/// Bytes of the activations of one image, at a time, for messages of too little memory.
pub fn bytes_of_an_image(pass: &program::Pass) -> usize {
    pass.buffer_values().into_iter().sum::<usize>() * size_of::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::ImageSize;
    use crate::network::Network;

    fn chunk_of(preset: &str, side: usize) -> usize {
        let network = Network::named(preset).unwrap();
        let target = network.convolutions().map(|(id, _)| id).last().unwrap();
        chunk(&program::Pass::new(&network, &[target], ImageSize::square(side)).unwrap())
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
