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

mod adaptive;
mod assign;
mod bounds;
mod budget;
mod codebook;
mod complexity;
mod elbow;
mod grid;
mod groups;
mod index_map;
mod kmeans;
mod map_coding;
mod means;
mod merge_tree;
mod numbering;
mod path;
mod products;
mod published;
mod quantize;
mod random;
mod reduce;
mod refine;
mod rule;
mod seeding;
mod silhouette;
mod sketch;
mod start;
mod stream;
mod tok_dense;
mod token_hash;
mod unit_tokens;
mod video_tokens;
mod vqt;
mod windows;

pub use assign::assign;
pub use budget::{Budget, BudgetError};
pub use codebook::{Codebook, CodebookError};
pub use complexity::{QuantizerFlops, quantizer_flops};
pub use elbow::elbow;
pub use grid::{GridError, GridShape, Position, TokenGrid};
pub use index_map::{IndexMap, IndexMapError};
pub use kmeans::{EmptyCode, Iteration, LloydFit, lloyd};
pub use map_coding::MapCodingError;
pub use path::PathPoint;
pub use quantize::{
    CodeOrder, CurvePoint, Procedure, Quantization, QuantizeError, QuantizerConfig, QuantizerStats, quantize,
};
pub use reduce::{
    Amount, Average, Bilinear, DpcKnn, DyCoke, Evs, FastVid, HoliTom, NormPruning, REDUCERS, RandomSubset,
    ReduceError, Reducer, ReducerInfo, Reduction, Scissor, Sttm, Target, Tome, Uniform, VidCom2, VideoTome,
    VisualTokens, VqToken, pool_bilinear, reducer,
};
pub use rule::Rule;
pub use silhouette::silhouette;
pub use stream::QuantizerStream;
pub use tok_dense::tok_dense;
pub use token_hash::TokenHash;
pub use unit_tokens::{UnitTokens, normalize};
pub use video_tokens::{Source, VideoTokens, Windows};
pub use vqt::{Quality, QualityError, VqtError, VqtFormatError};
pub use windows::WindowedQuantizer;
