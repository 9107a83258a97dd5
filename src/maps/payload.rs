//! The payload of a block of maps.
//!
//! Unit by unit, the part of the top images before that of the bottom images. A part is the sweep's
//! [planes](Plane), the last of them perhaps a [curve](CURVE), the split-half reliability (`f64`), the number of images (`u32`), and a frame
//! per image, row and column (two `i32`). A plane is a bit per pixel, row by row, the lowest of a
//! byte first, that says whether a value follows; then the values. All other pixels are zero: with
//! the centre deposit, most are. All values are little-endian `f64`; those of [`Plane::Counts`] are
//! the counts' [corners](super::Rectangles::corners).

use super::{CURVE, Plane};
use crate::geometry::Frame;

/// Appends a plane.
pub(super) fn put_plane(values: &[f64], payload: &mut Vec<u8>) {
    let there = |value: &&f64| value.to_bits() != 0;
    let start = payload.len();
    payload.resize(start + values.len().div_ceil(8), 0);
    for (index, value) in values.iter().enumerate() {
        payload[start + index / 8] |= u8::from(there(&value)) << (index % 8);
    }
    payload.extend(values.iter().filter(there).flat_map(|value| value.to_le_bytes()));
}

/// Appends a value.
pub(super) fn put_value(value: f64, payload: &mut Vec<u8>) {
    payload.extend(value.to_le_bytes());
}

/// Appends the frames of some images.
pub(super) fn put_frames(frames: &[Frame], payload: &mut Vec<u8>) {
    payload.extend((frames.len() as u32).to_le_bytes());
    let axes = frames.iter().flat_map(|frame| [frame.y as i32, frame.x as i32]);
    payload.extend(axes.flat_map(i32::to_le_bytes));
}

/// The maps of one end of a unit's ranking.
#[derive(Clone, Debug, PartialEq)]
pub struct SideMaps {
    /// The sweep's [planes](super::Plane), each of its [shape](super::Plane::shape), row by row.
    pub planes: Vec<Vec<f64>>,
    /// The split-half reliability.
    pub reliability: f64,
    /// The frames of the images, in the order of the ranking.
    pub frames: Vec<Frame>,
}

/// Reads a payload unit by unit.
#[derive(Debug)]
pub struct Payload<'a> {
    rf: usize,
    /// Number of planes in a part, without a curve.
    planes: usize,
    /// Whether a reliability curve follows them.
    curve: bool,
    rest: &'a [u8],
}

impl<'a> Payload<'a> {
    /// The payload of a block of units with an RF of `rf` pixels and `planes` planes.
    pub fn new(rf: usize, planes: usize, payload: &'a [u8]) -> Self {
        Self { rf, planes, curve: false, rest: payload }
    }

    /// The payload of a block that holds `planes`.
    pub fn of(rf: usize, planes: &[Plane], payload: &'a [u8]) -> Self {
        let curve = planes.contains(&Plane::ReliabilityCurve);
        Self { curve, ..Self::new(rf, planes.len() - usize::from(curve), payload) }
    }

    /// The next unit's maps for each of [`Side::BOTH`](crate::ranking::Side::BOTH); `None` at the
    /// end. A payload of another RF or number of planes may decode all the same, but then does not
    /// end with the last unit: see [`is_empty`](Self::is_empty).
    pub fn unit(&mut self) -> Option<[SideMaps; 2]> {
        Some([self.side()?, self.side()?])
    }

    /// Whether the whole payload was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn side(&mut self) -> Option<SideMaps> {
        let area = self.rf * self.rf;
        let mut planes: Vec<_> =
            (0..self.planes).map(|_| self.plane(area)).collect::<Option<_>>()?;
        if self.curve {
            planes.push(self.plane(CURVE)?);
        }
        Some(SideMaps { planes, reliability: self.value()?, frames: self.frames()? })
    }

    fn plane(&mut self, area: usize) -> Option<Vec<f64>> {
        let (bits, rest) = self.rest.split_at_checked(area.div_ceil(8))?;
        self.rest = rest;
        let there = |index: usize| bits[index / 8] >> (index % 8) & 1 != 0;
        (0..area).map(|index| if there(index) { self.value() } else { Some(0.0) }).collect()
    }

    fn frames(&mut self) -> Option<Vec<Frame>> {
        let images = u32::from_le_bytes(self.chunk()?) as usize;
        // A number that is too large fails at the end of the payload; it is no capacity.
        (0..images).map(|_| self.frame()).collect()
    }

    fn frame(&mut self) -> Option<Frame> {
        let mut axis = || Some(i32::from_le_bytes(self.chunk()?) as isize);
        Some(Frame { y: axis()?, x: axis()? })
    }

    fn value(&mut self) -> Option<f64> {
        self.chunk().map(f64::from_le_bytes)
    }

    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (chunk, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_comes_back_to_the_bit() {
        let values = [[0.0, 2.0, -0.0, f64::MIN_POSITIVE], [0.0; 4], [0.1, f64::NAN, 3.0, 0.0]];
        let frames = [Frame { y: -5, x: 40 }, Frame { y: 0, x: i32::MIN as isize }];
        let mut payload = Vec::new();
        for _ in 0..2 {
            for plane in &values {
                put_plane(plane, &mut payload);
            }
            put_value(0.5, &mut payload);
            put_frames(&frames, &mut payload);
        }
        // A byte of bits for each of six planes, eight bytes per value and frame, and four for the
        // number of frames.
        assert_eq!(payload.len(), 6 + 8 * 2 * (3 + 3 + 1) + 2 * (4 + 8 * 2));
        let mut read = Payload::new(2, 3, &payload);
        let bits = |plane: &[f64]| plane.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        for side in read.unit().unwrap() {
            assert_eq!((side.planes.len(), side.reliability), (3, 0.5));
            assert_eq!(side.frames, frames);
            for (plane, values) in side.planes.iter().zip(&values) {
                assert_eq!(bits(plane), bits(values));
            }
        }
        assert!(read.is_empty() && read.unit().is_none());
    }

    #[test]
    fn another_block_s_payload_is_not_read_as_a_whole_one() {
        let mut payload = Vec::new();
        for value in [0.5, 0.25] {
            for plane in [[0.0, 2.0, -1.0, 3.0], [0.0; 4], [0.1, 0.0, 0.0, 0.2]] {
                put_plane(&plane, &mut payload);
            }
            put_value(value, &mut payload);
            put_frames(&[Frame { y: 1, x: 2 }], &mut payload);
        }
        let whole = |rf, planes, payload| {
            let mut read = Payload::new(rf, planes, payload);
            read.unit().is_some() && read.is_empty()
        };
        assert!(whole(2, 3, &payload));
        assert!(!whole(2, 3, &payload[..payload.len() - 1]));
        // Values may pass for bits and bits for values; bytes that are left over reveal it.
        assert!(!whole(2, 2, &payload));
        assert!(!whole(2, 4, &payload));
        assert!(!whole(1, 3, &payload));
        assert!(!whole(3, 3, &payload));
        assert!(!whole(3, 1, &[0]));
    }
}
