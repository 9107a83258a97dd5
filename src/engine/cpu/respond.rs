//! The last layer: one unit, one position.

use super::delta::{Delta, Presentation};
use super::simd::{Kernel, Vector};
use super::weights::UnitFilters;
use crate::program::Plan;

/// Sums that run side by side in a dot product. Their number is part of the result's bits.
const LANES: usize = 32;

/// The difference of each presentation's response: its unit's own filter on the taps that meet a
/// delta. No two large, nearly equal numbers are subtracted.
pub(super) struct Respond<'a> {
    pub plan: &'a Plan<'a>,
    pub filters: &'a UnitFilters,
    pub batch: &'a [Presentation<'a>],
    pub input: Delta<&'a [f32]>,
}

impl Kernel for Respond<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    unsafe fn run<V: Vector>(self) -> Vec<f32> {
        let Self { plan, filters, batch, input } = self;
        let program = plan.subgraph().target();
        let dilation = plan.subgraph().nodes()[program].window.x.dilation;
        let blocks = plan.blocks(program, 0, 0);
        let (each, channels, inputs) = (input.each(), input.channels, filters.inputs);
        let mut differences = Vec::with_capacity(batch.len());
        for (which, presentation) in batch.iter().enumerate() {
            let filter = filters.of(presentation.unit);
            let first = which * each + filters.first_input(presentation.unit);
            let mut sums = [0.0_f32; LANES];
            for block in &blocks {
                // The taps of a block are one run of both; with groups or gaps each is its own.
                let one_run = inputs == channels && dilation == 1;
                let (runs, taps) = if one_run { (1, block.taps) } else { (block.taps, 1) };
                for run in 0..runs {
                    let weights = &filter[(block.tap + run) * inputs..][..taps * inputs];
                    let values = &input.values[first + (block.input + run * dilation) * channels..];
                    // SAFETY: `V` is the caller's.
                    unsafe { add_products::<V>(weights, &values[..weights.len()], &mut sums) };
                }
            }
            differences.push(sums.iter().sum());
        }
        differences
    }
}

/// Adds products to the sums, element `i` to sum `i % LANES`. Requires the instructions of `V`.
#[inline(always)]
unsafe fn add_products<V: Vector>(weights: &[f32], values: &[f32], sums: &mut [f32; LANES]) {
    let (weights, last_weights) = weights.as_chunks::<LANES>();
    let (values, last_values) = values.as_chunks::<LANES>();
    // A last part is filled up with zeros, whose products change no sum.
    let filled = |last: &[f32]| {
        let mut all = [0.0; LANES];
        all[..last.len()].copy_from_slice(last);
        all
    };
    let last = (filled(last_weights), filled(last_values));
    for lane in (0..LANES).step_by(V::LANES) {
        // SAFETY: `LANES` is a multiple of every vector's.
        unsafe {
            let mut sum = V::load(sums.as_ptr().add(lane));
            for (weights, values) in
                weights.iter().chain([&last.0]).zip(values.iter().chain([&last.1]))
            {
                let weights = V::load(weights.as_ptr().add(lane));
                sum = weights.mul_add(V::load(values.as_ptr().add(lane)), sum);
            }
            sum.store(sums.as_mut_ptr().add(lane));
        }
    }
}
