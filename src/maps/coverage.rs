//! Coverage: the number of images and occluders at each pixel of a map.

use std::ops::Range;

use crate::geometry::{Deposit, Placement};

/// Counts, for each pixel of a map of `rf` × `rf` pixels, the rectangles that cover it.
///
/// Only differences between neighbouring pixels are stored, at the rectangles' corners, so a
/// rectangle of any size costs four additions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rectangles {
    rf: usize,
    corners: Vec<i32>,
}

impl Rectangles {
    /// No rectangles.
    pub fn new(rf: usize) -> Self {
        Self { rf, corners: vec![0; rf * rf] }
    }

    /// The counts with these [`corners`](Self::corners).
    pub fn from_corners(rf: usize, corners: Vec<i32>) -> Self {
        Self { rf, corners }
    }

    /// Differences between neighbouring pixels, `[rf, rf]` row by row: summed along rows and then
    /// along columns they are the counts. Almost all are zero.
    pub fn corners(&self) -> &[i32] {
        &self.corners
    }

    /// Adds a rectangle.
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

    /// The number of rectangles at each pixel, row by row.
    pub fn counts(&self) -> Vec<i32> {
        let mut counts = self.corners.clone();
        for row in counts.chunks_mut(self.rf.max(1)) {
            let mut sum = 0;
            for count in row {
                sum += *count;
                *count = sum;
            }
        }
        for index in self.rf..counts.len() {
            counts[index] += counts[index - self.rf];
        }
        counts
    }
}

/// Coverage of a unit's maps by the images of one end of its ranking. It depends on the positions
/// of the RFs, not on responses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Number of images added.
    added: usize,
    /// The images' boxes.
    pub images: Rectangles,
    /// The occluders' deposits on the first, third, fifth, … image, and on the others.
    pub occluders: [Rectangles; 2],
}

impl Coverage {
    /// No images, for maps of `rf` × `rf` pixels.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{AxisProjection, GridRule, ImageSize, LayerGeometry, Projection};

    /// A layer with RFs of 9 pixels, 2 apart, cut at every border of an image of 16 × 13.
    fn geometry() -> LayerGeometry {
        LayerGeometry {
            projection: Projection::square(AxisProjection { step: 2, offset: -5, size: 9 }),
            output: ImageSize::new(9, 8),
            image: ImageSize::new(16, 13),
            rule: GridRule::REFERENCE,
            every: 1,
            frame: crate::geometry::FrameRule::Field,
        }
    }

    #[test]
    fn counts_are_those_of_the_boxes_one_by_one_where_all_borders_cut() {
        let (geometry, rf) = (geometry(), 9);
        let mut coverage = Coverage::new(rf);
        let mut expected = vec![0; rf * rf];
        for y in 0..geometry.output.height {
            for x in 0..geometry.output.width {
                let placement = geometry.placement(y, x).unwrap();
                coverage.add(Deposit::Centre, &placement);
                // Pixel (i, j) of the map is pixel (2y - 5 + i, 2x - 5 + j) of the image.
                for (index, count) in expected.iter_mut().enumerate() {
                    let (i, j) = (index / rf, index % rf);
                    let inside = |at: usize, length: usize| (5..length + 5).contains(&at);
                    *count += i32::from(inside(2 * y + i, 16) && inside(2 * x + j, 13));
                }
            }
        }
        let counts = coverage.images.counts();
        assert_eq!(counts, expected);
        assert!(counts[0] < counts[40] && counts[80] < counts[40] && counts[8] < counts[40]);
        let again = Rectangles::from_corners(rf, coverage.images.corners().to_vec());
        assert_eq!(again.counts(), expected);
    }

    #[test]
    fn occluders_are_counted_where_they_are_deposited_for_every_second_image() {
        let (geometry, rf) = (geometry(), 9);
        for deposit in [Deposit::Centre, Deposit::Area] {
            let mut coverage = Coverage::new(rf);
            let mut expected = [vec![0; rf * rf], vec![0; rf * rf]];
            for (image, (y, x)) in [(0, 0), (4, 4), (8, 7), (4, 0), (0, 4)].into_iter().enumerate()
            {
                let placement = geometry.placement(y, x).unwrap();
                coverage.add(deposit, &placement);
                for occluder in &placement.occluders {
                    let (rows, columns) = deposit.pixels(placement.frame, occluder, rf);
                    for row in rows {
                        for column in columns.clone() {
                            expected[image % 2][row * rf + column] += 1;
                        }
                    }
                }
            }
            assert_eq!(coverage.occluders.map(|half| half.counts()), expected, "{deposit:?}");
        }
    }

    #[test]
    fn a_field_that_lies_in_the_padding_covers_nothing() {
        let mut coverage = Coverage::new(3);
        let frame = crate::geometry::Frame { y: -3, x: 0 };
        let placement = Placement { rf: 3, pixels: None, frame, occluders: Vec::new() };
        coverage.add(Deposit::Centre, &placement);
        assert_eq!(coverage.images.counts(), [0; 9]);
    }
}
