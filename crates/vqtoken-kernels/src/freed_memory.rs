//! What the C library does with memory that is freed.

/// The most freed memory that the allocator keeps, in bytes.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MOST_KEPT: i32 = 256 << 20;

/// Lets the allocator keep freed memory for what is allocated next, up to 256 MiB, in one place for all threads. A layer's activations are megabytes; glibc gives such memory back
/// to the system when it is freed, and the same memory, asked for again, costs a page fault every 4 KiB. Does nothing but with glibc.
///
/// For programs, not for libraries: it changes the whole process. Call it before threads are started.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for (setting, value) in
        [(libc::M_ARENA_MAX, 1), (libc::M_TRIM_THRESHOLD, MOST_KEPT), (libc::M_MMAP_THRESHOLD, MOST_KEPT)]
    {
        // SAFETY: sets numbers of the allocator, under its lock. A value that it refuses is left as it was.
        unsafe { libc::mallopt(setting, value) };
    }
}
