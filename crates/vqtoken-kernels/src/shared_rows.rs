//! An output matrix that several threads write at once, each its own tiles.

use std::marker::PhantomData;
use std::ops::Range;

/// A row-major matrix `[rows, columns]` that hands out mutable segments without checking that they are disjoint.
#[derive(Clone, Copy)]
pub(crate) struct SharedRows<'a> {
    start: *mut f32,
    rows: usize,
    columns: usize,
    borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: it is an exclusive borrow of `f32`; callers of `segment` keep segments disjoint.
unsafe impl Send for SharedRows<'_> {}
// SAFETY: as above.
unsafe impl Sync for SharedRows<'_> {}

impl<'a> SharedRows<'a> {
    /// The matrix in `data`, whose length must be a multiple of `columns`.
    pub(crate) fn new(data: &'a mut [f32], columns: usize) -> Self {
        let rows = data.len() / columns.max(1);
        Self { start: data.as_mut_ptr(), rows, columns, borrow: PhantomData }
    }

    /// A range of columns of a row.
    ///
    /// # Safety
    /// No overlapping segment may be in use at the same time.
    pub(crate) unsafe fn segment(&self, row: usize, columns: Range<usize>) -> &'a mut [f32] {
        assert!(row < self.rows && columns.start <= columns.end && columns.end <= self.columns);
        // SAFETY: in bounds of the borrowed slice by the line above; the caller keeps segments disjoint.
        unsafe {
            std::slice::from_raw_parts_mut(self.start.add(row * self.columns + columns.start), columns.len())
        }
    }

    /// Prefetches columns of a row that will be written soon.
    #[inline(always)]
    pub(crate) fn prefetch(&self, row: usize, columns: Range<usize>) {
        prefetch_lines(self.start.wrapping_add(row * self.columns + columns.start), columns.len());
    }
}

/// Prefetches values that will be read soon.
#[inline(always)]
pub(crate) fn prefetch<T>(values: &[T]) {
    prefetch_lines(values.as_ptr(), values.len());
}

/// Prefetches a value that will be read soon; there need not be one at `index`.
#[inline(always)]
pub(crate) fn prefetch_at<T>(values: &[T], index: usize) {
    prefetch_lines(values.as_ptr().wrapping_add(index), 1);
}

/// Prefetches the cache lines from `start`: a hint that changes no value.
#[inline(always)]
fn prefetch_lines<T>(start: *const T, count: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in 0..(count * size_of::<T>()).div_ceil(64) {
        let address = start.cast::<i8>().wrapping_add(line * 64);
        // SAFETY: a prefetch cannot fault, whatever the address.
        unsafe { std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (start, count);
}
