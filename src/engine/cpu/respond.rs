//! The last layer: one unit, one position.

use super::change::{Change, Presentation};
use super::weights::UnitFilters;
use crate::engine::plan::Plan;

/// Sums that run side by side in a dot product. Their number is part of the result's bits.
const LANES: usize = 16;

/// The change of each presentation's response: its unit's own filter on the taps that meet a
/// difference. No two large, nearly equal numbers are subtracted.
#[inline(always)]
pub(super) fn respond(
    plan: &Plan<'_>,
    filters: &UnitFilters,
    batch: &[Presentation<'_>],
    input: &Change,
) -> Vec<f32> {
    let blocks = plan.blocks(plan.lineage().target(), 0, 0);
    let (each, channels, inputs) = (input.each(), input.channels, filters.inputs);
    let difference = |(which, presentation): (usize, &Presentation<'_>)| {
        let filter = filters.of(presentation.unit);
        let first = which * each + filters.first_input(presentation.unit);
        let mut sums = [0.0_f32; LANES];
        for block in &blocks {
            // Without groups the taps of a block are one run of both; with groups each is its own.
            let (runs, taps) = if inputs == channels { (1, block.taps) } else { (block.taps, 1) };
            for run in 0..runs {
                let weights = &filter[(block.tap + run) * inputs..][..taps * inputs];
                let values = &input.values[first + (block.input + run) * channels..];
                add_products(weights, &values[..weights.len()], &mut sums);
            }
        }
        sums.iter().sum()
    };
    batch.iter().enumerate().map(difference).collect()
}

/// Adds products to the sums, element `i` to sum `i % LANES`.
#[inline(always)]
fn add_products(weights: &[f32], values: &[f32], sums: &mut [f32; LANES]) {
    let (weights, last_weights) = weights.as_chunks::<LANES>();
    let (values, last_values) = values.as_chunks::<LANES>();
    for (weights, values) in weights.iter().zip(values) {
        for ((sum, weight), value) in sums.iter_mut().zip(weights).zip(values) {
            *sum += weight * value;
        }
    }
    for ((sum, weight), value) in sums.iter_mut().zip(last_weights).zip(last_values) {
        *sum += weight * value;
    }
}
