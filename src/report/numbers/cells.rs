//! A map by the cells of its occluder grid.
//!
//! Occluders sit in steps of several pixels, and only their centres are marked: between them a map
//! has zeros that mean nothing. So the map is cut into cells of a step by a step, one around each
//! centre of an RF that is not cut. A cell's value is the mean change of the response by an occluder
//! that is deposited in it, over the occluders of all images: where images cut the RF there are
//! fewer of them, and their grids begin elsewhere. A cell without any is not *measured*.

use ndarray::{Array2, ArrayView2};

use crate::analysis::{Field, Raster, Sample, Ticks};
use crate::geometry::{Deposit, Lattice};
use crate::maps::{LayerConfiguration, SweepParameters};
use crate::report::MapCoverage;

/// Cells along an axis of a map to which the whole area of each occluder was added, at most. Such
/// a map has a value at every pixel.
const MOST_OF_AREA: usize = 64;

/// A measured cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Row and column in the grid of cells.
    pub index: [usize; 2],
    /// Row of the occluders' deposits, their mean.
    pub y: f64,
    /// Column of them.
    pub x: f64,
    /// The mean change of the response by an occluder there.
    pub value: f64,
    /// Occluders of all images, of which it is the mean.
    pub weight: f64,
}

/// The cells of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct CellMap {
    /// Those that are measured, row by row.
    pub cells: Vec<Cell>,
    /// Of each of the grid's cells, row by row: whether an image covers a pixel of it.
    pub covered: Vec<bool>,
    /// Images of the map.
    pub images: usize,
}

/// The least weight of a cell that counts by itself, as a part of the map's largest: a mean of a few
/// occluders is large by chance.
const LEAST_WEIGHT: f64 = 0.1;

impl CellMap {
    /// The cell with the largest value, of those with enough occluders.
    pub fn peak(&self) -> Option<Cell> {
        self.supported().reduce(|a, b| if b.value > a.value { b } else { a })
    }

    /// The cells with enough occluders: at least a tenth of those of the fullest cell.
    pub fn supported(&self) -> impl Iterator<Item = Cell> + '_ {
        let most = self.cells.iter().fold(0.0, |most: f64, cell| most.max(cell.weight));
        self.cells.iter().copied().filter(move |cell| cell.weight >= LEAST_WEIGHT * most)
    }
}

/// How a layer's maps are cut into cells.
#[derive(Clone, Debug, PartialEq)]
pub struct Cells {
    rf: usize,
    step: usize,
    /// The first pixel of the first cell; those before belong to it as well.
    first: usize,
    /// Cells along an axis.
    count: usize,
    /// How far up and left of an occluder's centre it is marked.
    shift: f64,
    /// Centre of the first occluder of an uncut RF; of other grids the middle of the first cell.
    centre: f64,
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
        let shifted = settings.deposit == Deposit::Centre && size.is_multiple_of(2);
        let shift = if shifted { 0.5 } else { 0.0 };
        let centre = match (settings.deposit, settings.grid.lattice) {
            (Deposit::Centre, Lattice::Box) => (size as f64 - 1.0) / 2.0,
            _ => first as f64 + (step as f64 - 1.0) / 2.0,
        };
        Self { rf, step, first, count, shift, centre }
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

    /// Offset from a map's coordinates to those of the pixels that were occluded: an
    /// occluder of an even side is marked half a pixel up and left of its centre.
    pub const fn shift(&self) -> f64 {
        self.shift
    }

    fn cell_of(&self, pixel: usize) -> usize {
        (pixel.saturating_sub(self.first) / self.step).min(self.count - 1)
    }

    /// The cells of a map `[rf, rf]`.
    pub fn of(&self, map: &ArrayView2<'_, f64>, coverage: &MapCoverage) -> CellMap {
        let area = self.count * self.count;
        let (mut sums, mut moments) = (vec![0.0; area], vec![[0.0; 2]; area]);
        let (mut weights, mut covered) = (vec![0.0; area], vec![false; area]);
        for (pixel, ((y, x), &value)) in map.indexed_iter().enumerate() {
            let cell = self.cell_of(y) * self.count + self.cell_of(x);
            let weight = coverage.occluders(pixel) as f64;
            sums[cell] += coverage.sum(pixel, value);
            weights[cell] += weight;
            moments[cell][0] += weight * y as f64;
            moments[cell][1] += weight * x as f64;
            covered[cell] |= coverage.covering(pixel) > 0;
        }
        let cell = |index: usize| {
            let weight = weights[index];
            let [y, x] = moments[index].map(|moment| moment / weight);
            let cell = [index / self.count, index % self.count];
            Cell { index: cell, y, x, value: sums[index] / weight, weight }
        };
        let cells = (0..area).filter(|&index| weights[index] > 0.0).map(cell).collect();
        CellMap { cells, covered, images: coverage.images() }
    }

    /// The cells' positions, in pixels that were occluded: the centre of the occluder that an uncut RF has in
    /// each, or the middle of the cell where it has none of its own.
    pub fn raster(&self) -> Raster {
        let step = self.step as f64;
        Raster::both(Ticks { first: self.centre, step, count: self.count })
    }

    /// A map's [supported](CellMap::supported) cells.
    pub fn field(&self, map: &CellMap) -> Field {
        let mut values = vec![f64::NAN; self.count * self.count];
        for cell in map.supported() {
            values[cell.index[0] * self.count + cell.index[1]] = cell.value;
        }
        Field::new(self.raster(), values)
    }

    /// The values over images in each cell, row by row, of a map `[rf, rf]` and the standard errors of its
    /// pixels: each occluder of each image is a value. `None` in a cell without any. Occluders must
    /// be deposited at their centres.
    pub fn samples(
        &self,
        map: &ArrayView2<'_, f64>,
        errors: &[f64],
        coverage: &MapCoverage,
    ) -> Vec<Option<Sample>> {
        let area = self.count * self.count;
        let (mut counts, mut sums, mut squares) =
            (vec![0.0; area], vec![0.0; area], vec![0.0; area]);
        for (pixel, (((y, x), &mean), &error)) in map.indexed_iter().zip(errors).enumerate() {
            let cell = self.cell_of(y) * self.count + self.cell_of(x);
            let n = coverage.averaged(pixel) as f64;
            counts[cell] += coverage.occluders(pixel) as f64;
            sums[cell] += n * mean;
            // The variance of the pixel's n values is n times that of their mean.
            let deviations = if n < 2.0 { 0.0 } else { error * error * n * (n - 1.0) };
            squares[cell] += deviations + n * mean * mean;
        }
        let sample = |cell: usize| Sample::of_sums(counts[cell], sums[cell], squares[cell]);
        (0..area).map(|cell| (counts[cell] > 0.0).then(|| sample(cell))).collect()
    }

    /// The values of a map's cells, `[count, count]`; NaN where nothing was measured.
    pub fn grid(&self, map: &CellMap) -> Array2<f64> {
        let mut grid = Array2::from_elem((self.count, self.count), f64::NAN);
        for cell in &map.cells {
            grid[cell.index] = cell.value;
        }
        grid
    }

    /// The same, with a value in each cell: one that was not measured has the mean of those around
    /// it, and those next to it are filled first.
    pub fn filled(&self, map: &CellMap) -> Array2<f64> {
        let mut grid = self.grid(map);
        let end = self.count - 1;
        while grid.iter().any(|value| value.is_nan()) && !map.cells.is_empty() {
            let known = grid.clone();
            for ((y, x), value) in grid.indexed_iter_mut().filter(|(_, value)| value.is_nan()) {
                let rows = y.saturating_sub(1)..=(y + 1).min(end);
                let columns = x.saturating_sub(1)..=(x + 1).min(end);
                let around = known.slice(ndarray::s![rows, columns]);
                let around = around.iter().filter(|value| !value.is_nan());
                let (sum, count) =
                    around.fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
                if count > 0.0 {
                    *value = sum / count;
                }
            }
        }
        grid
    }

    /// For each pixel of the RF's axis the cell that it shows: its own, and at the edge the one next
    /// to it.
    pub fn of_pixels(&self) -> Vec<usize> {
        (0..self.rf).map(|pixel| self.cell_of(pixel)).collect()
    }

    /// The middle of a cell, in pixels of the map: along either axis.
    pub fn middle(&self, cell: usize) -> f64 {
        (self.first + cell * self.step) as f64 + (self.step as f64 - 1.0) / 2.0
    }

    /// The measured cells of the map blurred as [`blurred_grid`](Self::blurred_grid) does it.
    pub fn blurred(&self, map: &CellMap) -> CellMap {
        let grid = self.blur(map);
        let blur = |cell: &Cell| Cell { value: grid[cell.index], ..*cell };
        CellMap { cells: map.cells.iter().map(blur).collect(), ..map.clone() }
    }

    /// The map blurred by a Gaussian with a standard deviation of [`super::BLUR`] times the RF,
    /// `[count, count]`; NaN where no image covers the cell. Outside of the RF nothing changes a
    /// response: there the map is zero. Cells count by their weight; what was not measured takes no
    /// part.
    pub fn blurred_grid(&self, map: &CellMap) -> Array2<f64> {
        let mut grid = self.blur(map);
        grid.iter_mut().zip(&map.covered).filter(|(_, covered)| !**covered).for_each(
            |(value, _)| {
                *value = f64::NAN;
            },
        );
        grid
    }

    fn blur(&self, map: &CellMap) -> Array2<f64> {
        let deviation = super::BLUR * self.rf as f64 / self.step as f64;
        let kernel: Vec<f64> = (0..self.count)
            .map(|distance| (-0.5 * (distance as f64 / deviation).powi(2)).exp())
            .collect();
        let axis = |count: usize| -> f64 {
            let terms = (1..count).map(|d| (-0.5 * (d as f64 / deviation).powi(2)).exp());
            1.0 + 2.0 * terms.sum::<f64>()
        };
        // All that a kernel far from any edge covers, along one axis.
        let whole = axis((8.0 * deviation).ceil() as usize + 2);
        // Of a row or a column; that of a whole one is what of the kernel lies inside of the RF.
        let line = |values: &dyn Fn(usize) -> f64| -> Vec<f64> {
            let at = |to: usize| -> f64 {
                (0..self.count).map(|from| kernel[to.abs_diff(from)] * values(from)).sum()
            };
            (0..self.count).map(at).collect()
        };
        let both = |values: &Array2<f64>| -> Array2<f64> {
            let mut rows = values.clone();
            for mut row in rows.rows_mut() {
                let blurred = line(&|column| row[column]);
                row.iter_mut().zip(blurred).for_each(|(value, blurred)| *value = blurred);
            }
            for mut column in rows.columns_mut() {
                let blurred = line(&|row| column[row]);
                column.iter_mut().zip(blurred).for_each(|(value, blurred)| *value = blurred);
            }
            rows
        };
        let mut sums = Array2::zeros((self.count, self.count));
        let mut weights = sums.clone();
        for cell in &map.cells {
            sums[cell.index] = cell.weight * cell.value;
            weights[cell.index] = cell.weight;
        }
        let (mut blurred, weights) = (both(&sums), both(&weights));
        let inside = line(&|_| 1.0);
        // The values of each image outside the RF, as of a cell that it covers.
        let most = map.cells.iter().fold(map.images as f64, |most, cell| most.max(cell.weight));
        for ((y, x), value) in blurred.indexed_iter_mut() {
            let outside = (whole * whole - inside[y] * inside[x]).max(0.0);
            let weight = weights[[y, x]] + most * outside;
            *value = if weight > 0.0 { *value / weight } else { 0.0 };
        }
        blurred
    }
}

#[cfg(test)]
mod tests;
