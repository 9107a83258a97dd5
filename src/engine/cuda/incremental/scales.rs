//! Deltas in fp16: by what they are multiplied, and which are stored so.
//!
//! fp16 reaches from 6e-8 to 65504, and activations are as large as a network's weights make them. So an
//! input of products in fp16 is multiplied by a power of two, which is exact: the one by which the largest
//! of its activations in front of an image of noise is 8 to 16. That leaves a factor of 4,000 for
//! what occluders change more; what is 130,000 times smaller loses bits. An input that is 0 in front of noise
//! has no scale. It depends on the network, the layer and the size of images alone, so that a map is the
//! same bytes in whatever company it is computed.

use ndarray::Array3;

use super::baselines::{ImageRegion, each_baseline};
use super::program::Program;
use super::storage::Storage;
use crate::engine::cuda::kernels::products::{largest, to_exponent};
use crate::engine::cuda::{CudaError, Device};
use crate::geometry::{ImageSize, Span};
use crate::noise::TorchStream;

/// The exponent of the largest value of the image of noise.
const LARGEST: i32 = 3;

/// Finds the scales of a target's nodes, and which of them are stored in fp16.
///
/// # Errors
/// [`CudaError::Driver`], out of memory too.
pub(super) fn scale(
    device: &Device,
    program: &Program,
    image: ImageSize,
    storage: &mut Storage,
) -> Result<(), CudaError> {
    let nodes = program.subgraph.nodes();
    let by_halves = |node: usize| {
        program.steps[node].filters().is_some_and(|packed| packed.multiplies_halves())
    };
    let read: Vec<usize> = (0..nodes.len())
        .filter(|&node| by_halves(node))
        .map(|node| nodes[node].inputs[0])
        .collect();
    if read.is_empty() {
        return Ok(());
    }
    let channels = nodes[0].channels;
    // As occluders have it.
    let noise = TorchStream::new(0).map(|value| 2.0 * value - 1.0);
    let noise = noise.take(channels * image.area()).collect();
    let noise = Array3::from_shape_vec((channels, image.height, image.width), noise);
    let noise = noise.map_err(|error| CudaError::Shape {
        kernel: "scale",
        problem: format!("an image of noise: {error}"),
    })?;
    let size = nodes[program.subgraph.target()].size;
    let whole = [size.height, size.width].map(|length| Span::new(0, length as isize));
    let regions: ImageRegion<'_> = (noise.view(), whole[0], whole[1]);
    each_baseline(device, program, &[regions], |node, baselines| {
        if read.contains(&node) {
            let largest = largest(&device.download(&baselines.values)?);
            storage.scales[storage.buffers.source[node]] = to_exponent(largest, LARGEST);
        }
        Ok(())
    })?;
    for node in (0..nodes.len()).filter(|&node| storage.buffers.source[node] == node) {
        // Nodes that only pass it on do not read it.
        let reads = |&reader: &usize| {
            storage.buffers.source[reader] != node
                && nodes[reader].inputs.iter().any(|&input| storage.buffers.source[input] == node)
        };
        let step = &program.steps[node];
        let writes = step.filters().is_some() || step.reads_whole_windows();
        let read = (0..nodes.len()).filter(reads).all(by_halves);
        storage.halves[node] = writes && read;
    }
    Ok(())
}
