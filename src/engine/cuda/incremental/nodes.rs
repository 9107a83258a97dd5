//! The kernel of each step, for deltas and for original images.

use super::program::{Program, Step};
use crate::engine::cuda::kernels::function::FunctionParameters;
use crate::engine::cuda::kernels::join::Join;
use crate::engine::cuda::kernels::node::{NodeGeometry, NodeLaunch};
use crate::engine::cuda::kernels::normalise::{NormaliseParameters, normalise};
use crate::engine::cuda::kernels::pad::pad;
use crate::engine::cuda::kernels::pointwise::pointwise;
use crate::engine::cuda::kernels::window_sum::{WindowSumParameters, window_sum};
use crate::engine::cuda::tables::layout::Origin;
use crate::engine::cuda::{CudaError, Device};
use crate::network::Pad;
use crate::program::Selection;

/// Where a node and one of its inputs lie, in a plan's relative coordinates.
pub(super) fn geometry_of_deltas(program: &Program, index: usize, which: usize) -> NodeGeometry {
    let nodes = program.subgraph.nodes();
    let node = &nodes[index];
    NodeGeometry {
        input: Origin::of(&nodes[node.inputs[which]]),
        output: Origin::of(node),
        window: node.window,
        shift: program.subgraph.shift(index, which),
    }
}

/// The kernel of a node that is computed element by element from one input; none of others.
pub(super) fn kernel<'a>(
    device: &'a Device,
    program: &'a Program,
    index: usize,
    geometry: NodeGeometry,
) -> Option<Box<dyn NodeLaunch + 'a>> {
    let node = &program.subgraph.nodes()[index];
    let channels = node.channels;
    let function = |parameters, numbers| -> Option<Box<dyn NodeLaunch + 'a>> {
        Some(Box::new(pointwise(device, parameters, geometry, channels, numbers)))
    };
    match &program.steps[index] {
        Step::Relu { .. } => function(FunctionParameters::RELU, None),
        Step::Function(kind) => function(FunctionParameters::new(*kind), None),
        Step::Scale(numbers) => function(FunctionParameters::SCALE, Some(numbers)),
        Step::Slope(numbers) => function(FunctionParameters::SLOPE, Some(numbers)),
        Step::Normalise(norm) => {
            let parameters = NormaliseParameters::neighbours(norm);
            Some(Box::new(normalise(device, parameters, geometry, channels, None)))
        }
        Step::NormaliseChannels(norm, numbers) => {
            let parameters = NormaliseParameters::all(*norm);
            Some(Box::new(normalise(device, parameters, geometry, channels, Some(numbers))))
        }
        Step::Depthwise(numbers) => {
            let parameters = WindowSumParameters::default();
            Some(Box::new(window_sum(device, parameters, geometry, channels, Some(numbers))))
        }
        Step::Pad(Pad { mode, .. }) => {
            let input = &program.subgraph.nodes()[node.inputs[0]];
            Some(Box::new(pad(device, *mode, geometry, channels, input.size)))
        }
        Step::AveragePool(pool) => {
            let input = &program.subgraph.nodes()[node.inputs[0]];
            let parameters = WindowSumParameters::mean(pool, input.size);
            Some(Box::new(window_sum(device, parameters, geometry, channels, None)))
        }
        _ => None,
    }
}

/// The kernel that joins one input to a node: of a sum, a concatenation, a selection or a copy;
/// `geometry` is that of the input.
pub(super) fn join<'a>(
    device: &'a Device,
    program: &Program,
    index: usize,
    which: usize,
    geometry: NodeGeometry,
) -> Result<Box<dyn NodeLaunch + 'a>, CudaError> {
    let nodes = program.subgraph.nodes();
    let node = &nodes[index];
    let channels_of = |which: usize| nodes[node.inputs[which]].channels;
    let (channel, add) = match program.steps[index] {
        Step::Concatenate => ((0..which).map(channels_of).sum(), false),
        _ => (0, which > 0),
    };
    let inputs = channels_of(which);
    let selection = match program.steps[index] {
        Step::Select(selection) => selection,
        _ => Selection::all(inputs),
    };
    let join = Join { channels: node.channels, inputs, channel, selection, add };
    Ok(Box::new(join.kernel(device, geometry)?))
}
