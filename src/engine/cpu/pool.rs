//! Max-pooling of deltas.

use super::delta::{Delta, Presentation};
use super::program::Program;
use super::simd::{Four, Kernel, One, Vector, prefetch_all};
use crate::geometry::{SlidingWindow, Span};
use crate::program::Plan;

/// Writes the delta of every maximum in a node's window into `output`.
///
/// With `p` the baseline maximum, it is `max_i((a_i - p) + δ_i)`: relative to `p` the baseline
/// maximum itself is exactly 0, so no rounding of large values gets into small deltas.
///
/// Where a ReLU stands before the pooling, `a` and `δ` may be those of its input: the maximum of
/// rectified values is the rectified maximum, so `-p` joins the maximum, and the ReLU is saved.
pub(super) struct Pool<'a> {
    pub program: &'a Program,
    pub plan: &'a Plan<'a>,
    pub node: usize,
    /// Whether `input` is the delta before the ReLU that the pooling reads.
    pub rectify: bool,
    pub batch: &'a [Presentation<'a>],
    pub input: Delta<&'a [f32]>,
    pub output: Delta<&'a mut [f32]>,
}

impl Kernel for Pool<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { program, plan, node, rectify, batch, input, output } = self;
        let (in_each, out_each) = (input.each(), output.each());
        let here = &program.subgraph.nodes()[node];
        let source = program.pooled(node);
        let shift = program.subgraph.shift(node, 0);
        let real = (plan.y().reach(node).read, plan.x().reach(node).read);
        let rows_of = |y: isize| Seen::new(here.window.y, y, shift.y, real.0);
        let columns_of = |x: isize| Seen::new(here.window.x, x, shift.x, real.1);
        let (channels, ys, xs) = (output.channels, output.y, output.x);
        let columns: Vec<Seen> = (xs.start..xs.end).map(columns_of).collect();
        let mut window = Window::default();
        let outputs = output.values.chunks_exact_mut(out_each);
        for (which, (presentation, outputs)) in batch.iter().zip(outputs).enumerate() {
            let changed = &input.values[which * in_each..][..in_each];
            let next = batch.get(which + 1);
            let mut outputs = outputs.chunks_exact_mut(channels);
            let mut fetched = isize::MIN;
            for y in ys.start..ys.end {
                let rows = rows_of(y);
                // Baseline activations lie far away: those of the next presentation are fetched
                // while this one's are worked on, each row once.
                if let Some(next) = next {
                    for y in rows.positions().filter(|&y| y >= fetched) {
                        prefetch_all(next.baseline_row(
                            program,
                            source,
                            y,
                            real.1.start,
                            real.1.len(),
                        ));
                    }
                    fetched = rows.start + rows.reach() as isize;
                    prefetch_all(next.baseline_row(program, node, y, xs.start, xs.len()));
                }
                for (columns, x) in columns.iter().zip(xs.start..xs.end) {
                    let Some(rises) = outputs.next() else { return };
                    window.largest = presentation.baseline_row(program, node, y, x, 1);
                    window.changed.clear();
                    window.unchanged.clear();
                    for y in rows.positions() {
                        let mut baseline = presentation
                            .baseline_row(program, source, y, columns.start, columns.reach())
                            .chunks_exact(channels)
                            .step_by(columns.step);
                        for x in columns.positions() {
                            let Some(baseline) = baseline.next() else { break };
                            if input.has(y, x) {
                                let delta = &changed[input.offset(y, x)..][..channels];
                                window.changed.push((baseline, delta));
                            } else {
                                window.unchanged.push(baseline);
                            }
                        }
                    }
                    // SAFETY: `V` is the caller's.
                    unsafe { window.rises::<V>(rectify, rises) };
                }
            }
        }
    }
}

/// The inputs that exist, of those that one output sees along one axis.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    /// The first one.
    pub start: isize,
    /// How many.
    pub count: usize,
    /// From one to the next.
    pub step: usize,
}

impl Seen {
    /// Of `output`, which sees inputs from `output * stride + shift` on, those in `real`.
    #[inline(always)]
    pub fn new(window: SlidingWindow, output: isize, shift: isize, real: Span) -> Self {
        let first = output * window.stride as isize + shift;
        let (tap, count) = window.taps(first, real);
        let step = window.dilation;
        Self { start: first + (tap * step) as isize, count, step }
    }

    /// Where they are.
    #[inline(always)]
    pub fn positions(self) -> impl Iterator<Item = isize> + Clone {
        (0..self.count).map(move |index| self.start + (index * self.step) as isize)
    }

    /// Positions from the first to the last one.
    #[inline(always)]
    fn reach(self) -> usize {
        match self.count {
            0 => 0,
            count => (count - 1) * self.step + 1,
        }
    }
}

/// What a window of the pooling sees: slices of equal length, a value for each channel.
#[derive(Default)]
struct Window<'a> {
    /// The baseline maximum.
    largest: &'a [f32],
    /// Baseline activations and their deltas.
    changed: Vec<(&'a [f32], &'a [f32])>,
    /// Baseline activations that stay as they are.
    unchanged: Vec<&'a [f32]>,
}

impl Window<'_> {
    /// The delta of the maximum in each channel. Requires the instructions of `V`.
    #[inline(always)]
    unsafe fn rises<V: Vector>(&self, rectify: bool, rises: &mut [f32]) {
        let channels = rises.len();
        assert!(self.largest.len() == channels);
        assert!(self.unchanged.iter().all(|baseline| baseline.len() == channels));
        let equal = |(baseline, delta): &(&[f32], &[f32])| {
            baseline.len() == channels && delta.len() == channels
        };
        assert!(self.changed.iter().all(equal));
        // Four vectors at a time: a slice is looked up once for all of them.
        let wide = channels / Four::<V>::LANES * Four::<V>::LANES;
        let whole = channels / V::LANES * V::LANES;
        for channel in (0..wide).step_by(Four::<V>::LANES) {
            // SAFETY: every slice has `channels` values.
            unsafe {
                self.rise::<Four<V>>(channel, rectify).store(rises.as_mut_ptr().add(channel));
            }
        }
        for channel in (wide..whole).step_by(V::LANES) {
            // SAFETY: as above.
            unsafe { self.rise::<V>(channel, rectify).store(rises.as_mut_ptr().add(channel)) };
        }
        for channel in whole..channels {
            // SAFETY: as above.
            unsafe { self.rise::<One>(channel, rectify).store(rises.as_mut_ptr().add(channel)) };
        }
    }

    /// As [`Self::rises`], for the channels of a vector; every slice must have them.
    #[inline(always)]
    unsafe fn rise<V: Vector>(&self, channel: usize, rectify: bool) -> V {
        // SAFETY: the caller's.
        unsafe {
            let largest = V::load(self.largest.as_ptr().add(channel));
            let mut rise =
                if rectify { V::splat(0.0).sub(largest) } else { V::splat(f32::NEG_INFINITY) };
            for (baseline, delta) in &self.changed {
                let baseline = V::load(baseline.as_ptr().add(channel));
                let delta = V::load(delta.as_ptr().add(channel));
                rise = rise.max_nan(baseline.sub(largest).add(delta));
            }
            for baseline in &self.unchanged {
                let baseline = V::load(baseline.as_ptr().add(channel));
                rise = rise.max_nan(baseline.sub(largest));
            }
            rise
        }
    }
}
