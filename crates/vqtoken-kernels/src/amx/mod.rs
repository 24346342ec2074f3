//! AMX: products of whole tiles of bf16 and int8, by inline assembly, since the intrinsics are not stable.
//!
//! A tile register holds 16 rows of 64 bytes. Four hold sums `[32, 32]`, two 32 rows of the left side, two 32 columns of
//! the right side; one step takes 64 bytes of the depth: 32 numbers of bf16, or 64 of int8.

mod detect;
mod products;
mod tiles;

pub(crate) use detect::request;
pub(crate) use products::{Bf16TileProduct, Int8TileProduct};
pub(crate) use tiles::{multiply_bf16, multiply_int8};
