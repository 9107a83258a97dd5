//! The mean maps of a block's units, and the payload that they become.
//!
//! Unit by unit, the top images' mean before the bottom images': a bit for each pixel, row by row,
//! the lowest of a byte first, which says whether its value is there; then the values that are,
//! little-endian `f64`. The rest are zeros. With occluders on a grid, and only their centres
//! marked, most pixels are.

use ndarray::Array2;

use crate::ranking::Side;

/// Takes the maps of some units, one image after the other, and keeps their means.
///
/// Maps are summed in the order in which they are added, so the same order gives the same bytes.
#[derive(Debug)]
pub struct BlockMaps {
    rf: usize,
    /// The unit whose maps are being added, its sums and how many they are of, a side.
    unit: Option<(usize, [Array2<f64>; 2], [usize; 2])>,
    payload: Vec<u8>,
}

impl BlockMaps {
    /// No maps yet, of units with an RF of `rf` pixels.
    pub fn new(rf: usize) -> Self {
        Self { rf, unit: None, payload: Vec::new() }
    }

    /// Adds the map, `[rf, rf]`, of one of a unit's images. Units come one after the other.
    pub fn add(&mut self, unit: usize, side: Side, map: &Array2<f64>) {
        if self.unit.as_ref().is_none_or(|(current, ..)| *current != unit) {
            self.finish_unit();
        }
        let zeros = || (unit, [(); 2].map(|()| Array2::zeros((self.rf, self.rf))), [0; 2]);
        let (_, sums, counts) = self.unit.get_or_insert_with(zeros);
        sums[side as usize] += map;
        counts[side as usize] += 1;
    }

    /// The payload of all units.
    pub fn finish(mut self) -> Vec<u8> {
        self.finish_unit();
        self.payload
    }

    fn finish_unit(&mut self) {
        let Some((_, mut sums, counts)) = self.unit.take() else { return };
        for (sum, count) in sums.iter_mut().zip(counts) {
            let images = count as f64;
            sum.mapv_inplace(|sum| if images == 0.0 { f64::NAN } else { sum / images });
            encode(sum, &mut self.payload);
        }
    }
}

fn encode(map: &Array2<f64>, payload: &mut Vec<u8>) {
    let there = |value: &&f64| value.to_bits() != 0;
    let start = payload.len();
    payload.resize(start + map.len().div_ceil(8), 0);
    for (place, value) in map.iter().enumerate() {
        payload[start + place / 8] |= u8::from(there(&value)) << (place % 8);
    }
    payload.extend(map.iter().filter(there).flat_map(|value| value.to_le_bytes()));
}

/// Reads a payload unit by unit.
#[derive(Debug)]
pub struct Means<'a> {
    rf: usize,
    rest: &'a [u8],
}

impl<'a> Means<'a> {
    /// The means in the payload of a block of units with an RF of `rf` pixels.
    pub fn new(rf: usize, payload: &'a [u8]) -> Self {
        Self { rf, rest: payload }
    }

    /// The next unit's means for each of [`Side::BOTH`]; `None` where there is no whole one.
    pub fn unit(&mut self) -> Option<[Array2<f64>; 2]> {
        Some([self.map()?, self.map()?])
    }

    /// Whether all was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn map(&mut self) -> Option<Array2<f64>> {
        let area = self.rf * self.rf;
        let (bits, mut rest) = self.rest.split_at_checked(area.div_ceil(8))?;
        let mut values = Vec::with_capacity(area);
        for place in 0..area {
            values.push(if bits[place / 8] >> (place % 8) & 1 == 0 {
                0.0
            } else {
                let (value, after) = rest.split_first_chunk()?;
                rest = after;
                f64::from_le_bytes(*value)
            });
        }
        self.rest = rest;
        Array2::from_shape_vec((self.rf, self.rf), values).ok()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn means_are_taken_a_unit_and_a_side_and_come_back_to_the_bit() {
        let mut maps = BlockMaps::new(2);
        maps.add(4, Side::Top, &array![[1.0, 2.0], [3.0, 4.0]]);
        maps.add(4, Side::Top, &array![[3.0, 2.0], [1.0, 0.0]]);
        maps.add(4, Side::Bottom, &array![[8.0, 0.0], [0.0, 0.0]]);
        maps.add(9, Side::Top, &Array2::zeros((2, 2)));
        maps.add(9, Side::Bottom, &array![[-0.0, f64::MIN_POSITIVE], [0.1, 0.0]]);
        let payload = maps.finish();
        // A byte of bits for each of four maps, and eight bytes for each value.
        let values = 4 + 1 + 2;
        assert_eq!(payload.len(), 4 + 8 * values);
        let mut means = Means::new(2, &payload);
        let first = [array![[2.0, 2.0], [2.0, 2.0]], array![[8.0, 0.0], [0.0, 0.0]]];
        assert_eq!(means.unit().unwrap(), first);
        let second = means.unit().unwrap();
        assert_eq!(second[0], Array2::<f64>::zeros((2, 2)));
        assert_eq!(second[1], array![[0.0, f64::MIN_POSITIVE], [0.1, 0.0]]);
        assert!(means.is_empty() && means.unit().is_none());
        assert!(Means::new(2, &payload[..8]).unit().is_none());
        assert!(Means::new(3, &[0]).unit().is_none());
    }
}
