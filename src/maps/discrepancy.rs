//! From response differences to a map.

use ndarray::Array2;

use crate::geometry::{Deposit, Frame, Occluder};

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

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

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
