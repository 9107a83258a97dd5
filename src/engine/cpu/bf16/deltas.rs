//! Deltas as bf16.

use std::ops::Range;

use bytemuck::{Pod, Zeroable};

use super::weights::Parts;
use super::{LINE, Order, PAIRS, round, split_line};
use crate::engine::cpu::compress::Compress;
use crate::engine::cpu::delta::{DeltaRange, Deltas};
use crate::engine::cpu::product::Offsets;
use crate::engine::cpu::simd::{Isa, Kernel};

/// The words of a line.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C, align(64))]
pub(super) struct Line(pub [u32; PAIRS]);

/// High parts of operands and, in `bf16x3`, low parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operands<'a> {
    pub high: &'a [u32],
    pub low: Option<&'a [u32]>,
}

impl Operands<'_> {
    /// Those from a word on.
    pub fn from(self, word: usize) -> Self {
        Self { high: &self.high[word..], low: self.low.map(|low| &low[word..]) }
    }

    /// Words.
    pub fn len(&self) -> usize {
        self.low.map_or(usize::MAX, <[u32]>::len).min(self.high.len())
    }

    /// Both as the kernels read them: without low parts the high ones twice.
    pub fn pointers(&self) -> [*const u32; 2] {
        [self.high.as_ptr(), self.low.unwrap_or(self.high).as_ptr()]
    }
}

/// The shape of a position's channels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Channels {
    pub groups: usize,
    /// Of a group.
    pub inputs: usize,
}

impl Channels {
    /// Lines of a group.
    pub const fn lines(self) -> usize {
        self.inputs.div_ceil(LINE)
    }

    /// Words of a position.
    pub const fn words(self) -> usize {
        self.groups * self.lines() * PAIRS
    }
}

/// How floats become words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packing {
    pub channels: Channels,
    pub parts: Parts,
    pub order: Order,
}

impl Packing {
    /// Whether every line begins with a multiple of [`LINE`] among all channels.
    pub const fn is_even(self) -> bool {
        self.channels.groups == 1 || self.channels.inputs.is_multiple_of(LINE)
    }
}

/// The deltas of a chunk as bf16, `[presentation][y][x][group][line]`, in the order that a form reads.
#[derive(Debug, Default)]
pub(in crate::engine::cpu) struct PackedDeltas {
    /// Of each batch, where its words are.
    ranges: Vec<DeltaRange>,
    high: Vec<Line>,
    low: Vec<Line>,
}

impl PackedDeltas {
    /// Takes the shape of the deltas of some batches; the others have none. Words are whatever they were.
    pub(super) fn shape(&mut self, input: &Deltas, which: &[usize], packing: Packing) {
        let Packing { channels, parts, .. } = packing;
        self.ranges.clear();
        let mut wanted = which.iter().peekable();
        let mut first = 0;
        for (batch, range) in input.ranges().iter().enumerate() {
            let DeltaRange { y, x, ref values, .. } = *range;
            let mut words = DeltaRange { y, x, channels: channels.words(), values: first..first };
            if wanted.next_if(|&&next| next == batch).is_some() && range.each() > 0 {
                words.values.end += values.len() / range.each() * words.each();
            }
            first = words.values.end;
            self.ranges.push(words);
        }
        let lines = first / PAIRS;
        let grow = |lines: usize, all: &mut Vec<Line>| {
            all.resize(all.len().max(lines), Line::zeroed());
        };
        grow(lines, &mut self.high);
        grow(if parts == Parts::Two { lines } else { 0 }, &mut self.low);
    }

    /// Rounds those of some batches; the others have none.
    pub(super) fn collect(&mut self, input: &Deltas, which: &[usize], packing: Packing, isa: Isa) {
        self.shape(input, which, packing);
        for (range, words) in input.ranges().iter().zip(&self.ranges) {
            if words.values.is_empty() {
                continue;
            }
            let floats = range.y.len() * range.x.len() * range.channels;
            let presentations = input.values()[range.values.clone()].chunks_exact(range.each());
            for (presentation, values) in presentations.enumerate() {
                let first = words.of(presentation) / PAIRS;
                let lines = Lines { packing, first, high: &mut self.high, low: &mut self.low };
                isa.run(Round { values: &values[..floats], lines });
            }
        }
    }

    /// Rounds `channels` of some rows of a product, which begin and, but for the last ones, end with a
    /// line.
    pub(super) fn put(&mut self, rows: RoundRows<'_>, packing: Packing, isa: Isa) {
        let lines = Lines { packing, first: 0, high: &mut self.high, low: &mut self.low };
        isa.run(Put { rows, lines });
    }

    /// The lines of each presentation, without the gaps between them.
    #[cfg(test)]
    pub(super) fn positions(&self, parts: Parts) -> impl Iterator<Item = Vec<[u32; PAIRS]>> {
        self.ranges.iter().filter(|range| range.each() > 0).flat_map(move |range| {
            let lines = range.y.len() * range.x.len() * range.channels / PAIRS;
            (0..range.values.len() / range.each()).flat_map(move |presentation| {
                let first = range.of(presentation) / PAIRS;
                let low = if parts == Parts::Two { &self.low[first..][..lines] } else { &[] };
                let all = self.high[first..][..lines].iter().chain(low);
                [all.map(|line| line.0).collect()]
            })
        })
    }

    /// Where the words of each batch are.
    pub(super) fn ranges(&self) -> &[DeltaRange] {
        &self.ranges
    }

    /// All of them, of as many parts as were collected.
    pub(super) fn operands(&self, parts: Parts) -> Operands<'_> {
        let low = (parts == Parts::Two).then(|| bytemuck::cast_slice(&self.low));
        Operands { high: bytemuck::cast_slice(&self.high), low }
    }
}

/// Lines to round to, from `first` on; low ones only for two parts.
struct Lines<'a> {
    packing: Packing,
    first: usize,
    high: &'a mut [Line],
    low: &'a mut [Line],
}

impl Lines<'_> {
    /// Rounds the channels of a line; beyond the last one it is zero.
    #[inline(always)]
    fn put(&mut self, index: usize, some: &[f32]) {
        let Packing { parts, order, .. } = self.packing;
        let mut filled = [0.0; LINE];
        let line = if let Some(line) = some.as_array() {
            line
        } else {
            filled[..some.len()].copy_from_slice(some);
            &filled
        };
        let first = match parts {
            Parts::One => {
                // A loop, so that the compiler finds vectors.
                let mut first = [0; LINE];
                for (first, &value) in first.iter_mut().zip(line) {
                    *first = round(value);
                }
                first
            }
            Parts::Two => {
                let [first, second] = split_line(line);
                self.low[self.first + index].0 = words(order, &second);
                first
            }
        };
        self.high[self.first + index].0 = words(order, &first);
    }
}

/// Rounds the floats of some positions.
struct Round<'a> {
    values: &'a [f32],
    lines: Lines<'a>,
}

impl Kernel for Round<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Compress>(self) {
        let Self { values, mut lines } = self;
        let mut index = 0;
        for group in values.chunks_exact(lines.packing.channels.inputs) {
            for some in group.chunks(LINE) {
                lines.put(index, some);
                index += 1;
            }
        }
    }
}

/// Rows of a product whose sums are done.
pub(super) struct RoundRows<'a> {
    /// The sums.
    pub values: &'a [f32],
    /// Where each row begins in them.
    pub from: Offsets<'a>,
    /// The word that each row begins with.
    pub to: Offsets<'a>,
    /// Of each row.
    pub channels: Range<usize>,
}

/// Rounds rows.
struct Put<'a> {
    rows: RoundRows<'a>,
    lines: Lines<'a>,
}

impl Kernel for Put<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Compress>(self) {
        let Self { rows: RoundRows { values, from, to, channels }, mut lines } = self;
        for (from, to) in from.all().iter().zip(to.all()) {
            let row = &values[from + channels.start..][..channels.len()];
            for (index, some) in row.chunks(LINE).enumerate() {
                lines.put(to / PAIRS + channels.start / LINE + index, some);
            }
        }
    }
}

/// The words of a line.
#[inline(always)]
pub(super) fn words(order: Order, line: &[u32; LINE]) -> [u32; PAIRS] {
    let mut words = [0; PAIRS];
    // The order is known in each branch, so that the compiler finds vectors.
    match order {
        Order::Pairs => {
            for (word, to) in words.iter_mut().enumerate() {
                *to = Order::Pairs.word(line, word);
            }
        }
        Order::Tiles => {
            for (word, to) in words.iter_mut().enumerate() {
                *to = Order::Tiles.word(line, word);
            }
        }
    }
    words
}
