//! Vectors of `f32` and byte look-ups for each instruction set, and the macro that selects one of them at run time.
//!
//! A kernel is written once, as an `#[inline(always)]` function over [`Simd`]. [`kernel!`] compiles it for every
//! instruction set and calls the variant for the given [`crate::Kernels`].

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod dispatch;
mod portable;
mod tiles;
mod vector;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
pub(crate) use dispatch::kernel;
pub(crate) use portable::Portable;
pub(crate) use vector::{LOOKUP_ROWS, Left, LookupTable, Right, SHIFT, Simd, Stored, TileRows};
