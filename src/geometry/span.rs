//! Ranges of positions on one axis.

/// The positions `start..end` of an axis. Every empty span is [`Span::EMPTY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// First position.
    pub start: isize,
    /// One past the last.
    pub end: isize,
}

impl Span {
    /// No position.
    pub const EMPTY: Self = Self { start: 0, end: 0 };

    /// The positions `start..end`; empty unless `start < end`.
    pub const fn new(start: isize, end: isize) -> Self {
        if start < end { Self { start, end } } else { Self::EMPTY }
    }

    /// One position.
    pub const fn at(position: usize) -> Self {
        Self::new(position as isize, position as isize + 1)
    }

    /// All positions of an axis of this length.
    pub const fn whole(length: usize) -> Self {
        Self::new(0, length as isize)
    }

    /// Number of positions.
    pub const fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether the span has no position.
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The positions of both.
    #[must_use]
    pub fn intersect(self, other: Self) -> Self {
        Self::new(self.start.max(other.start), self.end.min(other.end))
    }

    /// The smallest span with all positions of both.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        match (self.is_empty(), other.is_empty()) {
            (true, _) => other,
            (_, true) => self,
            _ => Self::new(self.start.min(other.start), self.end.max(other.end)),
        }
    }

    /// The same positions, moved by `by`.
    #[must_use]
    pub const fn shifted(self, by: isize) -> Self {
        if self.is_empty() { self } else { Self::new(self.start + by, self.end + by) }
    }

    /// Whether the span contains every position of `other`.
    pub fn covers(self, other: Self) -> bool {
        self.intersect(other) == other
    }
}

/// A window that slides over an axis: tap `t` of output `o` sees the input
/// `o * stride - padding + t * dilation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SlidingWindow {
    /// Taps of the window.
    pub kernel: usize,
    /// Inputs between the windows of neighbouring outputs.
    pub stride: usize,
    /// Inputs between neighbouring taps.
    pub dilation: usize,
    /// Padding before the first input.
    pub padding: usize,
}

impl SlidingWindow {
    /// The window of one position.
    pub const SINGLE: Self = Self { kernel: 1, stride: 1, dilation: 1, padding: 0 };

    /// Inputs from the first tap to the last.
    pub const fn extent(self) -> usize {
        (self.kernel - 1) * self.dilation + 1
    }

    /// The first input of `output`; it may lie in the padding.
    pub const fn first_input(self, output: isize) -> isize {
        output * self.stride as isize - self.padding as isize
    }

    /// The inputs, padding included, from the first to the last input of `outputs`.
    #[must_use]
    pub const fn inputs(self, outputs: Span) -> Span {
        if outputs.is_empty() {
            return outputs;
        }
        let last = self.first_input(outputs.end - 1);
        Span::new(self.first_input(outputs.start), last + self.extent() as isize)
    }

    /// The outputs whose windows reach some of `inputs`, including outputs that do not exist. A
    /// dilated window counts as reaching everything between its taps.
    #[must_use]
    pub const fn outputs(self, inputs: Span) -> Span {
        if inputs.is_empty() {
            return inputs;
        }
        let (stride, padding) = (self.stride as isize, self.padding as isize);
        // The smallest `o` with `first_input(o) + extent > start`, the largest with
        // `first_input(o) < end`.
        let before = inputs.start + padding - self.extent() as isize;
        let last = inputs.end - 1 + padding;
        Span::new(before.div_euclid(stride) + 1, last.div_euclid(stride) + 1)
    }

    /// The taps that meet `inputs`, of a window whose first input is `first`, as `(first tap,
    /// number of taps)`; `(0, 0)` if there are none.
    pub const fn taps(self, first: isize, inputs: Span) -> (usize, usize) {
        let dilation = self.dilation as isize;
        let (start, last) = (inputs.start - first, inputs.end - 1 - first);
        if inputs.is_empty() || last < 0 {
            return (0, 0);
        }
        let tap = if start <= 0 { 0 } else { (start + dilation - 1) / dilation };
        let end = last / dilation + 1;
        let end = if end < self.kernel as isize { end } else { self.kernel as isize };
        if tap < end { (tap as usize, (end - tap) as usize) } else { (0, 0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_spans_are_all_equal_and_neutral_in_a_hull() {
        let some = Span::new(-3, 4);
        assert_eq!(Span::new(5, 5), Span::EMPTY);
        assert_eq!(Span::new(7, 2), Span::EMPTY);
        assert_eq!(Span::EMPTY.shifted(3), Span::EMPTY);
        assert_eq!(some.intersect(Span::new(4, 9)), Span::EMPTY);
        assert_eq!(some.hull(Span::EMPTY), some);
        assert_eq!(Span::EMPTY.hull(some), some);
        assert_eq!(some.hull(Span::new(6, 7)), Span::new(-3, 7));
        assert!(some.covers(Span::EMPTY) && some.covers(some) && !some.covers(Span::new(3, 5)));
    }

    #[test]
    fn what_a_window_sees_and_what_sees_it_follow_from_its_definition() {
        for (kernel, stride, padding) in [(1, 1, 0), (3, 1, 1), (3, 2, 0), (2, 3, 1), (5, 4, 7)] {
            let window = SlidingWindow { kernel, stride, dilation: 1, padding };
            let sees = |output: isize, input: isize| {
                (0..kernel as isize).any(|tap| window.first_input(output) + tap == input)
            };
            for (start, length) in [(-4, 1), (0, 1), (3, 2), (5, 7)] {
                let span = Span::new(start, start + length);
                let members = || span.start..span.end;
                let outputs = (-40..40).filter(|&o| members().any(|input| sees(o, input)));
                let found: Vec<isize> = outputs.collect();
                let expected = window.outputs(span);
                assert_eq!(found, (expected.start..expected.end).collect::<Vec<_>>());
                let inputs = window.inputs(span);
                assert!(sees(span.start, inputs.start) && sees(span.end - 1, inputs.end - 1));
                assert!(
                    (-90..90)
                        .all(|i| !members().any(|o| sees(o, i))
                            || inputs.covers(Span::new(i, i + 1)))
                );
            }
        }
    }

    #[test]
    fn taps_of_dilated_windows_follow_from_their_definition() {
        for (kernel, dilation) in [(1, 1), (3, 1), (3, 2), (2, 5), (4, 3)] {
            let window = SlidingWindow { kernel, stride: 2, dilation, padding: 1 };
            for (first, start, length) in (-9..9)
                .flat_map(|first| (-3..4).map(move |start| (first, start)))
                .flat_map(|(first, start)| (0..6).map(move |length| (first, start, length)))
            {
                let inputs = Span::new(start, start + length);
                let seen = |tap: &usize| {
                    let input = first + (tap * dilation) as isize;
                    inputs.start <= input && input < inputs.end
                };
                let expected: Vec<usize> = (0..kernel).filter(seen).collect();
                let (tap, taps) = window.taps(first, inputs);
                assert_eq!((tap..tap + taps).collect::<Vec<_>>(), expected);
                let output = Span::new(first, first + 1);
                let outputs = window.outputs(window.inputs(output));
                assert!(outputs.covers(output));
            }
        }
    }
}
