//! The weights of a program, each set in the order in which an engine reads it.

use thiserror::Error;

use super::{Program, Step};
use crate::network::{Convolution, Filters, LayerId, Model, Op};

/// A layer of a program whose model has no numbers for it.
#[derive(Debug, Error)]
#[error("{0} has no filters")]
pub struct MissingFilters(String);

/// A convolution on the way to a target.
#[derive(Clone, Copy, Debug)]
pub struct ConvolutionFilters<'m> {
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
        let network = model.network();
        let of_node = |place: usize| {
            let node = &subgraph.nodes()[place];
            let numbers = node.layer.and_then(|layer| Some((layer, model.filters(layer)?)));
            let name = || node.layer.map_or("the image".into(), |layer| network.short_name(layer));
            let (layer, filters) = numbers.ok_or_else(|| MissingFilters(name()))?;
            Ok::<_, MissingFilters>((layer, filters, subgraph.nodes()[node.inputs[0]].channels))
        };
        let convolution = |place: usize| {
            let (layer, filters, inputs) = of_node(place)?;
            match &network.layer(layer).op {
                Op::Conv(conv) => Ok(ConvolutionFilters { layer, conv, filters, inputs }),
                _ => Err(MissingFilters(network.short_name(layer))),
            }
        };
        let filters = |place: usize| of_node(place).map(|(_, filters, _)| filters);
        let channels = |place: usize| subgraph.nodes()[place].channels;
        let Packing { convolution: mut pack_convolution, numbers: mut pack, units: pack_units } =
            packing;
        let mut weighted = Vec::with_capacity(steps.len());
        for (place, step) in steps.into_iter().enumerate() {
            weighted.push(match step {
                Step::Convolve { filters: (), rectify } => {
                    let filters = pack_convolution(convolution(place)?)?;
                    Step::Convolve { filters, rectify }
                }
                Step::Depthwise(()) => {
                    let (_, filters, channels) = of_node(place)?;
                    Step::Depthwise(pack(&channels_last(filters, channels), channels)?)
                }
                Step::NormaliseChannels(norm, ()) => {
                    Step::NormaliseChannels(norm, pack(filters(place)?, channels(place))?)
                }
                Step::GroupNorm(norm, ()) => {
                    Step::GroupNorm(norm, pack(filters(place)?, channels(place))?)
                }
                Step::Scale(()) => Step::Scale(pack(filters(place)?, channels(place))?),
                Step::Slope(()) => Step::Slope(pack(filters(place)?, channels(place))?),
                Step::Image => Step::Image,
                Step::Relu { elsewhere } => Step::Relu { elsewhere },
                Step::MaxPool { rectify } => Step::MaxPool { rectify },
                Step::AveragePool(pool, size) => Step::AveragePool(pool, size),
                Step::Pad(border) => Step::Pad(border),
                Step::Normalise(norm) => Step::Normalise(norm),
                Step::Function(function) => Step::Function(function),
                Step::Copy => Step::Copy,
                Step::Select(channels) => Step::Select(channels),
                Step::Add => Step::Add,
                Step::Multiply => Step::Multiply,
                Step::GlobalMean => Step::GlobalMean,
                Step::Gate(join) => Step::Gate(join),
                Step::Concatenate => Step::Concatenate,
                Step::Respond => Step::Respond,
            });
        }
        let units = pack_units(convolution(subgraph.target())?)?;
        Ok(Program { subgraph, steps: weighted, kept, read_once, last_reads, units })
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
