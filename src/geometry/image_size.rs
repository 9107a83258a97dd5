//! The size of an image, or of a layer's output.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::ParseError;

/// Height and width in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ImageSize {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl ImageSize {
    /// The longest side that is accepted. The noise counter gives a coordinate 16 bits.
    pub const MAX_SIDE: usize = 65_535;

    /// A size of `height` rows and `width` columns.
    pub const fn new(height: usize, width: usize) -> Self {
        Self { height, width }
    }

    /// A square image.
    pub const fn square(side: usize) -> Self {
        Self::new(side, side)
    }

    /// Number of pixels.
    pub const fn area(self) -> usize {
        self.height * self.width
    }
}

impl fmt::Display for ImageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}", self.height, self.width)
    }
}

impl FromStr for ImageSize {
    type Err = ParseError;

    /// `227` for a square, or `HEIGHTxWIDTH`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let side = |part: &str| match part.parse::<usize>() {
            Ok(side) if (1..=Self::MAX_SIDE).contains(&side) => Ok(side),
            _ => Err(ParseError(format!(
                "`{text}` is not an image size; expected one number (227) or HEIGHTxWIDTH \
                 (240x320), each from 1 to {}",
                Self::MAX_SIDE
            ))),
        };
        match text.split_once(['x', '×']) {
            Some((height, width)) => Ok(Self::new(side(height)?, side(width)?)),
            None => Ok(Self::square(side(text)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_parsed_as_documented() {
        assert_eq!("227".parse(), Ok(ImageSize::square(227)));
        assert_eq!("240x320".parse(), Ok(ImageSize::new(240, 320)));
        for wrong in ["", "0", "3x", "x3", "1x2x3", "-1", "70000"] {
            assert!(wrong.parse::<ImageSize>().is_err(), "{wrong}");
        }
    }
}
