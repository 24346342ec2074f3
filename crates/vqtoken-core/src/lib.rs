//! The VQToken method on plain `f32` slices: a clip's token grid `[T, H, W, D]` in, a codebook `[K, D]` and an index
//! map `[T, H, W]` out, and the file that keeps them.
//!
//! Follow the data: [`TokenGrid`] -> [`quantize`] (normalise, a start from merged micro-clusters, [`lloyd`], and for an adaptive
//! [`Budget`] the choice of K by [`elbow`] or [`silhouette`]) -> [`Quantization`] -> [`TokenHash`] for where and when
//! each code occurs, and [`VideoTokens`] for the `.vqt` file.
//!
//! Source: VQToken (Zhang and Fu, NeurIPS 2025, arXiv 2503.16980), section 3.
//!
//! ```
//! use vqtoken_core::{Budget, GridShape, QuantizerConfig, TokenGrid, TokenHash, quantize};
//!
//! let shape = GridShape { frames: 2, height: 1, width: 2 };
//! let grid = TokenGrid::new(shape, 2, vec![1.0, 0.0, 0.0, 1.0, 0.0, 2.0, 3.0, 0.0])?;
//! let config = QuantizerConfig { budget: Budget::Fixed(2), ..QuantizerConfig::default() };
//! let quantization = quantize(&grid, &config)?;
//! assert_eq!(quantization.index_map.labels(), [0, 1, 1, 0]);
//! assert_eq!(TokenHash::new(&quantization.index_map).positions(0), [0, 3]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod assign;
mod bounds;
mod budget;
mod codebook;
mod complexity;
mod elbow;
mod grid;
mod index_map;
mod kmeans;
mod map_coding;
mod means;
mod merging;
mod path;
mod pooling;
mod products;
mod quantize;
mod random;
mod seeding;
mod silhouette;
mod start;
mod tok_dense;
mod token_hash;
mod unit_tokens;
mod video_tokens;
mod vqt;

pub use assign::assign;
pub use budget::{Budget, BudgetError, Rule};
pub use codebook::{Codebook, CodebookError};
pub use complexity::{QuantizerFlops, quantizer_flops};
pub use elbow::elbow;
pub use grid::{GridError, GridShape, Position, TokenGrid};
pub use index_map::{IndexMap, IndexMapError};
pub use kmeans::{EmptyCode, Iteration, LloydFit, lloyd};
pub use map_coding::MapCodingError;
pub use path::PathPoint;
pub use pooling::pool_bilinear;
pub use quantize::{
    CodeOrder, CurvePoint, Quantization, QuantizeError, QuantizerConfig, QuantizerStats, quantize,
};
pub use silhouette::silhouette;
pub use tok_dense::tok_dense;
pub use token_hash::TokenHash;
pub use unit_tokens::{UnitTokens, normalize};
pub use video_tokens::{Source, VideoTokens, Windows};
pub use vqt::{Quality, QualityError, VqtError, VqtFormatError};
