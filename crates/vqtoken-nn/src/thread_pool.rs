//! Running work on the threads that the kernels use.

/// Runs `work` on a thread of rayon's current pool and returns its result.
///
/// A kernel shares its work among the threads of the pool. If it is called from a thread outside the pool, that thread
/// sleeps until the pool is done and is then woken up. A forward pass calls hundreds of kernels, so run all of it in here.
pub fn in_thread_pool<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    rayon::scope(|_| work())
}

/// Runs two computations over `rows` rows, in parallel if there is a single row: alone, neither would keep all threads busy
/// to its end.
pub(crate) fn join_for_single_row<A: Send, B: Send>(
    rows: usize,
    first: impl FnOnce() -> A + Send,
    second: impl FnOnce() -> B + Send,
) -> (A, B) {
    match rows {
        1 => rayon::join(first, second),
        _ => (first(), second()),
    }
}
