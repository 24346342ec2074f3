//! int8 weights, one scale an output channel, times activations quantized to int8, one scale a row. Sums are exact in
//! `i32`, so every instruction set gives the same bits. Outlier channels are multiplied in `f32` (`outliers.rs`).

mod outliers;
mod quantized_rows;
mod single_row;
mod tiles;
mod weights;

pub(crate) use quantized_rows::QuantizedRows;
pub(crate) use weights::Int8Weights;
