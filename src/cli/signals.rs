//! Signals that are ignored.

/// Whether a signal is ignored.
#[cfg(unix)]
pub(super) fn is_ignored(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null action only reads the current one into memory of its type.
    let found = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: all zeros are a valid `sigaction`, and a successful call writes a whole one.
    found == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}

/// Whether a signal is ignored.
#[cfg(not(unix))]
pub(super) fn is_ignored(_: i32) -> bool {
    false
}

/// Ignores SIGXFSZ, so that writing beyond `ulimit -f` is an ordinary error.
pub(super) fn ignore_file_size_signal() {
    // SAFETY: ignoring a signal runs no code of ours.
    #[cfg(unix)]
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}
