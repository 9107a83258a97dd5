//! Convolutions.

use serde::{Deserialize, Serialize};

use super::window::{check_window, one, yes};
use super::{LARGEST, TensorShape, Window};
use crate::error::ParseError;
use crate::geometry::{Padding, PerAxis};
use crate::network::weights::MAX_ELEMENTS;

/// A convolution's numbers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Convolution {
    /// Output channels: the layer's units.
    pub out_channels: usize,
    /// Taps of the filters.
    pub kernel: PerAxis<usize>,
    /// Step between positions.
    #[serde(default = "one")]
    pub stride: PerAxis<usize>,
    /// Zeros around the input.
    #[serde(default)]
    pub padding: Padding,
    /// Output channel `o` sees only the inputs of its own group.
    #[serde(default = "one_group")]
    pub groups: usize,
    /// Step between a filter's taps.
    #[serde(default = "one")]
    pub dilation: PerAxis<usize>,
    /// Whether a bias is added.
    #[serde(default = "yes")]
    pub bias: bool,
}

const fn one_group() -> usize {
    1
}

impl Convolution {
    /// A square convolution with a bias, one group and no dilation.
    pub const fn new(out_channels: usize, kernel: usize, stride: usize, padding: usize) -> Self {
        Self {
            out_channels,
            kernel: PerAxis::both(kernel),
            stride: PerAxis::both(stride),
            padding: Padding::all(padding),
            groups: 1,
            dilation: PerAxis::both(1),
            bias: true,
        }
    }

    /// The window that it slides over its input.
    pub const fn window(&self) -> Window {
        Window::new(self.kernel, self.stride, self.dilation, self.padding)
    }

    /// Taps of a filter, for each input channel.
    pub const fn taps(&self) -> usize {
        self.kernel.y * self.kernel.x
    }

    pub(super) fn tensors(&self, inputs: usize) -> Vec<TensorShape> {
        let shape = vec![self.out_channels, inputs / self.groups, self.kernel.y, self.kernel.x];
        let weight = TensorShape { name: "weight", shape };
        let bias = TensorShape { name: "bias", shape: vec![self.out_channels] };
        [weight].into_iter().chain(self.bias.then_some(bias)).collect()
    }

    pub(super) fn check(&self, inputs: usize) -> Result<(), ParseError> {
        check_window(&self.window())?;
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
        let weights = [inputs / self.groups, self.kernel.y, self.kernel.x]
            .iter()
            .fold(self.out_channels, |product, &factor| product.saturating_mul(factor));
        if weights > MAX_ELEMENTS {
            return Err(ParseError(format!(
                "its {} filters of {} channels and {}×{} taps have more than {MAX_ELEMENTS} weights",
                self.out_channels,
                inputs / self.groups,
                self.kernel.y,
                self.kernel.x
            )));
        }
        Ok(())
    }
}
