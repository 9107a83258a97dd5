//! The step that computes each node of a subgraph.

use super::Subgraph;
use crate::geometry::{Border, ImageSize, PerAxis};
use crate::network::{
    AveragePool, ChannelNorm, ChannelShuffle, ChannelSlice, Function, GateJoin, GroupNorm, LayerId,
    LocalResponseNorm, Network, Op,
};

/// What a node computes. `F` are the filters of a convolution and `N` the numbers of another layer,
/// in the order in which an engine reads them; nothing in a program without weights.
#[derive(Clone, Debug, PartialEq)]
pub enum Step<F = (), N = ()> {
    /// The image.
    Image,
    /// A convolution and, if `rectify`, the ReLU behind it.
    Convolve {
        /// Its filters.
        filters: F,
        /// Whether the ReLU is included.
        rectify: bool,
    },
    /// A convolution of each channel by itself; filters `[ky][kx][channel]`.
    Depthwise(N),
    /// A ReLU; `elsewhere` if a neighbour computes it: the convolution before it or the pooling
    /// behind it.
    Relu {
        /// Whether a neighbour computes it.
        elsewhere: bool,
    },
    /// A maximum pooling and, if `rectify`, the ReLU before it.
    MaxPool {
        /// Whether the ReLU is included.
        rectify: bool,
    },
    /// The mean of a window of an input of this size.
    AveragePool(AveragePool, ImageSize),
    /// The input with values of its own around it.
    Pad(Border),
    /// Local response normalisation.
    Normalise(LocalResponseNorm),
    /// Normalisation over all channels of a position.
    NormaliseChannels(ChannelNorm, N),
    /// A factor and a shift a channel.
    Scale(N),
    /// A slope a channel, for negative values.
    Slope(N),
    /// A function of each value.
    Function(Function),
    /// A copy of the input.
    Copy,
    /// Some channels of the input, or all in another order.
    Select(Selection),
    /// The sum of the inputs.
    Add,
    /// The product of two inputs.
    Multiply,
    /// The mean of each channel's whole map.
    GlobalMean,
    /// Factors or shifts of a normalisation by the whole map.
    GroupNorm(GroupNorm, N),
    /// The first input joined with the second's one position.
    Gate(GateJoin),
    /// The inputs' channels, one input after the other.
    Concatenate,
    /// The target's convolution, of which only single units are computed.
    Respond,
}

/// Channels of an input: output channel `o` is the input's `start + o % groups * each + o / groups`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The first channel.
    pub start: usize,
    /// Groups that take turns.
    pub groups: usize,
    /// Channels of a group.
    pub each: usize,
}

impl Selection {
    /// The first channels in their order.
    pub const fn all(channels: usize) -> Self {
        Self { start: 0, groups: 1, each: channels }
    }

    /// Those of a slice.
    pub const fn slice(&ChannelSlice { start, end }: &ChannelSlice) -> Self {
        Self { start, groups: 1, each: end - start }
    }

    /// Those of a shuffle of so many channels.
    pub const fn shuffle(&ChannelShuffle { groups }: &ChannelShuffle, channels: usize) -> Self {
        Self { start: 0, groups, each: channels / groups }
    }

    /// How many channels there are.
    pub const fn channels(self) -> usize {
        self.groups * self.each
    }

    /// The input's channel of an output channel.
    pub const fn input(self, output: usize) -> usize {
        self.start + output % self.groups * self.each + output / self.groups
    }
}

/// Which activations of the original image a step reads while an occluder is presented.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BaselineReads {
    /// Those of its inputs.
    pub inputs: bool,
    /// Its own.
    pub own: bool,
    /// Those of its second input alone.
    pub second: bool,
}

impl Step {
    /// The step of a layer whose input has so many channels; `target` is the layer of the units.
    pub(super) fn of(
        network: &Network,
        layer: LayerId,
        target: LayerId,
        (channels, size): (usize, ImageSize),
    ) -> Self {
        match &network.layer(layer).op {
            Op::Conv(_) if layer == target => Self::Respond,
            Op::Conv(conv) if conv.is_depthwise(channels) => Self::Depthwise(()),
            Op::Conv(_) => Self::Convolve { filters: (), rectify: false },
            Op::Relu => Self::Relu { elsewhere: false },
            Op::Prelu => Self::Slope(()),
            Op::Pointwise(function) => Self::Function(*function),
            Op::MaxPool(_) => Self::MaxPool { rectify: false },
            Op::AvgPool(pool) => Self::AveragePool(pool.clone(), size),
            Op::Pad(pad) => Self::Pad(pad.mode),
            Op::LocalResponseNorm(norm) => Self::Normalise(norm.clone()),
            Op::ChannelNorm(norm) => Self::NormaliseChannels(*norm, ()),
            Op::BatchNorm(_) | Op::Scale(_) => Self::Scale(()),
            Op::Dropout => Self::Copy,
            Op::Slice(slice) => Self::Select(Selection::slice(slice)),
            Op::Shuffle(shuffle) => Self::Select(Selection::shuffle(shuffle, channels)),
            Op::Add => Self::Add,
            Op::Mul => Self::Multiply,
            Op::GlobalAvgPool => Self::GlobalMean,
            Op::GroupNorm(norm) => Self::GroupNorm(*norm, ()),
            Op::Gate(gate) => Self::Gate(gate.join),
            Op::Concat => Self::Concatenate,
        }
    }
}

impl<F, N> Step<F, N> {
    /// Whether a delta is that of its input at the same positions, computed in place.
    pub const fn is_in_place(&self) -> bool {
        matches!(
            self,
            Self::Relu { .. } | Self::Copy | Self::Scale(_) | Self::Slope(_) | Self::Function(_)
        )
    }

    /// Whether it reads its inputs' activations of the original image, where no delta comes through a gate.
    pub const fn reads_inputs(&self) -> bool {
        self.baseline_reads(false).inputs
    }

    /// The activations of the original image that it reads; `through_gates` as
    /// [`Subgraph::through_gates`] says.
    pub(super) const fn baseline_reads(&self, through_gates: bool) -> BaselineReads {
        BaselineReads {
            inputs: matches!(
                self,
                Self::Relu { .. }
                    | Self::Slope(_)
                    | Self::Function(_)
                    | Self::Normalise(_)
                    | Self::NormaliseChannels(..)
                    | Self::Multiply
                    | Self::Respond
            ) || through_gates
                && matches!(self, Self::GroupNorm(..) | Self::Gate(GateJoin::Mul)),
            own: matches!(self, Self::Image | Self::MaxPool { .. }),
            second: matches!(self, Self::Gate(GateJoin::Mul)),
        }
    }
}

/// Has each ReLU computed by a neighbour that has its values at hand, where there is one.
pub(super) fn fuse_relus(subgraph: &Subgraph, read_once: &[bool], steps: &mut [Step]) {
    let nodes = subgraph.nodes();
    for (place, node) in nodes.iter().enumerate() {
        let Step::MaxPool { .. } = steps[place] else { continue };
        let input = node.inputs[0];
        let is_relu = matches!(steps[input], Step::Relu { .. });
        if read_once[input] && is_relu && subgraph.shift(input, 0) == PerAxis::default() {
            steps[input] = Step::Relu { elsewhere: true };
            steps[place] = Step::MaxPool { rectify: true };
        }
    }
    for (place, node) in nodes.iter().enumerate() {
        let Step::Relu { elsewhere: false } = steps[place] else { continue };
        let input = node.inputs[0];
        if let (true, Step::Convolve { rectify, .. }) = (read_once[input], &mut steps[input]) {
            *rectify = true;
            steps[place] = Step::Relu { elsewhere: true };
        }
    }
}
