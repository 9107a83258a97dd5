//! How far the work is, and whether it should stop.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A counter that the work advances and somebody else looks at, and a flag that somebody else
/// sets and the work obeys.
#[derive(Debug)]
pub struct Watch<'a> {
    stop: &'a AtomicBool,
    done: AtomicU64,
    /// Of the watch of a piece: the whole's, and what the piece is.
    piece: Option<(&'a Self, Piece)>,
}

/// A piece of the work whose result is lost if it is not finished.
#[derive(Debug)]
struct Piece {
    amount: u64,
    began: Instant,
    /// When it was first asked to stop.
    asked: OnceLock<Instant>,
}

/// A piece that is asked to stop is finished if that takes no longer.
const PATIENCE: Duration = Duration::from_secs(1);

impl<'a> Watch<'a> {
    /// A watch that counts from 0 and stops when `stop` becomes true.
    pub const fn new(stop: &'a AtomicBool) -> Self {
        Self { stop, done: AtomicU64::new(0), piece: None }
    }

    /// The watch of a piece of `amount`, which counts for the whole too. Asked to stop, a piece is
    /// finished all the same if it will be in a second, by the time that it took so far. Several
    /// may be in hand at a time.
    #[must_use]
    pub fn piece(&'a self, amount: u64) -> Self {
        let piece = Piece { amount, began: Instant::now(), asked: OnceLock::new() };
        Self { stop: self.stop, done: AtomicU64::new(0), piece: Some((self, piece)) }
    }

    /// Counts `amount` presentations, or images, as done.
    pub fn advance(&self, amount: u64) {
        self.done.fetch_add(amount, Ordering::Relaxed);
        if let Some((whole, _)) = &self.piece {
            whole.advance(amount);
        }
    }

    /// How many are done.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Whether the work should stop.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) && !self.nearly_done()
    }

    fn nearly_done(&self) -> bool {
        let Some((_, Piece { amount, began, asked })) = &self.piece else { return false };
        let asked = asked.get_or_init(Instant::now);
        let done = self.done();
        let left = amount.saturating_sub(done) as f64 / done as f64 * began.elapsed().as_secs_f64();
        done > 0 && left < PATIENCE.as_secs_f64() && asked.elapsed() < PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_that_is_nearly_done_is_finished_and_no_other() {
        let stop = AtomicBool::new(false);
        let whole = Watch::new(&stop);
        let [watch, another] = [whole.piece(1000), whole.piece(1000)];
        assert!(!watch.stopped());
        stop.store(true, Ordering::Relaxed);
        assert!(watch.stopped(), "nothing is done yet");
        watch.advance(1);
        std::thread::sleep(Duration::from_millis(20));
        assert!(watch.stopped(), "20 seconds are left");
        watch.advance(990);
        assert!(!watch.stopped(), "next to nothing is left");
        assert!(another.stopped() && whole.piece(1000).stopped());
        assert_eq!((whole.done(), watch.done(), another.done()), (991, 991, 0));
        assert!(whole.stopped());
    }
}
