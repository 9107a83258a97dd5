//! Calls of other crates' decoders, with panics turned into errors.

use crate::error::ParseError;
use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// Whether this thread is inside [`caught`].
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Calls a decoder. A panic is not printed; its message is the error.
pub(super) fn caught<T>(decode: impl FnOnce() -> T) -> Result<T, ParseError> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let outside = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !INSIDE.get() {
                outside(panic);
            }
        }));
    });
    INSIDE.set(true);
    // A decoder's unfinished state is dropped with it.
    let decoded = panic::catch_unwind(AssertUnwindSafe(decode));
    INSIDE.set(false);
    decoded.map_err(|panic| ParseError(message(&*panic)))
}

fn message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_and_the_next_call_is_as_before() {
        assert_eq!(caught(|| 3), Ok(3));
        let failed = caught(|| -> u8 { panic!("byte {}", 7) });
        assert_eq!(failed, Err(ParseError("byte 7".into())));
        let failed = caught(|| -> u8 { panic!("plainly") });
        assert_eq!(failed, Err(ParseError("plainly".into())));
        assert_eq!(caught(|| 3), Ok(3));
    }
}
