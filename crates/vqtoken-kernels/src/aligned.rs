//! Buffers that start on a cache line, so that no vector load of a packed matrix straddles two lines.

use std::cell::Cell;
use std::marker::PhantomData;

/// One cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Plain numeric types: every bit pattern is a valid value.
///
/// # Safety
/// Only for types without padding and without invalid bit patterns, whose size and alignment divide 64.
pub(crate) unsafe trait Number: Copy + Default + Send + Sync + 'static {}

// SAFETY: no padding, no invalid bit patterns, size and alignment divide 64.
unsafe impl Number for f32 {}
// SAFETY: as above.
unsafe impl Number for u16 {}
// SAFETY: as above.
unsafe impl Number for u32 {}
// SAFETY: as above.
unsafe impl Number for i32 {}
// SAFETY: as above.
unsafe impl Number for i8 {}

/// A buffer that starts on a cache line.
#[derive(Clone)]
pub(crate) struct Aligned<T> {
    lines: Vec<Line>,
    len: usize,
    element: PhantomData<T>,
}

impl<T: Number> Aligned<T> {
    /// `len` zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        let lines = (len * size_of::<T>()).div_ceil(64);
        Self { lines: vec![Line([0; 64]); lines], len, element: PhantomData }
    }
}

impl<T: Number> std::ops::Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the lines hold at least `len` initialised, aligned elements, and any bits are a valid `T`.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl<T: Number> std::ops::DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

thread_local! {
    /// The memory of a [`Scratch`] dropped on this thread, kept because fresh memory costs a page fault every 4 KiB.
    static SPARE: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
}

/// The most lines that a thread keeps: 16 MiB.
const MAX_SPARE: usize = 1 << 18;

/// A buffer that starts on a cache line, with unspecified contents; its memory is reused by the next one on the thread.
pub(crate) struct Scratch<T>(Aligned<T>);

impl<T: Number> Scratch<T> {
    pub(crate) fn new(len: usize) -> Self {
        let mut lines = SPARE.take();
        let needed = (len * size_of::<T>()).div_ceil(64);
        if lines.len() < needed {
            lines.clear();
            lines.resize(needed, Line([0; 64]));
        }
        Self(Aligned { lines, len, element: PhantomData })
    }
}

impl<T> Drop for Scratch<T> {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.0.lines);
        if lines.len() > MAX_SPARE {
            return;
        }
        // Keeps the larger of the two; while the thread ends there is nowhere to keep either.
        let _ = SPARE.try_with(|spare| {
            let other = spare.take();
            spare.set(if other.len() > lines.len() { other } else { lines });
        });
    }
}

impl<T: Number> std::ops::Deref for Scratch<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Number> std::ops::DerefMut for Scratch<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}
