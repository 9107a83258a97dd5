//! How far work is, and whether it should stop.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Asks work to stop; clones ask the same work.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// Asks the work to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the work should stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl From<Arc<AtomicBool>> for CancelToken {
    /// A token that is cancelled when the flag becomes true, as a signal handler sets it.
    fn from(flag: Arc<AtomicBool>) -> Self {
        Self(flag)
    }
}

/// A counter of finished work, with the token that cancels the work.
#[derive(Debug)]
pub struct Progress<'a> {
    cancel: &'a CancelToken,
    done: AtomicU64,
    /// Of the progress of a piece: that of the whole, and the piece.
    piece: Option<(&'a Self, Piece)>,
}

/// A piece of the work whose result is lost if it is not finished.
#[derive(Debug)]
struct Piece {
    amount: u64,
    start: Instant,
    /// When cancelling was first noticed.
    cancelled: OnceLock<Instant>,
}

/// The longest time that a cancelled piece may still take.
const GRACE: Duration = Duration::from_secs(1);

impl<'a> Progress<'a> {
    /// A counter at 0.
    pub const fn new(cancel: &'a CancelToken) -> Self {
        Self { cancel, done: AtomicU64::new(0), piece: None }
    }

    /// The progress of a piece of `amount`, which counts for the whole too. A cancelled piece is
    /// finished all the same if its rate so far says that it needs less than a second. Several
    /// pieces may be in work at a time.
    #[must_use]
    pub fn piece(&'a self, amount: u64) -> Self {
        let piece = Piece { amount, start: Instant::now(), cancelled: OnceLock::new() };
        Self { cancel: self.cancel, done: AtomicU64::new(0), piece: Some((self, piece)) }
    }

    /// Counts `amount` presentations, or images, as done.
    pub fn advance(&self, amount: u64) {
        self.done.fetch_add(amount, Ordering::Relaxed);
        if let Some((whole, _)) = &self.piece {
            whole.advance(amount);
        }
    }

    /// Number of finished items.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Whether the work should stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled() && !self.nearly_done()
    }

    fn nearly_done(&self) -> bool {
        let Some((_, Piece { amount, start, cancelled })) = &self.piece else { return false };
        let cancelled = cancelled.get_or_init(Instant::now);
        let done = self.done();
        let left = amount.saturating_sub(done) as f64 / done as f64 * start.elapsed().as_secs_f64();
        done > 0 && left < GRACE.as_secs_f64() && cancelled.elapsed() < GRACE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_that_is_nearly_done_is_finished_and_no_other() {
        let cancel = CancelToken::default();
        let whole = Progress::new(&cancel);
        let [piece, another] = [whole.piece(1000), whole.piece(1000)];
        assert!(!piece.is_cancelled());
        cancel.cancel();
        assert!(piece.is_cancelled(), "nothing is done yet");
        piece.advance(1);
        std::thread::sleep(Duration::from_millis(20));
        assert!(piece.is_cancelled(), "20 seconds are left");
        piece.advance(990);
        assert!(!piece.is_cancelled(), "next to nothing is left");
        assert!(another.is_cancelled() && whole.piece(1000).is_cancelled());
        assert_eq!((whole.done(), piece.done(), another.done()), (991, 991, 0));
        assert!(whole.is_cancelled());
    }
}
