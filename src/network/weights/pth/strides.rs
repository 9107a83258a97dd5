//! From an element's index in a tensor to its offset in the storage.

use std::ops::Range;

use super::super::TensorProblem;
use super::super::element::count;

/// The most elements that a tensor may have where its storage has fewer (`expand` repeats
/// elements without storing them): no small file is to fill the memory.
const MAX_REPEATED: usize = 1 << 24;

/// The offsets in the storage of a tensor's elements, in row-major order.
#[derive(Clone, Debug)]
pub(super) struct Offsets {
    /// Per axis: its length, the distance between neighbours, and where we are.
    axes: Vec<Axis>,
    next: usize,
    left: usize,
    range: Range<usize>,
}

#[derive(Clone, Debug)]
struct Axis {
    length: usize,
    stride: usize,
    index: usize,
}

impl Offsets {
    /// Checks that every element lies in the storage, which has `stored` elements; the first of
    /// the tensor's is at `offset`. `shape` and `strides` have equal lengths.
    pub fn new(
        shape: &[usize],
        strides: &[usize],
        stored: usize,
        offset: usize,
    ) -> Result<Self, TensorProblem> {
        let left = count(shape)?;
        if left > stored && left > MAX_REPEATED {
            return Err(TensorProblem::content(format!(
                "its shape {shape:?} repeats the {stored} elements of its storage; save its \
                 .clone()"
            )));
        }
        let range = if left == 0 { 0..0 } else { reach(shape, strides, stored, offset)? };
        let axes = shape
            .iter()
            .zip(strides)
            .map(|(&length, &stride)| Axis { length, stride, index: 0 })
            .collect();
        Ok(Self { axes, next: offset, left, range })
    }

    /// From the first offset to one past the last.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }
}

fn reach(
    shape: &[usize],
    strides: &[usize],
    stored: usize,
    offset: usize,
) -> Result<Range<usize>, TensorProblem> {
    let last = shape.iter().zip(strides).try_fold(offset, |last, (&length, &stride)| {
        last.checked_add((length - 1).checked_mul(stride)?)
    });
    match last {
        Some(last) if last < stored => Ok(offset..last + 1),
        _ => Err(TensorProblem::content(format!(
            "shape {shape:?}, strides {strides:?} and offset {offset} reach beyond its storage of \
             {stored} elements"
        ))),
    }
}

impl Iterator for Offsets {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let found = self.next;
        // The last axis runs fastest; one that is through starts anew and moves the one before.
        for axis in self.axes.iter_mut().rev() {
            axis.index += 1;
            if axis.index < axis.length {
                self.next += axis.stride;
                break;
            }
            axis.index = 0;
            self.next -= (axis.length - 1) * axis.stride;
        }
        Some(found)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Offsets {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transposed_view_is_walked_row_by_row() {
        // arange(6).reshape(2, 3).t()
        let offsets = Offsets::new(&[3, 2], &[1, 3], 6, 0).unwrap();
        assert_eq!(offsets.range(), 0..6);
        assert_eq!(offsets.len(), 6);
        assert_eq!(offsets.collect::<Vec<_>>(), [0, 3, 1, 4, 2, 5]);
    }

    #[test]
    fn a_view_may_start_late_and_repeat_elements() {
        let offsets = Offsets::new(&[2, 2, 2], &[2, 0, 1], 9, 5).unwrap();
        assert_eq!(offsets.range(), 5..9);
        assert_eq!(offsets.collect::<Vec<_>>(), [5, 6, 5, 6, 7, 8, 7, 8]);
    }

    #[test]
    fn a_scalar_is_one_element_and_an_empty_tensor_none() {
        assert_eq!(Offsets::new(&[], &[], 3, 2).unwrap().collect::<Vec<_>>(), [2]);
        assert_eq!(Offsets::new(&[0, 4], &[4, 1], 0, 0).unwrap().count(), 0);
        assert_eq!(Offsets::new(&[4, 0], &[usize::MAX, 1], 0, usize::MAX).unwrap().count(), 0);
    }

    #[test]
    fn a_view_beyond_its_storage_is_refused() {
        for (shape, strides, stored, offset) in [
            (&[2, 3][..], &[3, 1][..], 5, 0),
            (&[2, 3], &[3, 1], 6, 1),
            (&[], &[], 0, 0),
            (&[2], &[usize::MAX], 6, 1),
            (&[3], &[usize::MAX], 6, 0),
        ] {
            let error = Offsets::new(shape, strides, stored, offset).unwrap_err();
            assert!(format!("{error:?}").contains("beyond its storage"), "{error:?}");
        }
    }

    #[test]
    fn a_small_storage_cannot_claim_a_huge_tensor() {
        let error = Offsets::new(&[1 << 25], &[0], 1, 0).unwrap_err();
        assert!(format!("{error:?}").contains("repeats"), "{error:?}");
    }
}
