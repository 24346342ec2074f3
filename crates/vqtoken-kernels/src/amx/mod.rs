//! AMX: tile products of bf16 and int8, in inline assembly because the intrinsics are not stable.
//!
//! A tile register holds 16 rows of 64 bytes. Four registers hold the sums `[32, 32]`, two hold 32 rows of the left operand,
//! two hold 32 columns of the right one. One step covers 64 bytes of the depth: 32 values of bf16, or 64 of int8.

mod detect;
mod products;
mod tiles;

pub(crate) use detect::is_available;
pub(crate) use products::{Bf16TileProduct, Int8TileProduct};
pub(crate) use tiles::{multiply_bf16, multiply_int8};
