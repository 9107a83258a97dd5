//! A map by the cells of its occluder grid.
//!
//! Occluders sit in steps of several pixels, and only their centres are marked: between them a map
//! has zeros that mean nothing. So the map is cut into cells of a step by a step, one around each
//! centre. Where an image cuts the RF its grid begins elsewhere, but has one centre a cell all the
//! same; the sum over a cell is then the mean change by an occluder there.

use ndarray::{Array2, ArrayView2};

use crate::geometry::{Deposit, GridRule, ImageSize, Lattice, PixelBox, every_nth};
use crate::maps::{LayerConfiguration, SweepParameters};

/// Cells along an axis of a map to which the whole area of each occluder was added, at most. Such
/// a map has a value at every pixel.
const MOST_OF_AREA: usize = 64;

/// A cell, and what the map has there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Its place in the grid of cells.
    pub place: [usize; 2],
    /// Row of the occluder's centre; where several are marked, their mean, weighted by the values.
    pub y: f64,
    /// Column of it.
    pub x: f64,
    /// What is marked in the cell: the mean change of the response by an occluder there.
    pub value: f64,
}

/// How a layer's maps are cut into cells.
#[derive(Clone, Debug, PartialEq)]
pub struct Cells {
    rf: usize,
    step: usize,
    /// The first pixel of the first cell; those before belong to it as well.
    first: usize,
    /// Where in a cell the centre is marked, of an RF that is not cut.
    mark: f64,
    /// Cells along an axis.
    count: usize,
    /// How far up and left of an occluder's centre it is marked.
    shift: f64,
    deposit: Deposit,
    /// The cells in which an occluder was presented, row by row.
    presented: Vec<bool>,
}

impl Cells {
    /// The cells of a layer's maps.
    pub fn new(layer: &LayerConfiguration, settings: &SweepParameters) -> Self {
        let (rf, size) = (layer.rf.max(1), layer.occluder_size.max(1));
        let marked = layer.occluder_stride.max(1);
        let (step, first, count) = match (settings.deposit, settings.grid.lattice) {
            (Deposit::Area, _) => (rf.div_ceil(MOST_OF_AREA), 0, None),
            (Deposit::Centre, Lattice::Image) => (marked, 0, None),
            (Deposit::Centre, Lattice::Box) => {
                let first = size.saturating_sub(marked) / 2;
                (marked, first, Some(rf.saturating_sub(size) / marked + 1))
            }
        };
        let count = count.unwrap_or_else(|| rf.div_ceil(step));
        let mark = match (settings.deposit, settings.grid.lattice) {
            (Deposit::Centre, Lattice::Box) => ((size - 1) / 2 - first) as f64,
            _ => (step as f64 - 1.0) / 2.0,
        };
        let presented = vec![true; count * count];
        let shifted = settings.deposit == Deposit::Centre && size.is_multiple_of(2);
        let shift = if shifted { 0.5 } else { 0.0 };
        let deposit = settings.deposit;
        let mut cells = Self { rf, step, first, mark, count, shift, deposit, presented };
        if settings.every > 1 && settings.deposit == Deposit::Centre {
            cells.leave_out(settings.grid, settings.every);
        }
        cells
    }

    /// Marks the cells in which a subsampled grid has no occluder. A lattice of the whole image
    /// lies differently under each RF, so there every cell has some.
    fn leave_out(&mut self, rule: GridRule, every: usize) {
        let (rf, image) = (self.rf, ImageSize::square(self.rf));
        let whole = PixelBox { y_min: 0, x_min: 0, y_max: rf - 1, x_max: rf - 1 };
        if rule.lattice == Lattice::Box
            && let Ok(occluders) = rule.occluders(&whole, rf, image)
        {
            self.presented.fill(false);
            for occluder in every_nth(occluders, every) {
                let [row, column] = [occluder.top, occluder.left]
                    .map(|p| self.cell_of(p + (occluder.size - 1) / 2));
                self.presented[row * self.count + column] = true;
            }
        }
    }

    /// The RF's side length in pixels.
    pub const fn rf(&self) -> usize {
        self.rf
    }

    /// The side length of a cell in pixels.
    pub const fn step(&self) -> usize {
        self.step
    }

    /// The first pixel of the first cell; those before belong to it as well.
    pub const fn first(&self) -> usize {
        self.first
    }

    /// Cells along an axis.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// What is to be added to a map's coordinates to get those of the pixels that were occluded: an
    /// occluder of an even side is marked half a pixel up and left of its centre.
    pub const fn shift(&self) -> f64 {
        self.shift
    }

    fn cell_of(&self, pixel: usize) -> usize {
        (pixel.saturating_sub(self.first) / self.step).min(self.count - 1)
    }

    /// The cells of a map `[rf, rf]` in which occluders were presented, row by row.
    pub fn of(&self, map: &ArrayView2<'_, f64>) -> Vec<Cell> {
        let (mut sums, mut moments) =
            (vec![0.0; self.presented.len()], vec![[0.0; 2]; self.presented.len()]);
        let mut weights = vec![0.0; self.presented.len()];
        let mut pixels = vec![0_u32; self.presented.len()];
        for ((y, x), &value) in map.indexed_iter() {
            let cell = self.cell_of(y) * self.count + self.cell_of(x);
            // Of an area all pixels count alike.
            let weight = if self.deposit == Deposit::Area { 1.0 } else { value.abs() };
            sums[cell] += value;
            weights[cell] += weight;
            pixels[cell] += 1;
            moments[cell][0] += weight * y as f64;
            moments[cell][1] += weight * x as f64;
        }
        let cell = |index: usize| {
            let place = [index / self.count, index % self.count];
            let [y, x] = if weights[index] > 0.0 {
                moments[index].map(|moment| moment / weights[index])
            } else {
                place.map(|cell| (self.first + cell * self.step) as f64 + self.mark)
            };
            let value = match self.deposit {
                Deposit::Centre => sums[index],
                Deposit::Area => sums[index] / f64::from(pixels[index].max(1)),
            };
            Cell { place, y, x, value }
        };
        (0..self.presented.len()).filter(|&index| self.presented[index]).map(cell).collect()
    }

    /// The values of cells, `[count, count]`; NaN where nothing was presented.
    pub fn grid(&self, cells: &[Cell]) -> Array2<f64> {
        let mut grid = Array2::from_elem((self.count, self.count), f64::NAN);
        for cell in cells {
            grid[cell.place] = cell.value;
        }
        grid
    }

    /// What [`grid`](Self::grid) gave at every pixel of the RF, `[rf, rf]`: each shows its cell,
    /// and those at the edge the one next to them.
    pub fn at_every_pixel(&self, grid: &ArrayView2<'_, f64>) -> Array2<f64> {
        Array2::from_shape_fn((self.rf, self.rf), |(y, x)| grid[[self.cell_of(y), self.cell_of(x)]])
    }

    /// The middle of a cell, in pixels of the map: along either axis.
    pub fn middle(&self, cell: usize) -> f64 {
        (self.first + cell * self.step) as f64 + (self.step as f64 - 1.0) / 2.0
    }

    /// The same cells of a map that is blurred by a Gaussian with a standard deviation of
    /// [`super::BLUR`] times the RF. Outside of the RF nothing changes a response: there the map is
    /// zero. Cells in which nothing was presented are not known, and take no part.
    pub fn blurred(&self, cells: &[Cell]) -> Vec<Cell> {
        let deviation = super::BLUR * self.rf as f64 / self.step as f64;
        let kernel: Vec<f64> = (0..self.count)
            .map(|distance| (-0.5 * (distance as f64 / deviation).powi(2)).exp())
            .collect();
        let axis = |count: usize| -> f64 {
            let terms = (1..count).map(|d| (-0.5 * (d as f64 / deviation).powi(2)).exp());
            1.0 + 2.0 * terms.sum::<f64>()
        };
        // All that a kernel far from any edge covers.
        let whole = axis((8.0 * deviation).ceil() as usize + 2).powi(2);
        let weight = |one: [usize; 2], other: [usize; 2]| {
            kernel[one[0].abs_diff(other[0])] * kernel[one[1].abs_diff(other[1])]
        };
        let missing: Vec<[usize; 2]> = (0..self.presented.len())
            .filter(|&index| !self.presented[index])
            .map(|index| [index / self.count, index % self.count])
            .collect();
        let blur = |cell: &Cell| {
            let terms = cells.iter().map(|other| weight(cell.place, other.place) * other.value);
            let unknown: f64 = missing.iter().map(|&other| weight(cell.place, other)).sum();
            Cell { value: terms.sum::<f64>() / (whole - unknown), ..*cell }
        };
        cells.iter().map(blur).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::phantoms::{layer, settings};
    use super::*;

    #[test]
    fn one_centre_lies_in_each_cell_of_alexnets_grids() {
        for (rf, count) in [(11, 11), (51, 24), (99, 23), (131, 20), (163, 19)] {
            let layer = layer(rf);
            let cells = Cells::new(&layer, &settings());
            assert_eq!(cells.count(), count);
            let whole = PixelBox { y_min: 0, x_min: 0, y_max: rf - 1, x_max: rf - 1 };
            let occluders =
                GridRule::REFERENCE.occluders(&whole, rf, ImageSize::square(rf)).unwrap();
            let mut map = Array2::zeros((rf, rf));
            for occluder in &occluders {
                let half = (occluder.size - 1) / 2;
                map[[occluder.top + half, occluder.left + half]] += occluder.index as f64 + 1.0;
            }
            let found = cells.of(&map.view());
            assert_eq!(found.len(), occluders.len());
            let empty = cells.of(&Array2::zeros((rf, rf)).view());
            for ((cell, occluder), empty) in found.iter().zip(&occluders).zip(&empty) {
                let half = (occluder.size - 1) / 2;
                let at = [occluder.top, occluder.left].map(|corner| (corner + half) as f64);
                assert_eq!(([cell.y, cell.x], cell.value), (at, occluder.index as f64 + 1.0));
                assert_eq!([empty.y, empty.x], at, "where it would be marked");
            }
        }
    }

    #[test]
    fn centres_of_rfs_that_are_cut_are_summed_where_they_lie() {
        let cells = Cells::new(&layer(99), &settings());
        let mut map = Array2::zeros((99, 99));
        // Centres at 4 + 4k; an RF that was cut has its own at 5 + 4k.
        map[[8, 12]] = 3.0;
        map[[9, 13]] = 1.0;
        let cell = cells.of(&map.view()).into_iter().find(|cell| cell.value > 0.0).unwrap();
        assert_eq!(cell, Cell { place: [1, 2], y: 8.25, x: 12.25, value: 4.0 });
    }

    #[test]
    fn what_a_subsampled_grid_leaves_out_is_not_known() {
        let settings = SweepParameters { every: 3, ..settings() };
        let cells = Cells::new(&layer(51), &settings);
        let zeros = Array2::zeros((51, 51));
        let found = cells.of(&zeros.view());
        assert_eq!(found.len(), (24 * 24_usize).div_ceil(3));
        assert_eq!(found[1].place, [0, 3]);
        // What is known is 1, so the blur is 1 wherever the kernel does not reach past the RF.
        let ones: Vec<Cell> = found.iter().map(|cell| Cell { value: 1.0, ..*cell }).collect();
        let blurred = cells.blurred(&ones);
        let middle = blurred.iter().find(|cell| cell.place == [12, 12]).unwrap();
        assert!((middle.value - 1.0).abs() < 1e-12, "{middle:?}");
        // In a corner half of it does, along either axis.
        assert!((0.25..0.6).contains(&blurred[0].value), "{:?}", blurred[0]);
    }

    #[test]
    fn an_area_is_a_value_at_every_pixel() {
        let settings = SweepParameters { deposit: Deposit::Area, ..settings() };
        let cells = Cells::new(&layer(163), &settings);
        assert_eq!((cells.step(), cells.count()), (3, 55));
        let map = Array2::from_shape_fn((163, 163), |(y, _)| y as f64);
        let found = cells.of(&map.view());
        assert_eq!((found[56].y, found[56].x, found[56].value), (4.0, 4.0, 4.0));
    }
}
