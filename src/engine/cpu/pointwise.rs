//! Layers of differences that work on each position by itself.

use super::change::{Change, Presentation};
use super::compress::Compress;
use super::program::Program;
use super::simd::{Kernel, One, Vector};
use crate::geometry::PerAxis;

/// The change of `max(z, 0)` where `z` changes by `δ`.
///
/// It is `relu(z + δ) - relu(z)`, written so that it is δ itself, unrounded, wherever both are
/// positive. A NaN stays one. Requires the instructions of `V`.
#[inline(always)]
pub(super) unsafe fn rectified<V: Vector>(change: V, original: V) -> V {
    // SAFETY: the caller's.
    unsafe {
        let zero = V::splat(0.0);
        let (below, above) = (zero.min(original), zero.max(original));
        zero.sub(above).max(change.add(below))
    }
}

/// Rectifies a change in place; `original` are as many original values.
pub(super) struct Rectify<'a> {
    pub change: &'a mut [f32],
    pub original: &'a [f32],
}

impl Kernel for Rectify<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let length = self.change.len();
        assert_eq!(length, self.original.len());
        let (change, original) = (self.change.as_mut_ptr(), self.original.as_ptr());
        let whole = length / V::LANES * V::LANES;
        for place in (0..whole).step_by(V::LANES) {
            // SAFETY: both have `length` values; `V` is the caller's.
            unsafe {
                let original = V::load(original.add(place));
                rectified(V::load(change.add(place)), original).store(change.add(place));
            }
        }
        for place in whole..length {
            // SAFETY: as above.
            unsafe {
                let original = One::load(original.add(place));
                rectified(One::load(change.add(place)), original).store(change.add(place));
            }
        }
    }
}

/// The change of `max(z, 0)` at a node, in place; `z` are the original values of its input.
pub(super) struct Relu<'a> {
    pub program: &'a Program,
    pub node: usize,
    pub batch: &'a [Presentation<'a>],
    pub change: Change<&'a mut [f32]>,
}

impl Kernel for Relu<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Compress>(self) {
        let Self { program, node, batch, change } = self;
        let each = change.each();
        if each == 0 {
            return;
        }
        let row = change.x.len() * change.channels;
        let (input, shift) =
            (program.subgraph.nodes()[node].inputs[0], program.subgraph.shift(node, 0));
        for (presentation, values) in batch.iter().zip(change.values.chunks_exact_mut(each)) {
            for (values, y) in values.chunks_exact_mut(row).zip(change.y.start..change.y.end) {
                let (y, x) = (y + shift.y, change.x.start + shift.x);
                let original = presentation.original(program, input, y, x, change.x.len());
                // SAFETY: `V` is the caller's.
                unsafe { Rectify { change: values, original }.run::<V>() };
            }
        }
    }
}

/// Adds the part of `input` that lies in the window of `output` to its channels from `channel`
/// on, for `batch` presentations. Position `p` of the output is `p + shift` of the input.
pub(super) fn add(
    input: Change<&[f32]>,
    shift: PerAxis<isize>,
    batch: usize,
    channel: usize,
    output: &mut Change<&mut [f32]>,
) {
    let (in_each, out_each) = (input.each(), output.each());
    let ys = input.y.shifted(-shift.y).intersect(output.y);
    let xs = input.x.shifted(-shift.x).intersect(output.x);
    for which in 0..batch {
        for (y, x) in (ys.start..ys.end).flat_map(|y| (xs.start..xs.end).map(move |x| (y, x))) {
            let from = which * in_each + input.offset(y + shift.y, x + shift.x);
            let place = which * out_each + output.offset(y, x) + channel;
            let from = &input.values[from..][..input.channels];
            for (sum, value) in output.values[place..].iter_mut().zip(from) {
                *sum += value;
            }
        }
    }
}
