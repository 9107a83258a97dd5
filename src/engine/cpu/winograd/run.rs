//! A convolution by fewer multiplications: values at the points, products, results.

use super::Form;
use super::axis::Tile;
use super::combine::{Lines, combine};
use crate::engine::cpu::compress::Compress;
use crate::engine::cpu::convolve::Convolution;
use crate::engine::cpu::delta::{Delta, Presentation, odd_lines};
use crate::engine::cpu::pointwise::Rectify;
use crate::engine::cpu::product::{Block, Offsets, Product, TILE, short_blocks};
use crate::engine::cpu::simd::{Kernel, Vector, prefetch_all};

/// Buffers that are used again.
#[derive(Debug, Default)]
pub(in crate::engine::cpu) struct Scratch {
    /// `[x point][presentation][tile][input channel]`, for one y point at a time: they should stay
    /// in a core's own cache.
    values: Vec<f32>,
    /// `[presentation][tile][y point][x point][output channel]`.
    results: Vec<f32>,
    /// A line of a tile, `[column][channel]`.
    line: Vec<f32>,
    rows: Vec<usize>,
    outputs: Vec<usize>,
}

/// A batch and the form in which it is computed.
pub(in crate::engine::cpu) struct Winograd<'a> {
    pub form: Form,
    pub batch: &'a [Presentation<'a>],
    pub input: Delta<&'a [f32]>,
    pub output: Delta<&'a mut [f32]>,
}

impl Winograd<'_> {
    /// A row of the product for each tile of each presentation.
    fn rows(&self) -> usize {
        self.batch.len() * self.form.tiles().count()
    }

    /// Computes batches of one convolution whose forms have the same points.
    pub fn run_all(convolution: Convolution<'_>, all: &mut [Self], scratch: &mut Scratch) {
        let Some(Self { form, input, output, .. }) = all.first() else { return };
        let Convolution { packed, isa, .. } = convolution;
        let Some(weights) = packed.transformed() else { return };
        let (y_points, x_points) = form.points();
        let channels = (input.channels, output.channels);
        let value_each = odd_lines(channels.0);
        let result_each = odd_lines(y_points * x_points * channels.1);
        let count: usize = all.iter().map(Self::rows).sum();
        let Scratch { values, results, line, rows, outputs } = scratch;
        let step = count * value_each;
        values.resize(values.len().max(x_points * step), 0.0);
        results.resize(results.len().max(count * result_each), 0.0);
        rows.clear();
        rows.extend((0..count).map(|row| row * value_each));
        outputs.clear();
        outputs.extend((0..count).map(|row| row * result_each));
        let (rows, outputs) = (Offsets::new(rows), Offsets::new(outputs));
        let tiles = packed.all_tiles().map(|(group, tile)| packed.tile(group, tile));
        let weights = weights.at((y_points, x_points), tiles);
        // Results are differences of products: the products should be precise.
        let parts = short_blocks(&[Block { input: 0, weights: 0, length: packed.inputs }]);
        let mut weight_offsets = (0..weights.len()).step_by(packed.inputs * TILE);
        for y_point in 0..y_points {
            let mut first = 0;
            for winograd in all.iter() {
                let Self { form, input, .. } = winograd;
                let output = &mut values[first * value_each..];
                isa.run(Values { form, y_point, input, each: value_each, step, output, line });
                first += winograd.rows();
            }
            for (x_point, values) in values.chunks_exact(step).take(x_points).enumerate() {
                let point = y_point * x_points + x_point;
                for (group, tile) in packed.all_tiles() {
                    let (channel, width) = packed.channels(group, tile);
                    let Some(first) = weight_offsets.next() else { return };
                    for (part, block) in parts.iter().enumerate() {
                        let end = first + (block.weights + block.length) * TILE;
                        let next = (end + block.length * TILE).min(weights.len());
                        let product = Product {
                            input: &values[group * packed.inputs..],
                            rows,
                            blocks: std::slice::from_ref(block),
                            weights: &weights[first..],
                            start: &[0.0; TILE],
                            outputs,
                            width,
                            add: part > 0,
                            ahead: &weights[end..next],
                            rectify: None,
                        };
                        product.run(isa, &mut results[point * channels.1 + channel..]);
                    }
                }
            }
        }
        let mut results = &results[..count * result_each];
        for winograd in all {
            let (input, rest) = results.split_at(winograd.rows() * result_each);
            results = rest;
            isa.run(Results { convolution, winograd, each: result_each, input, line });
        }
    }
}

/// The values of every tile at one y point and all x points.
struct Values<'a> {
    form: &'a Form,
    y_point: usize,
    input: &'a Delta<&'a [f32]>,
    /// Floats from one row to the next.
    each: usize,
    /// Floats from one x point to the next.
    step: usize,
    output: &'a mut [f32],
    /// A tile's inputs, once its rows have become one: `[column][input channel]`.
    line: &'a mut Vec<f32>,
}

impl Kernel for Values<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { form, y_point, input, each, step, output, line } = self;
        let (width, channels) = (input.x.len(), input.channels);
        line.resize(line.len().max(width * channels), 0.0);
        let mut offset = 0;
        for deltas in input.values.chunks_exact(input.each()) {
            for (y, x) in form.tiles() {
                let from = &deltas[(y.inputs.start * width + x.inputs.start) * channels..];
                let line = &mut line[..x.inputs.len() * channels];
                // SAFETY: `V` is the caller's.
                unsafe {
                    let rows = Lines { values: from, step: width * channels };
                    combine::<V>(y.values.of(y_point), rows, line, false);
                    for (point, terms) in x.values.each().enumerate() {
                        let value = &mut output[offset + point * step..][..channels];
                        combine::<V>(terms, Lines { values: line, step: channels }, value, false);
                    }
                }
                offset += each;
            }
        }
    }
}

/// The results of every tile, and the ReLU behind the convolution if it is joined to it.
struct Results<'a, 'c> {
    convolution: Convolution<'a>,
    winograd: &'a mut Winograd<'c>,
    each: usize,
    input: &'a [f32],
    /// A row of a tile's outputs, once its y points have become one: `[x point][output channel]`.
    line: &'a mut Vec<f32>,
}

impl Kernel for Results<'_, '_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Compress>(self) {
        let Self { convolution: Convolution { program, node, rectify: relu, .. }, .. } = self;
        let Self { winograd: Winograd { form, batch, output, .. }, each, input, line, .. } = self;
        let (channels, out_each) = (output.channels, output.each());
        let (ys, xs) = (output.y, output.x);
        let mut results = input.chunks_exact(each);
        let mut ahead = input.chunks_exact(each).skip(1);
        let baselines = |which: usize| {
            let presentation = batch.get(which).filter(|_| relu)?;
            let row = move |y| presentation.baseline_row(program, node, y, xs.start, xs.len());
            Some((ys.start..ys.end).map(row))
        };
        let mut rectify: Vec<&[f32]> = Vec::new();
        for (which, output) in output.values.chunks_exact_mut(out_each).enumerate() {
            // What the next presentation needs lies far away, and is fetched while this one is
            // worked on.
            baselines(which + 1).into_iter().flatten().for_each(prefetch_all);
            rectify.clear();
            rectify.extend(baselines(which).into_iter().flatten());
            for (y, x) in form.tiles() {
                let Some(results) = results.next() else { return };
                ahead.next().into_iter().for_each(prefetch_all);
                let width = xs.len();
                let tile = ResultsOf { results, rectify: &rectify, y, x, width, channels };
                // SAFETY: `V` is the caller's.
                unsafe { tile.put::<V>(line, output) };
            }
        }
    }
}

/// The results of a tile of a presentation.
struct ResultsOf<'a> {
    results: &'a [f32],
    /// If a ReLU follows, the rows of the window's baseline activations.
    rectify: &'a [&'a [f32]],
    y: &'a Tile,
    x: &'a Tile,
    /// Of the window.
    width: usize,
    channels: usize,
}

impl ResultsOf<'_> {
    /// Puts them into a window; `line` is for a row of them. Requires the instructions of `V`.
    #[inline(always)]
    unsafe fn put<V: Compress>(&self, line: &mut Vec<f32>, output: &mut [f32]) {
        let &Self { results, rectify, y, x, width, channels } = self;
        let points = x.values.count() * channels;
        line.resize(line.len().max(points), 0.0);
        let line = &mut line[..points];
        for (row, terms) in y.results.each().enumerate() {
            // SAFETY: `V` is the caller's.
            unsafe { combine::<V>(terms, Lines { values: results, step: points }, line, false) };
            let (begun, complete) = (row < y.begun, row < y.complete);
            let row = y.first + row;
            for (column, terms) in x.results.each().enumerate() {
                let (begun, complete) =
                    (begun || column < x.begun, complete && column < x.complete);
                let offset = (x.first + column) * channels;
                let delta = &mut output[row * width * channels + offset..][..channels];
                // SAFETY: as above.
                unsafe {
                    combine::<V>(terms, Lines { values: line, step: channels }, delta, begun);
                }
                if let Some(baseline) = rectify.get(row)
                    && complete
                {
                    let baseline = &baseline[offset..][..channels];
                    // SAFETY: as above.
                    unsafe { Rectify { delta, baseline }.run::<V>() };
                }
            }
        }
    }
}
