//! Work that is done for both maps of each unit.

use rayon::prelude::*;

use crate::progress::Progress;
use crate::ranking::Side;
use crate::report::LayerResults;

/// Number of units of some layers that were swept.
pub(super) fn swept_units<'a>(layers: impl IntoIterator<Item = &'a LayerResults>) -> u64 {
    layers.into_iter().map(|layer| layer.swept().len() as u64).sum()
}

/// Does something for both sides of each unit, on all threads; the results come in the order of the units.
/// `progress` counts units.
///
/// # Errors
/// Those of `of`; `stopped` where the work was cancelled.
pub fn of_both_sides<T: Send, E: Send>(
    units: &[usize],
    progress: &Progress<'_>,
    stopped: fn() -> E,
    of: impl Fn(usize, Side) -> Result<T, E> + Sync,
) -> Result<Vec<[T; 2]>, E> {
    let both = |&unit: &usize| {
        if progress.is_cancelled() {
            return Err(stopped());
        }
        let both = [of(unit, Side::Top)?, of(unit, Side::Bottom)?];
        progress.advance(1);
        Ok(both)
    };
    units.par_iter().map(both).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::CancelToken;

    #[test]
    fn results_are_in_order_and_cancelled_work_ends() {
        let cancel = CancelToken::default();
        let progress = Progress::new(&cancel);
        let named = |unit: usize, side: Side| Ok(format!("{unit} {}", side.name()));
        let found = of_both_sides(&[4, 7], &progress, || "stopped", named).unwrap();
        assert_eq!(found, [["4 max", "4 min"], ["7 max", "7 min"]]);
        assert_eq!(progress.done(), 2);
        cancel.cancel();
        assert_eq!(of_both_sides(&[4], &progress, || "stopped", named), Err("stopped"));
    }
}
