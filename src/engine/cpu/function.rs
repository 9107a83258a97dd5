//! Changes of functions of single values, of factors and slopes of channels, and of products.

#![allow(clippy::cast_possible_truncation, reason = "changes are found in f64 and kept in f32")]

use super::change::{Change, Presentation};
use super::compress::Compress;
use super::program::Program;
use super::simd::Kernel;
use crate::geometry::PerAxis;
use crate::network::{Function, LANES};
use crate::program::Selection;

/// The change of `f(x)` at a node, in place. In f64: the two values that are subtracted are nearly
/// equal where the change is small.
pub(super) struct FunctionChange<'a> {
    pub program: &'a Program,
    pub node: usize,
    pub function: Function,
    pub batch: &'a [Presentation<'a>],
    pub change: Change<&'a mut [f32]>,
}

impl Kernel for FunctionChange<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Compress>(self) {
        let Self { program, node, function, batch, change } = self;
        let each = change.each();
        if each == 0 {
            return;
        }
        let (source, shift) =
            (program.subgraph.nodes()[node].inputs[0], program.subgraph.shift(node, 0));
        let Change { y: rows, x: columns, channels, values } = change;
        let floats = columns.len() * channels;
        for (presentation, values) in batch.iter().zip(values.chunks_exact_mut(each)) {
            for (change, y) in values.chunks_exact_mut(floats).zip(rows.start..rows.end) {
                let (y, x) = (y + shift.y, columns.start + shift.x);
                let original = presentation.original(program, source, y, x, columns.len());
                let (changes, last) = change.as_chunks_mut::<LANES>();
                let (originals, last_originals) = original.as_chunks::<LANES>();
                // Where whole maps change, coordinates are the maps' own.
                let known = presentation.baseline.wide(node);
                let known = known.map(|values| values.row(y, x, columns.len()));
                let (known, last_known) = known.map_or((None, &[][..]), |known| {
                    let (known, last) = known.as_chunks::<LANES>();
                    (Some(known), last)
                });
                match known {
                    Some(known) => {
                        for ((change, original), known) in
                            changes.iter_mut().zip(originals).zip(known)
                        {
                            change_of(function, change, original, known);
                        }
                    }
                    None => {
                        for (change, original) in changes.iter_mut().zip(originals) {
                            change_of(function, change, original, &function.of(wide(original)));
                        }
                    }
                }
                if last.is_empty() {
                    continue;
                }
                let (mut filled, mut original) = ([0.0; LANES], [0.0; LANES]);
                filled[..last.len()].copy_from_slice(last);
                original[..last.len()].copy_from_slice(last_originals);
                let mut before = [0.0; LANES];
                if known.is_some() {
                    before[..last.len()].copy_from_slice(last_known);
                } else {
                    before = function.of(wide(&original));
                }
                change_of(function, &mut filled, &original, &before);
                last.copy_from_slice(&filled[..last.len()]);
            }
        }
    }
}

#[inline(always)]
fn wide(original: &[f32; LANES]) -> [f64; LANES] {
    original.map(f64::from)
}

/// The change of a function whose original values are `before`, in place.
#[inline(always)]
fn change_of(
    function: Function,
    change: &mut [f32; LANES],
    original: &[f32; LANES],
    before: &[f64; LANES],
) {
    let mut after = wide(original);
    for lane in 0..LANES {
        after[lane] += f64::from(change[lane]);
    }
    let after = function.of(after);
    for lane in 0..LANES {
        change[lane] = (after[lane] - before[lane]) as f32;
    }
}

/// The change of `x` where it is positive, else of `slope * x`, a slope for each channel; in place.
pub(super) fn change_slopes(
    program: &Program,
    node: usize,
    slopes: &[f32],
    batch: &[Presentation<'_>],
    change: Change<&mut [f32]>,
) {
    let each = change.each();
    if each == 0 {
        return;
    }
    let (source, shift) =
        (program.subgraph.nodes()[node].inputs[0], program.subgraph.shift(node, 0));
    let positions = change.positions();
    let Change { values, .. } = change;
    for (presentation, values) in batch.iter().zip(values.chunks_exact_mut(each)) {
        for ((y, x), changes) in positions.clone().zip(values.chunks_exact_mut(slopes.len())) {
            let original = presentation.original(program, source, y + shift.y, x + shift.x, 1);
            for ((change, &original), &slope) in changes.iter_mut().zip(original).zip(slopes) {
                let slope = f64::from(slope);
                let sloped = |x: f64| if x < 0.0 { slope * x } else { x };
                let original = f64::from(original);
                let changed = original + f64::from(*change);
                *change = (sloped(changed) - sloped(original)) as f32;
            }
        }
    }
}

/// Multiplies every channel's changes by its factor, in place.
pub(super) fn scale_changes(factors: &[f32], change: Change<&mut [f32]>) {
    let each = change.each();
    if each == 0 {
        return;
    }
    let Change { y, x, channels, values } = change;
    let floats = y.len() * x.len() * channels;
    for values in values.chunks_exact_mut(each) {
        for values in values[..floats].chunks_exact_mut(factors.len()) {
            for (value, factor) in values.iter_mut().zip(factors) {
                *value *= factor;
            }
        }
    }
}

/// The change of `a * b` in a node's window, `a * δb + b * δa + δa * δb`.
pub(super) fn multiply(
    program: &Program,
    node: usize,
    batch: &[Presentation<'_>],
    inputs: [Change<&[f32]>; 2],
    output: Change<&mut [f32]>,
) {
    let each = output.each();
    if each == 0 {
        return;
    }
    let positions = output.positions();
    let Change { channels, values, .. } = output;
    let sources = &program.subgraph.nodes()[node].inputs;
    let zeros = vec![0.0; channels];
    for (which, (presentation, outputs)) in
        batch.iter().zip(values.chunks_exact_mut(each)).enumerate()
    {
        for ((y, x), outputs) in positions.clone().zip(outputs.chunks_exact_mut(channels)) {
            let operand = |place: usize| {
                let PerAxis { y: down, x: right } = program.subgraph.shift(node, place);
                let (y, x) = (y + down, x + right);
                let input = &inputs[place];
                let change = if input.has(y, x) {
                    &input.values[which * input.each() + input.offset(y, x)..][..channels]
                } else {
                    &zeros[..]
                };
                (presentation.original(program, sources[place], y, x, 1), change)
            };
            let ((a, change_a), (b, change_b)) = (operand(0), operand(1));
            for (channel, output) in outputs.iter_mut().enumerate() {
                let (by_a, by_b) = (change_a[channel], change_b[channel]);
                *output = a[channel] * by_b + (b[channel] + by_b) * by_a;
            }
        }
    }
}

/// Of each output channel the change of the input's channel that is selected.
pub(super) fn select(
    selection: Selection,
    shift: PerAxis<isize>,
    input: Change<&[f32]>,
    output: Change<&mut [f32]>,
) {
    let (in_each, out_each) = (input.each(), output.each());
    if out_each == 0 {
        return;
    }
    let positions = output.positions();
    let Change { channels, values, .. } = output;
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
