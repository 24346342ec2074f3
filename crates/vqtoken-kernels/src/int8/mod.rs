//! int8 weights, one scale an output channel, times quantized activations, one scale a row. Sums are exact in `i32`.
//!
//! Where the CPU multiplies bytes (VNNI, AMX), several rows are quantized to int8 (`quantized_rows.rs`), and their outlier channels are multiplied
//! in `f32` (`outliers.rs`). With AVX2, coarse weights do the same with 7 bits (`offset_rows.rs`). Elsewhere, and for independent rows everywhere,
//! activations keep up to 16 bits (`fine_rows.rs`).

mod fine_rows;
mod offset_rows;
mod outliers;
mod products;
mod quantized_rows;
mod tiles;
mod weights;

pub(crate) use quantized_rows::QuantizedRows;
pub(crate) use tiles::Int8Path;
pub(crate) use weights::Int8Weights;
