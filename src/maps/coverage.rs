//! How often each pixel of a map was looked at.

use std::ops::Range;

use crate::geometry::Deposit;
use crate::sweep::Placement;

/// Counts, for each pixel of a map of `rf` × `rf`, how many of some rectangles cover it.
///
/// Only what changes from a pixel to the next is kept, at the rectangles' corners, so a rectangle
/// of any size takes four additions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rectangles {
    rf: usize,
    corners: Vec<i32>,
}

impl Rectangles {
    /// None yet.
    pub fn new(rf: usize) -> Self {
        Self { rf, corners: vec![0; rf * rf] }
    }

    /// Those whose [`corners`](Self::corners) these are.
    pub fn from_corners(rf: usize, corners: Vec<i32>) -> Self {
        Self { rf, corners }
    }

    /// What changes from a pixel to the next, `[rf, rf]` row by row: summed along rows and then
    /// along columns it gives the counts. Zero almost everywhere.
    pub fn corners(&self) -> &[i32] {
        &self.corners
    }

    /// Counts one more.
    fn add(&mut self, rows: Range<usize>, columns: Range<usize>) {
        if rows.is_empty() || columns.is_empty() {
            return;
        }
        for (row, by) in [(rows.start, 1), (rows.end, -1)] {
            for (column, by) in [(columns.start, by), (columns.end, -by)] {
                if row < self.rf && column < self.rf {
                    self.corners[row * self.rf + column] += by;
                }
            }
        }
    }

    /// How many cover each pixel, row by row.
    pub fn counts(&self) -> Vec<i32> {
        let mut counts = self.corners.clone();
        for row in counts.chunks_mut(self.rf.max(1)) {
            let mut sum = 0;
            for count in row {
                sum += *count;
                *count = sum;
            }
        }
        for place in self.rf..counts.len() {
            counts[place] += counts[place - self.rf];
        }
        counts
    }
}

/// How often the pixels of a unit's maps were looked at by the images of one end of its ranking.
/// It depends on where the RFs lie, not on any response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// How many images were added.
    added: usize,
    /// The images' boxes: the parts of their RFs that lie inside the image.
    pub images: Rectangles,
    /// The occluders' deposits: of the first, the third, the fifth … image, and of the others.
    pub occluders: [Rectangles; 2],
}

impl Coverage {
    /// No images yet, of maps of `rf` × `rf` pixels.
    pub fn new(rf: usize) -> Self {
        let none = || Rectangles::new(rf);
        Self { added: 0, images: none(), occluders: [none(), none()] }
    }

    /// Adds the next image of the ranking.
    pub fn add(&mut self, deposit: Deposit, placement: &Placement) {
        let (frame, rf) = (placement.frame, self.images.rf);
        if let Some(pixels) = &placement.pixels {
            let rows = pixels.y_min..pixels.y_max + 1;
            let columns = pixels.x_min..pixels.x_max + 1;
            let (rows, columns) = frame.onto_map(rows, columns, rf);
            self.images.add(rows, columns);
        }
        for occluder in &placement.occluders {
            let (rows, columns) = deposit.pixels(frame, occluder, rf);
            self.occluders[self.added % 2].add(rows, columns);
        }
        self.added += 1;
    }
}
