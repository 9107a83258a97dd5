//! The step that computes each node: the one place that knows the kinds of layers.

use super::{Node, Subgraph};
use crate::geometry::{Border, PerAxis};
use crate::network::{
    AveragePool, ChannelNorm, ChannelShuffle, ChannelSlice, Function, GateJoin, GroupNorm, LayerId,
    LocalResponseNorm, Network, Op, Pad,
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
    /// The mean of a window.
    AveragePool(AveragePool),
    /// The input with values of its own around it.
    Pad(Pad),
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

    /// Number of channels.
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
    /// The step of a layer, of whole maps.
    pub fn of(network: &Network, layer: LayerId) -> Self {
        match &network.layer(layer).op {
            Op::Conv(_) => Self::Convolve { filters: (), rectify: false },
            Op::Relu => Self::Relu { elsewhere: false },
            Op::Prelu => Self::Slope(()),
            Op::Pointwise(function) => Self::Function(*function),
            Op::MaxPool(_) => Self::MaxPool { rectify: false },
            Op::AvgPool(pool) => Self::AveragePool(pool.clone()),
            Op::Pad(pad) => Self::Pad(*pad),
            Op::LocalResponseNorm(norm) => Self::Normalise(norm.clone()),
            Op::ChannelNorm(norm) => Self::NormaliseChannels(*norm, ()),
            Op::BatchNorm(_) | Op::Scale(_) => Self::Scale(()),
            Op::Dropout => Self::Copy,
            &Op::Slice(ChannelSlice { start, end }) => {
                Self::Select(Selection { start, groups: 1, each: end - start })
            }
            &Op::Shuffle(ChannelShuffle { groups }) => {
                let each = network.input_channels(layer) / groups;
                Self::Select(Selection { start: 0, groups, each })
            }
            Op::Add => Self::Add,
            Op::Mul => Self::Multiply,
            Op::GlobalAvgPool => Self::GlobalMean,
            Op::GroupNorm(norm) => Self::GroupNorm(*norm, ()),
            Op::Gate(gate) => Self::Gate(gate.join),
            Op::Concat => Self::Concatenate,
        }
    }

    /// The step with weights: with the filters of a convolution, or the numbers of another layer, where it
    /// has any.
    pub(super) fn with<F, N, E>(
        self,
        filters: impl FnOnce() -> Result<F, E>,
        numbers: impl FnOnce() -> Result<N, E>,
    ) -> Result<Step<F, N>, E> {
        Ok(match self {
            Self::Convolve { filters: (), rectify } => {
                Step::Convolve { filters: filters()?, rectify }
            }
            Self::Depthwise(()) => Step::Depthwise(numbers()?),
            Self::NormaliseChannels(norm, ()) => Step::NormaliseChannels(norm, numbers()?),
            Self::GroupNorm(norm, ()) => Step::GroupNorm(norm, numbers()?),
            Self::Scale(()) => Step::Scale(numbers()?),
            Self::Slope(()) => Step::Slope(numbers()?),
            Self::Image => Step::Image,
            Self::Relu { elsewhere } => Step::Relu { elsewhere },
            Self::MaxPool { rectify } => Step::MaxPool { rectify },
            Self::AveragePool(pool) => Step::AveragePool(pool),
            Self::Pad(pad) => Step::Pad(pad),
            Self::Normalise(norm) => Step::Normalise(norm),
            Self::Function(function) => Step::Function(function),
            Self::Copy => Step::Copy,
            Self::Select(channels) => Step::Select(channels),
            Self::Add => Step::Add,
            Self::Multiply => Step::Multiply,
            Self::GlobalMean => Step::GlobalMean,
            Self::Gate(join) => Step::Gate(join),
            Self::Concatenate => Step::Concatenate,
            Self::Respond => Step::Respond,
        })
    }
}

impl<F, N> Step<F, N> {
    /// Whether an output value, or a delta, is that of its input at the same position and channel, computed
    /// in place.
    pub const fn is_in_place(&self) -> bool {
        matches!(
            self,
            Self::Relu { .. } | Self::Copy | Self::Scale(_) | Self::Slope(_) | Self::Function(_)
        )
    }

    /// The filters of a convolution of all units.
    pub const fn filters(&self) -> Option<&F> {
        match self {
            Self::Convolve { filters, .. } => Some(filters),
            _ => None,
        }
    }

    /// Whether it is a convolution that computes the ReLU behind it.
    pub const fn rectifies_output(&self) -> bool {
        matches!(self, Self::Convolve { rectify: true, .. })
    }

    /// Whether it convolves each channel by itself.
    pub(super) const fn is_by_channel(&self) -> bool {
        matches!(self, Self::Depthwise(_))
    }

    /// Whether its deltas are those of its input.
    pub const fn passes_on(&self) -> bool {
        matches!(self, Self::Relu { elsewhere: true } | Self::Copy)
    }

    /// Whether it makes one position of a whole map.
    pub const fn is_of_whole_map(&self) -> bool {
        matches!(self, Self::GlobalMean | Self::GroupNorm(..))
    }

    /// Whether it joins a map with one position.
    pub const fn is_gate(&self) -> bool {
        matches!(self, Self::Gate(_))
    }

    /// Whether a part of a window does not do where a part of it changed.
    pub const fn reads_whole_windows(&self) -> bool {
        matches!(self, Self::MaxPool { .. })
    }

    /// The values past the ends of the input, where those are its own.
    pub(super) const fn border(&self) -> Option<Border> {
        match self {
            Self::Pad(Pad { mode, .. }) => Some(*mode),
            _ => None,
        }
    }

    /// Whether it has a ReLU before it that it computes.
    pub(super) const fn rectifies_input(&self) -> bool {
        matches!(self, Self::MaxPool { rectify: true })
    }

    /// Whether its original activations are kept in 64 bits too; `through_gates` as
    /// [`Subgraph::through_gates`] says.
    pub const fn is_wide(&self, through_gates: bool) -> bool {
        matches!(self, Self::Function(function) if through_gates || function.is_costly())
    }

    /// Whether it reads its inputs' activations of the original image, where no delta comes through a gate.
    pub const fn reads_inputs(&self) -> bool {
        self.baseline_reads(false).inputs
    }

    /// Whether it reads its own activations of the original image, where no delta comes through a gate.
    pub const fn reads_own(&self) -> bool {
        self.baseline_reads(false).own
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
            own: matches!(self, Self::Image | Self::MaxPool { .. }) || self.rectifies_output(),
            second: matches!(self, Self::Gate(GateJoin::Mul)),
        }
    }

    /// The step in words.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Image => "occlude",
            Self::Convolve { rectify: false, .. } => "convolve",
            Self::Convolve { rectify: true, .. } => "convolve, rectify",
            Self::Depthwise(_) => "convolve each channel",
            Self::Relu { elsewhere: false } => "rectify",
            Self::Relu { elsewhere: true } | Self::Copy => "pass on",
            Self::MaxPool { rectify: false } => "maximum",
            Self::MaxPool { rectify: true } => "rectify, maximum",
            Self::AveragePool(_) => "mean",
            Self::Pad(Pad { mode: Border::Reflect, .. }) => "reflect the border",
            Self::Pad(Pad { mode: Border::Edge, .. }) => "repeat the border",
            Self::Normalise(_) => "normalise neighbouring channels",
            Self::NormaliseChannels(..) => "normalise all channels",
            Self::Scale(_) => "scale",
            Self::Slope(_) => "slope",
            Self::Function(_) => "function",
            Self::Select(_) => "select channels",
            Self::Add => "add",
            Self::Multiply => "multiply",
            Self::GlobalMean => "mean of the map",
            Self::GroupNorm(..) => "normalisation by the map",
            Self::Gate(GateJoin::Mul) => "multiply with a gate",
            Self::Gate(GateJoin::Add) => "add a gate",
            Self::Concatenate => "concatenate",
            Self::Respond => "respond",
        }
    }
}

/// Has single units of the target computed, and channels by themselves that are convolved so.
pub(super) fn split_convolutions(nodes: &[Node], steps: &mut [Step]) {
    let target = nodes.len() - 1;
    for (index, node) in nodes.iter().enumerate() {
        let Step::Convolve { .. } = steps[index] else { continue };
        let inputs = nodes[node.inputs[0]].channels;
        if index == target {
            steps[index] = Step::Respond;
        } else if node.groups == Some(inputs) && node.channels == inputs && inputs > 1 {
            steps[index] = Step::Depthwise(());
        }
    }
}

/// Has each ReLU computed by the convolution before it, if nobody else reads that.
pub(super) fn fuse_into_convolutions(nodes: &[Node], read_once: &[bool], steps: &mut [Step]) {
    for (index, node) in nodes.iter().enumerate() {
        let Step::Relu { elsewhere: false } = steps[index] else { continue };
        let input = node.inputs[0];
        if let (true, Step::Convolve { rectify, .. }) = (read_once[input], &mut steps[input]) {
            *rectify = true;
            steps[index] = Step::Relu { elsewhere: true };
        }
    }
}

/// Has each ReLU computed by the pooling behind it, if nobody else reads it.
pub(super) fn fuse_into_poolings(subgraph: &Subgraph, read_once: &[bool], steps: &mut [Step]) {
    for (index, node) in subgraph.nodes().iter().enumerate() {
        let Step::MaxPool { .. } = steps[index] else { continue };
        let input = node.inputs[0];
        let is_relu = matches!(steps[input], Step::Relu { .. });
        if read_once[input] && is_relu && subgraph.shift(input, 0) == PerAxis::default() {
            steps[input] = Step::Relu { elsewhere: true };
            steps[index] = Step::MaxPool { rectify: true };
        }
    }
}
