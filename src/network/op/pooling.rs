//! Pooling.

use serde::{Deserialize, Serialize};

use super::Window;
use super::window::{check_window, one, yes};
use crate::error::ParseError;
use crate::geometry::{Axis, ImageSize, Padding, PerAxis, Span};

/// A max-pooling's numbers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MaxPool {
    /// Taps of the window.
    pub kernel: PerAxis<usize>,
    /// Step between windows.
    pub stride: PerAxis<usize>,
    /// Positions around the input that never win.
    #[serde(default)]
    pub padding: Padding,
    /// Whether a last window that reaches past the input counts.
    #[serde(default)]
    pub ceil_mode: bool,
    /// Step between a window's taps.
    #[serde(default = "one")]
    pub dilation: PerAxis<usize>,
}

/// An average pooling's numbers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AveragePool {
    /// Taps of the window.
    pub kernel: PerAxis<usize>,
    /// Step between windows.
    pub stride: PerAxis<usize>,
    /// Zeros around the input.
    #[serde(default)]
    pub padding: Padding,
    /// Whether a last window that reaches past the input counts.
    #[serde(default)]
    pub ceil_mode: bool,
    /// Whether the padding's zeros are part of the mean.
    #[serde(default = "yes")]
    pub count_include_pad: bool,
}

impl MaxPool {
    /// A square max-pooling without padding.
    pub const fn new(kernel: usize, stride: usize) -> Self {
        Self {
            kernel: PerAxis::both(kernel),
            stride: PerAxis::both(stride),
            padding: Padding::all(0),
            ceil_mode: false,
            dilation: PerAxis::both(1),
        }
    }

    /// The window that it slides over its input.
    pub const fn window(&self) -> Window {
        let window = Window::new(self.kernel, self.stride, self.dilation, self.padding);
        Window { ceil_mode: self.ceil_mode, ..window }
    }

    pub(super) fn check(&self) -> Result<(), ParseError> {
        check_window(&self.window())?;
        check_padding(self.kernel, self.padding)
    }
}

impl AveragePool {
    /// A square average pooling without padding.
    pub const fn new(kernel: usize, stride: usize) -> Self {
        Self {
            kernel: PerAxis::both(kernel),
            stride: PerAxis::both(stride),
            padding: Padding::all(0),
            ceil_mode: false,
            count_include_pad: true,
        }
    }

    /// The window that it slides over its input.
    pub const fn window(&self) -> Window {
        let window = Window::new(self.kernel, self.stride, one(), self.padding);
        Window { ceil_mode: self.ceil_mode, ..window }
    }

    /// The positions along one axis that count for a mean: those of the input and, if
    /// `count_include_pad`, of the padding.
    pub fn counted(&self, axis: Axis, input: ImageSize) -> Span {
        let length = axis.of(input) as isize;
        let [before, after] =
            [&self.padding.before, &self.padding.after].map(|padding| padding.of(axis) as isize);
        if self.count_include_pad {
            Span::new(-before, length + after)
        } else {
            Span::new(0, length)
        }
    }

    /// Number of values, along one axis, of the mean at `output`.
    pub fn count(&self, axis: Axis, output: usize, input: ImageSize) -> usize {
        let window = self.window().axes.of(axis);
        window.inputs(Span::at(output)).intersect(self.counted(axis, input)).len().max(1)
    }

    pub(super) fn check(&self) -> Result<(), ParseError> {
        check_window(&self.window())?;
        check_padding(self.kernel, self.padding)
    }
}

/// PyTorch's own condition; it also means that no window lies wholly in the padding.
fn check_padding(kernel: PerAxis<usize>, padding: Padding) -> Result<(), ParseError> {
    for (axis, before) in Axis::BOTH.map(|axis| (axis, padding.before.of(axis))) {
        let (kernel, most) = (kernel.of(axis), before.max(padding.after.of(axis)));
        if most > kernel / 2 {
            return Err(ParseError(format!(
                "its padding is {most}; expected at most half its kernel of {kernel}"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_at_the_border_are_over_what_pytorch_counts() {
        // PyTorch 2: `AvgPool2d(3, 2, padding=1, ceil_mode=True)` of ones, 4×4.
        let input = ImageSize::square(4);
        let pool = |count_include_pad| AveragePool {
            padding: Padding::all(1),
            ceil_mode: true,
            count_include_pad,
            ..AveragePool::new(3, 2)
        };
        let counts = |pool: AveragePool| {
            let outputs = pool.window().output_size(input).unwrap();
            (0..outputs.width).map(|x| pool.count(Axis::X, x, input)).collect::<Vec<_>>()
        };
        assert_eq!(counts(pool(true)), [3, 3, 2]);
        assert_eq!(counts(pool(false)), [2, 3, 1]);
    }
}
