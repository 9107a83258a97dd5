//! A sweep in rounds: a few images of each unit at a time.

use std::ops::Range;

use super::layer::Target;
use super::{Finished, LayerSweep, SweepError};
use crate::progress::Progress;
use crate::ranking::Side;

/// An end of a unit's ranking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitSide {
    /// The unit.
    pub unit: usize,
    /// The end.
    pub side: Side,
}

impl LayerSweep<'_> {
    /// The ranks that each round goes through: the first 2 images, then those up to 4, 8,
    /// …, and to the last. They depend on the number of images alone.
    pub fn rounds(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let top = self.top;
        let ends = (1..usize::BITS).map(|power| 1_usize << power).take_while(move |&end| end < top);
        let mut first = 0;
        ends.chain([top]).map(move |end| std::mem::replace(&mut first, end)..end)
    }

    /// Presents some images of each ranking, of some sides of units, ascending; `finished` gets each
    /// image's outcome, side by side, each best first.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_round<E: From<SweepError>>(
        &self,
        sides: &[UnitSide],
        ranks: Range<usize>,
        progress: &Progress<'_>,
        finished: impl FnMut(Finished<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let of_side = |&UnitSide { unit, side }: &UnitSide| {
            let entries = self.ranking[unit].side(side);
            let entries = entries.iter().take(ranks.end).skip(ranks.start);
            entries.map(move |&entry| Target { unit, side, entry })
        };
        let targets: Vec<Target> = sides.iter().flat_map(of_side).collect();
        self.run_targets(&targets, progress, finished)
    }
}
