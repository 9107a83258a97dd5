//! Signals that the process was started to ignore, and one that it ignores itself.

/// Whether a signal is ignored.
#[cfg(unix)]
pub(super) fn is_ignored(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null action asks for the current one, which is written to memory of its type.
    let found = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: all zeros are a valid `sigaction`, and the call wrote a whole one if it succeeded.
    found == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}

/// Whether a signal is ignored.
#[cfg(not(unix))]
pub(super) fn is_ignored(_: i32) -> bool {
    false
}

/// Ignores SIGXFSZ, so that a file beyond `ulimit -f` is an error that can be told.
pub(super) fn ignore_file_size_signal() {
    // SAFETY: ignoring a signal runs no code of ours.
    #[cfg(unix)]
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}
