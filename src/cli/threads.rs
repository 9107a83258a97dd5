//! The pool of threads that all work runs on.

use super::failure::Failure;

/// Starts the pool with so many threads, or one a core, and returns their number.
pub(super) fn start(threads: Option<usize>) -> Result<usize, Failure> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0));
    pool.build_global()?;
    Ok(rayon::current_num_threads())
}
