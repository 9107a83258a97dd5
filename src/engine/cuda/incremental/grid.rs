//! The occluders of a job, relative to the first of them.

use std::collections::HashMap;

use crate::engine::cuda::tables::layout::Square;
use crate::geometry::Axis;
use crate::geometry::Occluder;

/// Rows or columns of pixels that occluders cover: where they begin, relative to the first
/// occluder, and how many there are.
type Along = (isize, usize);

/// A grid; jobs whose occluders are laid out alike share it, wherever it lies.
#[derive(Debug)]
pub(super) struct Grid {
    /// Where its squares begin among those of all grids.
    pub first: usize,
    rows: Vec<Along>,
    columns: Vec<Along>,
    /// Of each occluder, which of the rows and which of the columns it covers.
    indices: Vec<(u32, u32)>,
}

impl Grid {
    /// A grid of these occluders, whose squares are added to those of all grids.
    pub fn new(occluders: &[Occluder], squares: &mut Vec<Square>) -> Self {
        let first = squares.len();
        let Some(begin) = occluders.first() else {
            let (rows, columns) = (Vec::new(), Vec::new());
            return Self { first, rows, columns, indices: Vec::new() };
        };
        squares.extend(occluders.iter().map(|occluder| square(occluder, begin)));
        let (mut rows, mut columns) = (Distinct::default(), Distinct::default());
        let indices_of = |square: &Square| {
            let size = square.size as usize;
            let row = rows.index_of((square.top as isize, size));
            (row, columns.index_of((square.left as isize, size)))
        };
        let indices = squares[first..].iter().map(indices_of).collect();
        Self { first, rows: rows.all, columns: columns.all, indices }
    }

    /// What differs between most grids that are not the same: how many occluders there are, how
    /// large the first is, and where the last lies.
    pub fn at_first_sight(occluders: &[Occluder]) -> [i64; 4] {
        match (occluders.first(), occluders.last()) {
            (Some(first), Some(last)) => {
                let last = square(last, first);
                [occluders.len() as i64, first.size as i64, last.top.into(), last.left.into()]
            }
            _ => [0; 4],
        }
    }

    /// Whether these are its occluders; `squares` are those of all grids.
    pub fn is(&self, squares: &[Square], occluders: &[Occluder]) -> bool {
        let squares = &squares[self.first..self.first + self.indices.len()];
        let same = |(own, occluder): (&Square, &Occluder)| *own == square(occluder, &occluders[0]);
        squares.len() == occluders.len() && squares.iter().zip(occluders).all(same)
    }

    /// The rows or the columns that its occluders cover, each once.
    pub fn along(&self, axis: Axis) -> &[Along] {
        match axis {
            Axis::Y => &self.rows,
            Axis::X => &self.columns,
        }
    }

    /// Of each occluder, which of the rows and which of the columns it covers.
    pub fn indices(&self) -> &[(u32, u32)] {
        &self.indices
    }
}

/// An occluder relative to the first one.
fn square(occluder: &Occluder, first: &Occluder) -> Square {
    // Coordinates and sizes fit: an image's sides are below 2^16.
    Square {
        top: occluder.top as i32 - first.top as i32,
        left: occluder.left as i32 - first.left as i32,
        size: occluder.size as u32,
        index: occluder.index as u32,
    }
}

/// Rows or columns, each once.
#[derive(Default)]
struct Distinct {
    all: Vec<Along>,
    indices: HashMap<Along, u32>,
}

impl Distinct {
    fn index_of(&mut self, along: Along) -> u32 {
        *self.indices.entry(along).or_insert_with(|| {
            self.all.push(along);
            self.all.len() as u32 - 1
        })
    }
}
