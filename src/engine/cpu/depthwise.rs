//! Sums over a window, channel by channel: depthwise convolution and average pooling.

use super::compress::Compress;
use super::delta::{Delta, Presentation};
use super::program::Program;
use super::simd::{Four, Isa, Kernel, One, Vector, prefetch_all};
use crate::geometry::{Axis, ImageSize, PerAxis, SlidingWindow, Span};
use crate::network::AveragePool;
use crate::network::Filters;

/// A rectangle of positions of one image, `[y][x][channel]`.
#[derive(Clone, Copy)]
pub(super) struct Rectangle<'a> {
    pub y: Span,
    pub x: Span,
    pub channels: usize,
    pub values: &'a [f32],
}

/// Weights of the sum.
#[derive(Clone, Copy)]
pub(super) enum Weights<'a> {
    Filters(&'a Filters),
    Mean(&'a AveragePool),
}

/// The windows of a node that sums channel by channel.
#[derive(Clone, Copy)]
pub(super) struct Windows<'a> {
    weights: Weights<'a>,
    window: PerAxis<SlidingWindow>,
    /// The input's size.
    size: ImageSize,
    /// Output `o` sees inputs from `o * stride + shift` on.
    shift: PerAxis<isize>,
}

impl<'a> Windows<'a> {
    /// Those of a node. `shift` as in [`Subgraph::shift`](crate::program::Subgraph::shift).
    pub fn new(
        weights: Weights<'a>,
        program: &Program,
        node: usize,
        shift: PerAxis<isize>,
    ) -> Self {
        let nodes = program.subgraph.nodes();
        let size = nodes[nodes[node].inputs[0]].size;
        Self { weights, window: nodes[node].window, size, shift }
    }

    /// The original image's outputs `y` × `x` from those of `input`.
    pub fn baseline(&self, input: Rectangle<'_>, y: Span, x: Span, output: &mut [f32], isa: Isa) {
        isa.run(BaselineSums { windows: *self, input, y, x, output });
    }

    /// The outputs `y` × `x` of `input`, whose absolute positions are `origin` further on. Positions
    /// without an input are zeros. Requires the instructions of `V`.
    #[inline(always)]
    unsafe fn sum<V: Vector>(
        &self,
        input: Rectangle<'_>,
        (y, x): (Span, Span),
        origin: PerAxis<isize>,
        taps: &mut Vec<Tap>,
        output: &mut [f32],
    ) {
        let Self { weights, window, size, shift } = *self;
        let channels = input.channels;
        let first = |window: SlidingWindow, output: isize, shift: isize| {
            output * window.stride as isize + shift
        };
        let mut outputs = output.chunks_exact_mut(channels);
        for y in y.start..y.end {
            let top = first(window.y, y, shift.y);
            let rows = window.y.taps(top, input.y);
            for x in x.start..x.end {
                let Some(output) = outputs.next() else { return };
                let left = first(window.x, x, shift.x);
                let columns = window.x.taps(left, input.x);
                taps.clear();
                for ky in rows.0..rows.0 + rows.1 {
                    let row = top + (ky * window.y.dilation) as isize - input.y.start;
                    for kx in columns.0..columns.0 + columns.1 {
                        let column = left + (kx * window.x.dilation) as isize - input.x.start;
                        let position = row as usize * input.x.len() + column as usize;
                        let weight = (ky * window.x.kernel + kx) * channels;
                        taps.push(Tap { weight, value: position * channels });
                    }
                }
                let (weights, factor) = match weights {
                    Weights::Filters(filters) => (&filters.weight[..], 1.0),
                    Weights::Mean(pool) => {
                        let at = |axis: Axis, offset: isize| {
                            pool.count(axis, (offset + origin.of(axis)) as usize, size)
                        };
                        (&[][..], 1.0 / (at(Axis::Y, y) * at(Axis::X, x)) as f32)
                    }
                };
                let sums = Sums { taps, weights, values: input.values, factor };
                // SAFETY: `V` is the caller's.
                unsafe { sums.put::<V>(output) };
            }
        }
    }
}

/// A tap that meets an input: where the weights of its channels begin, and the input's values.
struct Tap {
    weight: usize,
    value: usize,
}

/// The sums of one position, for each of its channels.
struct Sums<'a> {
    taps: &'a [Tap],
    /// Empty where every weight is 1.
    weights: &'a [f32],
    values: &'a [f32],
    factor: f32,
}

impl Sums<'_> {
    /// Writes them. Requires the instructions of `V`.
    #[inline(always)]
    unsafe fn put<V: Vector>(&self, output: &mut [f32]) {
        let channels = output.len();
        for tap in self.taps {
            assert!(tap.value + channels <= self.values.len());
            assert!(self.weights.is_empty() || tap.weight + channels <= self.weights.len());
        }
        let wide = channels / Four::<V>::LANES * Four::<V>::LANES;
        let whole = channels / V::LANES * V::LANES;
        let output = output.as_mut_ptr();
        // SAFETY: every tap's values and weights have `channels` elements, as has `output`; `V` is the
        // caller's.
        unsafe {
            for channel in (0..wide).step_by(Four::<V>::LANES) {
                self.at::<Four<V>>(channel).store(output.add(channel));
            }
            for channel in (wide..whole).step_by(V::LANES) {
                self.at::<V>(channel).store(output.add(channel));
            }
            for channel in whole..channels {
                self.at::<One>(channel).store(output.add(channel));
            }
        }
    }

    /// As [`put`](Self::put), for the channels of a vector, which must be there.
    #[inline(always)]
    unsafe fn at<V: Vector>(&self, channel: usize) -> V {
        // SAFETY: the caller's.
        unsafe {
            let mut sum = V::splat(0.0);
            if self.weights.is_empty() {
                for tap in self.taps {
                    sum = sum.add(V::load(self.values.as_ptr().add(tap.value + channel)));
                }
                return V::splat(self.factor).mul_add(sum, V::splat(0.0));
            }
            for tap in self.taps {
                let weight = V::load(self.weights.as_ptr().add(tap.weight + channel));
                let value = V::load(self.values.as_ptr().add(tap.value + channel));
                sum = weight.mul_add(value, sum);
            }
            sum
        }
    }
}

struct BaselineSums<'a> {
    windows: Windows<'a>,
    input: Rectangle<'a>,
    y: Span,
    x: Span,
    output: &'a mut [f32],
}

impl Kernel for BaselineSums<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Compress>(self) {
        let Self { windows, input, y, x, output } = self;
        let mut taps = Vec::new();
        // SAFETY: `V` is the caller's.
        unsafe { windows.sum::<V>(input, (y, x), PerAxis::both(0), &mut taps, output) };
        if let Weights::Filters(filters) = windows.weights
            && !filters.bias.is_empty()
        {
            for output in output.chunks_exact_mut(input.channels) {
                for (value, bias) in output.iter_mut().zip(&filters.bias) {
                    *value += bias;
                }
            }
        }
    }
}

/// The delta of a node that sums channel by channel: of the taps that meet a delta.
pub(super) struct SumDeltas<'a> {
    pub program: &'a Program,
    pub node: usize,
    pub weights: Weights<'a>,
    pub batch: &'a [Presentation<'a>],
    pub input: Delta<&'a [f32]>,
    pub output: Delta<&'a mut [f32]>,
}

impl Kernel for SumDeltas<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Compress>(self) {
        let Self { program, node, weights, batch, input, output } = self;
        let (in_each, out_each) = (input.each(), output.each());
        let windows = Windows::new(weights, program, node, program.subgraph.shift(node, 0));
        let here = &program.subgraph.nodes()[node];
        let Delta { y, x, channels, .. } = input;
        let mut taps = Vec::new();
        let outputs = output.values.chunks_exact_mut(out_each);
        for (which, (presentation, output_values)) in batch.iter().zip(outputs).enumerate() {
            let values = &input.values[which * in_each..][..in_each];
            if let Some(next) = input.values.get((which + 1) * in_each..) {
                prefetch_all(&next[..next.len().min(in_each)]);
            }
            let changed = Rectangle { y, x, channels, values };
            let (row, column) = presentation.position;
            let origin = PerAxis { y: here.origin(Axis::Y, row), x: here.origin(Axis::X, column) };
            let window = (output.y, output.x);
            // SAFETY: `V` is the caller's.
            unsafe { windows.sum::<V>(changed, window, origin, &mut taps, output_values) };
        }
    }
}
