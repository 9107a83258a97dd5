//! Deltas that are not zero.
//!
//! A ReLU makes no delta where an activation is negative with the occluder and without it, and a
//! pooling none where the maximum lies elsewhere: behind them a third to a half of the deltas
//! are exactly zero, and multiplying by those is left out.

use std::ops::Range;

use super::compress::Compress;
use super::delta::{DeltaRange, Deltas};
use super::product::{Block, TILE};
use super::simd::{Isa, Kernel, One, Vector, prefetch};
use super::weights::Packed;
use crate::geometry::PerAxis;

/// Channels that a section has at most.
pub(super) const LONGEST: usize = 64;
/// Deltas are read so many at a time: lists are filled up with zeros.
pub(super) const TOGETHER: usize = 4;

/// Sections of a position's channels: so many channels that their weights stay in a core's
/// first cache while the rows of a product go by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sections {
    /// Of each group.
    pub count: usize,
    /// Channels of a section; the last one of a group may have fewer.
    pub length: usize,
    /// Channels of a group.
    inputs: usize,
    groups: usize,
}

impl Sections {
    /// Of at most `limit` channels, and of no more than [`LONGEST`].
    pub fn new(packed: &Packed, limit: usize) -> Self {
        Self::of(packed.groups, packed.inputs, limit)
    }

    /// For so many groups of `inputs` channels.
    pub fn of(groups: usize, inputs: usize, limit: usize) -> Self {
        let count = inputs.div_ceil(limit.min(LONGEST)).max(1);
        Self { count, length: inputs.div_ceil(count), inputs, groups }
    }

    /// Lists of a position.
    fn lists(&self) -> usize {
        self.groups * self.count
    }

    /// The taps of each section of each tap of a kernel, as [`Block::weights`] counts them.
    pub fn taps(self, kernel: PerAxis<usize>) -> impl Iterator<Item = Range<usize>> {
        (0..kernel.y * kernel.x).flat_map(move |tap| {
            let (first, end) = (tap * self.inputs, (tap + 1) * self.inputs);
            (first..end).step_by(self.length).map(move |start| start..end.min(start + self.length))
        })
    }

    /// Appends the blocks of a rectangle of taps, as [`Packed::blocks`] does: one for each section
    /// of each tap, whose input is counted in lists.
    pub fn blocks(
        &self,
        (kernel, dilation): (PerAxis<usize>, PerAxis<usize>),
        (y, rows): (usize, usize),
        (x, columns): (usize, usize),
        width: usize,
        blocks: &mut Vec<Block>,
    ) {
        for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)))
        {
            let first = ((y + row) * kernel.x + x + column) * self.inputs;
            let position = row * dilation.y * width + column * dilation.x;
            let position = position * self.lists();
            blocks.extend((0..self.count).map(|section| Block {
                input: position + section,
                weights: first + section * self.length,
                length: self.length.min(self.inputs - section * self.length),
            }));
        }
    }
}

/// The deltas of a chunk that are not zero: a list for each section of each position.
#[derive(Debug, Default)]
pub(super) struct Nonzero {
    /// Of each batch, where among the lists its own are.
    ranges: Vec<DeltaRange>,
    /// Where each list begins; one more than there are lists.
    starts: Vec<usize>,
    values: Vec<f32>,
    /// Where the weights of each value's channel are among those of its section, in floats.
    weights: Vec<u16>,
    /// None of them reaches beyond so many floats.
    reach: usize,
}

/// A list of deltas: as many values as offsets of weights, a multiple of [`TOGETHER`].
#[derive(Clone, Copy, Debug)]
pub(super) struct List<'a> {
    pub values: &'a [f32],
    pub weights: &'a [u16],
}

impl List<'_> {
    /// Has as much brought into a core's first cache as the longest list has: asking for less would
    /// take a branch that could not be foretold.
    #[inline(always)]
    pub fn prefetch(self) {
        const LINE: usize = 64;
        for offset in (0..LONGEST).step_by(LINE / size_of::<f32>()) {
            prefetch(self.values.as_ptr().wrapping_add(offset));
        }
        for offset in (0..LONGEST).step_by(LINE / size_of::<u16>()) {
            prefetch(self.weights.as_ptr().wrapping_add(offset));
        }
    }
}

impl Nonzero {
    /// Collects those of some batches; the others have no lists.
    pub fn collect(&mut self, input: &Deltas, which: &[usize], sections: Sections, isa: Isa) {
        self.clear(sections);
        let mut wanted = which.iter().peekable();
        for (batch, range) in input.ranges().iter().enumerate() {
            let first = self.starts.len() - 1;
            let DeltaRange { y, x, .. } = *range;
            let mut lists = DeltaRange { y, x, channels: sections.lists(), values: first..first };
            if wanted.next_if(|&&next| next == batch).is_some() && range.each() > 0 {
                let floats = y.len() * x.len() * range.channels;
                for values in input.values()[range.values.clone()].chunks_exact(range.each()) {
                    isa.run(Append { lists: self, values: &values[..floats], sections });
                    lists.values.end += lists.each();
                    // The gap between presentations.
                    self.starts.resize(lists.values.end + 1, self.starts[self.starts.len() - 1]);
                }
            }
            self.ranges.push(lists);
        }
    }

    fn clear(&mut self, sections: Sections) {
        self.ranges.clear();
        self.starts.clear();
        self.starts.push(0);
        self.reach = sections.length * TILE;
    }

    /// Appends the list of a section. Requires the instructions of `V`.
    #[inline(always)]
    unsafe fn append<V: Compress>(&mut self, section: &[f32]) {
        let start = self.starts[self.starts.len() - 1];
        // A vector is written whole, whatever is zero of it.
        let room = self.values.len().max(start + section.len() + V::LANES + TOGETHER);
        self.values.resize(room, 0.0);
        self.weights.resize(room, 0);
        let (values, weights) = (&mut self.values[start..], &mut self.weights[start..]);
        let (to, offsets) = (values.as_mut_ptr(), weights.as_mut_ptr());
        let whole = section.len() / V::LANES * V::LANES;
        let mut length = 0;
        // SAFETY: `section` has the channels that are read; `length` is at most their number, and
        // there is room for a vector behind it.
        unsafe {
            let offset = |channel: usize| (channel * TILE) as u16;
            for channel in (0..whole).step_by(V::LANES) {
                let some = V::load(section.as_ptr().add(channel));
                let (to, offsets) = (to.add(length), offsets.add(length));
                length += some.store_nonzero(to, offsets, offset(channel), TILE as u16);
            }
            for channel in whole..section.len() {
                let one = One::load(section.as_ptr().add(channel));
                let (to, offsets) = (to.add(length), offsets.add(length));
                length += one.store_nonzero(to, offsets, offset(channel), TILE as u16);
            }
        }
        let end = length.next_multiple_of(TOGETHER);
        values[length..end].fill(0.0);
        weights[length..end].fill(0);
        self.starts.push(start + end);
    }

    /// The lists of some positions.
    #[cfg(test)]
    pub fn of(values: &[f32], sections: Sections, isa: Isa) -> Self {
        let mut all = Self::default();
        all.clear(sections);
        isa.run(Append { lists: &mut all, values, sections });
        all
    }

    /// Where the lists of each batch are.
    pub fn ranges(&self) -> &[DeltaRange] {
        &self.ranges
    }

    /// Floats of weights that a list may point to.
    pub fn reach(&self) -> usize {
        self.reach
    }

    /// How many lists.
    pub fn count(&self) -> usize {
        self.starts.len() - 1
    }

    /// A list, which must be one of so many.
    #[inline(always)]
    pub unsafe fn list(&self, list: usize) -> List<'_> {
        // SAFETY: the caller's; `append` keeps all lists inside of both buffers.
        unsafe {
            let range = *self.starts.get_unchecked(list)..*self.starts.get_unchecked(list + 1);
            List {
                values: self.values.get_unchecked(range.clone()),
                weights: self.weights.get_unchecked(range),
            }
        }
    }
}

/// Appends the lists of some positions.
struct Append<'a> {
    lists: &'a mut Nonzero,
    values: &'a [f32],
    sections: Sections,
}

impl Kernel for Append<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Compress>(self) {
        let Self { lists, values, sections } = self;
        for group in values.chunks_exact(sections.inputs) {
            for section in group.chunks(sections.length) {
                // SAFETY: `V` is the caller's.
                unsafe { lists.append::<V>(section) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::TorchStream;

    #[test]
    fn lists_have_what_is_not_zero_and_where_its_weights_are() {
        let sections = Sections::of(2, 5, 3);
        assert_eq!((sections.count, sections.length), (2, 3));
        let mut values = [0.0; 10];
        (values[1], values[3], values[4], values[7]) = (0.5, f32::NAN, -2.0, -0.0);
        for isa in Isa::available() {
            let lists = Nonzero::of(&values, sections, isa);
            assert_eq!(lists.count(), 4);
            let list = |which| {
                assert!(which < lists.count());
                // SAFETY: there is one.
                let List { values, weights } = unsafe { lists.list(which) };
                (values.to_vec(), weights.to_vec())
            };
            assert_eq!(list(0), (vec![0.5, 0.0, 0.0, 0.0], vec![TILE as u16, 0, 0, 0]));
            let (values, weights) = list(1);
            assert!(values[0].is_nan());
            assert_eq!(
                (&values[1..], &weights[..]),
                (&[-2.0, 0.0, 0.0][..], &[0, TILE as u16, 0, 0][..])
            );
            assert!(list(2).0.is_empty() && list(3).0.is_empty());
        }
    }

    #[test]
    fn a_list_longer_than_vectors_is_the_same_with_any_instructions() {
        const CHANNELS: usize = 61;
        let sections = Sections::of(1, CHANNELS, LONGEST);
        let stream = TorchStream::new(9).take(40 * CHANNELS);
        let values: Vec<f32> = stream.map(|value| (value - 0.5).max(0.0)).collect();
        for isa in Isa::available() {
            let lists = Nonzero::of(&values, sections, isa);
            assert_eq!(lists.count(), 40);
            for (which, position) in values.chunks_exact(CHANNELS).enumerate() {
                // SAFETY: there is one.
                let List { values, weights } = unsafe { lists.list(which) };
                let there = position.iter().enumerate().filter(|(_, value)| **value != 0.0);
                let (channels, expected): (Vec<usize>, Vec<f32>) = there.unzip();
                let length = channels.len();
                assert_eq!(values.len(), length.next_multiple_of(TOGETHER));
                assert_eq!((weights.len(), &values[..length]), (values.len(), &expected[..]));
                assert!(weights.iter().zip(channels).all(|(&w, c)| usize::from(w) == c * TILE));
                assert!(values[length..].iter().all(|&value| value == 0.0));
                assert!(weights[length..].iter().all(|&offset| offset == 0));
            }
        }
    }

    #[test]
    fn blocks_are_the_sections_of_each_tap() {
        let sections = Sections::of(2, 5, 3);
        let mut blocks = Vec::new();
        // The taps of the second row of a kernel of 3, from its second column on, on 7 columns.
        let kernel = PerAxis::both(3);
        sections.blocks((kernel, PerAxis::both(1)), (1, 1), (1, 2), 7, &mut blocks);
        let block = |input, weights, length| Block { input, weights, length };
        let expected = [block(0, 20, 3), block(1, 23, 2), block(4, 25, 3), block(5, 28, 2)];
        assert_eq!(blocks, expected);
        let taps: Vec<_> = sections.taps(kernel).collect();
        assert_eq!((taps.len(), &taps[8..10]), (18, &[20..23, 23..25][..]));
        assert!(blocks.iter().all(|block| taps.iter().any(|taps| taps.start == block.weights)));
    }
}
