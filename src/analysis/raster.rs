//! Grids of cells over a receptive field.

use crate::geometry::PerAxis;

/// The most cells along an axis on which maps are compared.
pub const MOST_CELLS: usize = 64;

/// The cells along an axis, all of one length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ticks {
    /// Middle of the first cell, in pixels.
    pub first: f64,
    /// Length of a cell, in pixels.
    pub step: f64,
    /// Number of cells.
    pub count: usize,
}

/// The cells of a map, row by row.
pub type Raster = PerAxis<Ticks>;

/// The part of a cell that lies in another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Overlap {
    /// The other cell.
    pub cell: usize,
    /// Length of the part, in pixels.
    pub length: f64,
}

impl Ticks {
    /// `count` cells that share `length` pixels from the edge of the first pixel on.
    pub fn over(length: f64, count: usize) -> Self {
        let step = length / count.max(1) as f64;
        Self { first: step / 2.0 - 0.5, step, count }
    }

    /// The same pixels in at most [`MOST_CELLS`] cells: as many of these in each as that takes.
    #[must_use]
    pub fn coarsened(self) -> Self {
        let group = self.count.div_ceil(MOST_CELLS).max(1);
        if group == 1 {
            return self;
        }
        let step = self.step * group as f64;
        let first = self.first + (step - self.step) / 2.0;
        Self { first, step, count: self.count.div_ceil(group) }
    }

    /// Those of two with the longer cells; the first, where they are of one length.
    #[must_use]
    pub fn coarser(self, other: Self) -> Self {
        if other.step > self.step { other } else { self }
    }

    /// Middle of a cell, in pixels.
    pub fn middle(&self, cell: usize) -> f64 {
        self.first + cell as f64 * self.step
    }

    /// The cells of `self` that a cell of `coarse` lies over.
    pub(super) fn under(&self, coarse: &Self, cell: usize) -> Vec<Overlap> {
        let (middle, half) = (coarse.middle(cell), coarse.step / 2.0);
        let (start, end) = (middle - half, middle + half);
        let edge = |cell: usize| self.first + (cell as f64 - 0.5) * self.step;
        // One more at either end, for what rounding takes.
        let first = ((start - edge(0)) / self.step).floor().max(1.0) as usize - 1;
        let last = ((end - edge(0)) / self.step).ceil().max(0.0) as usize + 1;
        let length = |cell: usize| end.min(edge(cell + 1)) - start.max(edge(cell));
        let overlap = |cell| Overlap { cell, length: length(cell) };
        let least = 1e-9 * self.step;
        (first..last.min(self.count)).map(overlap).filter(|part| part.length > least).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_share_the_pixels() {
        let ticks = Ticks::over(99.0, 99);
        assert_eq!((ticks.first, ticks.step), (0.0, 1.0));
        let coarse = ticks.coarsened();
        // Pixels 0 and 1 in the first cell.
        assert_eq!(coarse, Ticks { first: 0.5, step: 2.0, count: 50 });
        assert_eq!(Ticks::over(12.0, 3), Ticks { first: 1.5, step: 4.0, count: 3 });
        assert_eq!(coarse.coarsened(), coarse);
    }

    #[test]
    fn a_cell_lies_over_those_that_it_shares_pixels_with() {
        let fine = Ticks::over(9.0, 9);
        let coarse = Ticks { first: 1.25, step: 2.5, count: 3 };
        let of = |cell| fine.under(&coarse, cell);
        let part = |cell, length| Overlap { cell, length };
        assert_eq!(of(0), [part(0, 0.5), part(1, 1.0), part(2, 1.0)]);
        assert_eq!(of(1), [part(3, 1.0), part(4, 1.0), part(5, 0.5)]);
        // The last reaches past the last pixel.
        let last = Ticks { first: 8.0, step: 4.0, count: 1 };
        assert_eq!(fine.under(&last, 0), [part(6, 0.5), part(7, 1.0), part(8, 1.0)]);
        let outside = Ticks { first: -20.0, step: 2.0, count: 1 };
        assert_eq!(fine.under(&outside, 0), []);
        let same: Vec<_> = (0..9).flat_map(|cell| fine.under(&fine, cell)).collect();
        assert_eq!(same, (0..9).map(|cell| part(cell, 1.0)).collect::<Vec<_>>());
    }
}
