//! The weights of a program or a pass, each set in the order in which an engine reads it.

use thiserror::Error;

use super::{Node, Pass, Program, Step};
use crate::network::{Convolution, Filters, LayerId, Model};

/// A layer of a program whose model has no numbers for it.
#[derive(Debug, Error)]
#[error("{0} has no filters")]
pub struct MissingFilters(String);

/// A convolution on the way to a target, with its filters as the model has them.
#[derive(Clone, Copy, Debug)]
pub struct ConvolutionFilters<'m> {
    /// The node.
    pub node: usize,
    /// The layer.
    pub layer: LayerId,
    /// Its numbers.
    pub conv: &'m Convolution,
    /// Its filters.
    pub filters: &'m Filters,
    /// Channels of its input.
    pub inputs: usize,
}

/// How an engine reads weights.
#[derive(Debug)]
pub struct Packing<Convolve, Numbers, Units> {
    /// Reorders the filters of a convolution.
    pub convolution: Convolve,
    /// Takes in the numbers of another layer.
    pub numbers: Numbers,
    /// Reorders the filters of the target's units.
    pub units: Units,
}

impl Program {
    /// The program with a model's weights.
    ///
    /// # Errors
    /// Those of the packing; a layer without numbers.
    pub fn with_weights<'m, F, N, U, E: From<MissingFilters>>(
        self,
        model: &'m Model,
        packing: Packing<
            impl FnMut(ConvolutionFilters<'m>) -> Result<F, E>,
            impl FnMut(&Filters, usize) -> Result<N, E>,
            impl FnOnce(ConvolutionFilters<'m>) -> Result<U, E>,
        >,
    ) -> Result<Program<F, N, U>, E> {
        let Self { subgraph, steps, kept, read_once, last_reads, .. } = self;
        let Packing { convolution, numbers, units } = packing;
        let weights = Weights { model, nodes: subgraph.nodes() };
        let steps = weights.pack(steps, convolution, numbers)?;
        let units = units(weights.convolution(subgraph.target())?)?;
        Ok(Program { subgraph, steps, kept, read_once, last_reads, units })
    }
}

impl Pass {
    /// The pass with a model's weights.
    ///
    /// # Errors
    /// Those of the packing; a layer without numbers.
    pub fn with_weights<'m, F, N, E: From<MissingFilters>>(
        self,
        model: &'m Model,
        convolution: impl FnMut(ConvolutionFilters<'m>) -> Result<F, E>,
        numbers: impl FnMut(&Filters, usize) -> Result<N, E>,
    ) -> Result<Pass<F, N>, E> {
        let Self { nodes, steps, buffers } = self;
        let steps = Weights { model, nodes: &nodes }.pack(steps, convolution, numbers)?;
        Ok(Pass { nodes, steps, buffers })
    }
}

/// The weights of some nodes.
struct Weights<'m, 'n> {
    model: &'m Model,
    nodes: &'n [Node],
}

impl<'m> Weights<'m, '_> {
    /// The steps with weights as `convolution` and `numbers` make them.
    fn pack<F, N, E: From<MissingFilters>>(
        &self,
        steps: Vec<Step>,
        mut convolution: impl FnMut(ConvolutionFilters<'m>) -> Result<F, E>,
        mut numbers: impl FnMut(&Filters, usize) -> Result<N, E>,
    ) -> Result<Vec<Step<F, N>>, E> {
        let weighted = steps.into_iter().enumerate().map(|(node, step)| {
            let channels = self.nodes[node].channels;
            let is_by_channel = step.is_by_channel();
            step.with(
                || convolution(self.convolution(node)?),
                || match self.of(node)? {
                    (_, filters) if is_by_channel => {
                        numbers(&channels_last(filters, channels), channels)
                    }
                    (_, filters) => numbers(filters, channels),
                },
            )
        });
        weighted.collect()
    }

    fn of(&self, node: usize) -> Result<(LayerId, &'m Filters), MissingFilters> {
        let numbers = |layer: LayerId| Some((layer, self.model.filters(layer)?));
        self.nodes[node].layer.and_then(numbers).ok_or_else(|| self.missing(node))
    }

    fn convolution(&self, node: usize) -> Result<ConvolutionFilters<'m>, MissingFilters> {
        let (layer, filters) = self.of(node)?;
        let conv = self.model.network().layer(layer).op.convolution();
        let conv = conv.ok_or_else(|| self.missing(node))?;
        let inputs = self.nodes[self.nodes[node].inputs[0]].channels;
        Ok(ConvolutionFilters { node, layer, conv, filters, inputs })
    }

    fn missing(&self, node: usize) -> MissingFilters {
        let name = |layer| self.model.network().short_name(layer);
        MissingFilters(self.nodes[node].layer.map_or("the image".into(), name))
    }
}

/// The filters of a depthwise convolution, `[ky][kx][channel]`.
fn channels_last(filters: &Filters, channels: usize) -> Filters {
    let taps = filters.weight.len() / channels;
    let weight = (0..taps)
        .flat_map(|tap| (0..channels).map(move |channel| filters.weight[channel * taps + tap]))
        .collect();
    Filters { weight, bias: filters.bias.clone() }
}
