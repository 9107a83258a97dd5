//! From response differences to maps.

use ndarray::{Array2, Array3, Axis};

use crate::geometry::{Deposit, Frame, Occluder};
use crate::ranking::Side;

/// The discrepancy map `[rf, rf]` of one image: the absolute difference of each occluder, added
/// where the occluder was, in the order given.
pub fn discrepancy_map(
    rf: usize,
    frame: Frame,
    deposit: Deposit,
    occluders: &[Occluder],
    differences: &[f32],
) -> Array2<f64> {
    let mut map = Array2::zeros((rf, rf));
    let mut view = map.view_mut();
    for (occluder, difference) in occluders.iter().zip(differences) {
        deposit.add(&mut view, frame, occluder, f64::from(difference.abs()));
    }
    map
}

/// The mean maps of a layer's units, top and bottom images apart.
///
/// Maps are summed in the order in which they are added, so the same order gives the same bytes.
#[derive(Debug)]
pub struct MeanMaps {
    sums: [Array3<f64>; 2],
    counts: [Vec<usize>; 2],
}

impl MeanMaps {
    /// No maps yet, for `units` units with an RF of `rf` pixels; `None` where there is not the
    /// memory for 2 × `units` × `rf`² numbers.
    pub fn new(units: usize, rf: usize) -> Option<Self> {
        let numbers = units.checked_mul(rf)?.checked_mul(rf)?.checked_mul(2)?;
        // Asked for and given back: `zeros` would abort where it is not to be had.
        Vec::<f64>::new().try_reserve_exact(numbers).ok()?;
        let zeros = || Array3::zeros((units, rf, rf));
        Some(Self { sums: [zeros(), zeros()], counts: [vec![0; units], vec![0; units]] })
    }

    /// Adds the map of one of a unit's images.
    pub fn add(&mut self, unit: usize, side: Side, map: &Array2<f64>) {
        let side = side as usize;
        let mut sum = self.sums[side].index_axis_mut(Axis(0), unit);
        sum += map;
        self.counts[side][unit] += 1;
    }

    /// The means, `[units, rf, rf]` for each of [`Side::BOTH`]. Units without any map are NaN:
    /// they were not swept, which is something else than a map of zeros.
    pub fn finish(self) -> [Array3<f64>; 2] {
        let Self { mut sums, counts } = self;
        for (sums, counts) in sums.iter_mut().zip(counts) {
            for (mut sum, count) in sums.outer_iter_mut().zip(counts) {
                match count {
                    0 => sum.fill(f64::NAN),
                    count => sum /= count as f64,
                }
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn means_are_taken_a_unit_and_a_side() {
        let mut maps = MeanMaps::new(3, 2).unwrap();
        maps.add(0, Side::Top, &array![[1.0, 2.0], [3.0, 4.0]]);
        maps.add(0, Side::Top, &array![[3.0, 2.0], [1.0, 0.0]]);
        maps.add(0, Side::Bottom, &array![[8.0, 0.0], [0.0, 0.0]]);
        maps.add(2, Side::Top, &Array2::zeros((2, 2)));
        let [top, bottom] = maps.finish();
        assert_eq!(top.index_axis(Axis(0), 0), array![[2.0, 2.0], [2.0, 2.0]]);
        assert_eq!(bottom[[0, 0, 0]], 8.0);
        assert!(top.index_axis(Axis(0), 1).iter().all(|value| value.is_nan()));
        assert_eq!(top.index_axis(Axis(0), 2).sum(), 0.0);
    }

    #[test]
    fn maps_that_no_memory_holds_are_refused() {
        assert!(MeanMaps::new(1 << 16, 1 << 20).is_none());
        assert!(MeanMaps::new(usize::MAX, 3).is_none());
    }

    #[test]
    fn differences_count_by_their_size_and_a_silent_unit_has_a_map_of_zeros() {
        let occluder = |index, left| Occluder { index, top: 0, left, size: 1 };
        let occluders = [occluder(0, 5), occluder(1, 6), occluder(2, 5)];
        let frame = Frame { y: 0, x: 5 };
        let map = discrepancy_map(2, frame, Deposit::Centre, &occluders, &[0.5, -0.25, -1.0]);
        assert_eq!(map, array![[1.5, 0.25], [0.0, 0.0]]);
        let silent = discrepancy_map(2, frame, Deposit::Centre, &occluders, &[0.0; 3]);
        assert_eq!(silent.sum(), 0.0);
    }
}
