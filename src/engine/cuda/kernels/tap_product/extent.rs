//! The values that patterns read and write.

use super::{ANY, DeviceFilters, Patterns, Tile, rows};
use crate::engine::cuda::CudaError;
use crate::engine::cuda::shape::ensure;
use crate::engine::cuda::tables::blocks::Extent;
use crate::engine::cuda::tables::layout::Pattern;
use crate::geometry::PerAxis;

impl DeviceFilters {
    /// The rows of a pattern, and where what it reads and writes ends.
    pub(super) fn extent(&self, pattern: &Pattern) -> Result<Extent, CudaError> {
        let last = |first: i64, each: i32, steps: [(i32, i32); 4]| {
            let steps = steps.map(|(count, step)| i64::from(count) * i64::from(step));
            first + (i64::from(pattern.count) - 1) * i64::from(each) + steps.iter().sum::<i64>()
        };
        let column = self.window.x.stride * self.in_channels;
        let tap_column = (self.window.x.dilation * self.in_channels) as i32;
        let input = last(
            pattern.input,
            pattern.input_each,
            [
                (pattern.rows - 1, pattern.input_row),
                (pattern.columns - 1, column as i32),
                ((pattern.taps_y - 1).max(0), pattern.input_tap_row),
                ((pattern.taps_x - 1).max(0), tap_column),
            ],
        ) + self.in_channels as i64;
        let output = last(
            pattern.output,
            pattern.output_each,
            [
                (pattern.rows - 1, pattern.output_row),
                (pattern.columns, self.out_channels as i32),
                (0, 0),
                (0, 0),
            ],
        );
        let PerAxis { y: rows_of_taps, x: columns_of_taps } =
            PerAxis::from_fn(|axis| self.window.of(axis).kernel as i32);
        let fits = pattern.count > 0
            && pattern.input >= 0
            && pattern.output >= 0
            && pattern.tap_y + pattern.taps_y <= rows_of_taps
            && pattern.tap_x + pattern.taps_x <= columns_of_taps;
        ensure(fits, "tap_product", || {
            format!("a kernel of {rows_of_taps}×{columns_of_taps} and {pattern:?}")
        })?;
        let reads = pattern.taps_y.min(pattern.taps_x) > 0;
        Ok(Extent {
            elements: rows(pattern),
            each: pattern.rows as u32 * pattern.columns as u32,
            first: pattern.first,
            ends: [if reads { input } else { 0 }, output],
        })
    }

    /// Checks that patterns were made for buffers of so many values.
    pub(super) fn check(
        &self,
        kernel: &'static str,
        tile: Tile,
        patterns: &Patterns,
        [from, to]: [usize; 2],
    ) -> Result<(), CudaError> {
        let [input, output] = patterns.ends;
        ensure(input <= from as i64 && output <= to as i64, kernel, || {
            format!("inputs up to {input} of {from}, outputs up to {output} of {to}")
        })?;
        // Products of fragments count rows in steps of four values, in 32 bits.
        let counted = tile.rows == ANY.rows || u32::try_from(input / 4).is_ok();
        ensure(counted, kernel, || format!("inputs up to {input}; expected fewer than 2^34"))?;
        let (items, blocks) = (patterns.items.length(), self.blocks(tile));
        ensure(i32::try_from(items * blocks).is_ok(), kernel, || {
            format!("{items} items of {blocks} blocks each")
        })
    }
}
