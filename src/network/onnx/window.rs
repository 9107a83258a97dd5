//! The windows of convolutions and poolings, as ONNX tells them.

use super::error::shown_list;
use super::messages::NodeProto;
use crate::error::ParseError;
use crate::geometry::{Axis, ImageSize, Padding, PerAxis};

/// A window's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeWindow {
    pub kernel: PerAxis<usize>,
    pub stride: PerAxis<usize>,
    pub padding: Padding,
    pub dilation: PerAxis<usize>,
    pub ceil_mode: bool,
    /// Whether the padding fits an input of one size alone.
    pub fits_one_size: bool,
}

/// The attributes that [`NodeWindow::of`] reads.
pub(super) const ATTRIBUTES: [&str; 6] =
    ["kernel_shape", "strides", "pads", "dilations", "auto_pad", "ceil_mode"];

/// The largest number that is read: far beyond what a layer may have, and small enough that none
/// overflows.
const LARGEST: usize = 1 << 24;

impl NodeWindow {
    /// The window of a node; `kernel` is that of its weights, where it has any, and `input` the size
    /// of its input, where that is known.
    ///
    /// # Errors
    /// Numbers of other than two axes, or negative ones; padding that depends on an unknown size.
    pub fn of(
        node: &NodeProto,
        kernel: Option<PerAxis<usize>>,
        input: Option<ImageSize>,
    ) -> Result<Self, ParseError> {
        let stated =
            node.ints("kernel_shape").map(|list| both("kernel_shape", list)).transpose()?;
        let kernel = match (stated, kernel) {
            (Some(stated), Some(kernel)) if stated != kernel => {
                return Err(ParseError(format!(
                    "its kernel_shape is {}×{}, and its weights have {}×{} taps",
                    stated.y, stated.x, kernel.y, kernel.x
                )));
            }
            (Some(kernel), _) | (None, Some(kernel)) => kernel,
            (None, None) => return Err("it has no kernel_shape".into()),
        };
        let or_one = |name: &str| node.ints(name).map_or(Ok(PerAxis::both(1)), |l| both(name, l));
        let (stride, dilation) = (or_one("strides")?, or_one("dilations")?);
        let ceil_mode = node.int("ceil_mode", 0) != 0;
        let (padding, fits_one_size) = (Padding::all(0), false);
        let window = Self { kernel, stride, padding, dilation, ceil_mode, fits_one_size };
        let auto_pad = node.text("auto_pad").unwrap_or("NOTSET");
        let padding = match auto_pad {
            "NOTSET" | "" => match node.ints("pads") {
                None => Padding::all(0),
                Some(pads) => {
                    let [top, left, bottom, right] = numbers("pads", pads)?;
                    let (before, after) = (PerAxis::new(top, left), PerAxis::new(bottom, right));
                    Padding { before, after }
                }
            },
            "VALID" => Padding::all(0),
            "SAME_UPPER" => window.same(input)?,
            "SAME_LOWER" => {
                let Padding { before, after } = window.same(input)?;
                Padding { before: after, after: before }
            }
            other => return Err(ParseError(format!("its auto_pad is `{other}`"))),
        };
        let fits_one_size = auto_pad.starts_with("SAME")
            && [Axis::Y, Axis::X].iter().any(|&a| window.stride.of(a) > 1 && window.extent(a) > 1);
        Ok(Self { padding, fits_one_size, ..window })
    }

    /// Input positions from the first tap to the last.
    fn extent(self, axis: Axis) -> usize {
        self.kernel.of(axis).saturating_sub(1) * self.dilation.of(axis) + 1
    }

    /// Padding with which the output has as many positions as there are strides in the input; the odd
    /// one comes after.
    fn same(self, input: Option<ImageSize>) -> Result<Padding, ParseError> {
        let along = |axis: Axis| {
            let (stride, extent) = (self.stride.of(axis), self.extent(axis));
            let length = match input {
                Some(input) => axis.of(input),
                // Any length will do.
                None if stride == 1 => 1,
                None => {
                    return Err(ParseError(
                        "its auto_pad depends on the image's size, which the file does not tell; \
                         export the network for images of one size, or with explicit pads"
                            .into(),
                    ));
                }
            };
            let outputs = length.checked_div(stride).map_or(0, |_| length.div_ceil(stride));
            Ok((outputs.saturating_sub(1) * stride + extent).saturating_sub(length))
        };
        let (y, x) = (along(Axis::Y)?, along(Axis::X)?);
        Ok(Padding {
            before: PerAxis::new(y / 2, x / 2),
            after: PerAxis::new(y - y / 2, x - x / 2),
        })
    }
}

fn both(name: &str, list: &[i64]) -> Result<PerAxis<usize>, ParseError> {
    let [y, x] = numbers(name, list)?;
    Ok(PerAxis::new(y, x))
}

/// The numbers of an attribute, as many as expected.
pub(super) fn numbers<const N: usize>(name: &str, list: &[i64]) -> Result<[usize; N], ParseError> {
    let number = |&number: &i64| usize::try_from(number).ok().filter(|&number| number <= LARGEST);
    let found: Option<Vec<usize>> = list.iter().map(number).collect();
    found.and_then(|found| found.try_into().ok()).ok_or_else(|| {
        let list = shown_list(list);
        ParseError(format!("its {name} is {list}; expected {N} numbers, none negative"))
    })
}
