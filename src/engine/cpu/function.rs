//! Deltas of functions of single values, of factors and slopes of channels, and of products.

#![allow(clippy::cast_possible_truncation, reason = "deltas are found in f64 and kept in f32")]

use super::compress::Compress;
use super::delta::{Delta, Presentation};
use super::program::Program;
use super::simd::Kernel;
use crate::geometry::PerAxis;
use crate::network::{Function, LANES};
use crate::program::Selection;

/// The delta of `f(x)` at a node, in place. In f64: the two values that are subtracted are nearly
/// equal where the delta is small.
pub(super) struct FunctionDelta<'a> {
    pub program: &'a Program,
    pub node: usize,
    pub function: Function,
    pub batch: &'a [Presentation<'a>],
    pub delta: Delta<&'a mut [f32]>,
}

impl Kernel for FunctionDelta<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Compress>(self) {
        let Self { program, node, function, batch, delta } = self;
        let each = delta.each();
        let (source, shift) =
            (program.subgraph.nodes()[node].inputs[0], program.subgraph.shift(node, 0));
        let Delta { y: rows, x: columns, channels, values } = delta;
        let floats = columns.len() * channels;
        for (presentation, values) in batch.iter().zip(values.chunks_exact_mut(each)) {
            for (delta, y) in values.chunks_exact_mut(floats).zip(rows.start..rows.end) {
                let (x, count) = (columns.start, columns.len());
                let known = presentation.wide_row(program, node, y, x, count);
                let (y, x) = (y + shift.y, x + shift.x);
                let baseline = presentation.baseline_row(program, source, y, x, count);
                let baselines = baseline.chunks(LANES);
                for (index, (deltas, baseline)) in
                    delta.chunks_mut(LANES).zip(baselines).enumerate()
                {
                    let baseline = filled(baseline);
                    let before = match known {
                        Some(known) => filled(&known[index * LANES..][..deltas.len()]),
                        None => function.of(baseline.map(f64::from)),
                    };
                    if let Some(deltas) = deltas.as_mut_array() {
                        delta_of(function, deltas, &baseline, &before);
                    } else {
                        let mut all = filled(deltas);
                        delta_of(function, &mut all, &baseline, &before);
                        deltas.copy_from_slice(&all[..deltas.len()]);
                    }
                }
            }
        }
    }
}

/// Values in all lanes; zeros behind them.
#[inline(always)]
pub(super) fn filled<T: Copy + Default>(values: &[T]) -> [T; LANES] {
    values.as_array().copied().unwrap_or_else(|| {
        let mut all = [T::default(); LANES];
        all[..values.len()].copy_from_slice(values);
        all
    })
}

/// The delta of a function whose baseline values are `before`, in place.
#[inline(always)]
fn delta_of(
    function: Function,
    delta: &mut [f32; LANES],
    baseline: &[f32; LANES],
    before: &[f64; LANES],
) {
    let mut after = baseline.map(f64::from);
    for lane in 0..LANES {
        after[lane] += f64::from(delta[lane]);
    }
    let after = function.of(after);
    for lane in 0..LANES {
        delta[lane] = (after[lane] - before[lane]) as f32;
    }
}

/// The delta of `x` where it is positive, else of `slope * x`, a slope for each channel; in place.
pub(super) fn slope_deltas(
    program: &Program,
    node: usize,
    slopes: &[f32],
    batch: &[Presentation<'_>],
    delta: Delta<&mut [f32]>,
) {
    let each = delta.each();
    let (source, shift) =
        (program.subgraph.nodes()[node].inputs[0], program.subgraph.shift(node, 0));
    let positions = delta.positions();
    let Delta { values, .. } = delta;
    for (presentation, values) in batch.iter().zip(values.chunks_exact_mut(each)) {
        for ((y, x), deltas) in positions.clone().zip(values.chunks_exact_mut(slopes.len())) {
            let baseline = presentation.baseline_row(program, source, y + shift.y, x + shift.x, 1);
            for ((delta, &baseline), &slope) in deltas.iter_mut().zip(baseline).zip(slopes) {
                let slope = f64::from(slope);
                let sloped = |x: f64| if x < 0.0 { slope * x } else { x };
                let baseline = f64::from(baseline);
                let changed = baseline + f64::from(*delta);
                *delta = (sloped(changed) - sloped(baseline)) as f32;
            }
        }
    }
}

/// Multiplies every channel's deltas by its factor, in place.
pub(super) fn scale_deltas(factors: &[f32], delta: Delta<&mut [f32]>) {
    let each = delta.each();
    let Delta { y, x, channels, values } = delta;
    let floats = y.len() * x.len() * channels;
    for values in values.chunks_exact_mut(each) {
        for values in values[..floats].chunks_exact_mut(factors.len()) {
            for (value, factor) in values.iter_mut().zip(factors) {
                *value *= factor;
            }
        }
    }
}

/// The delta of `a * b` in a node's window, `a * δb + b * δa + δa * δb`.
pub(super) fn multiply(
    program: &Program,
    node: usize,
    batch: &[Presentation<'_>],
    inputs: [Delta<&[f32]>; 2],
    output: Delta<&mut [f32]>,
) {
    let each = output.each();
    let positions = output.positions();
    let Delta { channels, values, .. } = output;
    let sources = &program.subgraph.nodes()[node].inputs;
    let zeros = vec![0.0; channels];
    for (which, (presentation, outputs)) in
        batch.iter().zip(values.chunks_exact_mut(each)).enumerate()
    {
        for ((y, x), outputs) in positions.clone().zip(outputs.chunks_exact_mut(channels)) {
            let operand = |index: usize| {
                let PerAxis { y: down, x: right } = program.subgraph.shift(node, index);
                let (y, x) = (y + down, x + right);
                let input = &inputs[index];
                let delta = if input.has(y, x) {
                    &input.values[which * input.each() + input.offset(y, x)..][..channels]
                } else {
                    &zeros[..]
                };
                (presentation.baseline_row(program, sources[index], y, x, 1), delta)
            };
            let ((a, delta_a), (b, delta_b)) = (operand(0), operand(1));
            for (channel, output) in outputs.iter_mut().enumerate() {
                let (by_a, by_b) = (delta_a[channel], delta_b[channel]);
                *output = a[channel] * by_b + (b[channel] + by_b) * by_a;
            }
        }
    }
}

/// Of each output channel the delta of the input's channel that is selected.
pub(super) fn select(
    selection: Selection,
    shift: PerAxis<isize>,
    input: Delta<&[f32]>,
    output: Delta<&mut [f32]>,
) {
    let (in_each, out_each) = (input.each(), output.each());
    let positions = output.positions();
    let Delta { channels, values, .. } = output;
    for (which, outputs) in values.chunks_exact_mut(out_each).enumerate() {
        for ((y, x), outputs) in positions.clone().zip(outputs.chunks_exact_mut(channels)) {
            let (y, x) = (y + shift.y, x + shift.x);
            let values = &input.values[which * in_each + input.offset(y, x)..];
            for (channel, output) in outputs.iter_mut().enumerate() {
                *output = values[selection.input(channel)];
            }
        }
    }
}
