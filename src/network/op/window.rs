//! Windows that slide over a layer's input.

use super::LARGEST;
use crate::error::ParseError;
use crate::geometry::{Axis, ImageSize, Padding, PerAxis, SlidingWindow, Span};

/// A window that slides over a layer's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Each axis of it.
    pub axes: PerAxis<SlidingWindow>,
    /// Positions behind the input that a window may reach.
    pub padding_after: PerAxis<usize>,
    /// Whether a last window that reaches past the input counts.
    pub ceil_mode: bool,
}

pub(super) const fn one() -> PerAxis<usize> {
    PerAxis::both(1)
}

pub(super) const fn yes() -> bool {
    true
}

impl Window {
    /// The window of one position.
    pub const SINGLE: Self = Self {
        axes: PerAxis::both(SlidingWindow::SINGLE),
        padding_after: PerAxis::both(0),
        ceil_mode: false,
    };

    /// A window without `ceil_mode`.
    pub const fn new(
        kernel: PerAxis<usize>,
        stride: PerAxis<usize>,
        dilation: PerAxis<usize>,
        padding: Padding,
    ) -> Self {
        let axes = PerAxis {
            y: SlidingWindow {
                kernel: kernel.y,
                stride: stride.y,
                // A single tap has no next one.
                dilation: if kernel.y == 1 { 1 } else { dilation.y },
                padding: padding.before.y,
            },
            x: SlidingWindow {
                kernel: kernel.x,
                stride: stride.x,
                dilation: if kernel.x == 1 { 1 } else { dilation.x },
                padding: padding.before.x,
            },
        };
        Self { axes, padding_after: padding.after, ceil_mode: false }
    }

    /// Positions of the window on an input of this size; `None` where it does not fit once.
    pub fn output_size(&self, input: ImageSize) -> Option<ImageSize> {
        let along = |axis: Axis| {
            let window = self.axes.of(axis);
            let SlidingWindow { stride, padding, .. } = window;
            let length = axis.of(input);
            let padded = length + padding + self.padding_after.of(axis);
            let spare = padded.checked_sub(window.extent())?;
            let floor = spare / stride + 1;
            // PyTorch's rule: an extra window must begin inside the input or its left padding.
            let extra = self.ceil_mode
                && !spare.is_multiple_of(stride)
                && floor * stride < length + padding;
            Some(floor + usize::from(extra))
        };
        Some(ImageSize::new(along(Axis::Y)?, along(Axis::X)?))
    }

    /// Whether some of the window's `output` positions see none of `input`: where taps lie far apart.
    pub fn sees_only_padding(&self, input: ImageSize, output: ImageSize) -> bool {
        Axis::BOTH.into_iter().any(|axis| {
            let (window, length) = (self.axes.of(axis), axis.of(input));
            let sees = |position: usize| {
                window.taps(window.first_input(position as isize), Span::whole(length)).1 > 0
            };
            let outputs = axis.of(output);
            // Taps that are no further apart than the input is long pass over none of it.
            if window.dilation <= length {
                return outputs > 0 && !(sees(0) && sees(outputs - 1));
            }
            !(0..outputs).all(sees)
        })
    }

    /// The four sides' padding.
    pub const fn padding(&self) -> Padding {
        Padding {
            before: PerAxis { y: self.axes.y.padding, x: self.axes.x.padding },
            after: self.padding_after,
        }
    }

    /// The window, where it is the same on both axes, on all four sides, and not dilated.
    pub fn if_square(&self) -> Option<SlidingWindow> {
        let window = self.axes.if_equal()?;
        let even = self.padding_after == PerAxis::both(window.padding);
        (even && window.dilation == 1).then_some(window)
    }
}

/// Checks the numbers of a window, before any arithmetic with them.
pub(super) fn check_window(window: &Window) -> Result<(), ParseError> {
    for (what, of, least) in [
        ("kernel", (|window| window.kernel) as fn(SlidingWindow) -> usize, 1),
        ("stride", |window| window.stride, 1),
        ("dilation", |window| window.dilation, 1),
        ("padding", |window| window.padding, 0),
    ] {
        for axis in Axis::BOTH {
            check_number(what, of(window.axes.of(axis)), least)?;
        }
    }
    for axis in Axis::BOTH {
        check_number("padding", window.padding_after.of(axis), 0)?;
        let SlidingWindow { kernel, dilation, .. } = window.axes.of(axis);
        if (kernel - 1) * dilation >= LARGEST {
            return Err(ParseError(format!(
                "its kernel of {kernel} with a dilation of {dilation} reaches over {} positions; \
                 expected at most {LARGEST}",
                (kernel - 1) * dilation + 1
            )));
        }
    }
    Ok(())
}

fn check_number(what: &str, value: usize, least: usize) -> Result<(), ParseError> {
    if (least..=LARGEST).contains(&value) {
        return Ok(());
    }
    Err(ParseError(format!("its {what} is {value}; expected {least} to {LARGEST}")))
}
