//! int8 weights, one scale an output channel, times activations rounded to int8, one scale a row. Sums are exact in
//! `i32`, so every instruction set gives the same bits; outlier channels go another way (`outliers.rs`).

mod magnitude;
mod outliers;
mod quantized_rows;
mod single_row;
mod tiles;
mod weights;

pub(crate) use quantized_rows::QuantizedRows;
pub(crate) use weights::Int8Weights;
