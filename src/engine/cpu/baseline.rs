//! The original image's activations, where some positions of a target depend on them.

use ndarray::{ArrayView3, s};

use super::activations::{Activations, Baseline};
use super::function::filled;
use super::gate::Moments;
use super::normalise::Normalisation;
use super::pool::Seen;
use super::product::{Block, Offsets, Product, TILE, short_blocks};
use super::program::Program;
use super::simd::Isa;
use super::step::BaselineStep;
use super::weights::Packed;
use crate::engine::maximum::max_nan;
use crate::geometry::{Axis, PerAxis, SlidingWindow, Span};
use crate::network::{Filters, Function, GroupNorm, LANES};

/// Rows of a product whose sums stay in a core's first cache while parts are added.
const ROWS: usize = 48;

impl Baseline {
    /// Computes what the positions `y` × `x` of the target depend on.
    pub fn new(program: &Program, image: &ArrayView3<'_, f32>, y: Span, x: Span, isa: Isa) -> Self {
        let subgraph = &program.subgraph;
        let (ys, xs) = (subgraph.baseline(Axis::Y, y), subgraph.baseline(Axis::X, x));
        let mut nodes: Vec<Activations> = Vec::with_capacity(ys.len());
        let (mut moments, mut wide) = (Vec::new(), Vec::new());
        let mut scratch = Padded::default();
        for node in 0..subgraph.target() {
            let (rows, columns, before) = (&ys, &xs, &nodes);
            let step = BaselineStep { program, node, image, rows, columns, before, isa };
            let made = step.run(&mut scratch);
            nodes.push(made.values);
            moments.push(made.moments);
            wide.push(made.wide);
        }
        for (node, &kept) in nodes.iter_mut().zip(&program.kept) {
            if !kept {
                *node = Activations::default();
            }
        }
        Self { nodes, moments, wide }
    }

    /// The response of a unit of the target.
    pub fn response(&self, program: &Program, unit: usize, position: (usize, usize)) -> f32 {
        let filters = &program.units;
        let node = &program.subgraph.nodes()[program.subgraph.target()];
        let input = node.inputs[0];
        let size = program.subgraph.nodes()[input].size;
        let inside = |axis: Axis, position: usize| {
            let window = node.window.of(axis);
            let first = window.first_input(position as isize);
            let (tap, taps) = window.taps(first, Span::whole(axis.of(size)));
            (tap..tap + taps).map(move |tap| (tap, first + (tap * window.dilation) as isize))
        };
        let rows = inside(Axis::Y, position.0);
        let (filter, first) = (filters.of(unit), filters.first_input(unit));
        // One sum a job: no need to save on its precision.
        let mut sum = f64::from(filters.bias(unit));
        for ((ky, y), (kx, x)) in
            rows.flat_map(|row| inside(Axis::X, position.1).map(move |column| (row, column)))
        {
            let tap = ky * node.window.x.kernel + kx;
            let weights = &filter[tap * filters.inputs..][..filters.inputs];
            let values = &self.nodes[input].at(y, x)[first..];
            for (&weight, &value) in weights.iter().zip(values) {
                sum += f64::from(weight) * f64::from(value);
            }
        }
        sum as f32
    }
}

/// The pixels of a rectangle, `[y][x][channel]`.
pub(super) fn fill_pixels(image: &ArrayView3<'_, f32>, (y, x): (Span, Span), output: &mut [f32]) {
    let channels = image.dim().0;
    for (channel, plane) in image.outer_iter().enumerate() {
        for (row, y) in (y.start..y.end).enumerate() {
            let line = plane.slice(s![y as usize, x.start as usize..x.end as usize]);
            let pixels = output[row * x.len() * channels..].chunks_exact_mut(channels);
            for (pixel, &value) in pixels.zip(line) {
                pixel[channel] = value;
            }
        }
    }
}

/// The values of a function.
pub(super) fn values_of(function: Function, values: &[f32], output: &mut [f64]) {
    for (outputs, values) in output.chunks_mut(LANES).zip(values.chunks(LANES)) {
        let found = function.of(filled(values).map(f64::from));
        outputs.copy_from_slice(&found[..outputs.len()]);
    }
}

/// The mean of each channel over all positions of a map, of one at least.
pub(super) fn mean(input: &Activations, output: &mut [f32]) {
    let positions = input.values.chunks_exact(output.len().max(1));
    let count = positions.len() as f64;
    let mut sums = vec![0.0; output.len()];
    for values in positions {
        for (sum, &value) in sums.iter_mut().zip(values) {
            *sum += f64::from(value);
        }
    }
    for (output, sum) in output.iter_mut().zip(sums) {
        *output = (sum / count) as f32;
    }
}

/// The numbers of a normalisation of groups of channels with these moments.
pub(super) fn group_norm(
    norm: GroupNorm,
    numbers: &Filters,
    moments: &[Moments],
    output: &mut [f32],
) {
    let each = output.len() / norm.groups;
    for (channel, output) in output.iter_mut().enumerate() {
        let of_channel = [&numbers.weight, &numbers.bias].map(|list| f64::from(list[channel]));
        let Moments { mean, variance } = moments[channel / each];
        *output = norm.number(mean, variance, of_channel) as f32;
    }
}

/// Normalises the channels of a position.
pub(super) fn normalised(norm: Normalisation<'_>, values: &[f32], output: &mut [f32]) {
    let values: Vec<f64> = values.iter().map(|&value| f64::from(value)).collect();
    let mut normalised = vec![0.0; values.len()];
    norm.of(&values, &mut normalised);
    for (output, value) in output.iter_mut().zip(normalised) {
        *output = value as f32;
    }
}

/// Max-pooling of the inputs that exist, `real`.
pub(super) fn maxima(
    input: &Activations,
    real: (Span, Span),
    window: PerAxis<SlidingWindow>,
    (y, x): (Span, Span),
    output: &mut [f32],
) {
    let mut outputs = output.chunks_exact_mut(input.channels);
    for (y, x) in (y.start..y.end).flat_map(|y| (x.start..x.end).map(move |x| (y, x))) {
        let Some(largest) = outputs.next() else { return };
        largest.fill(f32::NEG_INFINITY);
        let rows = Seen::new(window.y, y, -(window.y.padding as isize), real.0);
        let columns = Seen::new(window.x, x, -(window.x.padding as isize), real.1);
        for (y, x) in rows.positions().flat_map(|y| columns.positions().map(move |x| (y, x))) {
            for (largest, &value) in largest.iter_mut().zip(input.at(y, x)) {
                *largest = max_nan(*largest, value);
            }
        }
    }
}

/// A window with its padding written out.
#[derive(Debug, Default)]
pub(super) struct Padded {
    width: usize,
    channels: usize,
    values: Vec<f32>,
}

impl Padded {
    /// Copies what the outputs `y` × `x` see of `input`, which has the positions `real`.
    pub fn fill(
        &mut self,
        input: &Activations,
        real: (Span, Span),
        window: PerAxis<SlidingWindow>,
        (y, x): (Span, Span),
    ) {
        let (rows, columns) = (window.y.inputs(y), window.x.inputs(x));
        (self.width, self.channels) = (columns.len(), input.channels);
        self.values.clear();
        self.values.resize(rows.len() * columns.len() * input.channels, 0.0);
        let inside = (rows.intersect(real.0), columns.intersect(real.1));
        if inside.1.is_empty() {
            return;
        }
        for row in inside.0.start..inside.0.end {
            let source = input.row(row, inside.1.start, inside.1.len());
            let position = (row - rows.start) as usize * self.width
                + (inside.1.start - columns.start) as usize;
            self.values[position * self.channels..][..source.len()].copy_from_slice(source);
        }
    }

    /// Convolves the window into `output`, `[y][x][channel]`.
    pub fn convolve(
        &self,
        packed: &Packed,
        window: PerAxis<SlidingWindow>,
        (y, x): (Span, Span),
        isa: Isa,
        output: &mut [f32],
    ) {
        if y.is_empty() || x.is_empty() {
            return;
        }
        let mut blocks: Vec<Block> = Vec::new();
        let all = |axis: Axis| (0, packed.kernel.of(axis));
        packed.blocks(all(Axis::Y), all(Axis::X), packed.grid(self.width), &mut blocks);
        // How deltas are rectified depends on these values: they should be as precise as can be.
        let blocks = short_blocks(&blocks);
        let channels = packed.groups * packed.outputs;
        let positions = || (0..y.len()).flat_map(|y| (0..x.len()).map(move |x| (y, x)));
        let rows: Vec<usize> = positions()
            .map(|(y, x)| y * window.y.stride * self.width + x * window.x.stride)
            .map(|position| position * self.channels)
            .collect();
        let outputs: Vec<usize> = (0..rows.len()).map(|row| row * channels).collect();
        let chunks = rows.chunks(ROWS).zip(outputs.chunks(ROWS));
        let chunks: Vec<(Offsets<'_>, Offsets<'_>)> =
            chunks.map(|(rows, outputs)| (Offsets::new(rows), Offsets::new(outputs))).collect();
        for (group, tile) in packed.all_tiles() {
            let (first, width) = packed.channels(group, tile);
            for &(rows, outputs) in &chunks {
                for (part, block) in blocks.iter().enumerate() {
                    let start = if part == 0 { packed.bias(group, tile) } else { &[0.0; TILE] };
                    let product = Product {
                        input: &self.values[group * packed.inputs..],
                        rows,
                        blocks: std::slice::from_ref(block),
                        weights: packed.tile(group, tile),
                        start,
                        outputs,
                        width,
                        add: part > 0,
                        ahead: &[],
                        rectify: None,
                    };
                    product.run(isa, &mut output[first..]);
                }
            }
        }
    }
}
