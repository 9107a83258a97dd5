//! How far the work is, and whether it should stop.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A counter that the work advances and somebody else looks at, and a flag that somebody else
/// sets and the work obeys.
#[derive(Debug)]
pub struct Watch<'a> {
    stop: &'a AtomicBool,
    done: AtomicU64,
}

impl<'a> Watch<'a> {
    /// A watch that counts from 0 and stops when `stop` becomes true.
    pub const fn new(stop: &'a AtomicBool) -> Self {
        Self { stop, done: AtomicU64::new(0) }
    }

    /// Counts `amount` presentations, or images, as done.
    pub fn advance(&self, amount: u64) {
        self.done.fetch_add(amount, Ordering::Relaxed);
    }

    /// How many are done.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Whether the work should stop.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
