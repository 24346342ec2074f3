//! CPU kernels on plain slices.

mod activation;
mod aligned;
#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx512_dots;
mod bf16;
mod epilogue;
mod errors;
mod float_product;
mod int8;
mod int8_tiles;
mod isa;
mod linear;
mod math;
mod matmul;
mod matrix;
mod pack;
mod peak;
mod product;
mod shared_rows;
mod simd;

pub use activation::Activation;
pub use bf16::{bf16_from_f32, f32_from_bf16};
pub use errors::ShapeError;
pub use isa::{ISA_VARIABLE, Isa, IsaError, Kernels};
pub use linear::{Fused, PackedLinear};
pub use matrix::Matrix;
