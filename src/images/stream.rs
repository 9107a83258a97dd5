//! Reading ahead: several threads read, the consumer receives results in order.

use std::io;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, Scope};

/// Results that wait for the consumer, per reader, beside the one being read.
const AHEAD: usize = 2;

/// Calls `read(0)`, `read(1)`, … `read(count - 1)` on `readers` threads, and `consume` on this one
/// with an iterator over the results, in order.
///
/// Reader `r` of `R` reads `r`, `r + R`, … into a short queue of its own, which keeps the order
/// without sorting; at most `(AHEAD + 1) * readers` results are held. When `consume` returns, the
/// readers stop after their current item. With no readers, items are read when they are taken.
pub(super) fn read_ahead<T: Send, R>(
    count: usize,
    readers: usize,
    read: impl Fn(usize) -> T + Sync,
    consume: impl FnOnce(&mut dyn Iterator<Item = T>) -> R,
) -> R {
    let readers = readers.min(count);
    thread::scope(|scope| {
        let queues: Vec<Option<Receiver<T>>> = (0..readers)
            // The system may grant fewer threads; their items are read on the current thread.
            .map(|reader| start(scope, (reader..count).step_by(readers), &read).ok())
            .collect();
        let mut items = (0..count).map_while(|item| {
            match queues.get(item % readers.max(1)).and_then(Option::as_ref) {
                // An early end means that the reader panicked; the scope passes the panic on.
                Some(queue) => queue.recv().ok(),
                None => Some(read(item)),
            }
        });
        // Dropping the queues stops the readers.
        consume(&mut items)
    })
}

/// Starts a reader of the items `assigned`.
fn start<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    assigned: impl Iterator<Item = usize> + Send + 'scope,
    read: &'scope (impl Fn(usize) -> T + Sync),
) -> io::Result<Receiver<T>> {
    let (sender, receiver) = sync_channel(AHEAD);
    let reader = move || {
        for item in assigned {
            if sender.send(read(item)).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("image reader".into()).spawn_scoped(scope, reader)?;
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn order_is_kept_for_any_number_of_readers() {
        for readers in [0, 1, 2, 3, 7, 50] {
            let read = |item: usize| {
                // Later items arrive earlier, as far as threads allow.
                thread::sleep(Duration::from_micros(((40 - item) % 7) as u64 * 100));
                item
            };
            let taken = read_ahead(40, readers, read, |items| items.collect::<Vec<_>>());
            assert_eq!(taken, (0..40).collect::<Vec<_>>(), "{readers} readers");
        }
    }

    #[test]
    fn nothing_to_read_is_an_empty_iterator() {
        assert_eq!(read_ahead(0, 4, |item| item, |items| items.count()), 0);
    }

    #[test]
    fn readers_never_get_far_ahead() {
        let readers = 3;
        let started = AtomicUsize::new(0);
        let read = |_| started.fetch_add(1, Ordering::SeqCst);
        read_ahead(200, readers, read, |items| {
            for taken in 1..=200 {
                items.next().unwrap();
                if taken % 50 == 0 {
                    thread::sleep(Duration::from_millis(5));
                }
                let started = started.load(Ordering::SeqCst);
                assert!(started <= taken + readers * (AHEAD + 1), "{started} at {taken}");
            }
        });
    }

    #[test]
    fn readers_stop_when_the_consumer_does() {
        let started = AtomicUsize::new(0);
        let read = |item| {
            started.fetch_add(1, Ordering::SeqCst);
            item
        };
        let sum = read_ahead(1_000_000, 4, read, |items| items.take(5).sum::<usize>());
        assert_eq!(sum, 10);
        assert!(started.into_inner() <= 5 + 4 * (AHEAD + 2));
    }

    #[test]
    fn an_error_comes_at_its_place_and_reading_goes_on() {
        let read = |item| if item == 3 { Err(item) } else { Ok(item) };
        let taken = read_ahead(6, 2, read, |items| items.collect::<Vec<_>>());
        assert_eq!(taken, [Ok(0), Ok(1), Ok(2), Err(3), Ok(4), Ok(5)]);
    }
}
