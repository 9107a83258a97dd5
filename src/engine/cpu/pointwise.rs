//! Layers of deltas that work on each position by itself.

use super::compress::Compress;
use super::delta::{Delta, Presentation};
use super::program::Program;
use super::simd::{Kernel, One, Vector};
use crate::geometry::PerAxis;

/// The delta of `max(z, 0)` where `z` changes by `δ`.
///
/// It is `relu(z + δ) - relu(z)`, written so that it is δ itself, unrounded, wherever both are
/// positive. A NaN stays one. Requires the instructions of `V`.
#[inline(always)]
pub(super) unsafe fn rectified<V: Vector>(delta: V, baseline: V) -> V {
    // SAFETY: the caller's.
    unsafe {
        let zero = V::splat(0.0);
        let (below, above) = (zero.min(baseline), zero.max(baseline));
        zero.sub(above).max(delta.add(below))
    }
}

/// Rectifies a delta in offset; `baseline` are as many baseline values.
pub(super) struct Rectify<'a> {
    pub delta: &'a mut [f32],
    pub baseline: &'a [f32],
}

impl Kernel for Rectify<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let length = self.delta.len();
        assert_eq!(length, self.baseline.len());
        let (delta, baseline) = (self.delta.as_mut_ptr(), self.baseline.as_ptr());
        let whole = length / V::LANES * V::LANES;
        for offset in (0..whole).step_by(V::LANES) {
            // SAFETY: both have `length` values; `V` is the caller's.
            unsafe {
                let baseline = V::load(baseline.add(offset));
                rectified(V::load(delta.add(offset)), baseline).store(delta.add(offset));
            }
        }
        for offset in whole..length {
            // SAFETY: as above.
            unsafe {
                let baseline = One::load(baseline.add(offset));
                rectified(One::load(delta.add(offset)), baseline).store(delta.add(offset));
            }
        }
    }
}

/// The delta of `max(z, 0)` at a node, in offset; `z` are the baseline values of its input.
pub(super) struct Relu<'a> {
    pub program: &'a Program,
    pub node: usize,
    pub batch: &'a [Presentation<'a>],
    pub delta: Delta<&'a mut [f32]>,
}

impl Kernel for Relu<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Compress>(self) {
        let Self { program, node, batch, delta } = self;
        let each = delta.each();
        let row = delta.x.len() * delta.channels;
        let (input, shift) =
            (program.subgraph.nodes()[node].inputs[0], program.subgraph.shift(node, 0));
        for (presentation, values) in batch.iter().zip(delta.values.chunks_exact_mut(each)) {
            for (values, y) in values.chunks_exact_mut(row).zip(delta.y.start..delta.y.end) {
                let (y, x) = (y + shift.y, delta.x.start + shift.x);
                let baseline = presentation.baseline_row(program, input, y, x, delta.x.len());
                // SAFETY: `V` is the caller's.
                unsafe { Rectify { delta: values, baseline }.run::<V>() };
            }
        }
    }
}

/// Adds the part of `input` that lies in the window of `output` to its channels from `channel`
/// on, for `batch` presentations. Position `p` of the output is `p + shift` of the input.
pub(super) fn add(
    input: Delta<&[f32]>,
    shift: PerAxis<isize>,
    batch: usize,
    channel: usize,
    output: &mut Delta<&mut [f32]>,
) {
    let (in_each, out_each) = (input.each(), output.each());
    let ys = input.y.shifted(-shift.y).intersect(output.y);
    let xs = input.x.shifted(-shift.x).intersect(output.x);
    for which in 0..batch {
        for (y, x) in (ys.start..ys.end).flat_map(|y| (xs.start..xs.end).map(move |x| (y, x))) {
            let from = which * in_each + input.offset(y + shift.y, x + shift.x);
            let offset = which * out_each + output.offset(y, x) + channel;
            let from = &input.values[from..][..input.channels];
            for (sum, value) in output.values[offset..].iter_mut().zip(from) {
                *sum += value;
            }
        }
    }
}
