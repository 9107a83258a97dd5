//! Padding with values of the map itself.

use serde::{Deserialize, Serialize};

use super::Window;
use super::window::{check_window, one};
use crate::error::ParseError;
use crate::geometry::{Axis, Border, ImageSize, Padding};

/// A map with values of its own around it. Zeros are the padding of the layer behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Pad {
    /// Which values.
    pub mode: Border,
    /// Positions on each side.
    pub padding: Padding,
}

impl Pad {
    /// The window of one position of the padded map, as of zeros around the input.
    pub const fn window(&self) -> Window {
        Window::new(one(), one(), one(), self.padding)
    }

    pub(super) fn check(&self) -> Result<(), ParseError> {
        check_window(&self.window())
    }

    /// The problem of an input of this size, if there is one.
    pub(in crate::network) fn size_problem(&self, input: ImageSize) -> Option<String> {
        let Padding { before, after } = self.padding;
        let mut axes = Axis::BOTH.into_iter().map(|axis| {
            let padding = before.of(axis).max(after.of(axis));
            (axis, padding, axis.of(input))
        });
        let (axis, padding, length) =
            axes.find(|&(_, padding, length)| self.mode == Border::Reflect && padding >= length)?;
        let what = match axis {
            Axis::Y => "rows",
            Axis::X => "columns",
        };
        Some(format!(
            "it reflects {padding} {what}, and its input of {input} has {} beside the border; use larger images",
            length.saturating_sub(1)
        ))
    }
}
