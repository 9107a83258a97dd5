//! A layer that an incremental engine was prepared for: its lineage, and what each step of it
//! needs.

use super::plan::Lineage;
use super::{EngineError, RequestError};
use crate::geometry::{ImageSize, PerAxis, Span};
use crate::network::{
    AveragePool, ChannelNorm, ChannelShuffle, ChannelSlice, Convolution, Filters, Function,
    LayerId, LocalResponseNorm, Model, Op,
};

/// What a node of the lineage computes: `P` are a convolution's filters and `U` those of single
/// units, in the order in which the engine reads them.
#[derive(Debug)]
pub(super) enum Step<P, U> {
    Image,
    /// A convolution and, if `rectify`, the ReLU behind it.
    Convolve {
        packed: P,
        rectify: bool,
    },
    /// A ReLU; `elsewhere` if the convolution before it or the pooling behind it does it.
    Relu {
        elsewhere: bool,
    },
    /// A pooling and, if `rectify`, the ReLU before it.
    Pool {
        rectify: bool,
    },
    /// The mean of a window of an input of this size.
    Average(AveragePool, ImageSize),
    /// A convolution of each channel by itself.
    Depthwise(DepthwiseFilters),
    Normalise(LocalResponseNorm),
    NormaliseChannels(ChannelNorm, Filters),
    /// A factor and a shift for each channel.
    Scale(Filters),
    /// A slope for each channel where it is negative.
    Slope(Vec<f32>),
    Function(Function),
    /// Dropout.
    Same,
    /// The input's channels in another order, or some of them: of each output channel the input's.
    Select(Vec<usize>),
    Add,
    Multiply,
    Concatenate,
    /// The target's own convolution, of which only single units are computed.
    Respond(U),
}

impl<P, U> Step<P, U> {
    /// Whether a change is that of its input at the same positions, worked over in place.
    pub const fn is_in_place(&self) -> bool {
        matches!(
            self,
            Self::Relu { .. } | Self::Same | Self::Scale(_) | Self::Slope(_) | Self::Function(_)
        )
    }
}

/// The filters of a depthwise convolution.
#[derive(Debug)]
pub(super) struct DepthwiseFilters {
    /// `[ky][kx][channel]`.
    pub weight: Vec<f32>,
    /// Of each channel, or empty.
    pub bias: Vec<f32>,
}

impl DepthwiseFilters {
    fn new(filters: &Filters, channels: usize) -> Self {
        let taps = filters.weight.len() / channels;
        let weight = (0..taps)
            .flat_map(|tap| (0..channels).map(move |channel| filters.weight[channel * taps + tap]))
            .collect();
        Self { weight, bias: filters.bias.clone() }
    }
}

/// A target of the engine.
#[derive(Debug)]
pub(super) struct Target<P, U> {
    pub lineage: Lineage,
    /// A step for each node.
    pub steps: Vec<Step<P, U>>,
    /// Of each node, whether the original image's activations are read while presenting.
    pub kept: Vec<bool>,
    /// Of each node, whether exactly one other reads it: its buffer may be written over.
    pub read_once: Vec<bool>,
}

/// How an engine reads a convolution's filters.
pub(super) struct Packing<Pack, Units> {
    /// Reorders those of a convolution.
    pub convolution: Pack,
    /// Reorders those of the target's units.
    pub units: Units,
    /// Whether depthwise convolutions are steps of their own.
    pub depthwise: bool,
}

/// A convolution that leads to a target: its layer, its numbers, its filters and its input
/// channels.
pub(super) type Leading<'m> = (LayerId, &'m Convolution, &'m Filters, usize);

impl<P, U> Target<P, U> {
    /// A target.
    ///
    /// # Errors
    /// Images too small for one of the layers; those of the packing.
    pub fn new(
        model: &Model,
        layer: LayerId,
        image: ImageSize,
        mut packing: Packing<
            impl FnMut(Leading<'_>) -> Result<P, EngineError>,
            impl FnMut(Leading<'_>) -> Result<U, EngineError>,
        >,
    ) -> Result<Self, EngineError> {
        let network = model.network();
        let lineage = Lineage::new(network, layer, image)?;
        let (mut steps, mut readers) = (Vec::new(), vec![0; lineage.nodes().len()]);
        let mut kept = vec![false; lineage.nodes().len()];
        // Occluders are differences to the image.
        kept[0] = true;
        for (place, node) in lineage.nodes().iter().enumerate() {
            node.inputs.iter().for_each(|&input| readers[input] += 1);
            let Some(id) = node.layer else {
                steps.push(Step::Image);
                continue;
            };
            let input = node.inputs[0];
            let channels = lineage.nodes()[input].channels;
            // A model has numbers for each of its layers that needs some.
            let filters = || {
                let name = || network.short_name(id);
                model.filters(id).ok_or_else(|| EngineError::from(RequestError::NoFilters(name())))
            };
            let op = &network.layer(id).op;
            // Where a change depends on more than the input's change.
            kept[place] |= matches!(op, Op::MaxPool(_));
            match op {
                Op::Relu
                | Op::Prelu
                | Op::Pointwise(_)
                | Op::LocalResponseNorm(_)
                | Op::ChannelNorm(_) => kept[input] = true,
                Op::Mul => node.inputs.iter().for_each(|&input| kept[input] = true),
                _ => {}
            }
            steps.push(match op {
                Op::Conv(conv) if id == layer => {
                    // The original response is computed from the layer below.
                    kept[input] = true;
                    Step::Respond((packing.units)((id, conv, filters()?, channels))?)
                }
                Op::Conv(conv) if packing.depthwise && conv.is_depthwise(channels) => {
                    Step::Depthwise(DepthwiseFilters::new(filters()?, channels))
                }
                Op::Conv(conv) => {
                    let packed = (packing.convolution)((id, conv, filters()?, channels))?;
                    Step::Convolve { packed, rectify: false }
                }
                Op::Relu => Step::Relu { elsewhere: false },
                Op::Prelu => Step::Slope(filters()?.weight.clone()),
                Op::Pointwise(function) => Step::Function(*function),
                Op::MaxPool(_) => Step::Pool { rectify: false },
                Op::AvgPool(pool) => Step::Average(pool.clone(), lineage.nodes()[input].size),
                Op::LocalResponseNorm(norm) => Step::Normalise(norm.clone()),
                Op::ChannelNorm(norm) => Step::NormaliseChannels(*norm, filters()?.clone()),
                Op::BatchNorm(_) | Op::Scale(_) => Step::Scale(filters()?.clone()),
                Op::Dropout => Step::Same,
                &Op::Slice(ChannelSlice { start, end }) => Step::Select((start..end).collect()),
                &Op::Shuffle(ChannelShuffle { groups }) => {
                    let each = channels / groups;
                    let from = |output: usize| output % groups * each + output / groups;
                    Step::Select((0..channels).map(from).collect())
                }
                Op::Add => Step::Add,
                Op::Mul => Step::Multiply,
                Op::Concat => Step::Concatenate,
            });
        }
        let read_once = readers.into_iter().map(|readers| readers == 1).collect();
        let mut target = Self { lineage, steps, kept, read_once };
        target.join_relus();
        Ok(target)
    }

    /// Has each ReLU done by a neighbour that has its values at hand, where it has one.
    fn join_relus(&mut self) {
        let nodes = self.lineage.nodes();
        for (place, node) in nodes.iter().enumerate() {
            if !matches!(self.steps[place], Step::Pool { .. }) {
                continue;
            }
            let input = node.inputs[0];
            let joined = self.read_once[input] && matches!(self.steps[input], Step::Relu { .. });
            // A ReLU's own input is kept in any case.
            if joined && self.lineage.shift(input, 0) == PerAxis::both(0) {
                self.steps[input] = Step::Relu { elsewhere: true };
                self.steps[place] = Step::Pool { rectify: true };
            } else {
                self.kept[input] = true;
            }
        }
        for (place, node) in nodes.iter().enumerate() {
            let Step::Relu { elsewhere: false } = self.steps[place] else { continue };
            let input = node.inputs[0];
            if let (true, Step::Convolve { rectify, .. }) =
                (self.read_once[input], &mut self.steps[input])
            {
                *rectify = true;
                self.steps[place] = Step::Relu { elsewhere: true };
            }
        }
    }

    /// The node whose original activations a pooling reads.
    pub fn pooled(&self, node: usize) -> usize {
        let input = self.lineage.nodes()[node].inputs[0];
        match self.steps[node] {
            Step::Pool { rectify: true } => self.lineage.nodes()[input].inputs[0],
            _ => input,
        }
    }

    /// The filters of the target's units.
    pub fn unit_filters(&self) -> Option<&U> {
        match self.steps.last() {
            Some(Step::Respond(filters)) => Some(filters),
            _ => None,
        }
    }

    /// Floats of the original image's activations that are kept for backward cones `y` and `x`.
    pub fn kept_floats(&self, y: &[Span], x: &[Span]) -> usize {
        let nodes = self.lineage.nodes().iter().enumerate();
        nodes
            .filter(|&(place, _)| self.kept[place])
            .map(|(place, node)| y[place].len() * x[place].len() * node.channels)
            .sum()
    }
}
