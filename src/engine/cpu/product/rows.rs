//! Where a product's rows lie in its buffers.

use std::ops::Range;

/// Offsets in a buffer, and the last of them: that all lie inside of it is checked again and again,
/// and looked up once.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine::cpu) struct Offsets<'a> {
    pub(super) all: &'a [usize],
    pub(super) last: usize,
}

impl<'a> Offsets<'a> {
    /// Looks the last one up.
    pub fn new(all: &'a [usize]) -> Self {
        Self { all, last: all.iter().copied().max().unwrap_or(0) }
    }

    /// All of them.
    #[inline(always)]
    pub fn all(&self) -> &'a [usize] {
        self.all
    }

    /// The last of them.
    pub fn last(&self) -> usize {
        self.last
    }
}

/// Baseline activations of some positions, all channels of each, and the fewest of any: as with
/// [`Offsets`].
#[derive(Clone, Copy, Debug)]
pub(in crate::engine::cpu) struct BaselineRows<'a> {
    pub(super) all: &'a [&'a [f32]],
    pub(super) channels: usize,
}

impl<'a> BaselineRows<'a> {
    /// Looks up how many channels all positions have.
    pub fn new(all: &'a [&'a [f32]]) -> Self {
        Self { all, channels: all.iter().map(|position| position.len()).min().unwrap_or(0) }
    }

    /// Of some rows, those of `width` channels; the first channel is told beside the baselines.
    /// Nothing where there are no baselines.
    pub fn of(
        baselines: Option<(Self, usize)>,
        rows: Range<usize>,
        width: usize,
    ) -> impl Iterator<Item = &'a [f32]> {
        let of_rows = baselines.map(|(baselines, channel)| (&baselines.all[rows], channel));
        let rows = of_rows
            .into_iter()
            .flat_map(|(rows, channel)| rows.iter().map(move |row| (row, channel)));
        rows.map(move |(row, channel)| &row[channel..][..width])
    }
}
