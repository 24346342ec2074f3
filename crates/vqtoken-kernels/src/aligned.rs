//! Buffers that start on a cache line, so that no vector load of a packed matrix straddles two.

use std::cell::Cell;
use std::marker::PhantomData;

/// One cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Numbers for which all bits zero is a value, and any bits are.
///
/// # Safety
/// Only for types without padding, without invalid bit patterns, at most 64-byte aligned, whose size divides 64.
pub(crate) unsafe trait Number: Copy + Default + Send + Sync + 'static {}

// SAFETY: all bit patterns are numbers, no padding, size and alignment divide 64.
unsafe impl Number for f32 {}
// SAFETY: as above.
unsafe impl Number for u16 {}
// SAFETY: as above.
unsafe impl Number for u32 {}
// SAFETY: as above.
unsafe impl Number for i32 {}
// SAFETY: as above.
unsafe impl Number for i8 {}

/// A buffer of zeros that starts on a cache line.
#[derive(Clone)]
pub(crate) struct Aligned<T> {
    lines: Vec<Line>,
    len: usize,
    numbers: PhantomData<T>,
}

impl<T: Number> Aligned<T> {
    pub(crate) fn zeros(len: usize) -> Self {
        let lines = (len * size_of::<T>()).div_ceil(64);
        Self { lines: vec![Line([0; 64]); lines], len, numbers: PhantomData }
    }
}

impl<T: Number> std::ops::Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the lines hold at least `len` numbers, initialised and aligned, and any bits are a `T`.
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
    /// Lines that a thread's last [`Scratch`] used: fresh memory costs a page fault every 4 KiB.
    static SPARE: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
}

/// The most lines that a thread keeps: 16 MiB.
const MOST_SPARE: usize = 1 << 18;

/// A buffer that starts on a cache line and holds anything; its memory is used again.
pub(crate) struct Scratch<T>(Aligned<T>);

impl<T: Number> Scratch<T> {
    pub(crate) fn new(len: usize) -> Self {
        let mut lines = SPARE.take();
        let needed = (len * size_of::<T>()).div_ceil(64);
        if lines.len() < needed {
            lines.clear();
            lines.resize(needed, Line([0; 64]));
        }
        Self(Aligned { lines, len, numbers: PhantomData })
    }
}

impl<T> Drop for Scratch<T> {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.0.lines);
        if lines.len() > MOST_SPARE {
            return;
        }
        // The larger of this one and what another scratch of this thread has left; gone where the thread ends.
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
