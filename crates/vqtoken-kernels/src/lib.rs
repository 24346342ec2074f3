//! CPU kernels on plain slices.

mod activation;
mod aligned;
#[cfg(target_arch = "x86_64")]
mod amx;
mod attention;
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
mod norm;
mod pack;
mod peak;
mod product;
mod rotary;
mod shared_rows;
mod simd;
mod softmax;

pub use activation::Activation;
pub use attention::{AttentionForward, AttentionGradients, AttentionShape, Layout};
pub use bf16::{bf16_from_f32, f32_from_bf16};
pub use errors::ShapeError;
pub use isa::{ISA_VARIABLE, Isa, IsaError, Kernels};
pub use linear::{Fused, PackedLinear};
pub use matrix::Matrix;
pub use norm::{Norm, NormGradients};
pub use rotary::Turn;
