//! CPU kernels on plain slices: the operations that a transformer spends its time in, for portable code, AVX2, AVX-512
//! and AMX.
//!
//! [`Kernels`] stands for an instruction set that this CPU supports: the best one, or the one that `VQTOKEN_ISA` forces.
//! Every operation is a method of it, runs on rayon's current pool, and gives the same bits for any number of threads
//! (instruction sets round differently). [`PackedLinear`] is a linear layer whose weights, in `f32`, bf16, int8
//! or int4, are packed once. There are no tensors, no autodiff and no models here.
//!
//! ```
//! use vqtoken_kernels::{Activation, Fused, Kernels, PackedLinear};
//!
//! let kernels = Kernels::from_env()?;
//! let layer = PackedLinear::f32(kernels, &[1.0, 2.0, 3.0, 4.0], 2, 2)?.with_bias(&[0.5, -20.0])?;
//! let mut y = [0.0; 2];
//! let residual = [0.0, 1.0];
//! let fused = Fused { activation: Some(Activation::Gelu), residual: Some(&residual), ..Fused::default() };
//! layer.forward(&[1.0, 1.0], &mut y, fused)?;
//! assert!((y[0] - 3.5).abs() < 1e-3 && y[1] == 1.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod activation;
mod aligned;
#[cfg(target_arch = "x86_64")]
mod amx;
mod attention;
#[cfg(target_arch = "x86_64")]
mod avx512_dot_products;
mod bf16;
mod epilogue;
mod errors;
mod float_product;
mod freed_memory;
mod int4;
mod int8;
mod isa;
mod linear;
mod long_product;
mod magnitude;
mod mapped_file;
mod math;
mod matmul;
mod matrix;
mod norm;
mod peak_rates;
mod position_attention;
mod product;
mod rotary;
mod row_sums;
mod shared_rows;
mod simd;
mod single_row;
mod softmax;
mod vector_scan;
mod weight_packing;
mod widened_product;

pub use activation::Activation;
pub use attention::{
    AttentionForward, AttentionGradients, AttentionShape, Causality, Layout, StepShape, TextCache,
};
pub use errors::ShapeError;
pub use freed_memory::keep_freed_memory;
pub use isa::{ISA_VARIABLE, Isa, IsaError, Kernels};
pub use linear::{Fused, LayerCall, PackedLinear, WeightKind};
pub use mapped_file::MappedFile;
pub use matrix::Matrix;
pub use norm::{Norm, NormGradients, NormKind};
pub use position_attention::PositionAttention;
pub use rotary::RotaryDirection;
pub use vector_scan::{SKETCH_BLOCK, SKETCH_LEVELS, SketchTables};
