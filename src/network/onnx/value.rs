//! Values of the names of a graph.

use super::constant::Constant;
use crate::geometry::Padding;
use crate::network::Input;

/// The value of a name of the graph.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// It does not depend on the image.
    Constant(Constant),
    /// As [`Value::Constant`], but node of this index, which makes it, is not computed.
    Unfolded(usize),
    /// A layer's output, or the image.
    Layer(Feature),
    /// A layer's output with zeros around it.
    Padded {
        /// The output.
        input: Feature,
        /// How many.
        padding: Padding,
    },
    /// A layer's output as `[1, groups, channels / groups, height, width]`; if `swapped`, with
    /// groups and channels exchanged.
    Grouped {
        /// The output.
        input: Feature,
        /// Groups of channels.
        groups: usize,
        /// Whether the channels of each group come first.
        swapped: bool,
    },
    /// A layer's output as `[1, groups, channels / groups * height * width]`.
    Bundled {
        /// The output.
        input: Feature,
        /// Groups of channels.
        groups: usize,
        /// The value before the reshape.
        map: Feature,
    },
    /// The shape of a layer's output.
    Shape(Feature),
    /// A layer's output of one position, as `[1, channels, 1]`.
    Column(Feature),
    /// It depends on the image, and no position of it on a part of the image alone.
    Pooled,
    /// It depends on what this node makes, which is not supported.
    Behind(usize),
}

/// A layer's output, or the image: `[1, channels, height, width]`, or `[1, height, width, channels]`,
/// which of one position is the same as `[1, channels]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Feature {
    pub input: Input,
    pub channels_last: bool,
}

/// The result of a node.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    Done,
    /// Why it is not supported.
    Unsupported(String),
    /// A node before it is not supported.
    Behind,
    /// It sees the whole image.
    Pooled,
}
