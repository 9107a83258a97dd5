//! Layers: what they compute, with what numbers, from what.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::LayerId;
use super::weights::MAX_ELEMENTS;
use crate::error::ParseError;
use crate::geometry::{ImageSize, Slide};

/// A named layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Layer {
    /// The framework's name, such as `features.3`; its weights are `features.3.weight` and
    /// `features.3.bias`.
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// What it computes it from: one input, or several for the joins.
    pub inputs: Vec<Input>,
}

/// An input of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Input {
    /// The image.
    Image,
    /// An earlier layer's output.
    Layer(LayerId),
}

/// What a layer computes.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    /// A convolution (cross-correlation, as in every framework).
    Conv(Convolution),
    /// `max(x, 0)`.
    Relu,
    /// The largest value of a window; padding never wins.
    MaxPool(MaxPool),
    /// Local response normalisation across channels.
    LocalResponseNorm(LocalResponseNorm),
    /// The identity: at inference dropout does nothing.
    Dropout,
    /// The sum of several inputs of one shape.
    Add,
    /// Several inputs of one size, stacked along the channels.
    Concat,
}

/// A convolution's numbers; the same on both axes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Convolution {
    /// Output channels: the layer's units.
    pub out_channels: usize,
    /// Side length of the filters.
    pub kernel: usize,
    /// Step between positions.
    #[serde(default = "one")]
    pub stride: usize,
    /// Zeros around the input.
    #[serde(default)]
    pub padding: usize,
    /// Output channel `o` sees only the inputs of its own group.
    #[serde(default = "one")]
    pub groups: usize,
    /// Step between a filter's taps; only 1 is supported.
    #[serde(default = "one")]
    pub dilation: usize,
    /// Whether a bias is added.
    #[serde(default = "yes")]
    pub bias: bool,
}

/// A max-pooling's numbers; the same on both axes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MaxPool {
    /// Side length of the window.
    pub kernel: usize,
    /// Step between windows.
    pub stride: usize,
    /// Positions around the input that never win.
    #[serde(default)]
    pub padding: usize,
    /// Whether a last window that reaches past the input counts.
    #[serde(default)]
    pub ceil_mode: bool,
    /// Step between a window's taps; only 1 is supported.
    #[serde(default = "one")]
    pub dilation: usize,
}

/// `x / (k + alpha / size * sum of x² over `size` neighbouring channels)^beta`, with channels
/// `c - size / 2 ..= c + (size - 1) / 2` (PyTorch's `LocalResponseNorm`; Krizhevsky et al. 2012,
/// section 3.3, with `alpha` divided by `size`).
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LocalResponseNorm {
    /// Channels summed over.
    pub size: usize,
    /// Weight of the sum.
    #[serde(default = "LocalResponseNorm::default_alpha")]
    pub alpha: f32,
    /// Exponent.
    #[serde(default = "LocalResponseNorm::default_beta")]
    pub beta: f32,
    /// Constant.
    #[serde(default = "LocalResponseNorm::default_k")]
    pub k: f32,
}

impl LocalResponseNorm {
    /// The channels, of so many, that are summed over for one.
    pub fn neighbours(&self, channel: usize, channels: usize) -> RangeInclusive<usize> {
        let last = (channel + (self.size - 1) / 2).min(channels - 1);
        channel.saturating_sub(self.size / 2)..=last
    }

    const fn default_alpha() -> f32 {
        1e-4
    }

    const fn default_beta() -> f32 {
        0.75
    }

    const fn default_k() -> f32 {
        1.0
    }
}

const fn one() -> usize {
    1
}

const fn yes() -> bool {
    true
}

impl Op {
    /// The kind of layer, for messages.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Conv(_) => "convolution",
            Self::Relu => "ReLU",
            Self::MaxPool(_) => "max-pooling",
            Self::LocalResponseNorm(_) => "local response normalisation",
            Self::Dropout => "dropout",
            Self::Add => "sum",
            Self::Concat => "concatenation",
        }
    }

    /// The window that it slides over its input: 1×1 for what works on single positions.
    pub(crate) fn window(&self) -> Window {
        let (kernel, stride, padding, ceil_mode) = match self {
            Self::Conv(conv) => (conv.kernel, conv.stride, conv.padding, false),
            Self::MaxPool(pool) => (pool.kernel, pool.stride, pool.padding, pool.ceil_mode),
            _ => return Window { slide: Slide::SINGLE, ceil_mode: false },
        };
        Window { slide: Slide { kernel, stride, padding }, ceil_mode }
    }

    /// Output channels for these input channels; the error says what does not work.
    pub(super) fn channels(&self, inputs: &[usize]) -> Result<usize, ParseError> {
        let joins = matches!(self, Self::Add | Self::Concat);
        if inputs.is_empty() || (inputs.len() > 1 && !joins) {
            return Err(ParseError(format!(
                "a {} has one input; found {}",
                self.kind(),
                inputs.len()
            )));
        }
        match self {
            Self::Conv(conv) => conv.check(inputs[0]).map(|()| conv.out_channels),
            Self::MaxPool(pool) => pool.check().map(|()| inputs[0]),
            Self::LocalResponseNorm(norm) => norm.check().map(|()| inputs[0]),
            Self::Relu | Self::Dropout => Ok(inputs[0]),
            Self::Add => match inputs.iter().find(|&&other| other != inputs[0]) {
                Some(other) => {
                    Err(ParseError(format!("it adds {} channels and {other}", inputs[0])))
                }
                None => Ok(inputs[0]),
            },
            Self::Concat => {
                let channels = inputs.iter().fold(0, |sum: usize, &more| sum.saturating_add(more));
                if channels > MAX_CHANNELS {
                    return Err(ParseError(format!(
                        "it has {channels} channels; at most {MAX_CHANNELS} are read"
                    )));
                }
                Ok(channels)
            }
        }
    }
}

/// The largest number that a layer's description may hold: far beyond any network, and small
/// enough that no shape arithmetic overflows.
const LARGEST: usize = 1 << 16;

/// The most channels, and so units, that a layer may have.
pub const MAX_CHANNELS: usize = LARGEST;

fn check_window(kernel: usize, stride: usize, padding: usize) -> Result<(), ParseError> {
    for (what, value, least) in
        [("kernel", kernel, 1), ("stride", stride, 1), ("padding", padding, 0)]
    {
        if !(least..=LARGEST).contains(&value) {
            return Err(ParseError(format!(
                "its {what} is {value}; expected {least} to {LARGEST}"
            )));
        }
    }
    Ok(())
}

fn check_dilation(dilation: usize) -> Result<(), ParseError> {
    match dilation {
        1 => Ok(()),
        _ => Err(ParseError(format!("its dilation is {dilation}; only 1 is supported"))),
    }
}

impl Convolution {
    /// A convolution with a bias, one group and no dilation.
    pub const fn new(out_channels: usize, kernel: usize, stride: usize, padding: usize) -> Self {
        Self { out_channels, kernel, stride, padding, groups: 1, dilation: 1, bias: true }
    }

    fn check(&self, inputs: usize) -> Result<(), ParseError> {
        check_window(self.kernel, self.stride, self.padding)?;
        check_dilation(self.dilation)?;
        if !(1..=LARGEST).contains(&self.out_channels) {
            let found = self.out_channels;
            return Err(ParseError(format!(
                "its out_channels is {found}; expected 1 to {LARGEST}"
            )));
        }
        let divides = |channels: usize| self.groups > 0 && channels.is_multiple_of(self.groups);
        if !divides(inputs) || !divides(self.out_channels) {
            return Err(ParseError(format!(
                "its {} groups do not divide its {inputs} input and {} output channels",
                self.groups, self.out_channels
            )));
        }
        let weights = [inputs / self.groups, self.kernel, self.kernel]
            .iter()
            .fold(self.out_channels, |product, &factor| product.saturating_mul(factor));
        if weights > MAX_ELEMENTS {
            return Err(ParseError(format!(
                "its {} filters of {} channels and {kernel}×{kernel} taps have more than \
                 {MAX_ELEMENTS} weights",
                self.out_channels,
                inputs / self.groups,
                kernel = self.kernel
            )));
        }
        Ok(())
    }
}

impl MaxPool {
    /// A max-pooling without padding.
    pub const fn new(kernel: usize, stride: usize) -> Self {
        Self { kernel, stride, padding: 0, ceil_mode: false, dilation: 1 }
    }

    fn check(&self) -> Result<(), ParseError> {
        check_window(self.kernel, self.stride, self.padding)?;
        check_dilation(self.dilation)?;
        // PyTorch's own condition; it also means that no window lies wholly in the padding.
        if self.padding > self.kernel / 2 {
            return Err(ParseError(format!(
                "its padding is {}; expected at most half its kernel of {}",
                self.padding, self.kernel
            )));
        }
        Ok(())
    }
}

impl LocalResponseNorm {
    fn check(&self) -> Result<(), ParseError> {
        let finite = self.alpha.is_finite() && self.beta.is_finite() && self.k.is_finite();
        // With a negative base the power would be no number.
        let positive = self.alpha >= 0.0 && self.k >= 0.0 && self.alpha.max(self.k) > 0.0;
        if !(1..=LARGEST).contains(&self.size) || !finite || !positive {
            return Err(ParseError(format!(
                "size {}, alpha {}, beta {}, k {}; expected a size of at least 1, finite numbers, \
                 alpha and k not negative and not both 0",
                self.size, self.alpha, self.beta, self.k
            )));
        }
        Ok(())
    }
}

/// A window that slides over a layer's input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub slide: Slide,
    /// Whether a last window that reaches past the input counts.
    pub ceil_mode: bool,
}

impl Window {
    /// Positions of the window on an input of this size; `None` where it does not fit once.
    pub fn output_size(&self, input: ImageSize) -> Option<ImageSize> {
        let Slide { kernel, stride, padding } = self.slide;
        let axis = |length: usize| {
            let spare = (length + 2 * padding).checked_sub(kernel)?;
            let floor = spare / stride + 1;
            // PyTorch's rule: an extra window must begin inside the input or its left padding.
            let extra = self.ceil_mode
                && !spare.is_multiple_of(stride)
                && floor * stride < length + padding;
            Some(floor + usize::from(extra))
        };
        Some(ImageSize::new(axis(input.height)?, axis(input.width)?))
    }
}
