//! A convolution by fewer multiplications: values at the points, products, results.

use super::Form;
use super::axis::Tile;
use super::points::MOST;
use crate::engine::cpu::change::{Change, Presentation, odd_lines};
use crate::engine::cpu::convolve::Convolution;
use crate::engine::cpu::pointwise::rectified;
use crate::engine::cpu::product::{Block, Places, Product, TILE, short_blocks};
use crate::engine::cpu::simd::{Four, Kernel, One, Vector, prefetch_all};

/// Buffers that are used again.
#[derive(Debug, Default)]
pub(in crate::engine::cpu) struct Scratch {
    /// `[x point][presentation][tile][input channel]`, for one y point at a time: they should stay
    /// in a core's own cache.
    values: Vec<f32>,
    /// `[presentation][tile][y point][x point][output channel]`.
    results: Vec<f32>,
    rows: Vec<usize>,
    places: Vec<usize>,
}

/// A batch and the form in which it is computed.
pub(in crate::engine::cpu) struct Minimal<'a> {
    pub form: Form,
    pub batch: &'a [Presentation<'a>],
    pub input: Change<&'a [f32]>,
    pub output: Change<&'a mut [f32]>,
}

impl Minimal<'_> {
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
        let Scratch { values, results, rows, places } = scratch;
        let step = count * value_each;
        values.resize(values.len().max(x_points * step), 0.0);
        results.resize(results.len().max(count * result_each), 0.0);
        rows.clear();
        rows.extend((0..count).map(|row| row * value_each));
        places.clear();
        places.extend((0..count).map(|row| row * result_each));
        let (rows, places) = (Places::new(rows), Places::new(places));
        let tiles = packed.all_tiles().map(|(group, tile)| packed.tile(group, tile));
        let weights = weights.at((y_points, x_points), tiles);
        // Results are differences of products: the products should be precise.
        let parts = short_blocks(&[Block { input: 0, weights: 0, length: packed.inputs }]);
        let mut places_of_weights = (0..weights.len()).step_by(packed.inputs * TILE);
        for y_point in 0..y_points {
            let mut first = 0;
            for minimal in all.iter() {
                let Self { form, input, .. } = minimal;
                let output = &mut values[first * value_each..];
                isa.run(Values { form, y_point, input, each: value_each, step, output });
                first += minimal.rows();
            }
            for (x_point, values) in values.chunks_exact(step).take(x_points).enumerate() {
                let point = y_point * x_points + x_point;
                for (group, tile) in packed.all_tiles() {
                    let (channel, width) = packed.channels(group, tile);
                    let Some(first) = places_of_weights.next() else { return };
                    for (part, block) in parts.iter().enumerate() {
                        let end = first + (block.weights + block.length) * TILE;
                        let next = (end + block.length * TILE).min(weights.len());
                        let product = Product {
                            input: &values[group * packed.inputs..],
                            rows,
                            blocks: std::slice::from_ref(block),
                            weights: &weights[first..],
                            start: &[0.0; TILE],
                            places,
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
        for minimal in all {
            let (input, rest) = results.split_at(minimal.rows() * result_each);
            results = rest;
            isa.run(Results { convolution, minimal, each: result_each, input });
        }
    }
}

/// A sum of some of the vectors at `from`, `from + step`, …, which must have all that the terms
/// name. Requires the instructions of `V`.
#[inline(always)]
unsafe fn sum<V: Vector>(terms: &[(usize, f32)], from: *const f32, step: usize) -> V {
    // SAFETY: the caller's.
    unsafe {
        let mut sum = V::splat(0.0);
        for &(place, factor) in terms {
            sum = V::splat(factor).mul_add(V::load(from.add(place * step)), sum);
        }
        sum
    }
}

/// The values of every tile at one y point and all x points.
struct Values<'a> {
    form: &'a Form,
    y_point: usize,
    input: &'a Change<&'a [f32]>,
    /// Floats from one row to the next.
    each: usize,
    /// Floats from one x point to the next.
    step: usize,
    output: &'a mut [f32],
}

impl Kernel for Values<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { form, y_point, input, each, step, output } = self;
        let channels = input.channels;
        let wide = channels / Four::<V>::LANES * Four::<V>::LANES;
        let whole = channels / V::LANES * V::LANES;
        let mut place = 0;
        for changes in input.values.chunks_exact(input.each()) {
            for (y, x) in form.tiles() {
                let tile = ValuesOf { input, changes, y, x, y_point, step };
                let values = &mut output[place..];
                place += each;
                for channel in (0..wide).step_by(Four::<V>::LANES) {
                    // SAFETY: `V` is the caller's.
                    unsafe { tile.put::<Four<V>>(channel, values) };
                }
                for channel in (wide..whole).step_by(V::LANES) {
                    // SAFETY: as above.
                    unsafe { tile.put::<V>(channel, values) };
                }
                for channel in whole..channels {
                    // SAFETY: every machine has the instructions.
                    unsafe { tile.put::<One>(channel, values) };
                }
            }
        }
    }
}

/// The values of a tile of a presentation.
struct ValuesOf<'a> {
    input: &'a Change<&'a [f32]>,
    changes: &'a [f32],
    y: &'a Tile,
    x: &'a Tile,
    y_point: usize,
    step: usize,
}

impl ValuesOf<'_> {
    /// Those of a vector of channels, one for each x point. Requires the instructions of `V`.
    #[inline(always)]
    unsafe fn put<V: Vector>(&self, channel: usize, values: &mut [f32]) {
        let &Self { input, changes, y, x, y_point, step } = self;
        let (width, channels) = (input.x.len(), input.channels);
        let line = width * channels;
        assert!(x.inputs.len() <= MOST && x.inputs.end <= width && y.inputs.end <= input.y.len());
        assert!(channel + V::LANES <= channels && changes.len() >= input.y.len() * line);
        assert!(values.len() >= (x.values.count() - 1) * step + channels);
        // SAFETY: all offsets are within what was just checked; sums over a tile's inputs name
        // those.
        unsafe {
            let mut between = [V::splat(0.0); MOST];
            let terms = y.values.of(y_point);
            for (place, column) in x.inputs.clone().enumerate() {
                let from = y.inputs.start * line + column * channels + channel;
                between[place] = sum(terms, changes.as_ptr().add(from), line);
            }
            for (point, terms) in x.values.each().enumerate() {
                let value: V = sum(terms, between.as_ptr().cast(), V::LANES);
                value.store(values.as_mut_ptr().add(point * step + channel));
            }
        }
    }
}

/// The results of every tile, and the ReLU behind the convolution if it is joined to it.
struct Results<'a, 'c> {
    convolution: Convolution<'a>,
    minimal: &'a mut Minimal<'c>,
    each: usize,
    input: &'a [f32],
}

impl Kernel for Results<'_, '_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { convolution: Convolution { target, node, rectify: relu, .. }, .. } = self;
        let Self { minimal: Minimal { form, batch, output, .. }, each, input, .. } = self;
        let (channels, out_each) = (output.channels, output.each());
        let (ys, xs) = (output.y, output.x);
        let wide = channels / Four::<V>::LANES * Four::<V>::LANES;
        let whole = channels / V::LANES * V::LANES;
        let mut results = input.chunks_exact(each);
        let mut ahead = input.chunks_exact(each).skip(1);
        let originals = |which: usize| {
            let presentation = batch.get(which).filter(|_| relu)?;
            let row = move |y| presentation.original(target, node, y, xs.start, xs.len());
            Some((ys.start..ys.end).map(row))
        };
        let mut rectify: Vec<&[f32]> = Vec::new();
        for (which, output) in output.values.chunks_exact_mut(out_each).enumerate() {
            // What the next presentation needs lies far away, and is fetched while this one is
            // worked on.
            originals(which + 1).into_iter().flatten().for_each(prefetch_all);
            rectify.clear();
            rectify.extend(originals(which).into_iter().flatten());
            for (y, x) in form.tiles() {
                let Some(results) = results.next() else { return };
                ahead.next().into_iter().for_each(prefetch_all);
                let width = xs.len();
                let tile = ResultsOf { results, rectify: &rectify, y, x, width, channels };
                for channel in (0..wide).step_by(Four::<V>::LANES) {
                    // SAFETY: `V` is the caller's.
                    unsafe { tile.put::<Four<V>>(channel, output) };
                }
                for channel in (wide..whole).step_by(V::LANES) {
                    // SAFETY: as above.
                    unsafe { tile.put::<V>(channel, output) };
                }
                for channel in whole..channels {
                    // SAFETY: every machine has the instructions.
                    unsafe { tile.put::<One>(channel, output) };
                }
            }
        }
    }
}

/// The results of a tile of a presentation.
struct ResultsOf<'a> {
    results: &'a [f32],
    /// If a ReLU follows, the rows of the window's original activations.
    rectify: &'a [&'a [f32]],
    y: &'a Tile,
    x: &'a Tile,
    /// Of the window.
    width: usize,
    channels: usize,
}

impl ResultsOf<'_> {
    /// Those of a vector of channels. Requires the instructions of `V`.
    #[inline(always)]
    unsafe fn put<V: Vector>(&self, channel: usize, output: &mut [f32]) {
        let &Self { results, rectify, y, x, width, channels } = self;
        let (down, right) = (y.values.count(), x.values.count());
        let (last_row, last_column) = (y.first + y.outputs, x.first + x.outputs);
        assert!(channel + V::LANES <= channels && results.len() >= down * right * channels);
        assert!(right <= MOST && last_column <= width);
        assert!(output.len() >= last_row * width * channels);
        assert!(rectify.is_empty() || rectify.len() >= last_row);
        assert!(rectify.iter().all(|row| row.len() >= width * channels));
        // SAFETY: all offsets are within what was just checked; sums name a tile's points.
        unsafe {
            let mut between = [V::splat(0.0); MOST];
            for (row, terms) in y.results.each().enumerate() {
                let (begun, complete) = (row < y.begun, row < y.complete);
                let row = y.first + row;
                for (column, between) in between.iter_mut().enumerate().take(right) {
                    let from = results.as_ptr().add(column * channels + channel);
                    *between = sum(terms, from, right * channels);
                }
                for (column, terms) in x.results.each().enumerate() {
                    let mut change: V = sum(terms, between.as_ptr().cast(), V::LANES);
                    let place = (x.first + column) * channels + channel;
                    let to = output.as_mut_ptr().add(row * width * channels + place);
                    if begun || column < x.begun {
                        change = V::load(to).add(change);
                    }
                    if let Some(original) = rectify.get(row)
                        && complete
                        && column < x.complete
                    {
                        change = rectified(change, V::load(original.as_ptr().add(place)));
                    }
                    change.store(to);
                }
            }
        }
    }
}
