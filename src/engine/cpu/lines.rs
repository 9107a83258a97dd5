//! Buffers that begin with a cache line.

use std::ops::{Deref, DerefMut};

use bytemuck::{Pod, Zeroable};

/// Floats of a cache line.
pub(super) const LINE: usize = 16;

/// A cache line.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

/// Whole cache lines of values. A vector that is read where a multiple of its length has gone before
/// never crosses a line, which would take twice as long; and as many lines as values fill are all that
/// there are to be fetched ahead.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<Line>);

impl Lines {
    /// So many zeros, up to a whole line.
    pub fn new(length: usize) -> Self {
        Self(vec![Line::zeroed(); length.div_ceil(LINE)])
    }

    /// Adds zeros where there are fewer values.
    pub fn reach(&mut self, length: usize) {
        let lines = self.0.len().max(length.div_ceil(LINE));
        self.0.resize(lines, Line::zeroed());
    }
}

impl Deref for Lines {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        bytemuck::cast_slice(&self.0)
    }
}

impl DerefMut for Lines {
    fn deref_mut(&mut self) -> &mut [f32] {
        bytemuck::cast_slice_mut(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_begin_with_a_cache_line_and_stay() {
        let mut lines = Lines::new(5);
        assert_eq!(*lines, [0.0; LINE]);
        lines[3] = 1.0;
        for length in [0, 16, 17, 100_000] {
            lines.reach(length);
            assert!(lines.len() >= length && lines.len() < length.max(LINE) + LINE);
            assert_eq!(lines.as_ptr() as usize % (LINE * size_of::<f32>()), 0);
            assert_eq!(lines.iter().sum::<f32>(), lines[3]);
        }
    }
}
