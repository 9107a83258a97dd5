//! A rectangle of pixels.

use std::fmt;

/// The pixels `y_min..=y_max` × `x_min..=x_max`: both ends belong to it.
///
/// The reference's own boxes can reach one past the image's last pixel; such boxes are accepted
/// wherever a box is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PixelBox {
    /// Topmost row.
    pub y_min: usize,
    /// Leftmost column.
    pub x_min: usize,
    /// Lowest row.
    pub y_max: usize,
    /// Rightmost column.
    pub x_max: usize,
}

impl PixelBox {
    /// Rows.
    pub const fn height(&self) -> usize {
        self.y_max - self.y_min + 1
    }

    /// Columns.
    pub const fn width(&self) -> usize {
        self.x_max - self.x_min + 1
    }

    /// Whether the pixel belongs to the box.
    pub const fn contains(&self, y: usize, x: usize) -> bool {
        self.y_min <= y && y <= self.y_max && self.x_min <= x && x <= self.x_max
    }

    /// Whether the two share a pixel.
    pub const fn touches(&self, other: &Self) -> bool {
        self.y_min <= other.y_max
            && other.y_min <= self.y_max
            && self.x_min <= other.x_max
            && other.x_min <= self.x_max
    }
}

impl fmt::Display for PixelBox {
    /// `(y_min, x_min, y_max, x_max)`, as the reference writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {}, {}, {})", self.y_min, self.x_min, self.y_max, self.x_max)
    }
}
