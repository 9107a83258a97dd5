//! Operations: what a layer computes, and with what numbers.

mod convolution;
mod function;
mod gate;
mod group;
mod math;
mod normalisation;
mod pad;
mod pooling;
mod window;

use std::ops::Range;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::ParseError;

pub use convolution::Convolution;
pub use function::Function;
pub use gate::{Gate, GateJoin};
pub use group::{GroupNorm, GroupNormPart};
pub use math::{LANES, Lanes};
pub use normalisation::{BatchNorm, ChannelNorm, ChannelScale, LocalResponseNorm};
pub use pad::Pad;
pub use pooling::{AveragePool, MaxPool};
pub use window::Window;

/// The operation of a layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    /// A convolution (cross-correlation, as in every framework).
    Conv(Convolution),
    /// `max(x, 0)`.
    Relu,
    /// `x` where it is positive, else `x` times the channel's slope.
    Prelu,
    /// The largest value of a window; padding never wins.
    MaxPool(MaxPool),
    /// The mean of a window.
    AvgPool(AveragePool),
    /// Values of the map itself around it.
    Pad(Pad),
    /// Local response normalisation across channels.
    LocalResponseNorm(LocalResponseNorm),
    /// Batch normalisation with the statistics of training: a factor and a shift for each channel.
    BatchNorm(BatchNorm),
    /// A factor and a shift for each channel, which the network tells.
    Scale(ChannelScale),
    /// Layer normalisation of each position's channels.
    ChannelNorm(ChannelNorm),
    /// The identity: at inference dropout does nothing.
    Dropout,
    /// The sum of several inputs of one shape.
    Add,
    /// The product of two inputs of one shape.
    Mul,
    /// The mean of each channel's whole map: one position, of no pixel of the image.
    GlobalAvgPool,
    /// Factors or shifts of a normalisation by the whole map: one position.
    GroupNorm(GroupNorm),
    /// An input joined at each position with one number for each channel, of the whole map.
    Gate(Gate),
    /// Several inputs of one size, stacked along the channels.
    Concat,
    /// Some of the input's channels.
    Slice(ChannelSlice),
    /// The channels of several groups interleaved: channel `c` of group `g` becomes
    /// `c * groups + g`.
    Shuffle(ChannelShuffle),
    /// A function of each value by itself.
    #[serde(untagged)]
    Pointwise(Function),
}

/// The channels `start..end` of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelSlice {
    /// The first channel.
    pub start: usize,
    /// One past the last.
    pub end: usize,
}

/// Number of interleaved groups of channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelShuffle {
    /// Groups; they divide the channels.
    pub groups: usize,
}

/// A tensor of a layer: the end of its name, behind the layer's and a dot, and its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorShape {
    /// Such as `weight`.
    pub name: &'static str,
    /// Its dimensions.
    pub shape: Vec<usize>,
}

/// The largest number that a layer's description may hold: far beyond any network, and small
/// enough that no shape arithmetic overflows.
const LARGEST: usize = 1 << 16;

/// The most channels, and so units, that a layer may have.
pub const MAX_CHANNELS: usize = LARGEST;

impl Op {
    /// The operations' names in a description, without those of [`Function::NAMES`].
    const NAMES: [&'static str; 19] = [
        "conv",
        "relu",
        "prelu",
        "max_pool",
        "avg_pool",
        "pad",
        "local_response_norm",
        "batch_norm",
        "scale",
        "channel_norm",
        "dropout",
        "add",
        "mul",
        "global_avg_pool",
        "group_norm",
        "gate",
        "concat",
        "slice",
        "shuffle",
    ];

    /// The kind of layer, for messages.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Conv(_) => "convolution",
            Self::Relu => "ReLU",
            Self::Prelu => "PReLU",
            Self::MaxPool(_) => "max-pooling",
            Self::AvgPool(_) => "average pooling",
            Self::Pad(_) => "padding with values of the map",
            Self::LocalResponseNorm(_) => "local response normalisation",
            Self::BatchNorm(_) => "batch normalisation",
            Self::Scale(_) => "scaling of channels",
            Self::ChannelNorm(_) => "layer normalisation",
            Self::Dropout => "dropout",
            Self::Add => "sum",
            Self::Mul => "product",
            Self::GlobalAvgPool => "global average pooling",
            Self::GroupNorm(_) => "normalisation of groups",
            Self::Gate(_) => "gate",
            Self::Concat => "concatenation",
            Self::Slice(_) => "slice of channels",
            Self::Shuffle(_) => "channel shuffle",
            Self::Pointwise(function) => function.kind(),
        }
    }

    /// The window that it slides over its input: 1×1 for what works on single positions.
    pub const fn window(&self) -> Window {
        match self {
            Self::Conv(conv) => conv.window(),
            Self::MaxPool(pool) => pool.window(),
            Self::AvgPool(pool) => pool.window(),
            Self::Pad(pad) => pad.window(),
            _ => Window::SINGLE,
        }
    }

    /// The numbers of a convolution; `None` of another operation.
    pub const fn convolution(&self) -> Option<&Convolution> {
        match self {
            Self::Conv(convolution) => Some(convolution),
            _ => None,
        }
    }

    /// Whether many of its outputs do not change where its inputs do; `of_inputs` says so of all its inputs.
    pub fn has_sparse_deltas(&self, of_inputs: bool) -> bool {
        match self {
            Self::Relu => true,
            Self::Pointwise(function) => function.is_sparse(),
            Self::MaxPool(_)
            | Self::Pad(_)
            | Self::Dropout
            | Self::Concat
            | Self::Slice(_)
            | Self::Shuffle(_) => of_inputs,
            _ => false,
        }
    }

    /// Range of its number of inputs.
    const fn inputs(&self) -> Range<usize> {
        match self {
            Self::Add | Self::Concat => 1..usize::MAX,
            Self::Mul | Self::Gate(_) => 2..3,
            _ => 1..2,
        }
    }

    /// Output channels for these input channels; the error says what does not work.
    pub(super) fn channels(&self, inputs: &[usize]) -> Result<usize, ParseError> {
        if !self.inputs().contains(&inputs.len()) {
            return Err(ParseError(format!(
                "a {} has {}; found {}",
                self.kind(),
                match self {
                    Self::Add | Self::Concat => "at least one input",
                    Self::Mul | Self::Gate(_) => "two inputs",
                    _ => "one input",
                },
                inputs.len()
            )));
        }
        let first = inputs[0];
        match self {
            Self::Conv(conv) => conv.check(first).map(|()| conv.out_channels),
            Self::MaxPool(pool) => pool.check().map(|()| first),
            Self::AvgPool(pool) => pool.check().map(|()| first),
            Self::Pad(pad) => pad.check().map(|()| first),
            Self::LocalResponseNorm(norm) => norm.check().map(|()| first),
            Self::BatchNorm(BatchNorm { eps, .. }) | Self::ChannelNorm(ChannelNorm { eps }) => {
                normalisation::check_eps(*eps).map(|()| first)
            }
            Self::Scale(scale) => scale.check(first).map(|()| first),
            Self::GroupNorm(norm) => norm.check(first).map(|()| first),
            Self::Pointwise(function) => function.check().map(|()| first),
            Self::Relu | Self::Prelu | Self::Dropout | Self::GlobalAvgPool => Ok(first),
            Self::Add | Self::Mul | Self::Gate(_) => {
                match inputs.iter().find(|&&other| other != first) {
                    Some(other) => Err(ParseError(format!(
                        "it {} {first} channels and {other}",
                        match self {
                            Self::Add | Self::Gate(Gate { join: GateJoin::Add }) => "adds",
                            _ => "multiplies",
                        }
                    ))),
                    None => Ok(first),
                }
            }
            Self::Concat => {
                let channels = inputs.iter().fold(0, |sum: usize, &more| sum.saturating_add(more));
                if channels > MAX_CHANNELS {
                    return Err(ParseError(format!(
                        "it has {channels} channels; at most {MAX_CHANNELS} are read"
                    )));
                }
                Ok(channels)
            }
            &Self::Slice(ChannelSlice { start, end }) => {
                if start >= end || end > first {
                    return Err(ParseError(format!(
                        "it takes channels {start} to {end} of {first}; expected start below end, and end \
                         at most {first}"
                    )));
                }
                Ok(end - start)
            }
            &Self::Shuffle(ChannelShuffle { groups }) => {
                if groups == 0 || !first.is_multiple_of(groups) {
                    return Err(ParseError(format!(
                        "its {groups} groups do not divide its {first} channels"
                    )));
                }
                Ok(first)
            }
        }
    }

    /// Whether it makes one position of a whole map.
    pub const fn is_of_whole_map(&self) -> bool {
        matches!(self, Self::GlobalAvgPool | Self::GroupNorm(_))
    }

    /// The tensors that it needs on `inputs` input channels.
    pub fn tensors(&self, inputs: usize) -> Vec<TensorShape> {
        let each = |name| TensorShape { name, shape: vec![inputs] };
        match self {
            Self::Conv(conv) => conv.tensors(inputs),
            Self::Prelu => vec![each("weight")],
            Self::BatchNorm(norm) => {
                let affine = ["weight", "bias"].into_iter().filter(|_| norm.affine);
                affine.chain(["running_mean", "running_var"]).map(each).collect()
            }
            Self::ChannelNorm(_) | Self::GroupNorm(_) => ["weight", "bias"].map(each).to_vec(),
            _ => Vec::new(),
        }
    }

    /// Numbers of weights and biases on `inputs` input channels; `None` where it
    /// has none.
    pub fn parameters(&self, inputs: usize) -> Option<[usize; 2]> {
        match self {
            Self::Conv(conv) => {
                let biases = if conv.bias { conv.out_channels } else { 0 };
                Some([conv.out_channels * conv.taps() * (inputs / conv.groups), biases])
            }
            Self::Prelu => Some([inputs, 0]),
            Self::BatchNorm(_) | Self::ChannelNorm(_) | Self::GroupNorm(_) => {
                Some([inputs, inputs])
            }
            _ => None,
        }
    }

    /// The operation of a description's `fields`, of which each must be known.
    pub(super) fn from_fields(mut fields: Map<String, Value>) -> Result<Self, ParseError> {
        let name = match fields.get("op") {
            Some(Value::String(name)) => name.clone(),
            Some(other) => return Err(ParseError(format!("its op is {other}; expected a text"))),
            None => return Err(ParseError("it has no `op`, a text".into())),
        };
        if Function::NAMES.contains(&name.as_str()) {
            let given: Vec<String> = fields.keys().cloned().collect();
            let function: Function = parsed(fields)?;
            // serde takes any field of a variant without fields.
            let without = matches!(serde_json::to_value(function), Ok(Value::Object(known)) if known.len() == 1);
            return match given.iter().find(|field| without && *field != "op") {
                Some(field) if !matches!(function, Function::Clip { .. }) => Err(ParseError(
                    format!("unknown field `{field}`: a {} has no numbers", function.kind()),
                )),
                _ => Ok(Self::Pointwise(function)),
            };
        }
        fields.remove("op");
        let first = fields.keys().next().cloned();
        let plain = |op: Self| match first {
            Some(field) => {
                Err(ParseError(format!("unknown field `{field}`: a {} has no numbers", op.kind())))
            }
            None => Ok(op),
        };
        match name.as_str() {
            "conv" => parsed(fields).map(Self::Conv),
            "relu" => plain(Self::Relu),
            "prelu" => plain(Self::Prelu),
            "max_pool" => parsed(fields).map(Self::MaxPool),
            "avg_pool" => parsed(fields).map(Self::AvgPool),
            "pad" => parsed(fields).map(Self::Pad),
            "local_response_norm" => parsed(fields).map(Self::LocalResponseNorm),
            "batch_norm" => parsed(fields).map(Self::BatchNorm),
            "scale" => parsed(fields).map(Self::Scale),
            "channel_norm" => parsed(fields).map(Self::ChannelNorm),
            "dropout" => plain(Self::Dropout),
            "add" => plain(Self::Add),
            "mul" => plain(Self::Mul),
            "global_avg_pool" => plain(Self::GlobalAvgPool),
            "group_norm" => parsed(fields).map(Self::GroupNorm),
            "gate" => parsed(fields).map(Self::Gate),
            "concat" => plain(Self::Concat),
            "slice" => parsed(fields).map(Self::Slice),
            "shuffle" => parsed(fields).map(Self::Shuffle),
            other => {
                let known = [&Self::NAMES[..], &Function::NAMES[..]].concat().join(", ");
                Err(ParseError(format!("unknown op `{other}`; expected one of {known}")))
            }
        }
    }
}

fn parsed<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, ParseError> {
    serde_json::from_value(Value::Object(fields)).map_err(|error| ParseError(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_an_operation_and_is_written_back() {
        for name in Op::NAMES.into_iter().chain(Function::NAMES) {
            let numbers = match name {
                "conv" => r#""out_channels": 4, "kernel": [3, 1], "padding": [1, 0, 2, 0]"#,
                "max_pool" | "avg_pool" => r#""kernel": 3, "stride": [2, 1]"#,
                "pad" => r#""mode": "edge", "padding": [1, 0, 2, 0]"#,
                "local_response_norm" => r#""size": 5"#,
                "slice" => r#""start": 1, "end": 2"#,
                "shuffle" => r#""groups": 2"#,
                "group_norm" => r#""groups": 1, "part": "shift""#,
                "scale" => r#""factors": [1.5], "shifts": [-0.25]"#,
                _ => "",
            };
            let comma = if numbers.is_empty() { "" } else { ", " };
            let fields = |json: &str| serde_json::from_str::<Map<String, Value>>(json).unwrap();
            let given = fields(&format!(r#"{{"op": "{name}"{comma}{numbers}}}"#));
            let op = Op::from_fields(given.clone()).unwrap();
            let written = serde_json::to_value(&op).unwrap();
            let written = written.as_object().unwrap();
            assert!(given.iter().all(|(field, value)| written.get(field) == Some(value)), "{name}");
            assert_eq!(Op::from_fields(written.clone()).unwrap(), op);
        }
    }
}
